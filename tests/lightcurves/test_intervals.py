"""Intervals of counted shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.intervals import wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # Agresti & Coull (1998): z^2 / (n + z^2)
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_known_intervals(hits: int, count: int, low: float, high: float) -> None:
    found = wilson(hits, count)
    assert (float(found[0]), float(found[1])) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500))
def test_the_ends_of_none_and_of_all_are_exact(count: int) -> None:
    assert float(wilson(0, count)[0]) == 0
    assert float(wilson(count, count)[1]) == 1


def test_of_nothing_nothing_is_known() -> None:
    assert np.isnan(wilson([0, 1], [0, 1])).tolist() == [[True, False], [True, False]]


@given(st.integers(1, 500), st.data())
def test_the_ends_are_where_the_share_is_so_many_errors_away(count: int, data: st.DataObject) -> None:
    """Wilson's definition: the ends p solve |hits / n - p| = z sqrt(p (1 - p) / n)."""
    hits = data.draw(st.integers(0, count))
    for end in wilson(hits, count):
        p = float(end)
        assert abs(hits / count - p) == pytest.approx(1.959964 * np.sqrt(p * (1 - p) / count), abs=1e-7)
