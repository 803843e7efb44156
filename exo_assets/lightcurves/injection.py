"""Simulated transits in real light curves, to learn which planets the chain finds.

Belongs here: drawing planets, and multiplying measured flux by their transits. Does not belong here: searching for them
(`recovery.py`), or the sums over many (`completeness.py`).

The flux is multiplied as it was measured, before anything is cleaned or detrended: what cleaning and detrending do to a
transit is part of what is measured (Christiansen et al. 2016; Burke et al. 2015). The transits are those of the
quadratic law (Agol, Luger & Foreman-Mackey 2020, AJ 159, 123, by exoplanet-core), averaged over the exposure. A curve
with an injected transit says so in its `flux_kind`: it is a simulated signal in real noise, and must never be taken
for a measurement.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, phase_days
from exo_assets.lightcurves.limb_darkening import quadratic
from exo_assets.lightcurves.periods import orbit_over_star_radius
from exo_assets.lightcurves.planet_grid import Cell, Grid

Array = NDArray[np.float64]

INJECTED = "simulated transit injected"
"""What the flux kind of a curve with an injected transit says."""
EARTH_OVER_SUN_RADIUS = 6378.1 / 695_700.0
"""Nominal equatorial radius of the Earth over the Sun's (IAU 2015 resolution B3)."""
FINE_EXPOSURE_MINUTES = 4.2
"""A longer exposure is averaged over pieces of at most this length."""
DRAWS = 50
"""So often a planet is drawn for a cell before the cell counts as impossible around the star."""


class InjectionError(ValueError):
    """There can be no such planet, or no such curve to put it into; the message says why."""


@dataclass(frozen=True)
class Host:
    """The star of an injection: `density_sun` and `radius_sun` over the Sun's, effective temperature in kelvin."""

    target: str
    mission: str
    radius_sun: float
    density_sun: float
    teff_k: float


@dataclass(frozen=True)
class Injection:
    """A simulated planet on a circular orbit; `number` tells the trials of one star apart.

    `radius_ratio`: planet over star. `impact`: in stellar radii. `density_sun`, `radius_sun`: the star's over the
    Sun's. `limb_1`, `limb_2`: quadratic limb darkening. InjectionError unless the planet crosses the star, is smaller
    than it and moves outside of it.
    """

    target: str
    number: int
    period_days: float
    t0_bjd: float
    radius_ratio: float
    impact: float
    density_sun: float
    radius_sun: float
    limb_1: float
    limb_2: float

    def __post_init__(self) -> None:
        numbers = (self.period_days, self.t0_bjd, self.radius_ratio, self.impact, self.density_sun, self.radius_sun)
        if not (np.isfinite(numbers).all() and self.period_days > 0 and self.density_sun > 0 and self.radius_sun > 0):
            raise InjectionError(f"no planet and star: {self}")
        if not 0 < self.radius_ratio < 1:
            raise InjectionError(f"a planet of {self.radius_ratio:g} stellar radii is not injected: it must be below 1")
        if not 0 <= self.impact < 1 + self.radius_ratio:
            raise InjectionError(f"with an impact parameter of {self.impact:g} nothing crosses the star")
        if self.orbit_radii <= 1 + self.radius_ratio:
            raise InjectionError(f"an orbit of {self.orbit_radii:.2f} stellar radii touches the star")

    @property
    def orbit_radii(self) -> float:
        """Semi-major axis in stellar radii."""
        return orbit_over_star_radius(self.period_days, self.density_sun)

    @property
    def radius_earth(self) -> float:
        """The planet's radius over the Earth's."""
        return self.radius_ratio * self.radius_sun / EARTH_OVER_SUN_RADIUS

    @property
    def duration_hours(self) -> float:
        """First to last contact of a circular orbit (Seager & Mallen-Ornelas 2003, equation 3; Winn 2010, 14)."""
        orbit = self.orbit_radii
        sin_inclination = math.sqrt(1 - (self.impact / orbit) ** 2)
        chord = math.sqrt((1 + self.radius_ratio) ** 2 - self.impact**2)
        return 24 * self.period_days / math.pi * math.asin(min(1.0, chord / orbit / sin_inclination))

    @property
    def ephemeris(self) -> Ephemeris:
        """Where its transits are."""
        return Ephemeris(self.period_days, self.t0_bjd, self.duration_hours / 24)


def generator(seed: int, target: str, *numbers: int) -> np.random.Generator:
    """The random numbers of one trial: they depend on its star and number, and on nothing that ran before it."""
    star = int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, star, *numbers]))


