"""Scoring catalogue files: rows and columns kept, labels without effect, problems named; and reading them."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tiny_vetter import koi_table, tiny_vetter

from exo_assets.scoring.contracts import VERDICTS
from exo_assets.scoring.files import ADDED, score_file_frame
from exo_assets.scoring.read_file import LARGEST_BYTES, CatalogueFileError, read_catalogue_bytes, read_catalogue_file


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return koi_table()[500:600]


def test_the_input_is_kept_and_the_judgement_added(table: pl.DataFrame) -> None:
    scored = score_file_frame(table, tiny_vetter())
    assert_frame_equal(scored.select(table.columns), table)
    assert scored.columns == [*table.columns, *ADDED]
    assert set(scored["verdict"]) <= set(VERDICTS)
    assert set(scored["model_version"]) == {tiny_vetter().version}
    assert scored["reasons"].str.contains(r"^[a-z_0-9]+(=[-+.e0-9]+| unknown) \([-+][-.e0-9]+\); ").all()


def test_labels_and_leaking_columns_change_nothing(table: pl.DataFrame) -> None:
    honest = score_file_frame(table, tiny_vetter()).select(ADDED)
    liars = {
        "koi_disposition": "FALSE POSITIVE",
        "koi_pdisposition": "FALSE POSITIVE",
        "koi_score": "0.0",
        "koi_fpflag_nt": "1",
        "koi_fpflag_ss": "1",
        "koi_fpflag_co": "1",
        "koi_fpflag_ec": "1",
        "kepler_name": "Kepler-22 b",
        "koi_comment": "CENT_RESOLVED_OFFSET",
        "koi_vet_stat": "Done",
        "koi_tce_delivname": "q1_q17_dr25_tce",
    }
    lying = table.with_columns(pl.lit(value).alias(name) for name, value in liars.items())
    assert_frame_equal(score_file_frame(lying, tiny_vetter()).select(ADDED), honest, check_exact=True)
    without = table.drop(name for name in liars if name in table.columns)
    assert_frame_equal(score_file_frame(without, tiny_vetter()).select(ADDED), honest, check_exact=True)


def test_repeated_rows_stay(table: pl.DataFrame) -> None:
    scored = score_file_frame(pl.concat([table, table.reverse()]), tiny_vetter()).select(ADDED)
    assert_frame_equal(scored.head(table.height), scored.tail(table.height).reverse(), check_exact=True)


def test_problems_are_named_and_unscorable_rows_keep_nulls(table: pl.DataFrame) -> None:
    quantities = [c for c in table.columns if c not in ("kepid", "kepoi_name")]
    broken = pl.concat(
        [
            table.head(1).with_columns(koi_period=pl.lit("three days"), koi_depth=pl.lit("-5")),
            table[1:2].with_columns(pl.lit(None, pl.String).alias(c) for c in quantities),
            table[2:3],
        ]
    )
    scored = score_file_frame(broken, tiny_vetter())
    first, second, third = scored.iter_rows(named=True)
    assert "unreadable: koi_period" in first["problems"] and "depth_ppm_not_above_0" in first["problems"]
    assert first["probability_planet"] is not None
    assert second["problems"] == "not scored: no measured quantity"
    assert all(second[name] is None for name in ADDED if name != "problems")
    assert third["problems"] is None


def test_columns_named_like_the_added_ones_are_refused(table: pl.DataFrame) -> None:
    once = score_file_frame(table, tiny_vetter())
    with pytest.raises(ValueError, match=r"'probability_planet'.*scored before"):
        score_file_frame(once, tiny_vetter())


def test_other_layouts() -> None:
    toi = pl.DataFrame(
        {"toi": ["101.01", "102.01"], "tid": ["1", "2"], "pl_orbper": ["3.1", ""], "pl_trandep": ["900", ""]}
    )
    k2 = pl.DataFrame({"pl_name": ["K2-3 b"], "hostname": ["K2-3"], "pl_orbper": ["10.05"], "sy_dist": ["44"]})
    assert score_file_frame(toi, tiny_vetter())["probability_planet"].is_null().to_list() == [False, True]
    assert score_file_frame(k2, tiny_vetter())["probability_planet"].is_not_null().all()
    with pytest.raises(ValueError, match="no known catalogue layout"):
        score_file_frame(pl.DataFrame({"a": ["1"]}), tiny_vetter())


@pytest.mark.archive
@pytest.mark.parametrize("name", ["cumulative", "toi", "k2pandc", "q1_q17_dr25_koi"])
def test_whole_archive_tables(archive_mirror: Path, name: str) -> None:
    raw = read_catalogue_file(archive_mirror / "tap" / f"{name}.csv.gz")
    scored = score_file_frame(raw, tiny_vetter())
    assert_frame_equal(scored.select(raw.columns), raw)
    without = scored.filter(pl.col("probability_planet").is_null())
    assert without.height <= 0.01 * raw.height
    assert without["problems"].str.starts_with("not scored").all()


# -- reading -----------------------------------------------------------------------------------------------------


def test_comments_quotes_and_endings() -> None:
    text = b'\xef\xbb\xbf# This file, "made" by hand\r\n#\r\n\r\nkepoi_name,note,\r\nK1.01,"a, ""b""\nc",x\r\n,"",\r\n'
    frame = read_catalogue_bytes(text, "f")
    assert frame.columns == ["kepoi_name", "note", ""]
    assert frame.rows() == [("K1.01", 'a, "b"\nc', "x"), (None, None, None)]
    assert read_catalogue_bytes(b"a,b\n1,2", "f").rows() == [("1", "2")]
    assert read_catalogue_bytes(b"a,b", "f").shape == (0, 2)
    assert read_catalogue_bytes(b"# of old\ra,b\r1,2\r", "f").rows() == [("1", "2")]


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_catalogue_file(path).rows() == [("1", "2")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"# only\n# comments\n", "nothing but comments"),
        (b"a;b\n1;2\n", "line 1.*semicolons.*commas"),
        (b"# x\na\tb\n1\t2\n", "line 2.*tabs"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: has 3 fields where the header has 2"),
        (b'a,b\n"x\ny",2\n3\n', "line 4: has 1 fields"),
        (b"a,b\n1,caf\xe9\n", "line 2: byte 0xe9 is not UTF-8.*UTF-8"),
        (b"a,b\n1,\x002\n", "line 2: holds NUL"),
        (b"a,b,a\n1,2,3\n", "line 1.*'a' more than once"),
        (b'a,b\n1,"2\n3,4\n', "line 2: double quotes are out of place.*never closed"),
        (b'"a","b"\n"1","2.5"\n"2","12.', "line 3: .*never closed"),
        (b"a,b\r1,'2'\r2,\"3\r3,4\r", "never closed"),
        (b'a,b,c,d\n1,"2,3,4\n5,6",7,8\n', "line 2: .*whole rows of the table"),
        (b"PK\x03\x04rest", "Excel"),
        (b"PAR1rest", "Parquet"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xff\xfea\x00", "UTF-16"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], "damaged or cut short"),
    ],
)
def test_what_is_no_catalogue_is_refused_with_name_line_and_remedy(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(data)
    with pytest.raises(CatalogueFileError, match=says) as caught:
        read_catalogue_file(path)
    assert str(path) in str(caught.value)


def test_missing_folder_and_oversize(tmp_path: Path) -> None:
    with pytest.raises(CatalogueFileError, match="no such file"):
        read_catalogue_file(tmp_path / "none.csv")
    with pytest.raises(CatalogueFileError, match="folder"):
        read_catalogue_file(tmp_path)
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)
    with pytest.raises(CatalogueFileError, match="larger than"):
        read_catalogue_bytes(packed, "bomb", largest=10_000)
    with (tmp_path / "huge.csv").open("wb") as sparse:
        sparse.truncate(LARGEST_BYTES + 1)
    with pytest.raises(CatalogueFileError, match="larger than"):
        read_catalogue_file(tmp_path / "huge.csv")


# -- files that would be misread in silence ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [" koi_depth", "KOI_DEPTH", "koi_depth [ppm]", "koi_depth\u00a0", "\u200bkoi_depth"])
def test_a_header_that_nearly_matches_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="looks like 'koi_depth'"):
        score_file_frame(koi_table()[:3].rename({"koi_depth": name}), tiny_vetter())


def test_rows_of_another_catalogue_are_not_scored() -> None:
    toi = pl.DataFrame({"toi": ["1.01"], "tid": ["7"], "pl_orbper": ["3"], "pl_trandep": ["900"], "pl_trandurh": ["2"]})
    k2 = pl.DataFrame({"pl_name": ["K2-3 b"], "pl_orbper": ["10"], "pl_trandep": ["0.1"]})
    scored = score_file_frame(pl.concat([toi, k2], how="diagonal"), tiny_vetter())
    assert scored["probability_planet"].is_null().to_list() == [False, True]
    assert "no row of the TESS" in scored["problems"][1]


def test_unfamiliar_missions_are_named() -> None:
    toi = pl.DataFrame({"toi": ["1.01"], "tid": ["7"], "pl_orbper": ["3"], "pl_trandep": ["900"], "pl_trandurh": ["2"]})
    assert "no resolved tess signals" in score_file_frame(toi, tiny_vetter())["problems"][0]
    assert score_file_frame(koi_table()[:3], tiny_vetter())["problems"].null_count() == 3


def test_stray_quotes_swallow_no_rows() -> None:
    text = b'kepoi_name,koi_period,koi_depth\n"K1,1,100\nK2,2,200\n"K3,3,300\n'
    with pytest.raises(CatalogueFileError, match="line 2: double quotes are out of place"):
        read_catalogue_bytes(text, "odd.csv")
    assert read_catalogue_bytes(b'a,b\n1,5" scope\n', "fine.csv").rows() == [("1", '5" scope')]
    sound = b'kepoi_name,koi_period,note\nK1,1,"a ""quoted"" word, and\na second line"\n'
    assert read_catalogue_bytes(sound, "fine.csv")["note"].to_list() == ['a "quoted" word, and\na second line']


@pytest.mark.parametrize(
    ("header", "says"),
    [(",".join(f"c{i}" for i in range(200_000)), "more than 5,000"), ("x" * 140_000 + ",koi_period", "header cannot")],
)
def test_absurd_headers_are_refused_quickly(header: str, says: str) -> None:
    with pytest.raises(CatalogueFileError, match=says):
        read_catalogue_bytes(header.encode() + b"\n1\n", "wide.csv")


def test_the_order_of_repeated_names_changes_nothing() -> None:
    table = koi_table()[:200]
    again = pl.concat([table, table[::3].with_columns(koi_depth=pl.lit("12345"))])
    shuffled = again.with_row_index("at").sample(fraction=1.0, shuffle=True, seed=3)
    whole = score_file_frame(again, tiny_vetter())["probability_planet"]
    apart = score_file_frame(shuffled.drop("at"), tiny_vetter())["probability_planet"]
    assert whole.gather(shuffled["at"]).equals(apart)
