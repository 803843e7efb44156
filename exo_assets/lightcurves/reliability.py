"""What is known of a signal beside its fit: its second dip, the star's variation, and whether it can be relied on.

Belongs here: the tests that a signal must pass to be ranked. Does not belong here: the measurements that they use
(`features/diagnostics.py`), and the vetter, which judges signals that passed and those that did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from exo_assets.features.diagnostics import Diagnostics, diagnose
from exo_assets.features.sinusoid import Sinusoids, sinusoids
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.orbits import FEW_TRANSITS
from exo_assets.lightcurves.pairs import PAIR, are_unlike
from exo_assets.lightcurves.periods import central_duration_days
from exo_assets.lightcurves.search import HIDDEN_DURATIONS, SearchSettings, Secondary, Signal, happens_once
from exo_assets.lightcurves.single_events import SingleEvents, single_events
from exo_assets.lightcurves.trapezoid import FitError, Trapezoid, fit

SECONDARY_SIGMA = 5.0
"""A second dip weaker than this is none."""
SIGNIFICANT_SIGMA = 15.0
"""A sinusoid less significant than this counts for nothing (LEO-Vetter's limit of SWEET)."""


LONGEST, SHORTEST = 3.0, 0.25
"""Durations over a central transit's, of the density that was searched for. Stars of a thirtieth of it have three times
its transits; below a quarter a planet would graze, or the star be a dwarf of 64 times its density."""
DIP_SHP, FEW_DIP_SHP = 0.2, 0.1
"""Below it the shape metric SHP (LEO-Vetter: 0 a dip, 0.5 a sinusoid, 1 a bump) tells a dip from a wave: many transits
of such a shape may last longer than `LONGEST`; few must be below the second. Eclipses do, and transits of giants."""
OF_PERIOD, OF_CENTRAL = 0.2, 1.2
"""A dip that lasts a larger share of its period, and longer than a central transit, is a wave of a star that varies at
that period;"""
LONGEST_ECLIPSE = 0.27
"""one that lasts a larger share than this is a wave of any star: the radii of two stars that fill their Roche lobes are
together 0.76 of their distance (Eggleton 1983, ApJ 268, 368), and asin(0.76) / pi is 0.27."""
ACCIDENTAL = 1.0
"""Most signals that dips as strong as the few transits make by chance."""
BY_CHANCE = "the curve has as strong dips elsewhere: some lie a period apart by chance"
RED_SNR = 6.2
"""Least SNR with red noise (LEO-Vetter's), beside the least SNR after the fit; where the depths of many transits
differ by far more than their errors (UNLIKE_CHI2), as a varying star's do, that with their own scatter, too."""
LEAST_WHOLE = 2
"""Transits that must be seen with data on both sides: fewer give no period, and ramps at gaps have none."""
LEAST_POINTS = 2.0
"""Points of a transit; shorter ones are thrusters and cosmic rays, if there are few,"""
AVERAGED_DAYS = 0.04
"""and if the points are no averages over hours."""
ONE_HOLDS = 0.9
"""Largest single-event over multiple-event statistic; 0.71 for two equal transits (LEO-Vetter: 0.8)."""
UNLIKE_CHI2, UNLIKE_SHARE = 10.0, 0.7
"""Scatter of the transits' depths over their errors, and the share of the deeper's depth that the other must have."""
ROLL_DAYS, ROLL_SHARE, ROLL_TIMES, ROLL_LONGEST_DAYS = 0.2452, 0.002, 3, 0.051
"""K2's telescope rolled, and its thrusters fired about every six hours (Howell et al. 2014, PASP 126, 398), on twelve
long cadences, or every second or third time. A dip of at most two and a half long cadences at such a period, to this
share of it, is theirs. No signal below 0.9 d in K2's catalogue has such a period."""
UNIQUE = 0.8
"""The model-shift test's margin of the transit over dips and bumps elsewhere (LEO-Vetter's)."""
ASYMMETRIC = 8.0
"""Tilt over its error (LEO-Vetter's)."""


def described(
    curve: CleanCurve,
    signal: Signal,
    others: list[Ephemeris],
    settings: SearchSettings,
    *,
    second: Trapezoid | None = None,
    secure: Sequence[Ephemeris] = (),
) -> Signal:
    """The signal with its second dip, the star's variation at its period, and what it lacks to be ranked.

    `curve` is flat, `others` are the star's other signals; `second`: the dip of the same orbit that the search found;
    `secure`: those of the others that lack nothing, whose transits are no accidents that could make a signal.
    """
    try:
        measured = diagnose(curve, signal.transit, others=others, density_sun=settings.density_sun)
    except ValueError:
        return replace(signal, doubt="its transits cannot be measured")
    signal = replace(
        signal,
        secondary=_secondary(curve, signal.transit, measured, others, second),
        variability_ratio=_variability_ratio(signal.transit.depth, measured, _third(curve, signal, others)),
    )
    cadence = float(np.median(np.diff(curve.time_bjd)))
    known = [*secure, second.ephemeris] if second else secure
    masked = in_transit(curve.time_bjd, known, HIDDEN_DURATIONS)
    events = single_events(curve.time_bjd, curve.flux, curve.flux_err, signal.transit, masked)
    told = doubt(signal, measured, events, cadence, settings)
    if told is None and curve.mission == "k2" and is_of_roll(signal.transit.ephemeris):
        told = f"it repeats with the roll of the telescope, every {ROLL_DAYS} d, and is as short as a thruster's firing"
    if told is None and signal.n_transits == PAIR:
        alone = ~in_transit(curve.time_bjd, others)
        if are_unlike(curve.time_bjd[alone], curve.flux[alone], curve.flux_err[alone], signal.transit):
            told = "its two transits are unlike"
    return replace(signal, doubt=told)


def is_of_roll(place: Ephemeris) -> bool:
    """Whether K2's telescope makes dips of this period and duration as it rolls."""
    times = round(place.period_days / ROLL_DAYS)
    if not 1 <= times <= ROLL_TIMES or place.duration_days > ROLL_LONGEST_DAYS:
        return False
    return abs(place.period_days / (times * ROLL_DAYS) - 1) < ROLL_SHARE


def _third(curve: CleanCurve, signal: Signal, others: list[Ephemeris]) -> Sinusoids:
    """The sinusoid at a third of the signal's period, out of all transits, and those around it: a star that pulsates
    fast is found at a multiple of its period."""
    place = signal.transit.ephemeris
    away = ~in_transit(curve.time_bjd, [place, *others]) & (curve.flux_err > 0)
    time, flux, weight = curve.time_bjd[away], (curve.flux * curve.trend)[away], curve.flux_err[away] ** -2
    # A sampling that repeats with the period leaves no sinusoid to be told: nan.
    with np.errstate(all="ignore"):
        return sinusoids(time, flux, weight, curve.segment[away].astype(np.int64), place.period_days / 3)


def _variability_ratio(depth: float, measured: Diagnostics, third: Sinusoids) -> float:
    """Amplitude of the largest significant sinusoid at P/3, P/2, P or 2 P over the depth; 0 where none is.

    The sinusoids are those of the SWEET test (Thompson et al. 2018, ApJS 235, 38). nan where it cannot be measured.
    """
    found = (
        (measured.sweet_half_sigma, measured.sweet_half_amplitude_ppm),
        (measured.sweet_sigma, measured.sweet_amplitude_ppm),
        (measured.sweet_double_sigma, measured.sweet_double_amplitude_ppm),
        (third.sweet_sigma, third.sweet_amplitude_ppm),
    )
    sigmas, amplitudes = np.array(found).T
    if not np.isfinite(sigmas).any() or not depth > 0:
        return float("nan")
    return float(np.where(sigmas > SIGNIFICANT_SIGMA, amplitudes, 0.0).max() * 1e-6 / depth)


def _secondary(
    curve: CleanCurve,
    transit: Trapezoid,
    measured: Diagnostics,
    others: list[Ephemeris],
    second: Trapezoid | None,
) -> Secondary | None:
    """The second dip: the one that the search found on this orbit, or the strongest at any phase that does not happen
    once alone; fitted if it can."""
    place = transit.ephemeris
    if second is None:
        if not measured.secondary_sigma >= SECONDARY_SIGMA:
            return None
        start = replace(place, t0=place.t0 + measured.secondary_phase * place.period_days)
        keep = ~in_transit(curve.time_bjd, others)
        points = curve.time_bjd[keep], curve.flux[keep], curve.flux_err[keep]
        if happens_once(*points, start):
            return None
        try:
            second = fit(*points, start)
        except FitError:
            return Secondary(measured.secondary_phase, measured.secondary_depth_ppm * 1e-6, measured.secondary_sigma)
    return second_dip(transit, second)


def second_dip(transit: Trapezoid, second: Trapezoid) -> Secondary:
    """Another dip of a transit's orbit, as it is told of the transit's signal."""
    place = transit.ephemeris
    phase = (second.ephemeris.t0 - place.t0) / place.period_days % 1.0
    return Secondary(phase, second.depth, second.snr)


def second_dips(signal: Signal) -> list[Ephemeris]:
    """The ephemeris of a signal's second dip, if it has one."""
    place = signal.transit.ephemeris
    second = signal.secondary
    return [replace(place, t0=place.t0 + second.phase * place.period_days)] if second else []


def doubt(
    signal: Signal, measured: Diagnostics, events: SingleEvents, cadence_days: float, settings: SearchSettings
) -> str | None:
    """What keeps a signal below the thresholds, in words; None when nothing does. What is not known fails no test."""
    place, few = signal.transit.ephemeris, signal.n_transits <= FEW_TRANSITS
    central = central_duration_days(place.period_days, settings.density_sun)
    length = place.duration_days / central
    points = place.duration_days / cadence_days
    is_dip = measured.shp < (FEW_DIP_SHP if few else DIP_SHP)
    share = place.duration_days / place.period_days
    scattered = _snr_of_scatter(measured)
    is_wave = share > (OF_PERIOD if signal.is_variable else LONGEST_ECLIPSE) and length > OF_CENTRAL
    tests = (
        (not signal.snr >= settings.snr_min, f"SNR {signal.snr:.1f} after the fit is below {settings.snr_min:g}"),
        (measured.snr_red < RED_SNR, f"SNR {measured.snr_red:.1f} with red noise is below {RED_SNR:g}"),
        (
            not few and measured.depth_scatter_chi2 > UNLIKE_CHI2 and scattered < RED_SNR,
            f"SNR {scattered:.1f} by the scatter of its transits' depths is below {RED_SNR:g}",
        ),
        (events.whole < LEAST_WHOLE, "less than two of its transits have data before and after them"),
        (few and events.accidental > ACCIDENTAL, BY_CHANCE),
        (is_wave, f"it lasts {share:.2f} of its period, as a wave of the star"),
        (length > LONGEST and not is_dip, f"it lasts {length:.1f} times as long as a central transit of the star"),
        (
            few and length < SHORTEST,
            f"it lasts {length:.2f} of a central transit of the star, seen {signal.n_transits} times",
        ),
        (
            few and points < LEAST_POINTS and cadence_days < AVERAGED_DAYS,
            f"its few transits have {points:.1f} points each",
        ),
        (measured.max_ses_over_mes > ONE_HOLDS, "one transit holds most of the signal"),
        (few and measured.depth_scatter_chi2 > UNLIKE_CHI2 and _unlike(measured), "its few transits are unlike"),
        (measured.modshift_2 < UNIQUE, "a dip elsewhere on the orbit is as strong"),
        (measured.modshift_3 < UNIQUE, "a bump elsewhere on the orbit is as strong"),
        (few and abs(measured.asymmetry_sigma) > ASYMMETRIC, "its few transits are lopsided"),
    )
    return next((words for failed, words in tests if failed), None)


def _snr_of_scatter(measured: Diagnostics) -> float:
    """The SNR with red noise, its error enlarged where the transits' depths differ by more than theirs: by the root of
    chi-square over its degrees of freedom (scale factor of the Particle Data Group, Review of Particle Physics, 5.2.2).
    nan where the scatter is not known."""
    return measured.snr_red / float(np.sqrt(np.maximum(measured.depth_scatter_chi2, 1.0)))


def _unlike(measured: Diagnostics) -> bool:
    """Whether odd and even transits differ by a large part of their depth."""
    odd, even = measured.odd_depth_ppm, measured.even_depth_ppm
    return not (min(odd, even) > UNLIKE_SHARE * max(odd, even))
