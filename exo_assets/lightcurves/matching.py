"""Whether two signals of a star are the same one.

Belongs here: comparing ephemerides. Does not belong here: what follows from a match.

Periods and epochs are compared as the Kepler mission does it: the significance of a period match is
sqrt(2) erfcinv(|difference| / P), which is above 3.5 for periods within 0.05 % of each other (Coughlin et al. 2014,
AJ 147, 119, section 3; Thompson et al. 2018, ApJS 235, 38), and transits must fall within 2.5 durations of each
other. A short stretch of data does not tell a period so well: there it is enough that over the data the transits drift
by less than a duration from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.ephemeris import Ephemeris, nearest_transit

Array = NDArray[np.float64]

PERIOD_SIGMA_MIN = 3.5
"""Significance from which on two periods are the same."""
EPOCH_DURATIONS_MAX = 2.5
"""Transits within so many durations of each other are the same."""
EPOCH_SHARE_MAX = 0.1
"""Nor may they be further apart than this share of the time between places where they could meet: for long durations
and harmonics, 2.5 durations would match anything."""
DRIFT_DURATIONS_MAX = 1.0
"""Periods are the same, too, when over the data their transits drift by less than so many durations."""


@dataclass(frozen=True)
class Harmonic:
    """A simple ratio of one period to another."""

    numerator: int
    denominator: int

    @property
    def ratio(self) -> float:
        """As a number."""
        return self.numerator / self.denominator

    @property
    def name(self) -> str:
        """As it is written: '1/2', '2'."""
        return str(Fraction(self.numerator, self.denominator))


HARMONICS = tuple(Harmonic(a, b) for a, b in ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)))
"""Periods at which a search may find a signal, as ratios to its own; the first is its own."""


@dataclass(frozen=True)
class Match:
    """Which of a catalogue's signals a found one is.

    `index`: its place in the catalogue. `kind`: 'same', or 'harmonic 1/2' for half the catalogue's period.
    `period_sigma`: significance of the match of periods. `epoch_durations`: how far apart the transits are in the
    middle of the data.
    """

    index: int
    kind: str
    period_sigma: float
    epoch_durations: float


def match(found: Ephemeris, catalogue: Sequence[Ephemeris], span_bjd: tuple[float, float]) -> Match | None:
    """The signal of the catalogue that `found` is, or None; the same period goes before harmonics, then the nearest.

    `span_bjd`: the first and last time of the data. Entries of the catalogue with nan in period or epoch never match;
    without a duration, that of `found` is taken.
    """
    return matches([found], catalogue, span_bjd)[0]


def matches(
    found: Sequence[Ephemeris], catalogue: Sequence[Ephemeris], span_bjd: tuple[float, float]
) -> list[Match | None]:
    """`match` of each of `found`, all pairs at once."""
    if not found or not catalogue:
        return [None] * len(found)
    f, c = _columns(found)[:, :, None, None], _columns(catalogue)[:, None, :, None]
    numerator = np.array([h.numerator for h in HARMONICS], dtype=np.float64)
    denominator = np.array([h.denominator for h in HARMONICS], dtype=np.float64)
    own = c[0] * numerator / denominator
    duration = np.fmax(f[2], c[2])
    middle = (span_bjd[0] + span_bjd[1]) / 2
    with np.errstate(invalid="ignore"):
        difference = np.abs(f[0] - own)
        drift = difference * np.maximum((span_bjd[1] - span_bjd[0]) / f[0], 1.0)
        sigma = period_sigma(difference / own)
        # Two trains of transits whose periods have the ratio p/q come nearest every (catalogue's period)/q. A transit
        # of each in the middle of the data is taken: there the periods' difference has added up least.
        step = c[0] / denominator
        apart = nearest_transit(f[1], f[0], middle) - nearest_transit(c[1], c[0], middle)
        apart = np.abs(apart - step * np.rint(apart / step))
        close = (sigma > PERIOD_SIGMA_MIN) | (drift < DRIFT_DURATIONS_MAX * duration)
        there = (apart <= EPOCH_DURATIONS_MAX * duration) & (
            (apart <= EPOCH_SHARE_MAX * step) | (apart <= 0.5 * duration) & (duration < step / 2)
        )
        hit = close & there
        # The same period is better than any harmonic, and those are in the order of their plainness.
        cost = np.where(hit, np.arange(len(HARMONICS)) + np.minimum(apart / step, 0.999), np.inf)
    flat = cost.reshape(len(found), -1)
    best = flat.argmin(axis=1)
    out: list[Match | None] = []
    for i, at in enumerate(best):
        if not np.isfinite(flat[i, at]):
            out.append(None)
            continue
        j, h = divmod(int(at), len(HARMONICS))
        out.append(
            Match(
                index=j,
                kind="same" if h == 0 else f"harmonic {HARMONICS[h].name}",
                period_sigma=float(sigma[i, j, h]),
                epoch_durations=float(apart[i, j, h] / duration[i, j, 0]),
            )
        )
    return out


def period_sigma(relative_difference: Array) -> Array:
    """Significance of a match: sqrt(2) erfcinv(x), x the difference of two periods over the period.

    0 for periods that differ by as much as the period itself; at most 8.3, for those that agree to their last digit.
    """
    from scipy.special import erfcinv

    return np.asarray(np.sqrt(2) * erfcinv(np.clip(relative_difference, 1e-16, 1.0)))


def _columns(places: Sequence[Ephemeris]) -> Array:
    """Periods, epochs and durations."""
    return np.array([[p.period_days, p.t0, p.duration_days] for p in places], dtype=np.float64).T
