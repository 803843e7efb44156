"""Contracts of the tables that say how good the search is (`core_injections` and its kin)."""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import DISPOSITIONS, MISSIONS
from exo_assets.contracts import Column, TableContract

F, I, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean  # noqa: E741 - four short names keep the tables readable

INJECTION_REASONS = ("too_few_transits", "period_not_searched", "harmonic", "weak", "missed", "no_curve", "failed")
"""Why a planet was not recovered: fewer transits than the search asks for have data; its period is not among the trial
periods; it was only found at a multiple or fraction of its period; its expected signal to noise is below the
threshold; it is above, and was not found; nothing was left of the curve; the trial itself failed (`failure` has the
message)."""
CATALOGUE_REASONS = ("no_ephemeris", "masked", "too_few_transits", "period_not_searched", "harmonic", "weak", "missed")
"""Why a catalogued signal was not recovered: it has no period, epoch or duration; it was masked in the search; the
rest as above."""
STAR_SOURCES = ("header", "assumed")
FALSE_ALARM_KINDS = ("inverted", "scrambled")

_TARGET = Column("target", S, "Star: 'KIC 10002792'", nullable=False)
_MISSION = Column("mission", S, "Mission that the light curve comes from", nullable=False, allowed=MISSIONS)
_FAILURE = Column("failure", S, "Message of the error, when the trial could not be made")

CORE_INJECTIONS = TableContract(
    "core_injections",
    "Trials of injection and recovery: simulated transits in real light curves, and what the search made of them.",
    (
        _TARGET,
        _MISSION,
        Column("number", I, "Number of the trial on this star", nullable=False, low=0),
        Column("is_injected", B, "Always true: the signal is simulated, the noise is real", nullable=False),
        Column(
            "cadence_minutes",
            F,
            "Time from one point to the next: the injected transit is averaged over it",
            "min",
            low=0,
        ),
        Column("period_days", F, "Period, injected", "d", nullable=False, low=0, low_open=True),
        Column("t0_bjd", F, "Time of a mid-transit, injected, barycentric Julian date", "d", nullable=False),
        Column(
            "duration_hours", F, "Duration, first to last contact, injected", "h", nullable=False, low=0, low_open=True
        ),
        Column(
            "depth_ppm",
            F,
            "Light missing at mid-transit, injected, not averaged over an exposure",
            "ppm",
            low=0,
            high=1e6,
        ),
        Column(
            "radius_ratio", F, "Planet radius over star radius, injected", nullable=False, low=0, high=1, low_open=True
        ),
        Column("radius_earth", F, "Planet radius, injected", "R_Earth", nullable=False, low=0, low_open=True),
        Column("impact", F, "Impact parameter, injected", nullable=False, low=0, high=2),
        Column(
            "star_radius_sun", F, "Radius of the star, for the injection", "R_Sun", nullable=False, low=0, low_open=True
        ),
        Column(
            "star_density_sun",
            F,
            "Mean density of the star over the Sun's, for the injection",
            nullable=False,
            low=0,
            low_open=True,
        ),
        Column(
            "star_source",
            S,
            "Where radius, density and limb darkening are from: the header of the star's files, or assumed as the Sun's",
            nullable=False,
            allowed=STAR_SOURCES,
        ),
        Column("limb_1", F, "Linear limb-darkening coefficient (Claret 2012, 2017)", nullable=False),
        Column("limb_2", F, "Quadratic limb-darkening coefficient (Claret 2012, 2017)", nullable=False),
        Column("is_recovered", B, "Period within 1 %, epoch within half a duration", nullable=False),
        Column("is_recovered_closely", B, "Recovered, and the period within 0.1 %", nullable=False),
        Column("harmonic", S, "Found period over the injected one, for planets found at such a multiple only"),
        Column("reason", S, "Why it was not recovered; null when it was", allowed=INJECTION_REASONS),
        Column("rank", I, "Which of the star's signals it is, 1 for the first", low=1),
        Column("n_signals", I, "Signals found on the star with the planet in", low=0),
        Column("n_transits_data", I, "Injected transits with data in the clean curve", low=0),
        Column("snr_expected", F, "Signal to noise of the injected model in the clean curve's noise (MES)", low=0),
        Column("found_period_days", F, "Period, found", "d", low=0, low_open=True),
        Column("period_error", F, "Period found over injected, less one"),
        Column("epoch_offset_durations", F, "Found transit from the nearest injected one, durations"),
        Column("found_duration_hours", F, "Duration, found", "h", low=0, low_open=True),
        Column("found_depth_ppm", F, "Depth of the trapezoid, found", "ppm"),
        Column("found_sde", F, "Signal detection efficiency, found"),
        Column("found_snr", F, "Depth over its uncertainty in the final fit, found"),
        _FAILURE,
    ),
    key=("target", "number"),
)

