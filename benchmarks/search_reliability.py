"""How far the ranked signals of the search can be relied on: the archive's curves, upside down and out of order.

Reads `curves/` of a mirror (kepler_flat_binned, kepler_raw_quarters, k2_c04). Real curves: ranked signals that are
catalogued, and others; catalogued signals that were found. Inverted and scrambled curves hold no transit: whatever is
ranked there is spurious. From both the dips that were found and the catalogued transits are left out first, with half a
duration on each side: eclipses out of order pair up by chance, and nearly all flat curves are of stars that have a
catalogued signal, so that quiet ones alone would be too few (Thompson et al. 2018, section 2.3, leave such stars out).
Dips that are neither found nor catalogued stay and count as spurious. The share of spurious signals, by SNR and pooled
over the sets, is what those curves rank for each real one searched, over what real ones rank, with Wilson's 95 %
interval of their number. Ranked signals that no catalogue has are counted apart: planets, eclipses of a binary, or
spurious. Single transits are counted in the same curves: those of inverted and scrambled ones are false alarms. Tests
of signals are chosen on the stars with even numbers; those with odd ones are held out.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import gzip
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.lightcurves.chain import Star, search_star
from exo_assets.lightcurves.clean import CleanError
from exo_assets.lightcurves.curve import LightCurve, as_flat
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.false_alarms import ScrambleError, inverted, scrambled
from exo_assets.lightcurves.intervals import wilson
from exo_assets.lightcurves.matching import matches
from exo_assets.lightcurves.search import SearchError, SearchSettings
from exo_assets.lightcurves.search_rows import place_of
from exo_assets.lightcurves.single_transits import dips_of_signals, dips_that_repeat, single_transits

SETS = {
    "kepler_flat_binned": ("KIC", "kepid", "flux", as_flat("flux"), 1.0),
    "kepler_raw_quarters": ("KIC", "kepid", "flux", "SAP_FLUX", 0.0),
    "k2_c04": ("EPIC", "epic", "flux_corr", "FCOR", 0.0),
}
"""Catalogue, its number's column, flux column, kind of flux, and what is added to it."""
BKJD = 2_454_833.0
LEFT_OUT_DURATIONS = 1.0
"""Half-width of what is left out around a transit before a curve is inverted or scrambled, durations."""
SNR_BINS = (0.0, 7.1, 10.0, 15.0, np.inf)
KINDS = ("real", "inverted", "scrambled")


def curves(mirror: Path, name: str, every: int) -> Iterator[LightCurve]:
    """Every so-manieth curve of a set."""
    prefix, number, column, kind, zero = SETS[name]
    for row in pl.read_parquet(mirror / "curves" / f"{name}.parquet").gather_every(every).iter_rows(named=True):
        time_bjd, flux = np.array(row["time"]) + BKJD, np.array(row[column], dtype=np.float64) + zero
        known = np.isfinite(time_bjd) & np.isfinite(flux)
        order = np.flatnonzero(known)[np.argsort(time_bjd[known])]
        nothing = np.full(order.size, np.nan)
        yield LightCurve(
            target=f"{prefix} {row[number]}",
            mission="k2" if prefix == "EPIC" else "kepler",
            flux_kind=kind,
            time_bjd=time_bjd[order],
            flux=flux[order],
            flux_err=np.full(order.size, 1e-4),
            quality=np.zeros(order.size, np.int64),
            segment=np.ones(order.size, np.int32),
            column=nothing,
            row=nothing,
        )


def catalogue(mirror: Path) -> dict[str, list[dict[str, Any]]]:
    """Catalogued signals by star."""

    def table(name: str) -> pl.DataFrame:
        return pl.read_csv(gzip.decompress((mirror / "tap" / f"{name}.csv.gz").read_bytes()), infer_schema=False)

    signals = accepted(harmonised_signals(table("cumulative"), pl.DataFrame(), table("toi"), table("k2pandc")))
    return {str(star): rows.to_dicts() for (star,), rows in signals.group_by("mission_star_id")}


