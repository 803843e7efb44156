"""How good the search is, on the stars at hand: which trials are made, and one trial.

Belongs here: choosing quiet stars, and what a worker does with one of them. Does not belong here: planets that are put
in (`injection.py`), judging a trial (`recovery.py`, `false_alarms.py`) and comparing with the catalogue
(`catalogue_comparison.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from exo_assets.lightcurves.catalogue_comparison import compare_with_catalogue
from exo_assets.lightcurves.chain import Star
from exo_assets.lightcurves.curve import FLAT
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.false_alarms import false_alarm_trial
from exo_assets.lightcurves.injection import Host, Injection, planned
from exo_assets.lightcurves.limb_darkening import SUN_TEFF_K
from exo_assets.lightcurves.planet_grid import GRIDS
from exo_assets.lightcurves.planning import NAMED, SUN_LOGG_CGS
from exo_assets.lightcurves.recovery import trial
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, SearchSettings
from exo_assets.lightcurves.search_rows import signal_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES
from exo_assets.lightcurves.star_tasks import Blobs, File, Rows, star_curves
from exo_assets.lightcurves.validation_contracts import FALSE_ALARM_KINDS

SIGNALS_HIDDEN = 3
"""A star with more signals is no place for trials."""
SIGNALS_MAX = 3
"""Signals sought in a trial: the injected one, and two that would go before it."""


@dataclass(frozen=True)
class Plan:
    """How many quiet stars of each mission are taken, and trials of each star. Long curves cost most: `most_points`
    bounds the points of a star."""

    stars: int
    injections: int
    scrambles: int
    most_points: int


PLANS = {"fast": Plan(2, 18, 2, 20_000), "full": Plan(40, 63, 3, 10_000_000)}
"""By profile. In `fast` a cell of the grid is tried once by a star, if at all: a table that is there, with wide
intervals, for a minute or two of a night."""


@dataclass(frozen=True)
class TrialWork:
    """A quiet star, and what is done to it: a planet put in, or (None) a false alarm `kind`."""

    star_id: str
    mission: str
    star: QuietStar
    injection: Injection | None
    kind: str = ""
    number: int = 0
    seed: int = 0
    star_source: str = "assumed"


@dataclass(frozen=True)
class CompareWork:
    """A searched star, what was found on it (rows of `core_search`) and its rows of `core_signals`."""

    star_id: str
    bucket: str
    found: tuple[Mapping[str, object], ...]
    catalogue: pl.DataFrame


def quiet_stars(
    searched: pl.DataFrame, catalogued: pl.DataFrame, plan: Plan, *, with_signals: bool = True
) -> pl.DataFrame:
    """Stars of `core_searched_stars` for trials: those without a signal and, `with_signals`, after them those all of
    whose signals were found and can be left out; the quietest of each mission first.

    `catalogued` has a row for each catalogued signal, its star in `NAMED`.
    """
    counts = catalogued.group_by(star_id=pl.col(NAMED)).agg(n_known=pl.len().cast(pl.Int64))
    rows = searched.join(counts, on="star_id", how="left").with_columns(pl.col("n_known").fill_null(0))
    quiet = rows.filter(
        pl.col("is_searched")
        & ~pl.col("flux_kind").str.contains(FLAT, literal=True)  # trials are of the trend too
        & ~pl.col("is_varying")
        & (pl.col("n_found") <= (SIGNALS_HIDDEN if with_signals else 0))
        & (pl.col("n_known") <= pl.col("n_catalogued"))
        & (pl.col("n_points") <= plan.most_points)
        & (pl.col("cdpp_6h_ppm") > 0)  # a flat line has no noise to put a planet into
    )
    quiet = quiet.sort(pl.col("n_found") > 0, "cdpp_6h_ppm", "star_id")
    return quiet.select(searched.columns).group_by("mission", maintain_order=True).head(plan.stars)


@dataclass(frozen=True)
class QuietStar:
    """What trials on a star need: its files, and the signals whose transits are left out of them."""

    files: tuple[File, ...]
    hidden: tuple[Ephemeris, ...]


def trials(quiet: pl.DataFrame, stars: Mapping[str, QuietStar], plan: Plan, seed: int) -> list[TrialWork]:
    """The injections into `quiet` stars, each of its own radius, density and limb darkening."""
    out = []
    for row in quiet.iter_rows(named=True):
        host, source = host_of(row)
        planets = planned(host, GRIDS[row["mission"]], plan.injections, seed, row["first_bjd"])
        out += [
            TrialWork(host.target, host.mission, stars[host.target], planet, star_source=source) for planet in planets
        ]
    return out


def host_of(row: Mapping[str, Any]) -> tuple[Host, str]:
    """The star of a row of `core_searched_stars`, and where its size is from: what the header of its files says, or a
    Sun where that lacks radius, surface gravity or temperature.

    The density is that of gravity and radius: rho is proportional to g / R.
    """
    radius, logg, teff = (row[name] for name in ("star_radius_sun", "star_logg_cgs", "star_teff_k"))
    if radius is None or logg is None or teff is None:
        return Host(row["star_id"], row["mission"], 1.0, 1.0, SUN_TEFF_K), "assumed"
    return Host(row["star_id"], row["mission"], radius, 10 ** (logg - SUN_LOGG_CGS) / radius, teff), "header"


def alarms(quiet: pl.DataFrame, stars: Mapping[str, QuietStar], plan: Plan, seed: int) -> list[TrialWork]:
    """Quiet stars upside down, once each, and out of order."""
    times = {"inverted": 1, "scrambled": plan.scrambles}
    return [
        TrialWork(star, mission, stars[star], None, kind, number, seed)
        for star, mission in quiet.select("star_id", "mission").iter_rows()
        for kind in FALSE_ALARM_KINDS
        for number in range(times[kind])
    ]


def make_trial(blobs: Blobs, work: TrialWork) -> dict[str, object]:
    """A row of `core_injections` or `core_false_alarms`."""
    whole, _ = star_curves(blobs, work.star_id, work.star.files)
    segments = [s.where(~in_transit(s.time_bjd, work.star.hidden, HIDDEN_DURATIONS)) for s in whole]
    settings = SearchSettings(signals_max=SIGNALS_MAX)
    if work.injection is not None:
        row = trial(segments, work.injection, settings, work.star_source)
    else:
        row = false_alarm_trial(segments, work.kind, work.number, seed=work.seed, settings=settings)
    return row | {"mission": work.mission}


def compare_star(tables: Rows, work: CompareWork) -> pl.DataFrame:
    """Rows of `core_search_validation`."""
    curve = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    return compare_with_catalogue(Star(curve, tuple(map(signal_of, work.found))), work.catalogue)
