"""The raw contracts: what a raw table must have, and that it may have more."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.archive.contracts import CONTRACTS, CUMULATIVE, DR25_KOI, GARBLED_SHARE, K2PANDC, TOI, RawContract
from exo_assets.archive.parse import parse_csv
from exo_assets.catalogs.layouts import LAYOUTS
from exo_assets.contracts import ContractError
from exo_assets.text_csv import number, text

CELLS = (
    "",
    " ",
    "nan",
    " NaN ",
    "inf",
    "-inf",
    "1e999",
    "1_0",
    "0x1",
    "1,5",
    " 2.5",
    "3 ",
    "1O.5",
    "null",
    "+4",
    ".5",
    "५",
)


def _rows(contract: RawContract, n: int = 3) -> pl.DataFrame:
    return pl.DataFrame({c.name: [f"{i}" for i in range(n)] for c in contract.columns})


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_a_raw_table_may_have_more_columns_but_only_text(contract: RawContract) -> None:
    frame = _rows(contract)
    assert contract.problems(frame.with_columns(extra=pl.lit("x"))) == []
    assert contract.problems(contract.empty()) == []
    assert contract.problems(frame.with_columns(extra=pl.lit(1.0))) == ["extra is Float64, not String"]
    last = contract.columns[-1].name
    assert contract.problems(frame.drop(last)) == [f"missing columns ['{last}']"]


def test_rows_that_cannot_be_used_make_a_damaged_copy_unless_they_are_few() -> None:
    frame = _rows(TOI, 100)
    row = pl.int_range(pl.len())

    def where(rows: int, value: pl.Expr, name: str) -> pl.DataFrame:
        return frame.with_columns(pl.when(row < rows).then(value).otherwise(name).alias(name))

    nothing = pl.lit(None, pl.String)
    assert TOI.problems(where(5, nothing, "tid")) == []
    assert TOI.problems(where(6, nothing, "tid")) == ["tid is empty in 6 of 100 rows"]
    with pytest.raises(ContractError, match=r"not unique: \['7'\]"):
        TOI.check(where(1, pl.lit("7"), "toi"))
    with pytest.raises(ContractError, match="1 rows are exact copies"):
        K2PANDC.check(pl.concat([_rows(K2PANDC), _rows(K2PANDC, 1)]))


def test_every_column_that_is_read_is_known_to_the_contracts() -> None:
    """A column that a copy loses must be missed: what the layouts read is required, or known as read where it is."""
    for contract, layout in ((CUMULATIVE, "koi"), (DR25_KOI, "koi"), (TOI, "toi"), (K2PANDC, "k2")):
        known = {c.name for c in contract.columns} | set(contract.also_read)
        read = {s for q in LAYOUTS[layout].quantities for s in (*q.sources, *filter(None, [q.limit]))}
        assert {name for name in read - known if not name.endswith("lim")} == set(), contract.name


def test_words_where_numbers_belong_make_a_damaged_copy_unless_they_are_few() -> None:
    frame = _rows(TOI, 100)
    depth = pl.col("pl_trandep")
    row = pl.int_range(pl.len())
    assert (
        TOI.problems(frame.with_columns(pl.when(row < 5).then(pl.lit("n/a?")).otherwise(depth).alias("pl_trandep")))
        == []
    )
    garbled = frame.with_columns(pl.when(row < 6).then(pl.lit("1O.5")).otherwise(depth).alias("pl_trandep"))
    assert TOI.problems(garbled) == ["pl_trandep is not a number in 6 of 100 rows"]
    emptied = frame.with_columns(pl.when(row < 51).then(pl.lit("nan")).otherwise(depth).alias("pl_trandep"))
    assert TOI.problems(emptied) == ["pl_trandep is empty in 51 of 100 rows"]
    assert TOI.problems(frame.with_columns(pl_rade=pl.lit(None, dtype=pl.String))) == []
    assert TOI.problems(frame.with_columns(pl_rade=pl.lit("NA"), pl_orbper=pl.lit(" 1.5 "))) == []


@given(st.lists(st.one_of(st.none(), st.sampled_from(CELLS), st.floats().map(str)), min_size=1, max_size=30))
def test_garbled_cells_are_those_that_hold_words_which_are_no_number(cells: list[str | None]) -> None:
    frame = _rows(TOI, len(cells)).with_columns(pl_trandep=pl.Series(cells, dtype=pl.String))
    known = text("pl_trandep", frame.columns), number("pl_trandep", frame.columns)
    bad = frame.select((known[0].is_not_null() & known[1].is_null()).sum()).item()
    told = [p for p in TOI.problems(frame) if "not a number" in p]
    expected = [f"pl_trandep is not a number in {bad} of {len(cells)} rows"] if bad > GARBLED_SHARE * len(cells) else []
    assert told == expected


@pytest.mark.archive
@pytest.mark.parametrize("contract", [c for c in CONTRACTS if not c.stand_in], ids=lambda c: c.name)
def test_the_real_tables_keep_their_contract(contract: RawContract, archive_mirror: Path) -> None:
    import gzip

    data = gzip.decompress((archive_mirror / "tap" / f"{contract.archive_table}.csv.gz").read_bytes())
    frame = parse_csv(data)
    assert contract.problems(frame) == []
    assert frame.equals(pl.read_csv(data, infer_schema=False))
