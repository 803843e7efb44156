"""A process of the owner that opens a published release for writing, changes, cuts or deletes it, among real processes:
what was changed is set aside and named, the last whole release is read, and publication goes on."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exo_resources import release_files
from exo_resources.query import run_query
from exo_resources.releases import MANIFEST, Release, ReleaseError, ReleaseStore
from tests.warehouse.release_tables import publisher, tables

ROOT = """
import os, sys, duckdb
path, *statements = sys.argv[1:]
os.chmod(path, 0o644)
connection = duckdb.connect(path)
for statement in statements:
    connection.execute(statement)
print("open", flush=True)
if sys.stdin.readline() == "die\\n":
    os._exit(9)
connection.close()
"""
"""Opens a release read-write, as root may in spite of its mode, and holds it until it is told to close it or to die."""
CHANGE = "UPDATE core_a SET value = 0 WHERE id = 7"
ASK = "SELECT any_value(seed) AS seed, count(*) AS n FROM core_a"


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    made = ReleaseStore(tmp_path / "releases", keep=3)
    for seed in (1, 2):
        made.publish(tables(seed), {"seed": seed})
    return made


def current(store: ReleaseStore) -> Release:
    found = store.current()
    assert found is not None
    return found


@contextmanager
def intruder(release: Release, *statements: str, dies: bool = False) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", ROOT, str(release.database), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        yield process
    finally:
        process.stdin.write("die\n" if dies else "close\n")
        process.stdin.close()
        assert process.wait(60) == (9 if dies else 0)
        process.stdout.close()


def seed_read(store: ReleaseStore) -> int:
    """What `exo query` reads: one publication, whole."""
    return int(run_query(ASK, store)["seed"][0])


def test_published_files_are_read_only_by_mode(store: ReleaseStore) -> None:
    release = current(store)
    assert [p.stat().st_mode & 0o777 for p in (release.database, release.folder / MANIFEST)] == [0o444, 0o444]


def test_a_handle_that_holds_the_release_for_writing_stops_nothing(store: ReleaseStore) -> None:
    with intruder(current(store)):
        with pytest.raises(duckdb.IOException, match="lock"):
            duckdb.connect(str(current(store).database), read_only=True)  # DuckDB itself lets nobody in
        assert seed_read(store) == 2
        assert store.verify().manifest.info["seed"] == 2
        assert not store.publish(tables(2)).is_new
        night = publisher(store.folder, 3)
        assert night.wait(120) == 0, night.communicate()[1]
        assert seed_read(store) == 3 and store.set_aside() == []
    assert seed_read(store) == 3


def test_held_releases_are_pruned(store: ReleaseStore) -> None:
    held = current(store)
    with intruder(held):
        for seed in range(3, 7):
            assert store.publish(tables(seed), {"seed": seed}).is_new
        assert store.find(held.id) is None and seed_read(store) == 6


def test_a_connection_of_this_process_with_other_settings_stops_nothing(store: ReleaseStore) -> None:
    other = duckdb.connect(str(current(store).database.resolve()), read_only=True)
    assert seed_read(store) == 2
    assert store.publish(tables(3)).is_new and seed_read(store) == 3
    other.close()


def changed_row(release: Release) -> None:
    with intruder(release, CHANGE):
        pass


def changed_and_killed(release: Release) -> None:
    """The change stays in a log beside the file, whose own bytes are as they were."""
    with intruder(release, CHANGE, dies=True):
        pass
    assert release_files.sha256_of(release.database) == release.manifest.sha256


def truncated(release: Release) -> None:
    with open(release.database, "r+b") as file:
        file.truncate(release.manifest.bytes // 2)


def flipped(release: Release) -> None:
    """One bit, with the time of the last change put back."""
    import os

    about = release.database.stat()
    with open(release.database, "r+b") as file:
        file.seek(release.manifest.bytes // 2)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    os.utime(release.database, ns=(about.st_atime_ns, about.st_mtime_ns))


def deleted(release: Release) -> None:
    release.database.unlink()


def without_manifest(release: Release) -> None:
    (release.folder / MANIFEST).unlink()


def of_another(release: Release) -> None:
    """An older release's files under a newer one's name."""
    older = sorted(p for p in release.folder.parent.iterdir() if p.name < release.id and p.is_dir())[-1]
    for name in ("exo.duckdb", MANIFEST):
        (release.folder / name).unlink()
        (release.folder / name).write_bytes((older / name).read_bytes())


DAMAGES = [changed_row, changed_and_killed, truncated, flipped, deleted, without_manifest, of_another]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_changed_release_is_set_aside_and_the_last_whole_one_is_read(
    store: ReleaseStore, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    live = current(store)
    assert seed_read(store) == 2
    damage(live)
    with caplog.at_level(logging.WARNING):
        assert seed_read(store) == 1
    assert f"release {live.id} was changed" in caplog.text and f"changed-{live.id}" in caplog.text
    assert [p.name for p in store.set_aside()] == [f"changed-{live.id}"]
    assert current(store).manifest.info["seed"] == 1
    # Publishing the same again is a new release: the one that held it is gone.
    done = store.publish(tables(2), {"seed": 2})
    assert done.is_new and seed_read(store) == 2 and store.verify().id == done.release.id > live.id


@pytest.mark.parametrize("damage", DAMAGES)
def test_publication_notices_what_nobody_has_read_since(store: ReleaseStore, damage: Any) -> None:
    live = current(store)
    damage(live)
    done = store.publish(tables(2), {"seed": 2})
    assert done.is_new and len(done.set_aside) == 1
    assert live.id in done.set_aside[0] and str(store.folder / f"changed-{live.id}") in done.set_aside[0]
    assert seed_read(store) == 2 and store.verify()


def test_a_writer_that_goes_on_changing_the_release_stops_no_night(store: ReleaseStore) -> None:
    live = current(store)
    with intruder(live, CHANGE):
        night = publisher(store.folder, 3)
        assert night.wait(120) == 0, night.communicate()[1]
        assert seed_read(store) == 3
    assert seed_read(store) == 3 and [p.name for p in store.set_aside()] == [f"changed-{live.id}"]


def test_an_older_release_that_was_changed_is_set_aside_too(store: ReleaseStore) -> None:
    first = store.list()[0]
    changed_row(first)
    done = store.publish(tables(3), {"seed": 3})
    assert first.id in done.set_aside[0] and store.find(first.id) is None
    assert [r.manifest.info["seed"] for r in store.list()] == [2, 3]


def test_without_another_whole_release_the_remedy_is_said_and_works(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    only = store.publish(tables(1), {"seed": 1}).release
    truncated(only)
    with pytest.raises(ReleaseError, match=rf"{only.id} .*damaged and no other is whole.*exo run"):
        store.open_current()
    with pytest.raises(ReleaseError, match=rf"set aside: changed-{only.id}.*exo run"):
        store.open_current()
    assert store.publish(tables(1), {"seed": 1}).is_new and seed_read(store) == 1


def test_a_folder_where_the_link_was_stops_no_publication(store: ReleaseStore) -> None:
    link = store.folder / "current"
    target = link.readlink()
    link.unlink()
    (store.folder / target).rename(link)
    assert store.publish(tables(3), {"seed": 3}).is_new
    assert seed_read(store) == 3 and [p.name for p in store.set_aside()] == ["changed-current"]


def test_a_release_that_stays_as_it_is_is_read_through_once(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    whole = release_files.sha256_of
    monkeypatch.setattr(release_files, "sha256_of", lambda path: read.append(path) or whole(path))
    monkeypatch.setattr(release_files, "_seen", {})
    for _ in range(3):
        seed_read(store)
    assert len(read) == 1
    store.serving(fully=True)
    assert len(read) == 2
