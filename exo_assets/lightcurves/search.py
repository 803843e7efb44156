"""The search for transits in a flat light curve.

Belongs here: the spectrum over trial periods, its significance, and the signals it holds, one after another. Does not
belong here: making curves flat (`detrend.py`), the trial periods (`periods.py`), or the compiled folding
(`fold_kernels.py`).

The statistic is the improvement of chi-square by a transit of fixed shape (a box with shallower ends, eight durations
from a quarter to four thirds of the central transit's), maximised over epoch and duration. Its significance is the
signal detection efficiency of Kovacs et al. (2002) as Hippke & Heller (2019, A&A 623, A39) define it: the height of
the spectrum SR = min(chi2) / chi2 above its running median, in standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit, phase_days, transit_number
from exo_assets.lightcurves.orbits import orbit_of, own_period
from exo_assets.lightcurves.periods import (
    POINTS_PER_PERIOD,
    central_duration_days,
    optimal_periods,
    shortest_period_days,
)
from exo_assets.lightcurves.transit_depths import odd_even, single_depths
from exo_assets.lightcurves.trapezoid import FitError, Trapezoid, fit

Array = NDArray[np.float64]

BINS_PER_DURATION = 12
"""Bins of the folded curve in a central transit; fewer lose signal, more cost time."""
BINS_PER_POINT = 6
"""Bins are no finer than this share of the cadence, for points smear a transit that is short beside it. With half as
many the peak of a coarsely sampled eclipse lies off its period by more than `locate` looks around."""
RANGE = 1.045
"""Periods so far from each other, as a ratio, share one binning: the duration changes by 1.5 % over it."""
TREND_WIDTH = 30
"""Width of the spectrum's running median, in trial periods for each unit of oversampling (Hippke & Heller 2019)."""
HARMONICS = (1 / 3, 1 / 2, 2.0, 3.0)
"""Periods at which a signal shows too, as ratios; the one with the largest gain is its own."""
LEAST_DATA = 0.1
"""Share of the data expected in a transit that must be there (`fold_kernels` asks for as much)."""
FINE_STEPS, FINE_BINS = 4, 24
"""Periods for each step of the grid, and bins for each central duration, when a signal is located."""
MIN_POINTS = 50
LONE_SIGMA = 4.5
"""A dip is alone when the other transits together have less than so many times their noise: among thousands of periods
some has its other transits on dips of the noise."""
LONE_DEPTH, LONE_ABOVE_SIGMA = 0.4, 5.0
"""It is alone, too, when the others have less than this share of its depth, and it is so much deeper than they are."""
MORE_DIPS_MAX = 10
"""Most dips that are no signals of their own before the search of a star ends."""
HIDDEN_DURATIONS = 0.85
"""Half-width of what a found signal hides from the next search, in its durations."""


class SearchError(ValueError):
    """The data cannot be searched; the message says why."""


@dataclass(frozen=True)
class SearchSettings:
    """What is searched for. `period_min_days` None is the shortest that the cadence resolves (0.18 to 0.5 d);
    `period_max_days` None is the span, in which a signal has two transits.

    `limit_sigma`: where nothing is found, points count for at most so many of their errors in a second search.
    """

    period_min_days: float | None = None
    period_max_days: float | None = None
    density_sun: float = 1.0
    oversampling: float = 3.0
    sde_min: float = 7.0
    snr_min: float = 7.1
    transits_min: int = 2
    signals_max: int = 5
    limit_sigma: float = 10.0


@dataclass(frozen=True)
class Spectrum:
    """One value per trial period: `gain` in chi-square, `power` in SDE."""

    period_days: Array
    gain: Array
    power: Array

    @property
    def sde(self) -> float:
        """Significance of the highest peak."""
        return float(self.power.max())


@dataclass(frozen=True)
class Secondary:
    """A signal's second dip: its phase after mid-transit in periods, its depth in relative flux and over its error."""

    phase: float
    depth: float
    sigma: float


