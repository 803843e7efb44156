"""The lake: atomic tables in a folder and in a bucket."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from exo_resources.lake import DamagedTableError, Lake, TableMissingError
from tests.s3_server import s3_bucket

FRAME = pl.DataFrame({"signal_id": ["a", "b"], "depth_ppm": [1.5, None], "reasons": [[{"x": 1.0}], []]})


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """URL of a bucket on a real S3 server on this machine."""
    with s3_bucket("lake") as (_, query):
        yield f"s3://lake/exo?{query}"


@pytest.fixture(params=["folder", "bucket"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake") if request.param == "folder" else request.getfixturevalue("bucket"))


def test_a_table_comes_back_as_it_was_written(any_lake: Lake) -> None:
    written = any_lake.write("core_signals", FRAME, fingerprint="f", inputs={"raw": "1"}, notes={"source": "live"})
    assert_frame_equal(any_lake.read("core_signals"), FRAME)
    assert any_lake.version("core_signals") == written
    assert any_lake.tables() == ["core_signals"]
    assert written.rows == 2 and written.notes == {"source": "live"}


def test_a_missing_table_is_named_with_the_remedy(any_lake: Lake) -> None:
    with pytest.raises(TableMissingError, match=r"feat_signals.*exo run"):
        any_lake.read("feat_signals")
    assert any_lake.version("feat_signals") is None


def test_equal_content_keeps_the_file_and_its_date(lake: Lake) -> None:
    first = lake.write("t", FRAME, fingerprint="f")
    inode = Path(lake.path(lake.table_key("t"))).stat().st_ino
    assert lake.write("t", FRAME, fingerprint="f") == first
    assert Path(lake.path(lake.table_key("t"))).stat().st_ino == inode


def test_new_provenance_keeps_the_digest(lake: Lake) -> None:
    first = lake.write("t", FRAME, fingerprint="old")
    second = lake.write("t", FRAME, fingerprint="new")
    assert (second.digest, second.fingerprint) == (first.digest, "new")
    assert lake.write("t", FRAME.head(1), fingerprint="new").digest != first.digest


def test_a_foreign_parquet_file_is_refused(lake: Lake) -> None:
    Path(lake.path("tables")).mkdir(parents=True)
    FRAME.write_parquet(lake.path("tables/t.parquet"))
    for ask in (lake.read, lake.version):
        with pytest.raises(DamagedTableError, match="not written by Exo"):
            ask("t")


@pytest.mark.parametrize("damage", ["cut", "head", "empty", "text"])
def test_a_damaged_file_is_named_with_the_remedy(lake: Lake, damage: str) -> None:
    lake.write("t", FRAME)
    file = Path(lake.path(lake.table_key("t")))
    whole = file.read_bytes()
    damaged = {"cut": whole[:-30], "head": b"\0" * 200 + whole[200:], "empty": b"", "text": b"signal_id\na\n"}[damage]
    file.write_bytes(damaged)
    with pytest.raises(DamagedTableError, match=rf"'t' cannot be read: {file} is damaged .*exo run"):
        lake.read("t")
    if damage != "head":  # what says how it was made stands at the end
        with pytest.raises(DamagedTableError, match="exo run"):
            lake.version("t")


@given(data=st.data())
def test_no_flipped_bit_is_read_as_other_data(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    sound = pl.DataFrame({"x": [1.5, None, -2.0] * 40, "word": ["a", "b", None] * 40})
    lake.write("t", sound)
    file = Path(lake.path(lake.table_key("t")))
    raw = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    file.write_bytes(raw)
    try:
        frame = lake.read("t")
    except DamagedTableError:
        return
    assert frame.equals(sound), "only the name of the seal may be other, and nothing else is then"


def test_what_is_no_file_is_not_taken_for_an_absent_table(lake: Lake) -> None:
    place = Path(lake.path(lake.table_key("t")))
    place.mkdir(parents=True)
    for _ in ("a folder", "a link to nothing"):
        for ask in (lake.read, lake.version):
            with pytest.raises(DamagedTableError, match="it is no file"):
                ask("t")
        if place.is_dir():
            place.rmdir()
            place.symlink_to("nowhere")


@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.just(0.0)), max_size=30))
def test_the_digest_depends_on_content_alone(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None]
) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    sliced = pl.concat([frame, pl.DataFrame({"x": [1.0]})]).head(frame.height)
    assert lake.write("a", frame).digest == lake.write("b", sliced).digest


def test_a_kill_during_writes_leaves_a_whole_table(tmp_path: Path) -> None:
    writer = (
        "import sys, polars as pl; from exo_resources.lake import Lake\n"
        "lake = Lake(sys.argv[1]); i = 0\n"
        "while True:\n"
        "    i += 1; lake.write('t', pl.DataFrame({'i': [i] * 50_000}), fingerprint=str(i))\n"
        "    print(i, flush=True)\n"
    )
    lake = Lake(str(tmp_path))
    for wait in (0.0, 0.003, 0.011, 0.027, 0.05):
        child = subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        frame, version = lake.read("t"), lake.version("t")
        assert version is not None and frame.height == version.rows == 50_000
        assert frame["i"].n_unique() == 1 and version.fingerprint == str(frame["i"][0])
        assert lake.tables() == ["t"]
