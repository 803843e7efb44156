"""Diagnostics against direct implementations of their definitions: loops over points, and general least squares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated_signals import PLACE, Sky, diagnosed, dimmed, dip, planet, red_noise, transit

from exo_assets.features.diagnostics import diagnose
from exo_assets.lightcurves.clean import CleanCurve
from exo_assets.lightcurves.trapezoid import profile

Array = NDArray[np.float64]


def _transits(curve: CleanCurve, share: float = 0.15) -> list[tuple[int, float, float]]:
    """Number, depth and white-noise error of each transit, one at a time: curve_fit of the shape's height."""
    from scipy.optimize import curve_fit

    x_all = (curve.time_bjd - PLACE.t0) / PLACE.period_days
    out = []
    for number in range(int(np.floor(x_all.min())), int(np.ceil(x_all.max())) + 1):
        x = (x_all - number) * PLACE.period_days
        inside = np.abs(x) < PLACE.duration_days / 2
        if not inside.any():
            continue
        shape = profile(x[inside], PLACE.duration_days, share)
        best, variance = curve_fit(
            lambda p, depth: -depth * p,
            shape,
            curve.flux[inside] - _level(curve),
            p0=[1e-3],
            sigma=curve.flux_err[inside],
            absolute_sigma=True,
        )
        out.append((number, float(best[0]), float(variance[0, 0]) ** 0.5))
    return out


def _level(curve: CleanCurve) -> float:
    """Mean flux out of transit without five-sigma outliers, noise being alike."""
    x = np.remainder(curve.time_bjd - PLACE.t0, PLACE.period_days)
    away = np.minimum(x, PLACE.period_days - x) > PLACE.duration_days
    f = curve.flux[away]
    return float(f[np.abs(f - np.median(f)) <= 5 * curve.flux_err[away]].mean())


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_even_and_signal_to_noise_are_those_of_transits_fitted_one_by_one(seed: int) -> None:
    curve = planet(Sky(seed=seed))
    curve = dimmed(curve, red_noise(curve, 3e-4, 0.4, seed))
    found = diagnosed(curve)
    red = found.red_noise_ppm * 1e-6
    depths: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for number, depth, error in _transits(curve):
        depths[number % 2].append((depth, error))

    def together(some: list[tuple[float, float]]) -> tuple[float, float, float]:
        """Weighted mean, its error by white noise, and by pink noise: the points of a transit share the red part."""
        w = np.array([e**-2 for _, e in some])
        mean = sum(d * v for (d, _), v in zip(some, w, strict=True)) / w.sum()
        shared = sum((v / w.sum()) ** 2 * (e**2 + red**2) for (_, e), v in zip(some, w, strict=True))
        return float(mean), float(w.sum() ** -0.5), float(shared) ** 0.5

    depth, white, pink = together(depths[0] + depths[1])
    assert found.snr_white == pytest.approx(depth / white, rel=1e-4)
    assert found.snr_red == pytest.approx(depth / pink, rel=1e-4)
    odd, even = together(depths[1]), together(depths[0])
    assert found.odd_even_sigma == pytest.approx(abs(odd[0] - even[0]) / np.hypot(odd[2], even[2]), rel=1e-3)
    assert found.odd_depth_ppm == pytest.approx(odd[0] * 1e6, rel=1e-4)


def test_red_noise_is_what_averages_over_a_transit_scatter_more_than_white_noise_lets_them() -> None:
    """Against the plain standard deviation of side-by-side averages of the red part alone, known in a simulation."""
    curve = planet(Sky(span_days=400.0))
    red = red_noise(curve, 3e-4, 0.4)
    width = PLACE.duration_days * 0.85
    bins = ((curve.time_bjd - curve.time_bjd[0]) / width).astype(int)
    count = np.bincount(bins)
    full = count > 0.7 * count.max()
    means = (np.bincount(bins, red) / np.maximum(count, 1))[full]
    assert diagnosed(dimmed(curve, red)).red_noise_ppm == pytest.approx(means.std() * 1e6, rel=0.12)


@pytest.mark.parametrize("seed", [3, 4])
def test_sweet_is_a_least_squares_fit_of_everything_at_once(seed: int) -> None:
    curve = planet(Sky(seed=seed))
    curve = replace(
        curve,
        trend=1 + 4e-4 * np.sin(2 * np.pi * curve.time_bjd / 7.3) + 2e-3 * (curve.time_bjd - curve.time_bjd[0]) / 90,
        flux_err=curve.flux_err * np.where(curve.segment == 1, 1.0, 1.7),
    )
    found = diagnosed(curve)
    x = np.remainder(curve.time_bjd - PLACE.t0, PLACE.period_days)
    away = np.minimum(x, PLACE.period_days - x) > 0.6 * PLACE.duration_days
    t, y, e = curve.time_bjd[away] - PLACE.t0, (curve.flux * curve.trend)[away], curve.flux_err[away]
    stretches = [(curve.segment[away] == s).astype(float) for s in (1, 2)]
    for ratio, prefix in ((0.5, "sweet_half"), (1.0, "sweet"), (2.0, "sweet_double")):
        angle = 2 * np.pi * t / (ratio * PLACE.period_days)
        design = np.stack([np.sin(angle), np.cos(angle), *stretches, *(s * t for s in stretches)], axis=1)
        best, *_ = np.linalg.lstsq(design / e[:, None], y / e, rcond=None)
        residual = (y - design @ best) / e
        covariance = np.linalg.inv((design / e[:, None]).T @ (design / e[:, None])) * (residual @ residual)
        covariance /= t.size - design.shape[1]
        amplitude = np.hypot(*best[:2])
        direction = np.concatenate([best[:2] / amplitude, np.zeros(4)])
        error = np.sqrt(direction @ covariance @ direction)
        assert getattr(found, f"{prefix}_amplitude_ppm") == pytest.approx(amplitude * 1e6, rel=1e-6)
        assert getattr(found, f"{prefix}_sigma") == pytest.approx(amplitude / error, rel=1e-6)


