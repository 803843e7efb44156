"""Lists of files: which files, what is told of each, and what is wrong with a row or with all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.manifest import Listed, is_list, listed
from exo_assets.lightcurves.told import Told

PLAIN = "file,target,mission,time_zero,segment\na.csv,TIC 7,TESS,2457000,3\nb.csv,,,,\n"
READ = [Listed("a.csv", Told("TIC 7", "tess", 2_457_000.0, 3)), Listed("b.csv", Told())]


def read(data: bytes, told: Told | None = None) -> list[Listed | LightCurveFileError]:
    assert is_list(data)
    return listed(data, "l.csv", told or Told())


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("a.csv", '"a.csv"').replace("file", '" File "').encode(),
        ("# mine\n\n" + PLAIN.replace("\nb", "\n# c.csv,,,,\n\nb") + "\n,,,,\n").encode(),
        PLAIN.replace("file,target", "path,STAR_ID").replace("TIC 7", "tic-7").encode(),
        PLAIN.replace("target", "tic").replace("TIC 7", "7.0").encode(),
    ],
)
def test_a_list_is_read_whatever_ends_its_lines_and_parts_its_columns(data: bytes) -> None:
    assert read(data) == READ


def test_what_the_table_says_goes_before_what_is_told_of_all() -> None:
    told = Told("KIC 1", "kepler", 5.0, 2, True, "f")
    one, two = read(PLAIN.encode(), told)
    assert one == Listed("a.csv", Told("TIC 7", "tess", 2_457_000.0, 3, True, "f"))
    assert two == Listed("b.csv", told)


@pytest.mark.parametrize(
    ("row", "reason", "says"),
    [
        ("a.csv,TIC 7,,,nan", "not_a_number", "segment 'nan', which is no number"),
        ("a.csv,TIC 7,,,inf", "not_a_number", "segment 'inf'"),
        ("a.csv,TIC 7,,,three", "not_a_number", "segment 'three'"),
        ("a.csv,TIC 7,,,1.7", "no_segment", "segment '1.7', which is no whole number from 0 to 9999"),
        ("a.csv,TIC 7,,,-1", "no_segment", "segment '-1'"),
        ("a.csv,TIC 7,,,99999", "no_segment", "segment '99999'"),
        ("a.csv,TIC 7,,nan,", "not_a_number", "time_zero 'nan'"),
        ("a.csv,TIC 7,,1e999,", "not_a_number", "time_zero '1e999'"),
        ("a.csv,TIC 7,jwst,,", "no_mission", "'jwst', which is no mission; say kepler, k2, tess"),
        ("a.csv,Kepler-90,,,", "no_target", "target 'Kepler-90', which is no star"),
        ("a.csv,TIC 0,,,", "no_target", "target 'TIC 0'"),
        (",TIC 7,,,", "no_list", "names no file in its column file"),
        ("a\0.csv,TIC 7,,,", "no_list", "names no file"),
        ("a.csv,TIC 7", "no_list", "has 2 values where the header has 5 columns"),
        ("a.csv,TIC 7,tess,,,,", "no_list", "has 7 values"),
    ],
)
def test_a_broken_row_is_named_and_the_others_are_read(row: str, reason: str, says: str) -> None:
    data = PLAIN.replace("b.csv", f"{row}\nb.csv").encode()
    one, error, two = read(data)
    assert [one, two] == READ
    assert isinstance(error, LightCurveFileError) and error.reason == reason
    assert str(error).startswith("l.csv, row 2: ") and says in str(error)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"file,File\na,b\n", "has more than one column file; rename one"),
        (b"file,target,Target\na,TIC 7,TIC 8\n", "more than one column target"),
        (b"file,targt\na,TIC 7\n", "a column 'targt', which is none that is known: 'target' is meant"),
        (b"file,segments\na,7\n", "'segment' is meant"),
        (b"file\n", "lists no file"),
        (b"file,target\n,\n", "lists no file"),
        (b'file,target\n"a,TIC 7\n', "no readable list of files"),
        ("file,target\n\xe9.csv,TIC 7\n".encode("latin-1"), "save it as UTF-8"),
    ],
)
def test_what_is_wrong_with_the_list_is_said(data: bytes, says: str) -> None:
    with pytest.raises(LightCurveFileError, match=rf"^l\.csv: .*{says}"):
        read(data)


def test_two_names_of_a_star_are_one_or_refused() -> None:
    assert read(b"file,target,kepid\na,KIC 7,7\n") == [Listed("a", Told("KIC 7"))]
    (error,) = read(b"file,target,kepid\na,TIC 7,8\n")
    assert isinstance(error, LightCurveFileError) and "KIC 8 and TIC 7: leave one" in str(error)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\n\n", b"time,flux\n1,2\n", b"time,flux,file\n", b"SIMPLE  =", b"a\rb"]
)
def test_what_is_no_list_is_none(data: bytes) -> None:
    assert not is_list(data)


@given(st.binary(max_size=80), st.sampled_from([b"file,target\n", b"file;segment\r", b"path\n", b""]))
def test_any_bytes_are_read_or_refused_in_words(tail: bytes, head: bytes) -> None:
    data = head + tail
    if not is_list(data):
        return
    try:
        rows = listed(data, "l.csv", Told())
    except LightCurveFileError as error:
        assert str(error).startswith("l.csv: ")
        return
    assert rows and all(isinstance(row, Listed) or str(row).startswith("l.csv, row ") for row in rows)
