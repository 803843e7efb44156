"""What a judgement rests on: integrated gradients of inputs, and occlusion over phase of light curves.

Belongs here: both methods, over any function that is given. Does not belong here: the network, or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from exo_assets.features.seen_views import BINS, BRANCHES, Floats, branch_slices
from exo_assets.features.views import LOCAL_DURATIONS
from exo_assets.training.neural import Matrix

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


def occluded(
    judge: Callable[[Floats], Matrix], views: Floats, branches: tuple[str, ...], windows: Windows
) -> dict[str, Occlusion]:
    """Occlusion (Zeiler & Fergus 2014, arXiv 1311.2901) by name of a view, over the views of `branches`.

    `judge` gives the log-odds of rows of views (rows, VIEWS_WIDTH), `views` (VIEWS_WIDTH,) are those of the signal.
    """
    plain = float(judge(views[None])[0])
    out: dict[str, Occlusion] = {}
    for view, (start, bins, reach, width, unit) in _layout(branches, windows).items():
        middle = np.linspace(-reach, reach, bins)
        half = width / 2
        count = max(2, round(2 * reach / width * windows.steps) + 1)
        centre = np.linspace(-reach, reach, count)
        hidden = np.abs(middle - centre[:, None]) <= half
        rows = np.repeat(views[None], count, axis=0)
        rows[:, start : start + bins][hidden] = 0.0
        out[view] = Occlusion(centre, plain - judge(rows), unit)
    return out


def _layout(
    branches: tuple[str, ...], windows: Windows
) -> Mapping[str, tuple[int, int, float, float, Literal["phase", "durations"]]]:
    """Of each view: where it starts, its bins, half-width, the width of a window, and the unit of both."""
    out: dict[str, tuple[int, int, float, float, Literal["phase", "durations"]]] = {}
    for branch in branches:
        for number, view in enumerate(BRANCHES[branch]):
            start = branch_slices()[branch].start + number * BINS[branch]
            if branch == "global":
                out[view] = (start, BINS[branch], 0.5, windows.global_phase, "phase")
            else:
                out[view] = (start, BINS[branch], windows.reach_durations, windows.durations, "durations")
    return out
