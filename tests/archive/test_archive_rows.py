"""Rows of an archive table without their order: each key once by the rule, repeated rows set aside and counted."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.archive.contracts import K2PANDC, TOI
from exo_assets.archive.rows import COPY, REPEATED, content_digest, separated

VALUES = st.one_of(st.none(), st.sampled_from(["1.01", "2.01", "2.010", "", "é"]))


def _tois(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [dict.fromkeys(TOI.schema, "1") | {"toi": n, "pl_rade": r, "rowupdate": u} for n, r, u in rows],
        schema=dict.fromkeys([*TOI.schema, "rowupdate"], pl.String),
    )


def test_the_newest_row_of_a_key_stays_then_the_fullest_then_the_first_text() -> None:
    rows = _tois(
        *(("1.01", "old", "2024-01-01"), ("1.01", None, "2025-01-01"), ("1.01", "new", "2025-01-01")),
        *(("2.01", "b", None), ("2.01", "a", None), ("2.01", "b", None), ("3.01", "x", None)),
    )
    split = separated(TOI, rows)
    assert split.rows.select("toi", "pl_rade").rows() == [("1.01", "new"), ("2.01", "a"), ("3.01", "x")]
    assert split.aside.select("toi", "pl_rade", "_reason").rows() == [
        ("1.01", None, REPEATED),
        ("1.01", "old", REPEATED),
        ("2.01", "b", REPEATED),
        ("2.01", "b", COPY),
    ]
    assert TOI.repeated_keys(split.rows) == []


@given(st.lists(st.tuples(st.sampled_from(["1.01", "2.01", "3.01"]), VALUES, VALUES), max_size=12), st.randoms())
def test_the_order_of_rows_decides_nothing(rows: list[tuple[str, str | None, str | None]], random: object) -> None:
    frame = _tois(*rows)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = _tois(*shuffled)
    one, two = separated(TOI, frame), separated(TOI, other)
    assert one.rows.equals(two.rows) and one.aside.equals(two.aside)
    assert one.rows.height + one.aside.height == len(rows)
    assert one.rows["toi"].is_unique().all()
    assert content_digest(frame) == content_digest(other[:, ::-1])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_what_a_table_without_a_key_repeats_is_only_an_exact_copy(cells: list[tuple[str | None, str | None]]) -> None:
    first, second = (c.name for c in K2PANDC.columns[:2])
    frame = pl.DataFrame(
        {first: [a for a, _ in cells], second: [b for _, b in cells]},
        schema_overrides={first: pl.String, second: pl.String},
    )
    split = separated(K2PANDC, frame)
    assert split.rows.height == len(set(cells)) and set(split.aside["_reason"]) <= {COPY}
    assert (content_digest(frame) == content_digest(frame.unique())) == (split.aside.is_empty())


def test_a_changed_value_is_news() -> None:
    assert content_digest(_tois(("1.01", "1", None))) != content_digest(_tois(("1.01", "2", None)))
    assert content_digest(_tois(("1.01", "1", None))) != content_digest(_tois(("1.01", None, "1")))