CORE_COMPLETENESS = TableContract(
    "core_completeness",
    "Share of simulated planets that the search recovers, by mission, period and radius, with Wilson's 95 % interval.",
    (
        _MISSION,
        Column("period_low_days", F, "Shortest period of the cell", "d", nullable=False, low=0),
        Column("period_high_days", F, "Longest period of the cell", "d", nullable=False, low=0),
        Column("radius_low_earth", F, "Smallest planet of the cell", "R_Earth", nullable=False, low=0),
        Column("radius_high_earth", F, "Largest planet of the cell", "R_Earth", nullable=False, low=0),
        Column("n", I, "Planets injected and judged", nullable=False, low=0),
        Column("n_recovered", I, "Recovered", nullable=False, low=0),
        Column("n_harmonic", I, "Found only at a multiple or fraction of their period", nullable=False, low=0),
        Column("n_unjudged", I, "Trials that failed or had no curve; not in n", nullable=False, low=0),
        Column("share", F, "Recovered over judged; null when none was tried", low=0, high=1),
        Column("low", F, "Lower end of the 95 % interval", low=0, high=1),
        Column("high", F, "Upper end of the 95 % interval", low=0, high=1),
    ),
    key=("mission", "period_low_days", "radius_low_earth"),
)

CORE_FALSE_ALARMS = TableContract(
    "core_false_alarms",
    "Searches of real light curves upside down or out of order, where every signal is a false alarm.",
    (
        _TARGET,
        _MISSION,
        Column("kind", S, "What was done to the curve", nullable=False, allowed=FALSE_ALARM_KINDS),
        Column("number", I, "Number of the trial on this star", nullable=False, low=0),
        Column("sde_min", F, "Threshold in SDE", nullable=False),
        Column("snr_min", F, "Threshold in signal to noise", nullable=False),
        Column(
            "n_alarms",
            I,
            "Signals above all thresholds, which would be ranked; null when the curve could not be searched",
            low=0,
        ),
        Column("sde_highest", F, "SDE of the most significant", low=0),
        Column("snr_of_highest", F, "Its depth over the uncertainty in the final fit"),
        Column("period_days", F, "Its period", "d", low=0, low_open=True),
        Column("duration_hours", F, "Its duration", "h", low=0, low_open=True),
        Column("depth_ppm", F, "Its depth", "ppm"),
        Column("n_transits", I, "Its transits with data", low=0),
        Column("reason", S, "Why it could not be searched", allowed=("no_curve", "failed")),
        _FAILURE,
    ),
    key=("target", "kind", "number"),
)

_COMPARED = (
    ("period", "Period", "days", "d"),
    ("t0", "Time of a mid-transit, barycentric Julian date", "bjd", "d"),
    ("duration", "Transit duration", "hours", "h"),
    ("depth", "Transit depth", "ppm", "ppm"),
)


def _figures(prefix: str, said: str) -> tuple[Column, ...]:
    """Value and uncertainty of what is compared."""
    out = []
    for name, what, unit, shown in _COMPARED:
        error = "days" if unit == "bjd" else unit
        out += [
            Column(f"{prefix}_{name}_{unit}", F, f"{what}, {said}", shown),
            Column(f"{prefix}_{name}_err_{error}", F, "Its uncertainty", shown, low=0),
        ]
    return tuple(out)


CORE_SEARCH_VALIDATION = TableContract(
    "core_search_validation",
    "Catalogued signals of searched stars beside what the search recovered of them, or why it did not.",
    (
        Column("signal_id", S, "Name of the catalogued signal", nullable=False),
        _MISSION,
        Column("mission_star_id", S, "Host in the mission's own naming", nullable=False),
        Column("disposition", S, "Harmonised disposition (label)", allowed=DISPOSITIONS),
        Column("is_recovered", B, "Found with the same period and epoch", nullable=False),
        Column("match_kind", S, "'same', or 'harmonic 1/2' when it was found at half its period; null when not found"),
        Column("reason", S, "Why it was not recovered; null when it was", allowed=CATALOGUE_REASONS),
        Column("n_transits_data", I, "Transits with data in the clean curve", low=0),
        Column("snr_expected", F, "Signal to noise of the catalogued depth in the clean curve's noise", low=0),
        *_figures("catalogue", "catalogue"),
        *_figures("found", "recovered"),
        Column("found_sde", F, "Signal detection efficiency, recovered"),
        Column("found_snr", F, "Depth over its uncertainty in the final fit, recovered"),
        Column("period_relative_difference", F, "Recovered less catalogued period, over the catalogued"),
        Column("period_difference_sigma", F, "The same over both uncertainties together"),
        Column(
            "t0_difference_hours", F, "Recovered less catalogued mid-transit, the latter taken to the same transit", "h"
        ),
        Column("t0_difference_sigma", F, "The same over both uncertainties together"),
        Column("duration_difference_hours", F, "Recovered less catalogued duration", "h"),
        Column("duration_difference_sigma", F, "The same over both uncertainties together"),
        Column("depth_difference_ppm", F, "Recovered less catalogued depth", "ppm"),
        Column("depth_difference_sigma", F, "The same over both uncertainties together"),
    ),
    key=("signal_id",),
)

CONTRACTS: tuple[TableContract, ...] = (CORE_INJECTIONS, CORE_COMPLETENESS, CORE_FALSE_ALARMS, CORE_SEARCH_VALIDATION)