@dataclass
class Tally:
    """Counts of one kind of curve; ranked and catalogued signals by range of SNR."""

    stars: int = 0
    single: int = 0
    ranked: Counter[int] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    below: int = 0
    catalogued: int = 0
    found: int = 0
    found_ranked: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def add(self, star: Star, rows: list[dict[str, Any]], n_single: int) -> None:
        """Take up a searched curve with its number of single transits; `rows` are the star's catalogued signals."""
        self.stars += 1
        self.single += n_single
        pairs = list(zip(star.signals, catalogued(star, rows), strict=True))
        self.catalogued += len(rows)
        self.found += len({hit for signal, hit in pairs if hit is not None and signal.snr >= SearchSettings.snr_min})
        self.found_ranked += len({hit for signal, hit in pairs if hit is not None and signal.doubt is None})
        for signal, hit in pairs:
            if signal.doubt is not None:
                self.below += 1
                continue
            at = int(np.searchsorted(SNR_BINS, signal.snr, side="right")) - 1
            self.ranked[at] += 1
            self.known[at] += hit is not None


def catalogued(star: Star, rows: list[dict[str, Any]]) -> list[int | None]:
    """Which of the catalogue's rows each signal is, by its transits or by its second dip: a catalogue may have the
    shallower eclipse of a binary as the signal."""
    places, span = [place_of(row) for row in rows], (star.curve.time_bjd[0], star.curve.time_bjd[-1])
    out = []
    for signal in star.signals:
        hits = matches(dips_of_signals([signal]), places, span)
        out.append(next((hit.index for hit in hits if hit is not None), None))
    return out


def searched(curve: LightCurve, kind: str, hidden: list[Ephemeris], seed: int) -> Star | None:
    """A curve of one kind, searched; None for one that cannot be."""
    settings = SearchSettings(signals_max=10)
    try:
        segments = [curve.where(~in_transit(curve.time_bjd, hidden, LEFT_OUT_DURATIONS))] if hidden else [curve]
        if kind == "inverted":
            segments = inverted(segments)
        elif kind == "scrambled":
            segments = scrambled(segments, np.random.default_rng(seed))
        return search_star(segments, settings)
    except (CleanError, SearchError, ScrambleError):
        return None


Tallies = dict[str, Tally]
"""A tally for each kind of curve."""


def measured(mirror: Path, name: str, every: int) -> tuple[Tallies, Tallies]:
    """Tallies of one set: of the stars with even numbers, and of those with odd ones."""
    known, halves = catalogue(mirror), (_nothing(), _nothing())
    chosen = list(curves(mirror, name, every))
    rows = [known.get(curve.target, []) for curve in chosen]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for curve, tallies in zip(
            chosen, pool.map(of_curve, range(len(chosen)), chosen, rows, chunksize=4), strict=True
        ):
            half = halves[int(curve.target.split()[1]) % 2]
            for kind in KINDS:
                half[kind] += tallies[kind]
    return halves


def of_curve(number: int, curve: LightCurve, rows: list[dict[str, Any]]) -> Tallies:
    """Tallies of one curve, its star's catalogued signals in `rows`; `number` seeds the order of the scrambled one."""
    tallies, hidden = _nothing(), list[Ephemeris]()
    for kind in KINDS:
        star = searched(curve, kind, hidden, number)
        if star is None:
            continue
        once = single_transits(star.curve, dips_that_repeat(star.signals))
        tallies[kind].add(star, rows if kind == "real" else [], len(once))
        if kind == "real":
            seen_once = [event.transit.ephemeris for event in once]
            hidden = [*dips_of_signals(star.signals), *seen_once, *map(place_of, rows)]
    return tallies


def _nothing() -> Tallies:
    return {kind: Tally() for kind in KINDS}