@dataclass(frozen=True)
class Signal:
    """A periodic dip. Depths are relative flux; `odd_even_sigma` is how far odd and even depths differ.

    `snr` is that of the matched box, the square root of what it improves chi-square by (a multiple-event statistic).
    `secondary`: the other dip of the same orbit, if one is significant. `variability_ratio`: amplitude of the star's
    sinusoid at a third of the period, half, the whole or twice of it, over the depth. `period_alternatives_days`: the
    other periods that the gaps in the data allow. `doubt`: what keeps it below the thresholds, in words.
    """

    transit: Trapezoid
    sde: float
    snr: float
    n_transits: int
    odd_depth: float
    even_depth: float
    odd_even_sigma: float
    secondary: Secondary | None = None
    variability_ratio: float = float("nan")
    period_alternatives_days: tuple[float, ...] = ()
    doubt: str | None = None

    @property
    def is_variable(self) -> bool:
        """Whether the star varies at the signal's period, from crest to trough, by more than the signal is deep."""
        return 2 * self.variability_ratio > 1


def spectrum(time: Array, flux: Array, flux_err: Array, settings: SearchSettings | None = None) -> Spectrum:
    """The transit spectrum of a flat light curve: `time` in days, ascending, `flux` relative, about one.

    Raises SearchError for data that cannot be searched, and when no period fits their span.
    """
    settings = settings or SearchSettings()
    checked(time, flux, flux_err)
    shortest, longest = limits(time, settings)
    try:
        # A peak at a limit stands out from what lies on both sides of it.
        periods = optimal_periods(
            float(time[-1] - time[0]),
            shortest,
            longest,
            density_sun=settings.density_sun,
            oversampling=settings.oversampling,
            transits_min=settings.transits_min,
            beyond=int(TREND_WIDTH * settings.oversampling) // 2,
        )
    except ValueError as error:
        raise SearchError(str(error)) from error
    gain = gains(time, flux, flux_err, periods, settings.density_sun)
    weight = flux_err**-2
    mean = (weight * flux).sum() / weight.sum()
    chi2, asked = float((weight * (flux - mean) ** 2).sum()), (periods >= shortest) & (periods <= longest)
    return Spectrum(periods[asked], gain[asked], power(gain, chi2, settings.oversampling, asked))


def limits(time: Array, settings: SearchSettings) -> tuple[float, float]:
    """The shortest and the longest period that are searched, days. SearchError for a shortest one that the cadence does
    not resolve, and for a longest one below it."""
    cadence = float(np.median(np.diff(time)))
    shortest = settings.period_min_days or shortest_period_days(cadence, settings.density_sun)
    longest = min(settings.period_max_days or np.inf, float(time[-1] - time[0]))
    if shortest < POINTS_PER_PERIOD * cadence:
        raise SearchError(
            f"a period of {shortest:g} d is not resolved by a point every {cadence * 1440:.3g} min; the shortest "
            f"that is, is {POINTS_PER_PERIOD * cadence:.3g} d"
        )
    return shortest, longest


def is_asked(place: Ephemeris, time: Array, settings: SearchSettings) -> bool:
    """Whether a period is no longer than the longest that is searched, but for what the data do not tell apart: a drift
    of a duration over their span."""
    longest = limits(time, settings)[1]
    return (place.period_days - longest) * float(time[-1] - time[0]) <= place.duration_days * place.period_days


def checked(time: Array, flux: Array, flux_err: Array) -> None:
    """SearchError unless the three are finite, of one length, ascending in time, with errors above zero."""
    if not time.shape == flux.shape == flux_err.shape or time.ndim != 1:
        raise SearchError(f"time, flux and flux_err differ in shape: {time.shape}, {flux.shape}, {flux_err.shape}")
    if time.size < MIN_POINTS:
        raise SearchError(f"{time.size} points are too few to search; {MIN_POINTS} are needed")
    for name, values in (("time", time), ("flux", flux), ("flux_err", flux_err)):
        if not np.isfinite(values).all():
            raise SearchError(f"{name} has {(~np.isfinite(values)).sum()} values that are not finite; leave them out")
    if (np.diff(time) < 0).any():
        raise SearchError("time is not ascending; sort the points")
    if (flux_err <= 0).any():
        raise SearchError("flux_err has values that are not above zero")


