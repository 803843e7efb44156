"""Releases: published whole or not at all, pruned, verified."""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exo_resources.releases import MANIFEST, ReleaseError, ReleaseStore
from exo_resources.settings import CHECKOUT
from tests.warehouse.release_tables import PUBLISHER, leftovers, table, tables


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases", keep=3)


def test_a_release_is_what_its_manifest_says(store: ReleaseStore) -> None:
    done = store.publish(tables(1), {"git_commit": "abc"})
    assert done.is_new
    manifest = json.loads((store.folder / "current" / MANIFEST).read_text())
    assert manifest["info"] == {"git_commit": "abc"}
    assert {n: t["rows"] for n, t in manifest["tables"].items()} == {"core_a": 2_000, "mart_b": 2_000}
    assert manifest["tables"]["core_a"] == {"rows": 2_000, "digest": "digest-core_a-1", "columns": 5}
    assert store.verify().id == done.release.id == (store.folder / "current").readlink().name
    assert leftovers(store.folder) == []


def test_comments_are_in_the_database(store: ReleaseStore) -> None:
    store.publish(tables(1))
    connection = store.open_current()
    comment = connection.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'core_a'").fetchone()
    columns = dict(
        connection.execute("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'core_a'").fetchall()
    )
    connection.close()
    assert comment == ("Table 'core_a'",)
    assert columns["value"] == "A value [ppm]"
    assert columns["id"] is None


def test_unchanged_data_versions_make_no_release_and_read_nothing(store: ReleaseStore) -> None:
    first = store.publish(tables(1))

    def unreadable() -> Any:
        raise AssertionError("rows were read although nothing changed")

    again = store.publish([dataclasses.replace(t, load=unreadable) for t in tables(1)], {"other": "info"})
    assert not again.is_new
    assert again.release.id == first.release.id
    assert [r.id for r in store.list()] == [first.release.id]


def test_a_changed_comment_makes_a_release(store: ReleaseStore) -> None:
    store.publish([table("core_a", 1)])
    assert store.publish([dataclasses.replace(table("core_a", 1), description="Better said")]).is_new


def test_releases_are_pruned_but_for_the_last(store: ReleaseStore) -> None:
    made = [store.publish(tables(seed)).release.id for seed in range(5)]
    assert made == sorted(made), "ids sort by time even within one second"
    assert [r.id for r in store.list()] == made[-3:]
    current = store.current()
    assert current is not None
    assert current.id == made[-1]


def test_an_open_connection_sees_the_old_release_and_a_new_one_the_new(store: ReleaseStore) -> None:
    store.publish(tables(1))
    old = store.open_current()
    for seed in range(2, 7):
        store.publish(tables(seed))
    new = store.open_current()
    assert old.execute("SELECT any_value(seed), count(*) FROM core_a").fetchone() == (1, 2_000)
    assert new.execute("SELECT any_value(seed), count(*) FROM core_a").fetchone() == (6, 2_000)
    old.close()
    new.close()


def test_one_process_may_open_a_release_many_times(store: ReleaseStore) -> None:
    store.publish(tables(1))
    connections = [store.open_current() for _ in range(3)]
    assert store.verify()
    assert [c.execute("SELECT count(*) FROM mart_b").fetchone() for c in connections] == [(2_000,)] * 3
    for connection in connections:
        connection.close()


def test_a_damaged_file_is_noticed_and_replaced(store: ReleaseStore) -> None:
    damaged = store.publish(tables(1)).release
    damaged.database.chmod(0o644)
    content = bytearray(damaged.database.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.database.write_bytes(content)
    with pytest.raises(ReleaseError, match=f"{damaged.id} is damaged.*sha256"):
        store.verify()
    replaced = store.publish(tables(1))
    assert replaced.is_new
    assert store.verify().id == replaced.release.id != damaged.id


def test_a_file_that_was_cut_is_not_read(store: ReleaseStore) -> None:
    release = store.publish(tables(1)).release
    with open(release.database, "r+b") as file:
        file.truncate(release.manifest.bytes // 2)
    with pytest.raises(ReleaseError, match="damaged"):
        store.open_current()


def test_a_lost_manifest_is_named_and_replaced(store: ReleaseStore) -> None:
    lost = store.publish(tables(1)).release
    (lost.folder / MANIFEST).unlink()
    with pytest.raises(ReleaseError, match="no readable manifest"):
        store.current()
    assert store.publish(tables(1)).is_new
    store.verify()


def test_what_does_not_pass_its_tests_is_not_published(store: ReleaseStore) -> None:
    first = store.publish(tables(1)).release
    seen = []

    def refuse(connection: Any) -> Sequence[str]:
        seen.append(connection.execute("SELECT any_value(seed) FROM core_a").fetchone())
        return ["mart_b: unique_id (3 rows)"]

    with pytest.raises(ReleaseError, match=r"did not pass its tests: mart_b: unique_id \(3 rows\)"):
        store.publish(tables(2), validate=refuse)
    assert seen == [(2,)]
    assert store.verify().id == first.id
    assert leftovers(store.folder) == []


def test_rows_that_changed_meanwhile_are_refused(store: ReleaseStore) -> None:
    with pytest.raises(ReleaseError, match=r"rows announced and rows read differ.*core_a"):
        store.publish([dataclasses.replace(table("core_a", 1), rows=1_999)])
    assert store.current() is None


def test_an_input_that_fails_leaves_the_old_release(store: ReleaseStore) -> None:
    first = store.publish(tables(1)).release

    def broken() -> Any:
        raise OSError(5, "Input/output error", "core_a.parquet")

    with pytest.raises(ReleaseError, match=rf"core_a\.parquet.*{first.id} stays current"):
        store.publish([dataclasses.replace(table("core_a", 2), load=broken)])
    assert store.verify().id == first.id
    assert leftovers(store.folder) == []


def test_a_full_disk_leaves_the_old_release(store: ReleaseStore) -> None:
    """The kernel's own limit on file size stands for the disk: writes fail the same way, in a process of their own."""
    first = store.publish(tables(1)).release

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-c", PUBLISHER, str(store.folder), "2", "200000"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        preexec_fn=small,
        check=False,
    )
    assert done.returncode == 1
    assert f"Nothing was switched, release {first.id} stays current. Check free space" in done.stderr
    assert store.verify().id == first.id
    assert leftovers(store.folder) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        ReleaseError, match=r"could not publish a release in .*file/releases.*there is still no release"
    ):
        ReleaseStore(tmp_path / "file" / "releases").publish(tables(1))


@pytest.mark.parametrize("given", [[], [table("core_a", 1), table("core_a", 2)]], ids=["none", "twice"])
def test_tables_come_once_each(store: ReleaseStore, given: list[Any]) -> None:
    with pytest.raises(ReleaseError, match="a release needs tables, each once"):
        store.publish(given)


def test_without_a_release_the_remedy_is_said(store: ReleaseStore) -> None:
    assert store.current() is None
    assert store.list() == []
    with pytest.raises(ReleaseError, match="exo run"):
        store.open_current()
    with pytest.raises(ReleaseError, match="exo run"):
        store.verify()


def test_a_release_cannot_be_written_through_its_connection(store: ReleaseStore) -> None:
    store.publish(tables(1))
    connection = store.open_current()
    with pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("DELETE FROM core_a")
    with pytest.raises(duckdb.Error, match="locked"):
        connection.execute("SET enable_external_access = true")
    connection.close()
