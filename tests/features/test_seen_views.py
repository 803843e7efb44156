"""Views beside signals: the right ones, in the right place, cut and whole."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.features.seen_views import (
    CLIP,
    SEEN_VIEWS,
    VIEW_BINS,
    VIEWS,
    VIEWS_WIDTH,
    branch_slices,
    stacked_views,
    view_rows,
    with_views,
)


def arrays(rows: int) -> dict[str, np.ndarray]:
    """Each view of each row holds the number of the row."""
    return {n: np.full((rows, bins), 0.0, np.float32) + np.arange(rows)[:, None] / 100 for n, bins in VIEW_BINS.items()}


@given(st.lists(st.integers(0, 30), unique=True, max_size=20), st.permutations(range(25)))
def test_each_signal_gets_its_own_views(with_rows: list[int], order: list[int]) -> None:
    index = pl.DataFrame(
        {"signal_id": [f"s{i}" for i in with_rows], "row": list(range(len(with_rows)))},
        schema={"signal_id": pl.String, "row": pl.UInt32},
    )
    signals = pl.DataFrame({"signal_id": [f"s{i}" for i in order]})
    found = with_views(signals, index, arrays(len(with_rows)))
    assert found["signal_id"].equals(signals["signal_id"])
    rows = view_rows(signals, index)
    for name, views, row in zip(signals["signal_id"], found[VIEWS].to_list(), rows, strict=True):
        number = int(name[1:])
        if number in with_rows:
            assert row == with_rows.index(number)
            assert len(views) == VIEWS_WIDTH and np.allclose(views, row / 100)
        else:
            assert views is None and row == -1


def test_views_are_cut_and_what_is_unknown_is_flat() -> None:
    made = arrays(1)
    made["local_view"][0, :4] = [np.nan, -50, np.inf, 1.5]
    stacked = stacked_views(made, np.array([0]))
    at = branch_slices()["local"]
    assert stacked[0, at][:4].tolist() == [0.0, -CLIP, CLIP, 1.5]
    assert np.isfinite(stacked).all()


def test_slices_cover_all_views_once() -> None:
    covered = np.zeros(VIEWS_WIDTH, dtype=int)
    for at in branch_slices().values():
        covered[at] += 1
    assert (covered == 1).all() and sum(VIEW_BINS.values()) == VIEWS_WIDTH and len(SEEN_VIEWS) == 5
