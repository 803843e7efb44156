"""What the search found of a star's catalogued signals, and how its figures compare with theirs.

Belongs here: the comparison of one searched star. Does not belong here: the rules of a match (`matching.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from exo_assets.lightcurves.chain import Star
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days, transit_number
from exo_assets.lightcurves.matching import Match, match, matches
from exo_assets.lightcurves.search import SearchSettings, Signal, limits
from exo_assets.lightcurves.search_rows import place_of, without_nan
from exo_assets.lightcurves.validation_contracts import CORE_SEARCH_VALIDATION

CATALOGUE_COLUMNS = (
    *("signal_id", "mission", "mission_star_id", "disposition", "period_days", "period_err_days", "t0_bjd"),
    *("t0_err_days", "duration_hours", "duration_err_hours", "depth_ppm", "depth_err_ppm"),
)
"""Columns of `core_signals` that are compared."""


def compare_with_catalogue(
    star: Star,
    catalogue: pl.DataFrame,
    settings: SearchSettings | None = None,
    known: Sequence[Ephemeris] = (),
) -> pl.DataFrame:
    """A row of `core_search_validation` for each catalogued signal of a searched star.

    `catalogue` holds the star's rows of `core_signals`; `known` are the signals that were masked in the search.
    Differences are recovered less catalogued, in sigma of both uncertainties together where both are known; the
    catalogue's epoch is taken to the transit nearest to the recovered one, its period's uncertainty with it. A depth is
    that of a trapezoid's floor: a few percent below the depth at mid-transit that catalogues give, for limb darkening
    rounds the floor.
    """
    settings = settings or SearchSettings()
    rows = catalogue.select(CATALOGUE_COLUMNS).to_dicts()
    places = [place_of(row) for row in rows]
    found = [signal.transit.ephemeris for signal in star.signals]
    span = float(star.curve.time_bjd[0]), float(star.curve.time_bjd[-1])
    hits = _by_catalogue(matches(found, places, span))
    out = []
    for i, (row, place) in enumerate(zip(rows, places, strict=True)):
        signal, kind = (star.signals[hits[i][0]], hits[i][1].kind) if i in hits else (None, None)
        transits, snr = _expected(star.curve, place, row["depth_ppm"])
        reason = None
        if kind != "same":
            masked = bool(known) and match(place, known, span) is not None
            reason = "masked" if masked else _why_not(star.curve, place, settings, transits=transits, snr=snr)
            reason = "harmonic" if kind else reason
        out.append(
            _catalogued(row)
            | {
                "is_recovered": kind == "same",
                "match_kind": kind,
                "reason": reason,
                "n_transits_data": transits,
                "snr_expected": snr,
            }
            | (_recovered(row, signal, compared=kind == "same") if signal else {})
        )
    return CORE_SEARCH_VALIDATION.conform(pl.from_dicts(out, schema=CORE_SEARCH_VALIDATION.schema))


def _by_catalogue(found: Sequence[Match | None]) -> dict[int, tuple[int, Match]]:
    """Of each catalogued signal the found one that it is: the same before a harmonic, the first before a later one."""
    out: dict[int, tuple[int, Match]] = {}
    for i, hit in enumerate(found):
        if hit is not None and (hit.index not in out or (out[hit.index][1].kind != "same" and hit.kind == "same")):
            out[hit.index] = i, hit
    return out


def _expected(curve: CleanCurve, place: Ephemeris, depth_ppm: float | None) -> tuple[int | None, float | None]:
    """Transits with data in the clean curve, and the signal to noise of a box of the catalogued depth there."""
    if not np.isfinite([place.period_days, place.t0, place.duration_days]).all():
        return None, None
    inside = np.abs(phase_days(curve.time_bjd, place.period_days, place.t0)) < place.duration_days / 2
    numbers = transit_number(curve.time_bjd[inside], place.period_days, place.t0)
    weight = float((curve.flux_err[inside] ** -2).sum())
    return int(np.unique(numbers).size), None if depth_ppm is None else depth_ppm * 1e-6 * float(np.sqrt(weight))


def _why_not(
    curve: CleanCurve, place: Ephemeris, settings: SearchSettings, *, transits: int | None, snr: float | None
) -> str:
    if transits is None:
        return "no_ephemeris"
    if transits < settings.transits_min:
        return "too_few_transits"
    shortest, longest = limits(curve.time_bjd, settings)
    if not shortest <= place.period_days <= longest:
        return "period_not_searched"
    return "weak" if snr is not None and snr < settings.snr_min else "missed"


def _catalogued(row: Mapping[str, Any]) -> dict[str, object]:
    named = {"signal_id", "mission", "mission_star_id", "disposition"}
    return {name if name in named else f"catalogue_{name}": value for name, value in row.items()}


def _recovered(row: Mapping[str, Any], signal: Signal, *, compared: bool) -> dict[str, object]:
    """The recovered figures, and their differences from the catalogue's unless they are of a harmonic."""
    fit = signal.transit
    place = fit.ephemeris
    out: dict[str, object] = {
        "found_period_days": place.period_days,
        "found_period_err_days": fit.period_err_days,
        "found_t0_bjd": place.t0,
        "found_t0_err_days": fit.t0_err,
        "found_duration_hours": place.duration_days * 24,
        "found_duration_err_hours": fit.duration_err_days * 24,
        "found_depth_ppm": fit.depth * 1e6,
        "found_depth_err_ppm": fit.depth_err * 1e6,
        "found_sde": signal.sde,
        "found_snr": signal.snr,
    }
    if not compared:
        return without_nan(out)
    cycles = np.rint((place.t0 - row["t0_bjd"]) / row["period_days"])
    t0_err = _both(row["t0_err_days"], None if row["period_err_days"] is None else cycles * row["period_err_days"])
    differences = {
        "period": (place.period_days - row["period_days"], _both(row["period_err_days"], fit.period_err_days)),
        "t0": (place.t0 - row["t0_bjd"] - cycles * row["period_days"], _both(t0_err, fit.t0_err)),
    }
    if row["duration_hours"] is not None:
        error = _both(row["duration_err_hours"], fit.duration_err_days * 24)
        differences["duration"] = (place.duration_days * 24 - row["duration_hours"], error)
    if row["depth_ppm"] is not None:
        differences["depth"] = fit.depth * 1e6 - row["depth_ppm"], _both(row["depth_err_ppm"], fit.depth_err * 1e6)
    units = {"period": "period_relative_difference", "t0": "t0_difference_hours"}
    units |= {"duration": "duration_difference_hours", "depth": "depth_difference_ppm"}
    scale = {"period": 1 / row["period_days"], "t0": 24.0}
    for name, (difference, error) in differences.items():
        out[units[name]] = difference * scale.get(name, 1.0)
        out[f"{name}_difference_sigma"] = difference / error if error else None
    return without_nan(out)


def _both(a: float | None, b: float | None) -> float | None:
    """Two uncertainties together; unknown when one of them is."""
    return None if a is None or b is None else float(np.hypot(a, b))
