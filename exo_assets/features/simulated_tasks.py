"""What the feature stage does to simulate signals in the light curve of one star.

Belongs here: which stars are taken, and from a stored curve to rows of simulated views. Does not belong here: what is
simulated (simulated.py), and where the work is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from exo_assets.features.diagnostics import diagnose
from exo_assets.features.signal_contracts import FEAT_SIMULATED_VIEWS
from exo_assets.features.signal_tasks import HOURS, as_frame, viewed
from exo_assets.features.simulated import Simulated, injected, pair
from exo_assets.features.views import ViewError, views
from exo_assets.lightcurves.clean import CleanCurve, remasked
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.injection import InjectionError
from exo_assets.lightcurves.planning import NAMED, with_star_names
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.search_rows import place_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES
from exo_assets.lightcurves.star_tasks import Rows
from exo_assets.lightcurves.trapezoid import FitError, fit
from exo_assets.training.splits import assign_splits

PAIRS = 2
"""Planets of each star, and as many eclipsing binaries."""


@dataclass(frozen=True)
class SimulationWork:
    """A star with a clean curve, the catalogue's name of it, and its own signals, which are left out."""

    star_id: str
    bucket: str
    host_id: str
    known: tuple[Ephemeris, ...]


def hosts(core_signals: pl.DataFrame, missions: Sequence[str]) -> dict[str, str]:
    """Stars that signals may be simulated in, by their name in light curves: those with a disposition in `missions`,
    none of the test set."""
    named = with_star_names(core_signals).join(assign_splits(core_signals), on="star_id", how="left")
    labelled = pl.col("disposition").is_not_null() & pl.col("mission").cast(pl.String).is_in(missions)
    stars = named.group_by(NAMED).agg(
        pl.col("star_id").first(),
        (pl.col("split") == "train").all().alias("train"),
        labelled.any().alias("labelled"),
    )
    chosen = stars.drop_nulls(NAMED).filter("train", "labelled")
    return dict(zip(chosen[NAMED], chosen["star_id"], strict=True))


def simulation_quanta(
    bucket: str,
    curves: Mapping[str, str],
    diagnosed: Mapping[str, Sequence[Mapping[str, Any]]],
    hosts: Mapping[str, str],
) -> Iterator[Quantum]:
    """Hosts with a clean curve; `diagnosed` are rows of `feat_diagnostics` by star, the stars' own signals."""
    for star, digest in curves.items():
        if star in hosts:
            own = tuple(place_of(row) for row in diagnosed.get(star, ()))
            mark = f"{digest} {hosts[star]} {own} {PAIRS}"
            yield Quantum(star, mark, SimulationWork(star, bucket, hosts[star], own))


def simulate_star(tables: Rows, work: SimulationWork) -> pl.DataFrame:
    """The rows of `feat_simulated_views` of one star; what could not be simulated or folded says why."""
    curve = of_rows(tables.star(CORE_LIGHT_CURVES.name, work.bucket, work.star_id))
    rows: list[dict[str, Any]] = []
    for number in range(PAIRS):
        try:
            both = pair(curve, number)
        except InjectionError as error:
            rows.append({**_named(work, curve, "planet", number), "reason": str(error)})
            continue
        for one in both:
            rows.append(_named(work, curve, one.kind, number) | _folded(curve, work.known, one))
    return as_frame(rows, FEAT_SIMULATED_VIEWS.schema)


def _folded(curve: CleanCurve, known: tuple[Ephemeris, ...], simulated: Simulated) -> dict[str, Any]:
    """As measured signals are: cleaned anew, fitted, the secondary sought, folded on what was fitted."""
    place = simulated.ephemeris
    try:
        with_signal = remasked(injected(curve, known, simulated), [place])
        time, flux = with_signal.time_bjd, with_signal.flux
        transit = fit(time, flux, with_signal.flux_err, place)
        phase = diagnose(with_signal, transit).secondary_phase
        seen = views(time, flux, transit.ephemeris, phase if np.isfinite(phase) else 0.5)
    except (FitError, ViewError, ValueError) as error:
        return {"reason": str(error)}
    where = transit.ephemeris
    ephemeris = {"period_days": where.period_days, "t0_bjd": where.t0, "duration_hours": where.duration_days * HOURS}
    return {**ephemeris, "snr": transit.snr, **viewed(seen)}


def _named(work: SimulationWork, curve: CleanCurve, kind: str, number: int) -> dict[str, Any]:
    return {
        "simulated_id": f"simulated {work.star_id} {number} {kind}",
        "star_id": work.star_id,
        "mission": curve.mission,
        "host_id": work.host_id,
        "kind": kind,
    }