def draw(random: np.random.Generator, host: Host, cell: Cell, start_bjd: float, *, number: int = 0) -> Injection:
    """A planet of the cell: log-uniform in period and radius, uniform in impact parameter (0 to 1) and epoch.

    The first transit falls within one period of `start_bjd`. InjectionError when no planet of the cell can be around
    the star.
    """
    limb = quadratic(host.teff_k, host.mission)
    wrong: Exception | None = None
    for _ in range(DRAWS):
        period = _log_uniform(random, cell.period_low_days, cell.period_high_days)
        radius = _log_uniform(random, cell.radius_low_earth, cell.radius_high_earth)
        impact, phase = random.random(2)
        try:
            return Injection(
                target=host.target,
                number=number,
                period_days=period,
                t0_bjd=start_bjd + float(phase) * period,
                radius_ratio=radius * EARTH_OVER_SUN_RADIUS / host.radius_sun,
                impact=float(impact),
                density_sun=host.density_sun,
                radius_sun=host.radius_sun,
                limb_1=limb[0],
                limb_2=limb[1],
            )
        except InjectionError as error:
            wrong = error
    raise InjectionError(f"{cell} holds no planet that {host.target or 'the star'} can have: {wrong}")


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.clip(np.exp(random.uniform(np.log(low), np.log(high))), low, np.nextafter(high, low)))


def planned(host: Host, grid: Grid, trials: int, seed: int, start_bjd: float) -> list[Injection]:
    """The star's injections: one cell of the grid after another, in an order of the star's own.

    So few trials on each of many stars fill the grid evenly. Cells that hold no planet the star can have are left out.
    The same arguments give the same planets, whatever else is planned before or beside them.
    """
    cells = grid.cells()
    order = generator(seed, host.target).permutation(len(cells))
    out = []
    for number in range(trials):
        random, cell = generator(seed, host.target, number), cells[order[number % len(cells)]]
        try:
            out.append(draw(random, host, cell, start_bjd, number=number))
        except InjectionError:
            continue
    return out


def transit_model(time_bjd: Array, injection: Injection, exposure_days: float = 0.0) -> Array:
    """Relative flux of the star, 1 out of transit, averaged over an exposure; nan where the time is."""
    from exoplanet_core import quad_limbdark_light_curve

    offset = phase_days(time_bjd, injection.period_days, injection.t0_bjd)
    out = np.where(np.isfinite(time_bjd), 1.0, np.nan)
    near = np.flatnonzero(np.abs(offset) <= injection.duration_hours / 48 + exposure_days)
    if near.size:
        # The middles of equal pieces of the exposure: samples at both of its ends would smear too much.
        pieces = max(int(np.ceil(exposure_days * 1440 / FINE_EXPOSURE_MINUTES)), 1)
        middles = ((np.arange(pieces) + 0.5) / pieces - 0.5) * exposure_days
        turn = 2 * np.pi * (offset[near, None] + middles) / injection.period_days
        apart = np.hypot(injection.orbit_radii * np.sin(turn), injection.impact * np.cos(turn))
        lost = quad_limbdark_light_curve(injection.limb_1, injection.limb_2, apart.ravel(), injection.radius_ratio)
        lost = np.where(apart < 1 + injection.radius_ratio, lost.reshape(apart.shape), 0.0)
        out[near] = 1 + lost.mean(axis=1)
    return out


def depth_ppm(injection: Injection) -> float:
    """How much light is missing at mid-transit, parts per million, not averaged over an exposure."""
    return float(1 - transit_model(np.array([injection.t0_bjd]), injection)[0]) * 1e6


def inject(segments: Sequence[LightCurve], injection: Injection) -> list[LightCurve]:
    """The segments with the planet's transits in their measured flux; everything else stays as it is.

    The exposure is the segment's cadence (29.4 minutes, two minutes): dead times between are shorter than a tenth of it
    for Kepler and a fifth for TESS. InjectionError for segments of another star.
    """
    out = []
    for segment in segments:
        if segment.target != injection.target:
            raise InjectionError(f"the planet of {injection.target!r} cannot go into a curve of {segment.target!r}")
        out.append(
            replace(
                segment,
                flux=segment.flux * transit_model(segment.time_bjd, injection, cadence_days(segment.time_bjd)),
                flux_kind=f"{segment.flux_kind} ({INJECTED})",
            )
        )
    return out


def is_injected(flux_kind: str) -> bool:
    """Whether a curve of this flux kind holds a simulated transit."""
    return INJECTED in flux_kind


def cadence_days(time_bjd: Array) -> float:
    """The usual time from one point to the next; zero for fewer than two points."""
    steps = np.diff(time_bjd[np.isfinite(time_bjd)])
    return float(np.median(steps)) if steps.size else 0.0
