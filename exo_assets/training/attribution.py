"""What a judgement rests on: integrated gradients of inputs, and occlusion over phase of light curves.

Belongs here: both methods, over any function that is given. Does not belong here: the network, or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from exo_assets.features.seen_views import BINS, BRANCHES, Floats, branch_slices
from exo_assets.features.views import LOCAL_DURATIONS
from exo_assets.training.neural import Ints, Matrix

NODES = 8
"""Points of the path at which gradients are taken (Gauss-Legendre). On a trained network and a thousand
Kepler signals their sum was off by at most 2.5e-4 of log-odds that span 35; 20 midpoints were by 1e-2."""

Inputs = tuple[Floats, ...]


def integrated(gradient: Callable[[Inputs], Inputs], at: Inputs) -> tuple[Matrix, ...]:
    """Integrated gradients of each input from zeros, along the straight line: x_i times the mean of df/dx_i on it.

    Sundararajan, Taly & Yan 2017, arXiv 1703.01365, eq. 1; the integral is a Gauss-Legendre sum, for the networks here
    are smooth along the line. `at` are arrays with a row each; `gradient` takes and gives arrays shaped like them.
    """
    node, weight = np.polynomial.legendre.leggauss(NODES)
    share = ((node + 1) / 2).astype(np.float32)
    rows = len(at[0])
    along = tuple((share[:, None, None] * values).reshape(NODES * rows, -1) for values in at)
    return tuple(
        np.einsum("k,krc->rc", weight / 2, slope.reshape(NODES, rows, -1).astype(np.float64)) * values
        for slope, values in zip(gradient(along), at, strict=True)
    )


def completed(parts: Matrix, total: Matrix) -> Matrix:
    """`parts` (rows, columns) with what their sums lack of `total` spread over them in proportion to their size.

    What is lacking is the error of the integral's sum, and in int8 that of rounded gradients.
    """
    size = np.abs(parts)
    whole = size.sum(axis=1, keepdims=True)
    lacking = (total - parts.sum(axis=1))[:, None]
    share = np.divide(size, whole, out=np.full_like(size, 1 / parts.shape[1]), where=whole > 0)
    return parts + lacking * share


@dataclass(frozen=True)
class Windows:
    """What is hidden at once: `global_phase` of the orbit in the global view, `durations` in the others. There are
    `steps` windows to a window's width. `reach_durations` is the half-width of the local views: four, or half a period
    where that is less."""

    global_phase: float = 0.02
    durations: float = 0.5
    steps: int = 4
    reach_durations: float = LOCAL_DURATIONS


@dataclass(frozen=True)
class Occlusion:
    """Of one view: `centre` of each window, phase in [-0.5, 0.5] or durations from mid-transit (`unit`), and `effect`:
    log-odds of a planet that are lost when the window is flat. Positive: what is there argued for a planet."""

    centre: Matrix
    effect: Matrix
    unit: Literal["phase", "durations"]


class _Strip(NamedTuple):
    """Where windows go in one view: the number of its branch, its bins in a row of views, what they span, half of it
    and the width of a window."""

    branch: int
    start: int
    bins: int
    reach: float
    width: float
    unit: Literal["phase", "durations"]


@dataclass(frozen=True)
class Hiding:
    """Every window of every view of one signal.

    `rows` (many, VIEWS_WIDTH) are the signal's views, the first as they are. A branch does not look at another's views,
    so the others hide one window in each branch at once: 201 rows stand for 461 windows. `taken`: for each view, in the
    order of `centres`, its branch and the rows of its windows.
    """

    rows: Floats
    taken: tuple[tuple[int, Ints], ...]
    centres: Mapping[str, tuple[Matrix, Literal["phase", "durations"]]]

    @classmethod
    def of(cls, views: Floats, branches: tuple[str, ...], windows: Windows) -> Hiding:
        """The windows over `views` (VIEWS_WIDTH,) of the views of `branches`."""
        strips = _strips(branches, windows)
        counts = {name: max(2, round(2 * s.reach / s.width * windows.steps) + 1) for name, s in strips.items()}
        used = np.zeros(len(branches), dtype=np.int64)
        for name, strip in strips.items():
            used[strip.branch] += counts[name]
        rows = np.repeat(views[None], 1 + int(used.max()), axis=0)
        centres, taken, free = {}, [], np.ones(len(branches), dtype=np.int64)
        for name, strip in strips.items():
            centre = np.linspace(-strip.reach, strip.reach, counts[name])
            middle = np.linspace(-strip.reach, strip.reach, strip.bins)
            at = free[strip.branch] + np.arange(counts[name])
            free[strip.branch] += counts[name]
            hidden = np.abs(middle - centre[:, None]) <= strip.width / 2
            rows[at, strip.start : strip.start + strip.bins] *= ~hidden
            centres[name] = (centre, strip.unit)
            taken.append((strip.branch, at))
        return cls(rows, tuple(taken), centres)

    def embeddings(self, made: Floats) -> Floats:
        """Embeddings of the signal as it is, and then of each window: `made` (rows, branches, embedding) are those of
        `rows`, of which each window takes one branch, and the others from the first row."""
        out = [made[:1]]
        for branch, rows in self.taken:
            one = np.repeat(made[:1], len(rows), axis=0)
            one[:, branch] = made[rows, branch]
            out.append(one)
        return np.concatenate(out)

    def effects(self, odds: Matrix) -> dict[str, Occlusion]:
        """Occlusion (Zeiler & Fergus 2014, arXiv 1311.2901) by name of a view, from the log-odds of `embeddings`."""
        out, at = {}, 1
        for name, (centre, unit) in self.centres.items():
            out[name] = Occlusion(centre, odds[0] - odds[at : at + len(centre)], unit)
            at += len(centre)
        return out


def _strips(branches: tuple[str, ...], windows: Windows) -> Mapping[str, _Strip]:
    out: dict[str, _Strip] = {}
    slices = branch_slices()
    for number, branch in enumerate(branches):
        for place, view in enumerate(BRANCHES[branch]):
            start, bins = slices[branch].start + place * BINS[branch], BINS[branch]
            if branch == "global":
                out[view] = _Strip(number, start, bins, 0.5, windows.global_phase, "phase")
            else:
                out[view] = _Strip(number, start, bins, windows.reach_durations, windows.durations, "durations")
    return out
