"""What the vetter says of a signal and why, and what its light curve shows, in words.

Belongs here: wording of verdicts, reasons and diagnostics, and which diagnostics stand out. Does not belong here: the
vetter, how a diagnostic is measured, or the catalogue's facts (`dossier_facts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from exo_assets.corpus.dossier_facts import MISSION_NAMES, Row, number
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.from_light_curves import CURVE_COLUMNS, PREFIX
from exo_assets.features.registry import FEATURES

_SETS = {
    "planet": "at 95 % coverage it can only be a planet",
    "false positive": "at 95 % coverage it can only be a false positive",
    "unsure": "at 95 % coverage it can be either, a planet or a false positive",
}
_VERDICTS = {"planet": "a planet", "candidate": "a candidate (unsure)", "false positive": "a false positive"}


def verdict(score: Row) -> dict[str, Any]:
    """What the champion says of a row of `out_scores`, with reasons in words."""
    said = _VERDICTS[score["verdict"]]
    return {
        "verdict": score["verdict"],
        "probability_planet": score["probability_planet"],
        "prediction_set": score["prediction_set"],
        "dispositions": {name: score[f"disposition_{name}"] for name in ("confirmed", "candidate", "false_positive")},
        "statement": f"The vetter calls it {said}, with a probability of {score['probability_planet']:.3f} that it is "
        f"a planet; {_SETS[score['prediction_set']]}.",
        "reasons": [reason(r) for r in score["reasons"] or ()],
        "model_version": score["model_version"],
    }


# -- reasons -----------------------------------------------------------------------------------------------------

_PHRASES = {
    "log_period": "the orbital period",
    "log_duration": "the transit duration",
    "log_depth": "the transit depth",
    "log_radius": "the planet radius",
    "log_snr": "the signal to noise",
    "sqrt_depth": "the radius ratio that the depth implies",
    "radius_ratio_catalogue": "the catalogue's planet radius over the star's",
    "log_blend": "the depth over the squared radius ratio",
    "duty_cycle": "the share of the orbit spent in transit",
    "log_duration_ratio": "the duration over that of a central transit of this star",
    "impact": "the impact parameter",
    "v_shape": "impact parameter and radius ratio together (a grazing transit above 1)",
    "log_insolation": "the insolation",
    "teq": "the equilibrium temperature",
    "log_semi_major_axis": "the size of the orbit",
    "log_a_over_rs": "the size of the orbit over the star's radius",
    "desert_distance": "the place in the desert of short-period Neptunes",
    "snr_per_transit": "the signal to noise of a single transit",
    "log_period_rel_err": "how precise the period is",
    "t0_err_per_duration": "how precise the epoch is",
    "duration_rel_err": "how precise the duration is",
    "depth_rel_err": "how precise the depth is",
    "radius_rel_err": "how precise the planet radius is",
    "insolation_rel_err": "how precise the insolation is",
    "teq_rel_err": "how precise the equilibrium temperature is",
    "impact_err": "how precise the impact parameter is",
    "star_teff_k": "the star's temperature",
    "star_logg_cgs": "the star's surface gravity",
    "star_radius_sun": "the star's radius",
    "star_mass_sun": "the star's mass",
    "star_metallicity_dex": "the star's metallicity",
    "log_star_density": "the star's density",
    "log_distance": "the star's distance",
    "magnitude": "the star's brightness",
    "absolute_magnitude": "the star's absolute magnitude",
    "excess_magnitude": "light beyond that of a star of this size and temperature",
    "log_proper_motion": "the star's proper motion",
    "reduced_proper_motion": "the star's reduced proper motion",
    "star_teff_rel_err": "how precise the star's temperature is",
    "star_logg_err_cgs": "how precise the star's surface gravity is",
    "star_radius_rel_err": "how precise the star's radius is",
    "star_mass_rel_err": "how precise the star's mass is",
    "star_metallicity_err_dex": "how precise the star's metallicity is",
    "n_signals": "the number of signals on the star",
    "log_neighbour_period_ratio": "the period over that of the nearest other signal of the star",
    "log_neighbour_depth_ratio": "the depth over that of the nearest other signal of the star",
    "log_mes": "the multiple-event statistic",
    "ses_over_mes": "how much of the significance one transit carries",
    "snr_over_mes": "the fit's signal to noise over the multiple-event statistic",
    "log_n_transits": "the number of transits",
    "odd_even_sig": "the pipeline's comparison of odd and even depths",
    "chisq_per_dof": "how well the transit model fits",
    "centroid_motion_sig": "the significance of the centroid's motion",
    "centroid_offset_oot_arcsec": "the offset of the difference image from the centroid",
    "centroid_offset_oot_sig": "the significance of the offset from the centroid",
    "centroid_offset_kic_arcsec": "the offset of the difference image from the star's position",
    "centroid_offset_kic_sig": "the significance of the offset from the star's position",
    "fw_offset_arcsec": "the offset of the source that dims",
    "log_fit_density_ratio": "the density that the transit implies over the star's",
    "log_fit_a_over_rs": "the fitted size of the orbit over the star's radius",
    "inclination_deg": "the fitted inclination",
    "log_radius_ratio": "the fitted radius ratio",
    "radius_ratio_rel_err": "how precise the radius ratio is",
    "log_fit_depth_ratio": "the depth over the fitted radius ratio squared",
    "mission": "the mission",
    "global_view": "the light curve folded over the whole orbit",
    "local_view": "the shape of the folded transit",
    "odd_even_view": "odd against even transits in the light curve",
    "secondary_view": "the light curve where a secondary eclipse would be",
}
_UNITS = {f.name: f.unit for f in FEATURES}
_DIAGNOSTICS = {c.name: c.description for c in CURVE_COLUMNS}
_ABOUT = {c.name: (c.description, c.unit) for c in COLUMNS}


def reason(told: Mapping[str, Any]) -> dict[str, Any]:
    """A reason of `out_scores` with `text`, the same in words: what argues which way, with its value as people know it
    (logarithms undone)."""
    name, value, weight = told["feature"], told["value"], told["contribution"]
    side = "for a planet" if weight > 0 else "against a planet" if weight < 0 else "neither way"
    shown = f" ({_shown(name, value)})" if value is not None else "" if name.endswith("_view") else " (unknown)"
    text = f"{_phrase(name)}{shown} argues {side}, {weight:+.2f} in log-odds"
    return {"feature": name, "value": value, "contribution": weight, "text": text}


def _phrase(name: str) -> str:
    if name in _PHRASES:
        return _PHRASES[name]
    if name in _DIAGNOSTICS:
        return f"the light curve's {name.removeprefix(PREFIX)} ({_head(_DIAGNOSTICS[name])})"
    return f"the feature {name}"


def _head(description: str) -> str:
    """What a description says before its formula and sources."""
    for end in (" (", ": ", "; "):
        description = description.split(end, 1)[0]
    return description


def _shown(name: str, value: float) -> str:
    unit = _UNITS.get(name, "")
    if unit.startswith("log10"):
        return _with_unit(10.0**value, unit[len("log10(") : -1] if "(" in unit else "") if abs(value) < 30 else unit
    return _with_unit(value, unit)


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}" if unit not in ("", "1") else number(value)


# -- diagnostics -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limit:
    """A published limit: beyond it (`above` or `below`) a diagnostic speaks against a planet."""

    column: str
    side: Literal["above", "below"]
    value: float
    source: str


_LEO = "LEO-Vetter (Kunimoto et al. 2025)"
_DR25 = "DR25's Robovetter (Thompson et al. 2018)"
LIMITS: tuple[Limit, ...] = (
    Limit("snr_red", "below", 6.2, _LEO),
    Limit("odd_even_sigma", "above", 3.0, _LEO),
    Limit("depth_mean_over_median", "above", 1.5, _LEO),
    Limit("chi_sigma", "below", 7.8, _LEO),
    Limit("max_ses_over_mes", "above", 0.8, _LEO),
    Limit("chases", "below", 0.78, _LEO),
    Limit("modshift_1", "below", 0.2, _LEO),
    Limit("modshift_2", "below", 0.8, _LEO),
    Limit("modshift_3", "below", 0.8, _LEO),
    Limit("modshift_4", "above", 0.0, _LEO),
    Limit("shp", "above", 0.6, _LEO),
    Limit("impact_plus_ratio", "above", 1.04, _DR25),
    Limit("model_vs_line_aic", "above", -30.0, _LEO),
    Limit("sweet_half_sigma", "above", 15.0, _LEO),
)
"""Those named beside the formulas in `exo_assets/features`."""

LEAST_PLANETS = 40
"""Confirmed planets of the mission that must have a diagnostic before a value counts as rare among them."""
RARE = 0.025
"""On either side."""


class Planets:
    """Diagnostics of confirmed planets, to compare with: `measured` are rows of `feat_signal_diagnostics` and
    `confirmed` the `signal_id` of planets; the signals of a star are never compared with their own star."""

    def __init__(self, measured: pl.DataFrame, confirmed: Sequence[str]) -> None:
        planets = measured.filter(pl.col("signal_id").is_in(list(confirmed)) & pl.col("reason").is_null())
        self._stars = {m: part["star_id"].to_numpy() for (m,), part in planets.group_by("mission", maintain_order=True)}
        self._values = {
            str(m): {c.name: part[c.name].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in COLUMNS}
            for (m,), part in planets.group_by("mission", maintain_order=True)
        }

    def rarity(self, row: Row, column: str) -> tuple[float, int] | None:
        """Share of confirmed planets of the row's mission that are below its value, and how many there are; None with
        fewer than LEAST_PLANETS."""
        values = self._values.get(row["mission"], {}).get(column)
        if values is None:
            return None
        others = values[~np.isnan(values) & (self._stars[row["mission"]] != row["star_id"])]
        if others.size < LEAST_PLANETS:
            return None
        value = float(row[column])
        return float(((others < value).sum() + 0.5 * (others == value).sum()) / others.size), int(others.size)


def diagnostics(measured: Row | None, planets: Planets) -> dict[str, Any]:
    """What stands out in the light curve: `measured` is the signal's row of `feat_signal_diagnostics`, None without
    one. Beyond a published limit, or rarer than RARE among the mission's confirmed planets."""
    if measured is None:
        return {"light_curve": False, "statement": "No light curve of it was read.", "notable": []}
    if measured["reason"] is not None:
        said = f"Its light curve was read, and nothing could be measured: {measured['reason']}."
        return {"light_curve": True, "statement": said, "notable": []}
    notable = [found for c in COLUMNS if measured[c.name] is not None for found in _notable(measured, c.name, planets)]
    said = "Of its light curve stands out:" if notable else "Nothing in its light curve stands out."
    return {"light_curve": True, "statement": said, "notable": notable}


def _notable(row: Row, column: str, planets: Planets) -> list[dict[str, Any]]:
    value, why = float(row[column]), []
    for limit in LIMITS:
        beyond = value > limit.value if limit.side == "above" else value < limit.value
        if limit.column == column and beyond:
            why.append(f"{limit.side} {limit.value:g}, the limit of {limit.source}")
    rarity = planets.rarity(row, column)
    if rarity is not None and not RARE <= rarity[0] <= 1 - RARE:
        share, count = rarity
        side = f"above that of {share:.0%}" if share > 0.5 else f"below that of {1 - share:.0%}"
        why.append(f"{side} of {count} confirmed {MISSION_NAMES[row['mission']]} planets")
    if not why:
        return []
    description, unit = _ABOUT[column]
    return [{"column": column, "value": value, "unit": unit, "label": _head(description), "why": "; ".join(why)}]
