"""One page of plots for a signal: what an astronomer looks at before believing it.

Belongs here: drawing. Does not belong here: anything that is computed for more than a picture.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.ephemeris import phase_days, transit_number
from exo_assets.lightcurves.search import Signal, Spectrum
from exo_assets.lightcurves.trapezoid import profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

SHOWN_DURATIONS = 3.0
BINS = 60
_GREY, _BLUE, _RED = "#9a9a9a", "#1f5fa8", "#c8452d"


def page(curve: CleanCurve, signal: Signal, spectrum: Spectrum | None, title: str) -> bytes:
    """A PNG: trend, flat curve, periodogram, folded transit, odd and even transits, and half an orbit away from it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 2)
    figure.suptitle(title, fontsize=11)
    place = signal.transit.ephemeris
    time = curve.time_bjd - curve.time_bjd[0]
    inside = np.abs(phase_days(curve.time_bjd, place.period_days, place.t0)) < place.duration_days / 2
    _points(axes[0, 0], time, curve.trend * curve.flux, inside)
    axes[0, 0].plot(time, curve.trend, ".", ms=1, color=_RED)
    _named(axes[0, 0], "measured (grey) and trend (red)", f"days since BJD {curve.time_bjd[0]:.3f}", "relative flux")
    _points(axes[0, 1], time, curve.flux, inside)
    _named(axes[0, 1], "flat; this signal's transits blue", f"days since BJD {curve.time_bjd[0]:.3f}", "relative flux")
    if spectrum is not None:
        axes[1, 0].semilogx(spectrum.period_days, spectrum.power, lw=0.6, color=_BLUE)
        axes[1, 0].axvline(place.period_days, color=_RED, lw=0.8, ls=":")
    _named(axes[1, 0], "periodogram", "period [days]", "SDE")
    x = phase_days(curve.time_bjd, place.period_days, place.t0)
    _folded(axes[1, 1], x, curve.flux, signal, _BLUE)
    _named(axes[1, 1], "folded, with the fitted trapezoid", "hours from mid-transit", "relative flux")
    number = transit_number(curve.time_bjd, place.period_days, place.t0)
    for parity, colour in ((1, _BLUE), (0, _RED)):
        chosen = number % 2 == parity
        _binned(axes[2, 0], x[chosen], curve.flux[chosen], place.duration_days, colour)
    _named(axes[2, 0], "odd (blue) and even (red) transits", "hours from mid-transit", "relative flux")
    away = phase_days(curve.time_bjd, place.period_days, place.t0 + place.period_days / 2)
    _binned(axes[2, 1], away, curve.flux, place.duration_days, _BLUE)
    axes[2, 1].axhline(1, color=_GREY, lw=0.6)
    axes[2, 1].set_xlim(axes[2, 0].get_xlim())
    _named(axes[2, 1], "half an orbit later: a secondary eclipse?", "hours from phase 0.5", "relative flux")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def page_of_one(curve: CleanCurve, time_bjd: float, duration_days: float, title: str) -> bytes:
    """A PNG of a transit that happens once: the measured flux with its trend, and the flat flux around the transit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=11)
    x = curve.time_bjd - time_bjd
    inside = np.abs(x) < duration_days / 2
    _points(left, x, curve.trend * curve.flux, inside)
    left.plot(x, curve.trend, ".", ms=1, color=_RED)
    _named(left, "measured (grey) and trend (red)", "days from the transit", "relative flux")
    near = np.abs(x) < 2 * SHOWN_DURATIONS * duration_days
    _points(right, x[near] * 24, curve.flux[near], inside[near])
    _named(right, "flat; the transit blue", "hours from mid-transit", "relative flux")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _points(axes: Axes, time: Array, flux: Array, inside: NDArray[np.bool_]) -> None:
    axes.plot(time[~inside], flux[~inside], ".", ms=1, color=_GREY, rasterized=True)
    axes.plot(time[inside], flux[inside], ".", ms=2, color=_BLUE, rasterized=True)


def _folded(axes: Axes, x: Array, flux: Array, signal: Signal, colour: str) -> None:
    duration = signal.transit.ephemeris.duration_days
    near = np.abs(x) < SHOWN_DURATIONS * duration
    axes.plot(x[near] * 24, flux[near], ".", ms=1, color=_GREY, rasterized=True)
    _binned(axes, x, flux, duration, colour)
    shown = np.linspace(-SHOWN_DURATIONS * duration, SHOWN_DURATIONS * duration, 600)
    model = 1 - signal.transit.depth * profile(shown, duration, signal.transit.ingress_share)
    axes.plot(shown * 24, model, color=_RED, lw=1)


def _binned(axes: Axes, x: Array, flux: Array, duration: float, colour: str) -> None:
    half = SHOWN_DURATIONS * duration
    bins = np.floor((x + half) / (2 * half) * BINS).astype(np.int64)
    known = (bins >= 0) & (bins < BINS)
    count = np.bincount(bins[known], minlength=BINS)
    total = np.bincount(bins[known], flux[known], BINS)
    filled = count > 0
    middle = (np.arange(BINS) + 0.5) / BINS * 2 * half - half
    axes.plot(middle[filled] * 24, (total[filled] / count[filled]), "o", ms=3, color=colour)


def _named(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.ticklabel_format(axis="y", useOffset=False)
