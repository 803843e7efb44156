"""Completeness: every trial in its cell, intervals right, and a picture with the cells in it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.lightcurves.completeness import completeness, heat_map
from exo_assets.lightcurves.planet_grid import Grid
from exo_assets.lightcurves.validation_contracts import CORE_COMPLETENESS, CORE_INJECTIONS

GRID = Grid((1.0, 3.0, 10.0), (0.5, 2.0, 8.0, 16.0))


def _trials(*rows: tuple[float, float, bool, str | None]) -> pl.DataFrame:
    """Period, radius, recovered and reason of each."""
    return CORE_INJECTIONS.conform(
        pl.DataFrame(
            {
                "target": "KIC 1",
                "mission": "kepler",
                "number": range(len(rows)),
                "period_days": [r[0] for r in rows],
                "radius_earth": [r[1] for r in rows],
                "is_recovered": [r[2] for r in rows],
                "reason": pl.Series([r[3] for r in rows], dtype=pl.String),
                "harmonic": pl.Series(["1/2" if r[3] == "harmonic" else None for r in rows], dtype=pl.String),
            }
        )
    )


def test_trials_are_counted_in_their_cells() -> None:
    rows = [(2.0, 1.0, True, None)] * 8 + [(2.0, 1.9, False, "weak"), (1.0, 0.5, False, "harmonic")]
    rows += [(3.0, 2.0, True, None), (5.0, 4.0, False, "failed"), (50.0, 1.0, True, None), (2.0, 16.0, True, None)]
    cells = CORE_COMPLETENESS.check(completeness(_trials(*rows), GRID))
    assert cells.height == 6
    first = cells.row(0, named=True)
    assert (first["n"], first["n_recovered"], first["n_harmonic"], first["n_unjudged"]) == (10, 8, 1, 0)
    assert (first["share"], first["low"], first["high"]) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    other = cells.filter(period_low_days=3.0, radius_low_earth=2.0).row(0, named=True)
    assert (other["n"], other["n_recovered"], other["n_unjudged"]) == (1, 1, 1)
    empty = cells.filter(pl.col("n") == 0)
    assert empty.height == 4
    assert empty.select(pl.col("share", "low", "high").is_null().all()).row(0) == (True, True, True)
    assert cells["n"].sum() == 11  # two are outside the grid


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 30), st.floats(0.1, 30), st.booleans()), max_size=40))
def test_the_counts_are_those_of_a_plain_count(drawn: list[tuple[float, float, bool]]) -> None:
    cells = completeness(_trials(*((p, r, hit, None if hit else "missed") for p, r, hit in drawn)), GRID)
    for row, cell in zip(cells.iter_rows(named=True), GRID.cells(), strict=True):
        inside = [
            hit
            for p, r, hit in drawn
            if cell.period_low_days <= p < cell.period_high_days and cell.radius_low_earth <= r < cell.radius_high_earth
        ]
        assert (row["n"], row["n_recovered"]) == (len(inside), sum(inside))


def test_missions_are_not_mixed() -> None:
    two = pl.concat(
        [_trials((2.0, 1.0, True, None)), _trials((2.0, 1.0, True, None)).with_columns(mission=pl.lit("k2"))]
    )
    with pytest.raises(ValueError, match="of one mission"):
        completeness(two, GRID)


def test_the_picture_is_a_png_with_the_cells_in_their_places() -> None:
    """Full cells are dark, those with nothing recovered are pale: read from the picture's own pixels."""
    from io import BytesIO

    from matplotlib.image import imread

    rows = [(2.0, 1.0, False, "weak")] * 5 + [(5.0, 4.0, True, None)] * 5
    cells = completeness(_trials(*rows), GRID)
    png = heat_map(cells, "Kepler")
    assert png.startswith(b"\x89PNG")
    pixels = imread(BytesIO(png))[..., :3]
    dark = (pixels[..., 2] - pixels[..., 0] > 0.25) & (pixels.sum(axis=2) < 1.2)
    height, width = dark.shape
    rows_dark, columns_dark = (np.flatnonzero(dark[:, : int(0.85 * width)].mean(axis=axis) > 0.15) for axis in (1, 0))
    # Of two columns and three rows, the right column's middle row.
    assert columns_dark.min() > 0.4 * width
    assert 0.2 * height < rows_dark.min() < rows_dark.max() < 0.65 * height