def told(name: str, tallies: Tallies) -> Iterator[str]:
    """The figures of a set, a line for each kind and one for each range of SNR."""
    for kind, tally in tallies.items():
        ranked, known = tally.ranked.total(), tally.known.total()
        yield (
            f"{name:<20}{kind:<10}{tally.stars:>5} curves: {ranked:>4} ranked, {known:>4} catalogued, "
            f"{ranked - known:>3} others, {tally.below:>4} below, {tally.single:>3} single"
        )
    tests = [tallies[kind] for kind in KINDS[1:]]
    for at, (low, high) in enumerate(pairwise(SNR_BINS)):
        real, known = tallies["real"].ranked[at], tallies["real"].known[at]
        if not real:
            continue
        alarms, stars = sum(t.ranked[at] for t in tests), sum(t.stars for t in tests)
        spurious = _share(alarms, stars, tallies["real"].stars / real)
        yield (
            f"    SNR {low:g} to {high:g}: {real} ranked, spurious {spurious}; {real - known} in no catalogue, "
            f"{_share(real - known, real)}"
        )


def _share(some: int, of: int, scale: float = 1.0) -> str:
    """A share times `scale`, with Wilson's 95 % interval of it."""
    low, high = (float(bound) * scale for bound in wilson(some, of))
    return f"{some / max(of, 1) * scale:.1%} ({low:.1%} to {high:.1%})"


def pooled(name: str, sets: list[Tallies]) -> str:
    """The spurious share of what the real curves of all sets rank, the share that no catalogue has (what would be
    spurious if all of it were), and the ranked share of the catalogued signals found."""
    real, tests = [t["real"] for t in sets], [t[kind] for t in sets for kind in KINDS[1:]]
    ranked, alarms = (sum(t.ranked.total() for t in some) for some in (real, tests))
    stars, trials = (sum(t.stars for t in some) for some in (real, tests))
    found, kept, all_of_them = (sum(getattr(t, name) for t in real) for name in ("found", "found_ranked", "catalogued"))
    others = ranked - sum(t.known.total() for t in real)
    return (
        f"{name}: {ranked} ranked of {stars} real curves, {alarms} of {trials} inverted and scrambled ones: spurious "
        f"{_share(alarms, trials, stars / max(ranked, 1))}; {others} of the ranked in no catalogue: "
        f"{_share(others, ranked)} if all of them were spurious; of {all_of_them} catalogued signals {found} found "
        f"with SNR {SearchSettings.snr_min:g} or more, {kept} ranked: {_share(kept, found)} of the found"
    )


def singles(sets: list[Tallies]) -> str:
    """Single transits of the real curves of all sets, and those of inverted and of scrambled ones, which are none."""
    counts = {kind: (sum(t[kind].single for t in sets), sum(t[kind].stars for t in sets)) for kind in KINDS}
    alarms = ", ".join(f"{kind} {some} in {of} curves: {_share(some, of)}" for kind, (some, of) in counts.items())
    return f"SINGLE TRANSITS: {alarms}"


def main() -> None:
    """Print the figures of every set, those of all, and those of each half of the stars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mirror", type=Path, help="folder with curves/ and tap/")
    parser.add_argument("--every", type=int, default=10, help="every so-manieth curve of a set")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    given = parser.parse_args()
    halves: tuple[list[Tallies], list[Tallies]] = [], []
    for name in given.sets:
        start = sum(os.times()[:4])
        even, odd = measured(given.mirror, name, given.every)
        halves[0].append(even)
        halves[1].append(odd)
        print(*told(name, {kind: even[kind] + odd[kind] for kind in KINDS}), sep="\n")
        print(f"    {sum(os.times()[:4]) - start:.0f} CPU s", flush=True)
    print(pooled("EVEN STARS", halves[0]))
    print(pooled("ODD STARS, HELD OUT", halves[1]))
    print(pooled("POOLED", [*halves[0], *halves[1]]))
    print(singles([*halves[0], *halves[1]]))


if __name__ == "__main__":
    main()
