"""Tables of many stars: one star read alone, partitions replaced whole, damage named, kills survived."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from exo_resources.lake import DamagedTableError, Lake
from exo_resources.star_tables import Index, StarEntry, StarRows, StarTables
from tests.s3_server import s3_bucket

SCHEMA = pl.Schema({"star_id": pl.String, "flux": pl.List(pl.Float32), "view": pl.Array(pl.Float32, 2)})


def frame(star: str, values: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"star_id": [star], "flux": [values], "view": [[1.0, 2.0]]}, schema=SCHEMA)


def made(star: str, mark: str, values: list[float] | None) -> StarRows:
    if values is None:
        return StarRows(StarEntry(star, mark, reason="clean", message="3 points are left"))
    return StarRows(StarEntry(star, mark), frame(star, values).to_arrow(compat_level=pl.CompatLevel.oldest()))


@pytest.fixture(params=["folder", "bucket"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> StarTables:
    return StarTables(Lake(str(tmp_path / "lake") if request.param == "folder" else request.getfixturevalue("bucket")))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """URL of a bucket on a real S3 server on this machine."""
    with s3_bucket("stars") as (_, query):
        yield f"s3://stars/exo?{query}"


def test_arrays_that_are_missing_come_back_as_such(tables: StarTables) -> None:
    """Arrow writes them, and then cannot read its file."""
    whole = frame("KIC 1", [1.0])
    none = whole.with_columns(star_id=pl.lit("KIC 2"), view=pl.lit(None, SCHEMA["view"]))
    mixed = pl.concat([whole, none]).with_columns(star_id=pl.lit("KIC 3"))
    stars = {"KIC 1": whole, "KIC 2": none, "KIC 3": mixed}
    rows = [StarRows(StarEntry(s, "f"), f.to_arrow(compat_level=pl.CompatLevel.oldest())) for s, f in stars.items()]
    tables.write("feat_sparse", "kepler-01", SCHEMA, rows)
    for star, written in stars.items():
        assert_frame_equal(tables.star("feat_sparse", "kepler-01", star), written)
    assert_frame_equal(tables.read("feat_sparse"), pl.concat(stars.values()))
    assert tables.read("feat_sparse", columns=["view"])["view"].null_count() == 2
    kept, written_again = tables.rewrite("feat_sparse", "kepler-01", SCHEMA, {"KIC 2": "f"}, [])
    assert written_again and list(kept) == ["KIC 2"] and tables.read("feat_sparse")["view"].to_list() == [None]


def test_stars_come_back_as_they_were_written(tables: StarTables) -> None:
    rows = [made("KIC 1", "f", [1.0, 2.0]), made("KIC 2", "f", None), made("KIC 3", "f", [])]
    index, written = tables.rewrite(
        "core_light_curves", "kepler-01", SCHEMA, dict.fromkeys(["KIC 1", "KIC 2", "KIC 3"], "f"), rows
    )
    assert written and tables.partitions("core_light_curves") == ["kepler-01"]
    assert tables.index("core_light_curves", "kepler-01") == index
    assert (index["KIC 2"].reason, index["KIC 2"].rows, index["KIC 3"].rows) == ("clean", 0, 1)
    assert_frame_equal(tables.star("core_light_curves", "kepler-01", "KIC 3"), frame("KIC 3", []))
    both = pl.concat([frame("KIC 1", [1.0, 2.0]), frame("KIC 3", [])])
    assert_frame_equal(tables.read("core_light_curves"), both)
    assert_frame_equal(tables.read("core_light_curves", columns=["star_id"]), both.select("star_id"))
    with pytest.raises(KeyError, match="KIC 2 has no rows"):
        tables.star("core_light_curves", "kepler-01", "KIC 2")
    assert tables.index("core_light_curves", "kepler-02") == {}
    assert_frame_equal(tables.read("feat_views", empty=frame("x", [])), frame("x", []))


def test_tables_travel_to_other_processes(tables: StarTables) -> None:
    tables.write("t", "p", SCHEMA, [made("KIC 1", "f", [1.0])])
    there: StarTables = pickle.loads(pickle.dumps(tables))
    assert_frame_equal(there.star("t", "p", "KIC 1"), frame("KIC 1", [1.0]))


def test_only_changed_stars_are_asked_for(tmp_path: Path) -> None:
    tables = StarTables(Lake(str(tmp_path)))
    first = {"a": "1", "b": "1", "c": "1"}
    tables.rewrite("t", "p", SCHEMA, first, [made(s, "1", [float(i)]) for i, s in enumerate(first)])
    before = Path(tables.lake.path(tables.key("t", "p"))).stat().st_ino
    _, written = tables.rewrite("t", "p", SCHEMA, first, iter(()))
    assert not written and Path(tables.lake.path(tables.key("t", "p"))).stat().st_ino == before
    digest = tables.digest("t")
    index, written = tables.rewrite(
        "t", "p", SCHEMA, {"a": "1", "b": "2", "d": "1"}, [made("b", "2", [9.0]), made("d", "1", None)]
    )
    assert written and list(index) == ["a", "b", "d"] and tables.digest("t") != digest
    assert_frame_equal(tables.read("t"), pl.concat([frame("a", [0.0]), frame("b", [9.0])]))


@given(
    steps=st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 3), st.booleans()), max_size=6), max_size=5
    )
)
def test_any_sequence_of_rewrites_leaves_what_was_wanted_last(steps: list[dict[str, tuple[int, bool]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tables, asked = StarTables(Lake(folder)), list[str]()
        for step in steps:
            wanted = {star: f"{value}{sound}" for star, (value, sound) in sorted(step.items())}
            index = tables.index("t", "p")
            todo = [s for s, mark in wanted.items() if s not in index or index[s].fingerprint != mark]
            asked += todo
            new = (made(s, wanted[s], [float(step[s][0])] if step[s][1] else None) for s in todo)
            tables.rewrite("t", "p", SCHEMA, wanted, new)
            kept = [frame(s, [float(step[s][0])]) for s in sorted(step) if step[s][1]]
            expected = pl.concat(kept) if kept else pl.DataFrame(schema=SCHEMA)
            assert_frame_equal(tables.read("t", empty=pl.DataFrame(schema=SCHEMA)), expected)
            assert {s: e.reason for s, e in tables.index("t", "p").items()} == {
                s: "" if step[s][1] else "clean" for s in step
            }


def test_a_failure_in_the_middle_leaves_the_old_partition(tables: StarTables) -> None:
    tables.write("t", "p", SCHEMA, [made("a", "1", [1.0])])

    def broken() -> Iterator[StarRows]:
        yield made("a", "2", [2.0])
        raise RuntimeError("the machine was taken away")

    with pytest.raises(RuntimeError, match="taken away"):
        tables.write("t", "p", SCHEMA, broken())
    assert_frame_equal(tables.read("t"), frame("a", [1.0]))
    assert tables.partitions("t") == ["p"]


def test_damage_is_named(tmp_path: Path) -> None:
    tables = StarTables(Lake(str(tmp_path)))
    tables.write("t", "p", SCHEMA, [made("a", "1", [float(i % 7) for i in range(5000)])])
    path = Path(tables.lake.path(tables.key("t", "p")))
    sound = path.read_bytes()
    path.write_bytes(sound[:-10])
    with pytest.raises(DamagedTableError, match=r"p.parquet is damaged"):
        tables.index("t", "p")
    for place in range(4, len(sound) - 8, 97):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        try:
            read = tables.star("t", "p", "a")
        except (DamagedTableError, KeyError):
            continue
        assert_frame_equal(read, frame("a", [float(i % 7) for i in range(5000)]))
    pl.DataFrame({"x": [1]}).write_parquet(path)
    with pytest.raises(DamagedTableError, match="not written by Exo"):
        tables.index("t", "p")


KILLED = """
import sys, time
from exo_resources.lake import Lake
from exo_resources.star_tables import StarTables
sys.path.insert(0, {tests!r})
from test_star_tables import SCHEMA, made
def slow():
    for number in range(200):
        print("writing", flush=True)
        time.sleep(0.01)
        yield made(f"KIC {{number}}", "2", [2.0] * 1000)
StarTables(Lake({root!r})).write("t", "p", SCHEMA, slow())
"""


def test_a_kill_leaves_the_old_partition(tmp_path: Path) -> None:
    tables = StarTables(Lake(str(tmp_path)))
    tables.write("t", "p", SCHEMA, [made("a", "1", [1.0])])
    code = KILLED.format(tests=str(Path(__file__).parent), root=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    index: Index = tables.index("t", "p")
    assert list(index) == ["a"] and tables.partitions("t") == ["p"]
