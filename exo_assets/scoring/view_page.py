"""One page for a signal: the folded views that the network saw, coloured by what they argued for.

Belongs here: drawing. Does not belong here: occlusion itself (training/attribution.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from exo_assets.features.seen_views import BINS, BRANCHES, VIEWS_WIDTH, Floats, branch_slices
from exo_assets.training.attribution import Occlusion
from exo_assets.training.view_reasons import ViewReasons

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES: Mapping[str, str] = {
    "global_view": "the whole orbit",
    "local_view": "transit",
    "odd_view": "odd transits",
    "even_view": "even transits",
    "secondary_view": "at the secondary eclipse",
}
UNITS: Mapping[str, str] = {"phase": "phase", "durations": "durations from mid-transit"}
LEAST = 0.05
"""Log-odds at the ends of the colours at least: views that say nothing are to look like it."""
_GREY, _INK = "#9a9a9a", "#222222"


def page_of(found: ViewReasons, signal_id: str) -> bytes:
    """`page` of what was found of a signal."""
    return page(found.views, found.occlusions, signal_id, found.log_odds_network, note=found.note)


def page(
    views_row: Floats,
    occlusions: Mapping[str, Occlusion],
    signal_id: str,
    log_odds: float,
    *,
    note: str | None = None,
) -> bytes:
    """A PNG of the views of `views_row` (VIEWS_WIDTH,) behind which `occlusions` are shown as colours: blue where the
    light curve argued for a planet, red where against, deeper the more; the curve below each view is the same number.

    `log_odds` are the network's, with everything that it was told; `note` is written below. ValueError on views of
    another width, or none.
    """
    if views_row.shape != (VIEWS_WIDTH,):
        raise ValueError(f"the views of a signal are {VIEWS_WIDTH} numbers, not of shape {views_row.shape}")
    if not occlusions:
        raise ValueError("there are no views to show")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    most = max(LEAST, *(float(np.abs(one.effect).max()) for one in occlusions.values()))
    shown = {name: bins for name, bins in _by_name(views_row) if name in occlusions}
    small = [name for name in shown if name != "global_view"]
    whole = len(shown) - len(small)
    figure = Figure(figsize=(12, 1 + 3.3 * (whole + bool(small))))
    FigureCanvasAgg(figure)
    title = f"{signal_id}: the network's log-odds of a planet {log_odds:+.2f}"
    figure.suptitle(f"{title}\n{note}" if note else title, fontsize=10 if note else 12, parse_math=False)
    places = {"global_view": (0, slice(None))} if whole else {}
    places |= {name: (whole, slice(column, column + 1)) for column, name in enumerate(small)}
    rows = figure.add_gridspec(whole + bool(small), 1, left=0.06, right=0.9, bottom=0.08, top=0.9, hspace=0.3)
    low = 1.1 * min(-1.0, *(float(bins.min()) for bins in shown.values()))
    high = max(0.5, *(float(np.quantile(bins, 0.998)) for bins in shown.values()))
    for name, bins in shown.items():
        row, columns = places[name]
        grid = rows[row].subgridspec(2, max(1, len(small)), height_ratios=(3, 1), hspace=0.05, wspace=0.06)
        above, below = figure.add_subplot(grid[0, columns]), figure.add_subplot(grid[1, columns])
        _view(above, bins, occlusions[name], most)
        above.set_ylim(low, high)
        above.set_title(TITLES[name], fontsize=9)
        _effect(below, occlusions[name], most)
        if not columns.start:
            above.set_ylabel("flux, depths", fontsize=8)
            below.set_ylabel("log-odds", fontsize=8)
        else:
            above.tick_params(labelleft=False)
            below.tick_params(labelleft=False)
    _scale(figure, most)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _by_name(views_row: Floats) -> Iterator[tuple[str, Floats]]:
    for branch, at in branch_slices().items():
        yield from zip(BRANCHES[branch], views_row[at].reshape(-1, BINS[branch]), strict=True)


def _view(axes: Axes, bins: Floats, occlusion: Occlusion, most: float) -> None:
    reach = float(occlusion.centre[-1])
    x = np.linspace(-reach, reach, len(bins))
    effect = np.interp(x, occlusion.centre, occlusion.effect)
    axes.imshow(
        effect[None],
        extent=(-reach, reach, -100, 100),
        aspect="auto",
        cmap="RdBu",
        vmin=-most,
        vmax=most,
        alpha=0.75,
        interpolation="nearest",
    )
    axes.plot(x, bins, ".", ms=2 if len(bins) > 500 else 3, color=_INK, rasterized=True)
    axes.axhline(0, color=_GREY, lw=0.5)
    axes.tick_params(labelsize=7, labelbottom=False)


def _effect(axes: Axes, occlusion: Occlusion, most: float) -> None:
    x, effect = occlusion.centre, occlusion.effect
    for side, colour in ((effect > 0, "#2166ac"), (effect < 0, "#b2182b")):
        axes.fill_between(x, effect, where=side, color=colour, lw=0, interpolate=True)
    axes.axhline(0, color=_GREY, lw=0.5)
    axes.set_ylim(-most * 1.1, most * 1.1)
    axes.set_xlim(occlusion.centre[0], occlusion.centre[-1])
    axes.set_xlabel(UNITS[occlusion.unit], fontsize=8)
    axes.tick_params(labelsize=7)


def _scale(figure: Any, most: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    place = figure.add_axes((0.92, 0.08, 0.012, 0.82))
    bar = figure.colorbar(ScalarMappable(Normalize(-most, most), cmap="RdBu"), cax=place)
    bar.set_label("argued against a planet   |   argued for a planet   (log-odds)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
