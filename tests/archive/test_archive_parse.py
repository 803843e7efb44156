"""Reading CSV: what was written comes back, and damage never passes for data."""

from __future__ import annotations

import csv
import io
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.archive.parse import CsvEncodingError, CsvError, as_of, parse_csv, strip_comments, to_csv

FIELD = st.text(
    st.one_of(st.sampled_from(",\"\n\r# \t;'\\ü°中🪐"), st.characters(codec="utf-8", exclude_characters="\x00")),
    max_size=12,
)
NAME = st.text(st.sampled_from('abc_,"# é'), min_size=1, max_size=8).filter(lambda n: not n.startswith("#"))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    names = draw(st.lists(NAME, min_size=2, max_size=5, unique=True))
    rows = draw(st.lists(st.lists(FIELD, min_size=len(names), max_size=len(names)), max_size=6))
    return names, rows


def _write(names: list[str], rows: list[list[str]], end: str, quoting: int) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=quoting).writerows([names, *rows])  # type: ignore[arg-type]
    return out.getvalue().encode()


# Python before 3.13 leaves a lone carriage return unquoted when lines end in a line feed: so that style is left out.
@given(tables(), st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]))
def test_what_python_writes_is_read_back(table: tuple[list[str], list[list[str]]], style: tuple[str, int]) -> None:
    names, rows = table
    frame = parse_csv(_write(names, rows, *style))
    assert frame.columns == names
    assert frame.rows() == [tuple(value or None for value in row) for row in rows]
    assert set(frame.dtypes) == {pl.String}


@given(tables())
def test_what_exo_writes_is_read_back(table: tuple[list[str], list[list[str]]]) -> None:
    names, rows = table
    frame = parse_csv(_write(names, rows, "\n", csv.QUOTE_ALL))
    assert parse_csv(to_csv(frame)).equals(frame)


@given(tables(), st.lists(st.text(st.sampled_from('#," ab\tü'), max_size=20), max_size=4))
def test_comments_before_the_header_are_skipped(table: tuple[list[str], list[list[str]]], comments: list[str]) -> None:
    data = _write(*table, "\n", csv.QUOTE_ALL)
    commented = "".join(f"#{line}\n" for line in comments).encode() + data
    assert parse_csv(commented).equals(parse_csv(data))
    assert parse_csv(b"\xef\xbb\xbf" + commented).equals(parse_csv(data))


@given(tables(), st.data())
def test_a_cut_file_is_refused_or_wrong_in_its_last_row_only(
    table: tuple[list[str], list[list[str]]], data: st.DataObject
) -> None:
    names, rows = table
    written = _write(names, rows, "\n", csv.QUOTE_ALL)
    header = len(_write(names, [], "\n", csv.QUOTE_ALL))
    cut = written[: data.draw(st.integers(header, len(written)))]
    try:
        frame = parse_csv(cut)
    except CsvError:
        return
    # A cut inside the last row can leave valid CSV: that is what Content-Length and count(*) are for.
    whole = [tuple(value or None for value in row) for row in rows]
    assert frame.rows()[:-1] == whole[: max(frame.height - 1, 0)]


def test_a_hash_is_data_after_the_header() -> None:
    frame = parse_csv(b'a,b\n#1,2\n"x\n# y",3\n')
    assert frame.rows() == [("#1", "2"), ("x\n# y", "3")]


def test_sound_quotes_are_read() -> None:
    text = b'a,b,c,d\n1,5" scope,3,"one,\ntwo, three, and\nfour"\n'
    assert parse_csv(text).rows() == [("1", '5" scope', "3", "one,\ntwo, three, and\nfour")]


def test_values_are_never_interpreted() -> None:
    frame = parse_csv(b"a,b,c\n 1.10 ,NaN,null\n007,1e5,\n")
    assert frame.rows() == [(" 1.10 ", "NaN", "null"), ("007", "1e5", None)]


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", CsvError, "empty"),
        (b"# only a comment", CsvError, "empty"),
        (b"a,b\n1\n", CsvError, "Expected 2 columns, got 1"),
        (b"a,b\n1,2,3\n", CsvError, "Expected 2 columns, got 3"),
        (b"a,a\n1,2\n", CsvError, "twice"),
        (b"a,,b\n1,2,3\n", CsvError, "column 2 of the header has no name"),
        (b'a,b\n1,"never\nends\n', CsvError, "after line 1 .*never closed"),
        (b'a,b\r1,"never\r2,ends\r', CsvError, "never closed"),
        (b'a,b\n"1","2"\n"3","4.', CsvError, "after line 2 .*never closed"),
        (b'a,b\n1,"never\n2,5" scope\n', CsvError, "after line 1"),
        (b'a,b,c,d\n1,"2,3,4\n5,6,7,8\n9,1",2,3\n', CsvError, "after line 1 .*whole rows"),
        (b'a,b\n1,"' + b"x" * 200_000 + b'"\n', CsvError, "longer than 131,072"),
        (b"a,b\n1,\x00\n", CsvError, "line 2 holds NUL"),
        (b"# caf\xc3\xa9\na,b\n1,2\n3,\xff\n", CsvEncodingError, "line 4 is not UTF-8"),
    ],
)
def test_damage_is_named(data: bytes, error: type[CsvError], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_csv(data)


def test_a_header_alone_is_an_empty_table() -> None:
    assert parse_csv(b"a,b\n").shape == (0, 2)
    assert parse_csv(b"a,b").shape == (0, 2)
    assert strip_comments(b"#x\r\n\r\n#y\r\na\r\n") == b"a\r\n"
    assert parse_csv(b"# x\r# y\r \ra,b\r1,2\r").rows() == [("1", "2")]


def test_the_newest_row_dates_a_table() -> None:
    frame = pl.DataFrame({"updated": ["2024-09-09 10:08:01", "2025-01-02", None, "soon"]})
    assert as_of(frame, "updated") == date(2025, 1, 2)
    assert as_of(frame, "absent") is None and as_of(frame, None) is None
    assert as_of(pl.DataFrame({"updated": ["?"]}), "updated") is None
