"""Contracts: what they refuse and how they say it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.contracts import Column, ContractError, TableContract

CONTRACT = TableContract(
    "t",
    "A table.",
    (
        Column("id", pl.String, "Key", nullable=False),
        Column("period_days", pl.Float64, "Period", "d", low=0, low_open=True),
        Column("depth_ppm", pl.Float64, "Depth", "ppm", low=0, low_open=True, high=1e6),
        Column("kind", pl.String, "Kind", allowed=("a", "b")),
    ),
    key=("id",),
)


def _frame(**columns: list[object]) -> pl.DataFrame:
    base: dict[str, list[object]] = {"id": ["x"], "period_days": [1.0], "depth_ppm": [100.0], "kind": ["a"]}
    return pl.DataFrame(base | columns, schema=CONTRACT.schema)


def test_a_good_table_passes() -> None:
    assert CONTRACT.problems(_frame()) == []
    assert CONTRACT.problems(CONTRACT.empty()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"period_days": [0.0]}, "period_days_not_above_0"),
        ({"period_days": [float("nan")]}, "period_days_not_finite"),
        ({"depth_ppm": [1_000_001.0]}, "depth_ppm_above_1e+06"),
        ({"kind": ["c"]}, "kind_unknown_value"),
        ({"id": [None]}, "id_missing"),
    ],
)
def test_each_broken_rule_is_named(change: dict[str, list[object]], reason: str) -> None:
    frame = _frame(**change)
    assert [reason] == frame.select(CONTRACT.reasons()).to_series().to_list()
    with pytest.raises(ContractError, match=reason.replace("+", r"\+")):
        CONTRACT.check(frame)


def test_nulls_are_legal_where_they_may_be() -> None:
    assert CONTRACT.problems(_frame(period_days=[None], kind=[None])) == []


def test_shape_and_key() -> None:
    assert "missing columns ['kind']" in CONTRACT.problems(_frame().drop("kind"))[0]
    assert "unknown columns ['z']" in CONTRACT.problems(_frame().with_columns(z=1))[0]
    assert "not unique" in CONTRACT.problems(pl.concat([_frame(), _frame()]))[0]


@given(depth=st.one_of(st.none(), st.floats()))
def test_reasons_agree_with_the_range(depth: float | None) -> None:
    broken = _frame(depth_ppm=[depth]).select(CONTRACT.reasons()).item() is not None
    assert broken == (depth is not None and not 0 < depth <= 1e6)
