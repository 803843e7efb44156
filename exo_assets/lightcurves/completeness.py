"""Which planets the chain finds: the share of injected ones that it recovered, over period and radius.

Belongs here: the table and its picture. Does not belong here: the trials (`recovery.py`).
"""

from __future__ import annotations

import io

import numpy as np
import polars as pl

from exo_assets.lightcurves.intervals import wilson
from exo_assets.lightcurves.planet_grid import Grid

UNJUDGED = ("no_curve", "failed")
"""Reasons of trials that say nothing about the search: they are counted apart."""


def completeness(trials: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Recovered over injected planets in every cell of the grid, with Wilson's 95 % interval: `core_completeness`.

    `trials` are rows of `core_injections` of one mission. Cells without a trial are there with a share of null, and
    planets outside the grid in none. Upper edges belong to the next cell. A planet found at a multiple of its period is
    not recovered, and counted as `n_harmonic`. ValueError for several missions.
    """
    missions = trials["mission"].unique().to_list()
    if len(missions) > 1:
        raise ValueError(f"completeness is that of one mission, not of {sorted(map(str, missions))}")
    periods, radii = np.array(grid.period_edges_days), np.array(grid.radius_edges_earth)
    column = np.searchsorted(periods, trials["period_days"].to_numpy(), side="right") - 1
    row = np.searchsorted(radii, trials["radius_earth"].to_numpy(), side="right") - 1
    shape = periods.size - 1, radii.size - 1
    inside = (column >= 0) & (column < shape[0]) & (row >= 0) & (row < shape[1])
    cell = column * shape[1] + row
    judged = inside & ~trials["reason"].is_in(UNJUDGED).fill_null(False).to_numpy()

    def counted(which: pl.Series | np.ndarray) -> np.ndarray:
        return np.bincount(cell[np.asarray(which)], minlength=shape[0] * shape[1])

    n = counted(judged)
    hits = counted(judged & trials["is_recovered"].to_numpy())
    low, high = wilson(hits, n)
    cells = grid.cells()
    return pl.DataFrame(
        {
            "mission": pl.Series([missions[0] if missions else None] * len(cells), dtype=pl.String),
            "period_low_days": [c.period_low_days for c in cells],
            "period_high_days": [c.period_high_days for c in cells],
            "radius_low_earth": [c.radius_low_earth for c in cells],
            "radius_high_earth": [c.radius_high_earth for c in cells],
            "n": n,
            "n_recovered": hits,
            "n_harmonic": counted(judged & trials["harmonic"].is_not_null().to_numpy()),
            "n_unjudged": counted(inside & ~judged),
            "share": np.where(n > 0, hits / np.maximum(n, 1), np.nan),
            "low": low,
            "high": high,
        },
        nan_to_null=True,
    )


def heat_map(cells: pl.DataFrame, title: str) -> bytes:
    """A PNG of `completeness`: share recovered by colour and number, how many planets it is of below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    periods = np.unique(np.concatenate([cells["period_low_days"], cells["period_high_days"]]))
    radii = np.unique(np.concatenate([cells["radius_low_earth"], cells["radius_high_earth"]]))
    share = np.full((radii.size - 1, periods.size - 1), np.nan)
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for cell in cells.iter_rows(named=True):
        i = int(np.searchsorted(radii, cell["radius_low_earth"]))
        j = int(np.searchsorted(periods, cell["period_low_days"]))
        known = cell["share"] is not None
        share[i, j] = cell["share"] if known else np.nan
        axes.text(
            np.sqrt(periods[j] * periods[j + 1]),
            np.sqrt(radii[i] * radii[i + 1]),
            f"{cell['share']:.2f}\nof {cell['n']}" if known else "none\ntried",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if known and cell["share"] > 0.55 else "black",
        )
    axes.set_facecolor("#d9d9d9")  # cells without a trial
    drawn = axes.pcolormesh(periods, radii, share, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.8)
    figure.colorbar(drawn, ax=axes, label="share recovered", pad=0.01)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, edges in ((axes.xaxis, periods), (axes.yaxis, radii)):
        axis.set_ticks(edges, labels=[f"{edge:g}" for edge in edges])
        axis.set_ticks([], minor=True)
    axes.set_title(f"{title}\nsimulated transits in real light curves", fontsize=10)
    axes.set_xlabel("period [days]", fontsize=9)
    axes.set_ylabel("planet radius [Earth radii]", fontsize=9)
    axes.tick_params(labelsize=8)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