def gains(time: Array, flux: Array, flux_err: Array, periods: Array, density_sun: float = 1.0) -> Array:
    """Improvement of chi-square at each of `periods` (days, ascending), maximised over epoch and duration."""
    from exo_assets.lightcurves.fold_kernels import gains as folded_gains

    weight = flux_err**-2
    unit = weight.mean()
    deviation = weight * (flux - (weight * flux).sum() / weight.sum()) / np.sqrt(unit)
    weight, since = weight / unit, time - time[0]
    finest = float(np.median(np.diff(time))) / BINS_PER_POINT
    out = np.empty(periods.size)
    for low, high in _ranges(periods):
        width = central_duration_days(float(np.sqrt(periods[low] * periods[high - 1])), density_sun)
        width = max(width / BINS_PER_DURATION, finest)
        bins = (since / width).astype(np.int64)
        count = int(bins[-1]) + 1
        y = np.bincount(bins, deviation, count).astype(np.float32)
        w = np.bincount(bins, weight, count).astype(np.float32)
        in_bins = periods[low:high] / width
        whole = np.floor(in_bins).astype(np.int64)
        drifts = np.rint((in_bins - whole) * (-(-count // whole) - 1)).astype(np.int64)
        folded_gains(y, w, whole, drifts, out[low:high])
    return out


def _ranges(periods: Array) -> Iterator[tuple[int, int]]:
    low = 0
    while low < periods.size:
        high = int(np.searchsorted(periods, periods[low] * RANGE, side="right"))
        yield low, high
        low = high


def power(gain: Array, chi2: float, oversampling: float = 3.0, asked: NDArray[np.bool_] | slice = slice(None)) -> Array:
    """The spectrum in units of SDE: SR = min(chi2) / chi2, less its running median, over its standard deviation.

    `chi2` is that of a flat curve; the periods not `asked` for lend the median what lies beyond the limits, and are
    left out. Nothing but zeros when no period improves chi-square.
    """
    from scipy.ndimage import median_filter

    if not gain[asked].max() > 0:
        return np.zeros_like(gain[asked])
    ratio = (chi2 - gain[asked].max()) / (chi2 - gain)
    width = int(TREND_WIDTH * oversampling) | 1
    flat = (ratio - median_filter(ratio, size=min(width, ratio.size | 1), mode="nearest"))[asked]
    flat -= flat.mean()
    spread = float(flat.std())
    return np.asarray(flat / spread if spread > 0 else np.zeros_like(flat))


@dataclass(frozen=True)
class Dip:
    """What the search found: a signal, and which of those before it has its orbit (None: none, it is a new one).

    `is_lone`: it happens once in the data, and its ephemeris has no second transit there.
    """

    signal: Signal
    orbit: int | None = None
    is_lone: bool = False


def signals(time: Array, flux: Array, flux_err: Array, settings: SearchSettings | None = None) -> Iterator[Signal]:
    """The signals of a flat curve above the thresholds; the transits of each are hidden before the next is sought."""

    def without(known: Sequence[Ephemeris]) -> tuple[Array, Array, Array]:
        keep = ~in_transit(time, known, HIDDEN_DURATIONS)
        return time[keep], flux[keep], flux_err[keep]

    for dip in dips_of(without, settings):
        if dip.orbit is None and not dip.is_lone:
            yield dip.signal


def dips_of(
    without: Callable[[Sequence[Ephemeris]], tuple[Array, Array, Array] | None], settings: SearchSettings | None = None
) -> Iterator[Dip]:
    """The dips above the thresholds, one after another, the most significant first.

    `without` gives the flat curve (time, flux, its error) without the dips found so far; None ends the search. At most
    `signals_max` are signals of their own; the others are second dips of their orbits, or happen once.
    """
    settings = settings or SearchSettings()
    hidden: list[Ephemeris] = []
    orbits: list[Ephemeris] = []
    for _ in range(settings.signals_max + MORE_DIPS_MAX):
        points = without(hidden)
        if points is None or points[0].size < MIN_POINTS:
            if not hidden and points is not None:
                checked(*points)
            return
        time, flux, flux_err = points
        signal = strongest(time, flux, flux_err, settings)
        least = 1 - settings.limit_sigma * flux_err
        if (signal is None or not signal.n_transits) and (flux < least).any():
            # A few deep points, of a thruster that fired or an asteroid that passed, outweigh shallow transits.
            signal = strongest(time, np.maximum(flux, least), flux_err, settings) or signal
        if signal is None:
            return
        place = signal.transit.ephemeris
        event = lone_event(time, flux, flux_err, place)
        hidden.append(event or place)
        if event is None and signal.n_transits < settings.transits_min:
            continue  # too few to be reported, but what lies behind it is sought
        if event is not None:
            yield Dip(replace(signal, transit=replace(signal.transit, ephemeris=event)), is_lone=True)
            continue
        orbit = orbit_of(place, orbits, time)
        yield Dip(signal, orbit)
        if orbit is None:
            orbits.append(place)
            if len(orbits) == settings.signals_max:
                return


def lone_event(time: Array, flux: Array, flux_err: Array, place: Ephemeris) -> Ephemeris | None:
    """The one dip that a signal consists of, or None for a signal that repeats.

    A single deep dip is significant at any period. It is given as an ephemeris without a second transit in the data.
    """
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    numbers, which = np.unique(transit_number(time[inside], place.period_days, place.t0), return_inverse=True)
    weight = flux_err[inside] ** -2
    missing = np.bincount(which, weight * (1 - flux[inside]))
    total = np.bincount(which, weight)
    significance = missing / np.sqrt(total)
    first = int(significance.argmax())
    others = np.arange(numbers.size) != first
    rest, rest_total = float(missing[others].sum()), float(total[others].sum())
    if rest_total > 0:
        depth, above = missing[first] / total[first], 1 / total[first] + 1 / rest_total
        is_deeper = depth - rest / rest_total > LONE_ABOVE_SIGMA * np.sqrt(above)
        if rest > LONE_SIGMA * np.sqrt(rest_total) and not (is_deeper and rest < LONE_DEPTH * rest_total * depth):
            return None
    span = float(time[-1] - time[0])
    return Ephemeris(10 * span, float(place.t0 + numbers[first] * place.period_days), place.duration_days)


def happens_once(time: Array, flux: Array, flux_err: Array, place: Ephemeris) -> bool:
    """Whether one of the transits that have data holds the whole signal, so that the others show that it does not
    repeat."""
    inside = np.abs(phase_days(time, place.period_days, place.t0)) < place.duration_days / 2
    numbers = transit_number(time[inside], place.period_days, place.t0)
    return np.unique(numbers).size > 1 and lone_event(time, flux, flux_err, place) is not None


def strongest(time: Array, flux: Array, flux_err: Array, settings: SearchSettings) -> Signal | None:
    """The most significant signal, or None when it is below the thresholds."""
    found = spectrum(time, flux, flux_err, settings)
    return at_peak(time, flux, flux_err, found, settings) if found.sde >= settings.sde_min else None


def at_peak(time: Array, flux: Array, flux_err: Array, found: Spectrum, settings: SearchSettings) -> Signal | None:
    """The signal at the spectrum's highest peak, or None when it is too weak. It may have one transit, or none that can
    be fitted: a deep dip, or one at a gap's edge, outweighs what lies behind it, and the search goes on without it.

    The transits of two planets in resonance may lie on one comb. The signal is then the deeper one's, at its own
    period, so that the other's transits are there still when these are hidden.
    """
    gain, place = locate(time, flux, flux_err, _own_period(found), settings)
    try:
        transit = at_own_period(time, flux, flux_err, fit(time, flux, flux_err, place), settings)
        signal = judged(time, flux, flux_err, transit)
    except FitError:
        signal = _unfitted(place)
    signal = replace(signal, sde=found.sde, snr=float(np.sqrt(max(gain, 0.0))))
    return signal if signal.snr >= settings.snr_min else None


def at_own_period(time: Array, flux: Array, flux_err: Array, transit: Trapezoid, settings: SearchSettings) -> Trapezoid:
    """The transit refitted at the double period when odd and even ones are unlike (`orbits.own_period`); not at a
    period longer than what is searched. Raises FitError."""
    double = own_period(time, flux, flux_err, transit)
    return fit(time, flux, flux_err, double) if double and is_asked(double, time, settings) else transit


def _unfitted(place: Ephemeris) -> Signal:
    """What lies at a place where no transit can be fitted: no transits."""
    nan = float("nan")
    return Signal(Trapezoid(place, nan, nan, nan, nan, nan, nan), nan, nan, 0, nan, nan, nan)


def _own_period(found: Spectrum) -> float:
    """The period of the highest peak, or the harmonic of it that improves chi-square more.

    Peaks are told by `power`, which long periods' trend does not raise; harmonics of one signal by `gain`.
    """
    peak = int(found.power.argmax())
    best = peak
    for ratio in HARMONICS:
        near = np.searchsorted(found.period_days, found.period_days[peak] * ratio)
        around = slice(max(int(near) - 3, 0), int(near) + 3)
        if 0 < near < found.period_days.size and found.gain[around].max() > found.gain[best]:
            best = around.start + int(found.gain[around].argmax())
    return float(found.period_days[best])


def locate(
    time: Array, flux: Array, flux_err: Array, period_days: float, settings: SearchSettings
) -> tuple[float, Ephemeris]:
    """The best box at a period and within two steps of the grid around it: gain of chi-square, and where it is."""
    duration = central_duration_days(period_days, settings.density_sun)
    step = period_days * duration / (float(time[-1] - time[0]) * settings.oversampling)
    weight = flux_err**-2
    total = float(weight.sum())
    deviation = weight * (flux - (weight * flux).sum() / total)
    best = (-1.0, Ephemeris(period_days, float(time[0]), duration))
    for period in period_days + step * np.linspace(-2, 2, 4 * FINE_STEPS + 1):
        m = max(int(FINE_BINS * period / duration), 8)
        bins = ((time - time[0]) % period * (m / period)).astype(np.int64) % m
        most = min(int(1.4 * FINE_BINS), m // 3)
        cy, cw = (
            np.concatenate([[0.0], np.cumsum(np.concatenate([v, v[:most]]))])
            for v in (np.bincount(bins, deviation, m), np.bincount(bins, weight, m))
        )
        for size in np.unique(np.geomspace(2, max(most, 2), 18).astype(int)):
            s, n = cy[size : size + m] - cy[:m], cw[size : size + m] - cw[:m]
            enough = (s < 0) & (n > LEAST_DATA * size / m * total)
            gain = np.where(enough, s * s / np.where(enough, n * (1 - n / total), 1.0), 0.0)
            at = int(gain.argmax())
            if gain[at] > best[0]:
                middle = float(time[0]) + (at + size / 2) * period / m
                best = (float(gain[at]), Ephemeris(float(period), middle, float(size * period / m)))
    return best


def judged(time: Array, flux: Array, flux_err: Array, transit: Trapezoid) -> Signal:
    """Number of transits with data, and the depths of odd and even ones, for a fitted transit."""
    depths = single_depths(time, flux, flux_err, transit)
    found = odd_even(depths)
    return Signal(
        transit=transit,
        sde=float("nan"),
        snr=float("nan"),
        n_transits=depths.number.size,
        odd_depth=found.odd_depth,
        even_depth=found.even_depth,
        odd_even_sigma=found.sigma,
    )