def test_model_shift_is_the_box_at_every_phase() -> None:
    """Events of the folded curve by a loop over phases and a mask of the points in each, white noise being alike."""
    curve = planet(Sky(noise=3e-4))
    curve = dimmed(curve, dip(curve, replace(PLACE, t0=PLACE.t0 + 1.9), 4e-4))
    found = diagnosed(curve)
    fold = np.remainder(curve.time_bjd - PLACE.t0, PLACE.period_days)
    level, period, half = _level(curve), PLACE.period_days, PLACE.duration_days * 0.85 / 2
    phases = np.arange(0, period, 0.01)
    sigma = np.empty(phases.size)
    for i, phase in enumerate(phases):
        away = np.abs(fold - phase)
        inside = np.minimum(away, period - away) < half
        sigma[i] = (level - curve.flux[inside].mean()) * np.sqrt(inside.sum()) / 3e-4
    from_primary = np.minimum(phases, period - phases)
    from_secondary = np.abs(phases - phases[np.where(from_primary > 0.4, sigma, -np.inf).argmax()])
    from_secondary = np.minimum(from_secondary, period - from_secondary)
    both = np.minimum(from_primary, from_secondary)
    assert found.primary_sigma == pytest.approx(sigma[from_primary < 0.1].max(), rel=0.02)
    assert found.secondary_white_sigma == pytest.approx(sigma[from_primary > 0.4].max(), abs=0.5)
    assert found.secondary_phase * period == pytest.approx(1.9, abs=0.05)
    assert found.tertiary_sigma == pytest.approx(sigma[both > 0.4].max(), abs=0.5)
    assert found.positive_sigma == pytest.approx(-sigma[both > 0.6].min(), abs=0.5)
    quiet = (from_primary > 0.4) & (from_secondary > 0.2)
    assert found.fred == pytest.approx(sigma[quiet].std(), rel=0.1)
    assert found.shp == pytest.approx(-sigma.min() / (sigma.max() - sigma.min()), abs=0.01)


def test_false_alarm_thresholds_are_two_sided_tails_of_normal_noise() -> None:
    from scipy.stats import norm

    found = diagnosed(planet())
    q = PLACE.duration_days / PLACE.period_days
    assert 2 * norm.sf(found.fa2_sigma) == pytest.approx(q)
    assert 2 * norm.sf(found.fa1_sigma) == pytest.approx(q / 20_000)


def test_chases_is_the_nearest_rival_by_a_loop() -> None:
    """One rival, 0.42 d after every other transit: half of them are chased."""
    curve = planet()
    number = np.rint((curve.time_bjd - PLACE.t0) / PLACE.period_days)
    rival = replace(PLACE, t0=PLACE.t0 + 0.46)
    found = diagnosed(dimmed(curve, dip(curve, rival, 2e-3) * (number % 2 == 0)))
    # Its box reaches 70 % of the transit's significance some 0.3 of its width before it is centred.
    nearest = (0.46 - 0.3 * PLACE.duration_days * 0.85) / (0.1 * PLACE.period_days)
    observed = sum(1 for n, *_ in _transits(curve) if n % 2 == 0) / found.n_transits_observed
    assert found.chases == pytest.approx(observed * nearest + 1 - observed, abs=0.03)


def test_a_centroid_shift_is_in_transit_minus_beside_it() -> None:
    curve = planet()
    inside = dip(curve, PLACE, 1.0, 0.01)
    curve = replace(curve, column=curve.column + 0.02 * inside)
    x = np.remainder(curve.time_bjd - PLACE.t0 + 1, PLACE.period_days) - 1
    middle = np.abs(x) < PLACE.duration_days * 0.85 / 2
    beside = (np.abs(x) > 0.6 * PLACE.duration_days) & (np.abs(x) < 1.45 * PLACE.duration_days)
    direct = [c[middle].mean() - c[beside].mean() for c in (curve.column, curve.row)]
    found = diagnose(curve, transit())
    assert found.centroid_shift_pixels == pytest.approx(np.hypot(*direct), rel=0.05)
