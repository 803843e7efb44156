"""Whether the chain finds a planet that was put into a light curve, and how well it measures it.

Belongs here: one trial of injection and recovery, and its judgement. Does not belong here: the planet and its transits
(`injection.py`), or the sums over many trials (`completeness.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.chain import Star, search_star
from exo_assets.lightcurves.clean import CleanCurve, CleanError
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import phase_days, transit_number
from exo_assets.lightcurves.injection import Injection, cadence_days, depth_ppm, inject, transit_model
from exo_assets.lightcurves.matching import HARMONICS, Harmonic
from exo_assets.lightcurves.search import SearchError, SearchSettings, Signal, limits
from exo_assets.lightcurves.search_rows import without_nan

Array = NDArray[np.float64]

PERIOD_WITHIN, PERIOD_CLOSELY = 1e-2, 1e-3
"""A period within the first, relative, counts as found; within the second it is told apart."""
EPOCH_DURATIONS = 0.5
"""A transit counts as found when it is so near to the injected one, in injected durations."""


@dataclass(frozen=True)
class Recovery:
    """What became of an injected planet; nan and None where nothing was found.

    `period_error`: found over injected, less one. `epoch_offset_durations`: found transit from the nearest injected
    one. `rank`: 1 for the first signal of the star. `harmonic`: found period over the injected one ('1/2'), when it is
    not recovered but found so. `n_transits_data`, `snr_expected`: transits with data, and signal to noise of the model
    that was injected, in the star's clean curve. `snr` is that of the final fit, depth over its uncertainty.
    """

    is_recovered: bool
    is_recovered_closely: bool
    harmonic: str | None
    reason: str | None
    rank: int | None
    n_signals: int
    n_transits_data: int
    snr_expected: float
    period_days: float
    period_error: float
    epoch_offset_durations: float
    duration_hours: float
    depth_ppm: float
    sde: float
    snr: float


def recovered(star: Star, injection: Injection, settings: SearchSettings | None = None) -> Recovery:
    """Whether one of the star's signals is the injected planet.

    It is when its period is within one percent and its transits, in the middle of the data, within half a duration of
    the injected ones. A signal at a simple multiple or fraction of the period whose transits fall on injected ones is
    told apart and does not count. The first signal that fits is taken.
    """
    settings = settings or SearchSettings()
    transits, expected = expected_signal(star.curve, injection)
    rank, hit = _first(star.signals, injection, HARMONICS[:1])
    harmonic = None
    if hit is None:
        rank, hit = _first(star.signals, injection, HARMONICS[1:])
        harmonic = None if hit is None else _harmonic(hit, injection, HARMONICS[1:])
    place = hit.transit.ephemeris if hit else None
    nan = float("nan")
    error = place.period_days / injection.period_days - 1 if place else nan
    reason = None
    if hit is None or harmonic is not None:
        reason = _why_not(star.curve, injection, settings, transits=transits, snr=expected)
        reason = "harmonic" if harmonic and reason in ("weak", "missed") else reason
    return Recovery(
        is_recovered=reason is None,
        is_recovered_closely=reason is None and abs(error) < PERIOD_CLOSELY,
        harmonic=harmonic.name if harmonic else None,
        reason=reason,
        rank=rank,
        n_signals=len(star.signals),
        n_transits_data=transits,
        snr_expected=expected,
        period_days=place.period_days if place else nan,
        period_error=error,
        epoch_offset_durations=_offset(hit, injection, harmonic or HARMONICS[0]) if hit else nan,
        duration_hours=place.duration_days * 24 if place else nan,
        depth_ppm=hit.transit.depth * 1e6 if hit else nan,
        sde=hit.sde if hit else nan,
        snr=hit.snr if hit else nan,
    )


def expected_signal(curve: CleanCurve, injection: Injection) -> tuple[int, float]:
    """Number of injected transits with data in the clean curve, and the signal to noise that they have there together.

    That is sqrt(sum((1 - model)^2 / error^2)): what a matched filter finds in white noise, the multiple event statistic
    (Jenkins 2002), if cleaning takes nothing of the transits.
    """
    place = injection.ephemeris
    inside = np.abs(phase_days(curve.time_bjd, place.period_days, place.t0)) < place.duration_days / 2
    if not inside.any():
        return 0, 0.0
    time = curve.time_bjd[inside]
    missing = 1 - transit_model(time, injection, cadence_days(curve.time_bjd))
    numbers = transit_number(time, place.period_days, place.t0)
    return int(np.unique(numbers).size), float(np.sqrt(((missing / curve.flux_err[inside]) ** 2).sum()))


def _why_not(curve: CleanCurve, injection: Injection, settings: SearchSettings, *, transits: int, snr: float) -> str:
    shortest, longest = limits(curve.time_bjd, settings)
    if transits < settings.transits_min:
        return "too_few_transits"
    if not shortest <= injection.period_days <= longest:
        return "period_not_searched"
    return "weak" if snr < settings.snr_min else "missed"


def _first(
    signals: Sequence[Signal], injection: Injection, kinds: Sequence[Harmonic]
) -> tuple[int, Signal] | tuple[None, None]:
    for rank, signal in enumerate(signals, start=1):
        if _harmonic(signal, injection, kinds) is not None:
            return rank, signal
    return None, None


def _harmonic(signal: Signal, injection: Injection, kinds: Sequence[Harmonic]) -> Harmonic | None:
    for kind in kinds:
        close = abs(signal.transit.ephemeris.period_days / injection.period_days / kind.ratio - 1) < PERIOD_WITHIN
        if close and abs(_offset(signal, injection, kind)) < EPOCH_DURATIONS:
            return kind
    return None


def _offset(signal: Signal, injection: Injection, kind: Harmonic) -> float:
    """From the nearest injected transit (or, for a harmonic, place where one of both would fall), durations.

    The epoch of a fitted signal is in the middle of its data: there the two periods' difference counts least.
    """
    place = signal.transit.ephemeris
    apart = phase_days(np.array([place.t0]), injection.period_days / kind.denominator, injection.t0_bjd)
    return float(apart[0]) * 24 / injection.duration_hours


def trial(
    segments: Sequence[LightCurve],
    injection: Injection,
    settings: SearchSettings | None = None,
    star_source: str = "assumed",
) -> dict[str, object]:
    """One row of `core_injections`: the planet put into the segments, the star searched, and what was found.

    The search is told nothing of the planet and its star but `settings`, as the night's is; `star_source` says where
    the star's size is from. It never raises: a trial that fails is a row that says why. It depends on nothing but its
    arguments, so that a worker that is lost can be replaced and the order of trials does not matter.
    """
    settings = settings or SearchSettings()
    row = _asked(segments, injection) | {"star_source": star_source}
    try:
        row |= {"depth_ppm": depth_ppm(injection)}
        found = recovered(search_star(inject(segments, injection), settings), injection, settings)
    except (CleanError, SearchError) as error:
        return row | _nothing("no_curve", error)
    except Exception as error:  # one trial of thousands must not take the others with it; a check bounds their number
        return row | _nothing("failed", error)
    given = asdict(found)
    renamed = {f"found_{n}": given.pop(n) for n in ("period_days", "duration_hours", "depth_ppm", "sde", "snr")}
    return row | without_nan(given | renamed) | {"failure": None}


def _asked(segments: Sequence[LightCurve], injection: Injection) -> dict[str, object]:
    """What of the row is known before the trial."""
    first = segments[0] if segments else None
    return {
        "target": injection.target,
        "mission": first.mission if first else None,
        "number": injection.number,
        "is_injected": True,
        "cadence_minutes": cadence_days(first.time_bjd) * 1440 if first else None,
        "period_days": injection.period_days,
        "t0_bjd": injection.t0_bjd,
        "duration_hours": injection.duration_hours,
        "radius_ratio": injection.radius_ratio,
        "radius_earth": injection.radius_earth,
        "impact": injection.impact,
        "star_radius_sun": injection.radius_sun,
        "star_density_sun": injection.density_sun,
        "limb_1": injection.limb_1,
        "limb_2": injection.limb_2,
    }


def _nothing(reason: str, error: Exception) -> dict[str, object]:
    return {"is_recovered": False, "is_recovered_closely": False, "reason": reason} | {
        "failure": f"{type(error).__name__}: {error}"
    }
