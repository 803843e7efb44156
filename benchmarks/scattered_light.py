"""How far signals that are found only without points flagged for scattered light can be relied on.

Reads the TESS curves in `mast/` of a mirror, averaged over ten minutes. SIMULATED flags: hardly any of these curves
has points with bit 13, so it is laid on half a day to three days at the beginning or the end of each stretch of data,
where Earth and Moon stand near the field, elsewhere in every trial; once alone, and once with a ramp of light of up to
one per cent there. Each curve is searched as the night does, with the flagged points and without them: as it is, and,
without the dips that it has, upside down and out of order. Whatever is ranked of the latter two, and each of their
single transits, is a false alarm. Those that are found either way, only with the flagged points, and only without them
are counted apart.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_reliability import KINDS, LEFT_OUT_DURATIONS
from exo_assets.lightcurves.chain import search_curve
from exo_assets.lightcurves.clean import CleanError, cleaned
from exo_assets.lightcurves.curve import SCATTERED_LIGHT, LightCurve, usable
from exo_assets.lightcurves.detrend import pieces
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.false_alarms import ScrambleError, inverted, scrambled
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.intervals import wilson
from exo_assets.lightcurves.matching import match
from exo_assets.lightcurves.scattered_light import singles_told, with_and_without
from exo_assets.lightcurves.search import SearchError, SearchSettings
from exo_assets.lightcurves.single_transits import dips_of_signals, single_transits
from exo_assets.lightcurves.star_contracts import WITH_SCATTERED, WITHOUT_SCATTERED
from exo_assets.lightcurves.user_file import any_curve

MEAN_DAYS = 10 / 1440
STRETCH_DAYS = (0.5, 3.0)
"""Least and greatest length of a stretch of flagged points."""
FOLDS = 3.0
"""Scattered light falls by so many factors of e over a stretch."""
LIGHT = {"flags": 0.0, "flags and light": 0.01}
"""What is simulated, with the greatest share of the flux that scattered light adds."""
WAYS = {"either way": None, "only with them": WITH_SCATTERED, "only without": WITHOUT_SCATTERED}
SETTINGS = SearchSettings(signals_max=10)
Counts = Counter[tuple[str, str, str, str | None]]
"""Numbers by what is simulated, kind of curve, what was found (`searches`, `ranked`, `single`), and its `WAYS`."""


def curves(mirror: Path) -> Iterator[LightCurve]:
    """The TESS curves of a mirror, ten-minute averages."""
    for path in sorted((mirror / "mast").iterdir()):
        try:
            curve = any_curve(path.read_bytes(), path.name)
        except LightCurveFileError:
            continue
        if curve.mission == "tess":
            yield averaged(curve.where(usable(curve)))


def averaged(curve: LightCurve) -> LightCurve:
    """Averages over ten minutes of usable points, one segment."""
    _, first, count = np.unique((curve.time_bjd / MEAN_DAYS).astype(np.int64), return_index=True, return_counts=True)

    def mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.asarray(np.add.reduceat(values, first) / count)

    return replace(
        curve.where(first),
        time_bjd=mean(curve.time_bjd),
        flux=mean(curve.flux),
        quality=np.zeros(first.size, np.int64),
        segment=np.ones(first.size, np.int32),
    )


def flagged(curve: LightCurve, random: np.random.Generator, light: float) -> LightCurve:
    """The curve with simulated flags at one end of each stretch of data, and a ramp of light up to that share of its
    flux there."""
    mark, more = np.zeros(len(curve), dtype=bool), np.zeros(len(curve))
    for piece in pieces(curve.time_bjd):
        time = curve.time_bjd[piece]
        away = time - time[0] if random.random() < 0.5 else time[-1] - time
        length = min(random.uniform(*STRETCH_DAYS), np.ptp(time) / 3)
        mark[piece] = away < length
        more[piece] = np.where(away < length, random.uniform(0, light) * np.exp(-away / length * FOLDS), 0.0)
    level = float(np.median(curve.flux))
    return replace(curve, flux=curve.flux + level * more, quality=np.where(mark, SCATTERED_LIGHT, 0))


def trials(curve: LightCurve, number: int) -> Counts:
    """What is found in one curve, of each kind, with so many different flags."""
    counts: Counts = Counter()
    try:
        star = search_curve(cleaned([curve]), SETTINGS)
    except (CleanError, SearchError):
        return counts
    dips = dips_of_signals(star.signals)
    dips += [event.transit.ephemeris for event in single_transits(star.curve, dips)]
    quiet = curve.where(~in_transit(curve.time_bjd, dips, LEFT_OUT_DURATIONS)) if dips else curve
    for seed, (what, light), kind in product(range(number), LIGHT.items(), KINDS):
        random = np.random.default_rng(seed)
        try:
            made = flagged(_of_kind(curve if kind == "real" else quiet, kind, random), random, light)
            counts.update((what, kind, *one) for one in found(made, dips if kind == "real" else []))
        except (CleanError, SearchError, ScrambleError):
            continue
    return counts


def _of_kind(curve: LightCurve, kind: str, random: np.random.Generator) -> LightCurve:
    if kind == "real":
        return curve
    if kind == "inverted":
        return inverted([curve])[0]
    blocks = scrambled([curve], random)
    names = ("time_bjd", "flux", "flux_err", "quality", "segment", "column", "row")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    return replace(blocks[0], **arrays)


def found(curve: LightCurve, dips: list[Ephemeris]) -> list[tuple[str, str | None]]:
    """What is ranked of a flagged curve, and its single transits, with what is told of each; `the same`: those ranked
    whose dips are among the star's without flags."""
    clean = cleaned([curve])
    tried = with_and_without(clean, clean.without_scattered(), lambda one: search_curve(one, SETTINGS))
    once = singles_told(tried.star.curve, [(signal, told) for signal, told, _ in tried.signals], 1.0)
    ranked = [("ranked", told) for signal, told, _ in tried.signals if signal.doubt is None]
    span = float(clean.time_bjd[0]), float(clean.time_bjd[-1])
    same = [
        ("the same", told)
        for signal, told, _ in tried.signals
        if signal.doubt is None and match(signal.transit.ephemeris, dips, span)
    ]
    return [("searches", None), *ranked, *same, *(("single", told) for _, told in once)]


def main() -> None:
    """Print the counts of each kind of curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mirror", type=Path, help="folder with mast/")
    parser.add_argument("--flags", type=int, default=6, help="so many different flags on each curve")
    given = parser.parse_args()
    chosen = list(curves(given.mirror))
    counts: Counts = Counter()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for some in pool.map(trials, chosen, [given.flags] * len(chosen)):
            counts += some
    print(f"{len(chosen)} TESS curves, {given.flags} sets of SIMULATED flags each")
    for light, kind, what in product(LIGHT, KINDS, ("ranked", "the same", "single")):
        searches = counts[light, kind, "searches", None]
        shares = ", ".join(f"{way} {_share(counts[light, kind, what, told], searches)}" for way, told in WAYS.items())
        print(f"{light:<16}{kind:<10}{what:<9} in {searches} searches: {shares}")


def _share(some: int, of: int) -> str:
    """A number and its share, with Wilson's 95 % interval."""
    low, high = (float(bound) for bound in wilson(some, of))
    return f"{some} = {some / max(of, 1):.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
