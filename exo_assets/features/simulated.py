"""Simulated planets and eclipsing binaries in the real noise of a star: what the classes lack that are rare among the
labelled light curves.

Belongs here: drawing them in pairs, and their light. Does not belong here: how they are folded and kept
(simulated_tasks.py), or who learns from them.

A planet and a binary of a pair have the star, the period, the epoch and the distribution of their signal to noise in
common: nothing of where or how strongly they were put can tell them apart. Every star is taken for a Sun with circular
orbits. The transits are of the quadratic law (`injection.py`); a third star's light lies over a binary's, and its
secondary eclipse has the shape of the primary, which real ones have only nearly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from exo_assets.lightcurves.clean import CDPP_HOURS, CleanCurve
from exo_assets.lightcurves.ephemeris import Ephemeris, in_transit
from exo_assets.lightcurves.injection import (
    INJECTED,
    Array,
    Injection,
    InjectionError,
    cadence_days,
    generator,
    transit_model,
)
from exo_assets.lightcurves.limb_darkening import SUN_TEFF_K, quadratic

KINDS = ("planet", "binary_secondary", "binary_half_period", "binary_v_shape")
"""A transiting planet; binaries whose secondary eclipse is seen, whose two eclipses were taken for one signal of half
the period, and of which nothing but the grazing eclipse is seen."""
SHORTEST_DAYS, LONGEST_DAYS = 0.6, 300.0
LEAST_TRANSITS = 3
SNR = (7.1, 100.0)
"""Least (Kepler's threshold, Jenkins et al. 2010) and largest signal to noise, log-uniform between."""
PLANET_RATIO = 0.25
"""Largest planet, stellar radii."""
DRAWS = 50
SEED = 20151201


@dataclass(frozen=True)
class Simulated:
    """A simulated signal: eclipses of `primary` and, where there is one, `secondary`, `light` of their depths seen
    beside a third star's light. `period_days` is that of the signal, `t0_bjd` its epoch."""

    kind: str
    number: int
    period_days: float
    t0_bjd: float
    primary: Injection
    secondary: Injection | None = None
    light: float = 1.0
    ratio: float = 0.0

    @property
    def ephemeris(self) -> Ephemeris:
        """Where a search would find it."""
        return Ephemeris(self.period_days, self.t0_bjd, self.primary.duration_hours / 24)

    def flux(self, time_bjd: Array, exposure_days: float = 0.0) -> Array:
        """Relative flux, 1 out of eclipse; of the secondary eclipse `ratio` of its depth is seen."""
        lost = self.light * (1 - transit_model(time_bjd, self.primary, exposure_days))
        if self.secondary is not None:
            lost += self.light * self.ratio * (1 - transit_model(time_bjd, self.secondary, exposure_days))
        return np.asarray(1 - lost)


def pair(curve: CleanCurve, number: int) -> tuple[Simulated, Simulated]:
    """A planet and an eclipsing binary for the star of `curve`; a star and a number always give the same pair.

    InjectionError when the star's noise and the length of its curve let neither be seen.
    """
    random = generator(SEED, curve.target, number)
    span = float(curve.time_bjd[-1] - curve.time_bjd[0])
    longest = min(span / LEAST_TRANSITS, LONGEST_DAYS)
    if not longest > SHORTEST_DAYS:
        raise InjectionError(f"{span:.1f} d hold no three transits {SHORTEST_DAYS} d apart")
    wrong = "nothing was tried"
    for _ in range(DRAWS):
        period = float(np.exp(random.uniform(math.log(SHORTEST_DAYS), math.log(longest))))
        t0 = float(curve.time_bjd[0]) + float(random.random()) * period
        base = _Base(curve, number, period, t0)
        try:
            return _planet(base, random), _binary(base, random)
        except InjectionError as error:
            wrong = str(error)
    raise InjectionError(f"{curve.target}: nothing that can be seen was drawn in {DRAWS} tries, last: {wrong}")


def injected(curve: CleanCurve, known: tuple[Ephemeris, ...], simulated: Simulated) -> CleanCurve:
    """`curve` with the signal in its flux and without the points in transits of the star's `known` signals.

    What the curve holds is said in its `flux_kind`.
    """
    kept = curve.where(~in_transit(curve.time_bjd, known))
    flux = kept.flux * simulated.flux(kept.time_bjd, cadence_days(kept.time_bjd))
    return replace(kept, flux=flux, flux_kind=f"{kept.flux_kind} ({INJECTED})")


@dataclass(frozen=True)
class _Base:
    """What both of a pair share."""

    curve: CleanCurve
    number: int
    period_days: float
    t0_bjd: float

    def injection(self, ratio: float, impact: float, *, periods: float = 1.0, late: float = 0.0) -> Injection:
        limb = quadratic(SUN_TEFF_K, self.curve.mission)
        return Injection(
            target=self.curve.target,
            number=self.number,
            period_days=self.period_days * periods,
            t0_bjd=self.t0_bjd + late * self.period_days,
            radius_ratio=ratio,
            impact=impact,
            density_sun=1.0,
            radius_sun=1.0,
            limb_1=limb[0],
            limb_2=limb[1],
        )

    def depth(self, random: np.random.Generator, duration_hours: float) -> float:
        """A depth of the drawn signal to noise: depth over the noise at the duration, times the root of the number of
        transits that the points hold."""
        noise = float(np.interp(duration_hours, CDPP_HOURS, self.curve.cdpp_ppm)) / 1e6
        if not noise > 0:
            raise InjectionError("the noise of the curve is not known")
        days = self.curve.time_bjd.size * cadence_days(self.curve.time_bjd)
        wanted = float(np.exp(random.uniform(*np.log(SNR))))
        return wanted * noise / math.sqrt(max(days / self.period_days, 1.0))


def _planet(base: _Base, random: np.random.Generator) -> Simulated:
    impact = float(random.random())
    small = base.injection(0.02, impact)
    ratio = math.sqrt(base.depth(random, small.duration_hours))
    if ratio > PLANET_RATIO:
        raise InjectionError(f"a planet of {ratio:.2f} stellar radii is none")
    return Simulated(KINDS[0], base.number, base.period_days, base.t0_bjd, base.injection(ratio, impact))


def _binary(base: _Base, random: np.random.Generator) -> Simulated:
    kind = KINDS[1 + int(random.integers(3))]
    size = float(random.uniform(0.3, 0.98))
    grazing = kind == KINDS[3]
    impact = float(random.uniform(1 - size if grazing else 0.0, 0.95 * (1 + size)))
    periods = 2.0 if kind == KINDS[2] else 1.0
    primary = base.injection(size, impact, periods=periods)
    deepest = float(1 - transit_model(np.array([primary.t0_bjd]), primary)[0])
    wanted = base.depth(random, primary.duration_hours)
    if not wanted < deepest:
        raise InjectionError(f"eclipses of {deepest:.2g} cannot have a depth of {wanted:.2g}")
    made = Simulated(kind, base.number, base.period_days, base.t0_bjd, primary, light=wanted / deepest)
    if grazing:
        return made
    low = 0.1 if kind == KINDS[1] else 0.3
    ratio = float(random.uniform(low, 0.9))
    # The other eclipse comes half an orbit later; where both were taken for one signal, that is one of its periods.
    return replace(made, secondary=base.injection(size, impact, periods=periods, late=periods / 2), ratio=ratio)
