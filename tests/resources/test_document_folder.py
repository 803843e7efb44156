"""The watched folder on disk and in a bucket, and what is read of it again when it changes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus import folder_files
from exo_assets.corpus.folder_files import FoundFile, Reader
from exo_assets.corpus.source_contracts import RAW_DOCUMENTS__FILES
from exo_resources import document_reading
from exo_resources.document_folder import DocumentFolder, FolderError
from exo_resources.document_reading import Files, Task, refreshed, taken_in
from exo_resources.lake import Lake
from exo_resources.reading_process import Bounds
from tests.corpus.pdf_files import encrypted_pdf, pdf_of
from tests.resources.bad_readers import read as read_badly
from tests.s3_server import s3_bucket

TABLE = RAW_DOCUMENTS__FILES.name
LONG_AGO = 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> DocumentFolder:
    (tmp_path / "documents").mkdir()
    return DocumentFolder(str(tmp_path / "documents"))


def write(folder: DocumentFolder, path: str, data: bytes | str, age_s: float = 60.0) -> Path:
    """A file that was written `age_s` ago."""
    place = folder.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data if isinstance(data, bytes) else data.encode())
    then = time.time() - age_s
    os.utime(place, (then, then))
    return place


class Counting:
    """Stands in for Ray where nothing is to be read on it."""

    def stream(
        self, function: Callable[[Any, Any], Any], shared: Any, tasks: Any, *, at_once: int | None = None
    ) -> Any:
        raise AssertionError("so few files are read without Ray")


class InThisProcess:
    """As Ray's `stream`, here; counts what was asked."""

    def __init__(self) -> None:
        self.tasks = list[str]()

    def stream(
        self, function: Callable[[Any, Any], Any], shared: Any, tasks: Iterator[Task], *, at_once: int | None = None
    ) -> Iterator[Any]:
        for task in tasks:
            self.tasks.append(task.name)
            yield function(shared, task)


def night(folder: DocumentFolder, lake: Lake, runtime: Any = None, version: str = "1") -> Files:
    """What the asset does, and its write."""
    found = refreshed(folder, lake, runtime or Counting(), version, Bounds(silence_s=20, file_s=60))
    lake.write(TABLE, RAW_DOCUMENTS__FILES.check(found.frame), notes=found.notes)
    return found


def states(found: Files) -> dict[str, str]:
    return {row["path"]: row["reason"] or "kept" for row in found.frame.iter_rows(named=True)}


# -- listing -----------------------------------------------------------------------------------------------------------


def test_what_is_listed(folder: DocumentFolder) -> None:
    write(folder, "a.txt", "one")
    write(folder, "deep/er/b.pdf", "two")
    for passed_over in (".hidden.txt", ".git/c.txt", "d.pdf.part", "e.TMP", "f.txt~", "g.crdownload"):
        write(folder, passed_over, "x")
    write(folder, "fresh.txt", "x", age_s=0)
    write(folder, "tomorrow.txt", "x", age_s=-86_400)
    os.mkfifo(folder.root / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder.root / "s.txt"))
        (folder.root / "nothing.txt").symlink_to("nowhere")
        (folder.root / "loop").symlink_to(folder.root)
        listed = folder.listed()
    assert [f.path for f in listed.files] == ["a.txt", "deep/er/b.pdf", "tomorrow.txt"]
    assert [f.path for f in listed.unsettled] == ["fresh.txt"]
    assert listed.files[1].name == "b.pdf" and listed.files[0].size_bytes == 3


def test_a_fingerprint_changes_with_the_files_and_only_with_them(folder: DocumentFolder) -> None:
    seen = [folder.listed().fingerprint]
    for change in (
        lambda: write(folder, "a.txt", "one"),
        lambda: write(folder, "b.txt", "one"),
        lambda: write(folder, "a.txt", "two", age_s=50),
        lambda: (folder.root / "b.txt").rename(folder.root / "c.txt"),
        (folder.root / "c.txt").unlink,
    ):
        change()
        seen.append(folder.listed().fingerprint)
        write(folder, "unfinished.part", str(len(seen)))
        assert folder.listed().fingerprint == seen[-1]
    assert len(set(seen)) == len(seen)


def test_files_are_put_whole_and_deleted(tmp_path: Path) -> None:
    folder = DocumentFolder(str(tmp_path / "new" / "documents"), quiet_s=0.3)
    assert not folder.exists() and folder.listed().files == ()
    folder.put("a.txt", b"one")
    folder.settle(["a.txt"])
    [file] = folder.listed().files
    assert folder.read(file) == b"one"
    folder.put("a.txt", b"three")
    assert folder.read(file) is None  # not what was listed any more
    assert [p.name for p in folder.root.iterdir()] == ["a.txt"]
    folder.delete("a.txt")
    folder.delete("a.txt")
    assert folder.listed().files == () and folder.read(file) is None


def test_a_bucket(lake: Lake) -> None:
    with s3_bucket("papers") as (client, query):
        folder = DocumentFolder(f"s3://papers/exo/documents?{query}", quiet_s=0.0)
        assert folder.exists() and folder.listed().files == () and folder.shown == "s3://papers/exo/documents"
        folder.put("a.txt", b"Kepler-90 h")
        client.put_object(Bucket="papers", Key="exo/documents/sub/b.pdf", Body=pdf_of(["TOI-700 d"]))
        client.put_object(Bucket="papers", Key="elsewhere/c.txt", Body=b"no")
        found = night(folder, lake)
        assert states(found) == {"a.txt": "kept", "sub/b.pdf": "kept"}
        assert taken_in(lake) == folder.listed().fingerprint
        assert night(folder, lake).did["read"] == 0
        folder.delete("a.txt")
        assert states(night(folder, lake)) == {"sub/b.pdf": "kept"}
        young = DocumentFolder(folder.url, quiet_s=3600)
        assert [len(young.listed().files), len(young.listed().unsettled)] == [0, 1]
        [file] = folder.listed().files
        client.delete_object(Bucket="papers", Key="exo/documents/sub/b.pdf")
        assert folder.read(file) is None
    with pytest.raises(FolderError, match="EXO_DOCUMENTS"):
        folder.listed()
    kept = night(folder, lake)
    assert (kept.notes["source"], states(kept)) == ("last_good", {"sub/b.pdf": "kept"})


# -- what is read again ------------------------------------------------------------------------------------------------


def test_only_what_changed_is_read(folder: DocumentFolder, lake: Lake) -> None:
    a = write(folder, "a.txt", "Kepler-90 h")
    write(folder, "b.md", "# TOI-700\n\nFour planets.")
    first = night(folder, lake)
    assert first.did["read"] == 2 and first.notes["kept"] == 2
    row = first.frame.row(1, named=True)
    assert (row["document_id"], row["title"], row["media"], row["status"]) == ("b.md", "TOI-700", "markdown", "kept")
    assert night(folder, lake).did["read"] == 0
    os.utime(a, (LONG_AGO, LONG_AGO))  # touched: its bytes are looked at, and it is not read
    touched = night(folder, lake)
    assert touched.did["read"] == 0 and str(LONG_AGO) in touched.frame["fingerprint"][0]
    write(folder, "sub/a.txt", "Kepler-90 h")
    a.unlink()  # moved
    assert (moved := night(folder, lake)).did["read"] == 0 and states(moved) == {"b.md": "kept", "sub/a.txt": "kept"}
    write(folder, "b.md", "# TOI-700\n\nFive planets.", age_s=50)
    assert night(folder, lake).did["read"] == 1
    assert night(folder, lake, version="2").did["read"] == 2  # other code reads all of them again
    (folder.root / "b.md").unlink()
    assert states(night(folder, lake)) == {"sub/a.txt": "kept"}


def test_a_file_that_is_being_rewritten_keeps_what_was_read_of_it(folder: DocumentFolder, lake: Lake) -> None:
    write(folder, "a.txt", "first")
    night(folder, lake)
    write(folder, "a.txt", "second", age_s=0)
    write(folder, "new.txt", "x", age_s=0)
    found = night(folder, lake)
    assert found.frame["text"].to_list() == ["first"] and found.did["not_settled"] == 2


def test_two_of_one_name(folder: DocumentFolder, lake: Lake) -> None:
    write(folder, "b/x.txt", "of b")
    write(folder, "c/x.txt", "of c")
    found = night(folder, lake)
    assert states(found) == {"b/x.txt": "kept", "c/x.txt": "duplicate_name"}
    assert "b/x.txt has the same name" in found.frame["message"][1]
    write(folder, "a/x.txt", "of a")  # comes first by name, but came later
    assert states(night(folder, lake)) == {"a/x.txt": "duplicate_name", "b/x.txt": "kept", "c/x.txt": "duplicate_name"}
    (folder.root / "b/x.txt").unlink()
    found = night(folder, lake)
    assert states(found) == {"a/x.txt": "kept", "c/x.txt": "duplicate_name"}
    assert found.frame["text"][0] == "of a"


def test_what_cannot_be_read_is_quarantined_and_the_rest_is_read(
    folder: DocumentFolder, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "good.txt", "Kepler-90 h")
    write(folder, "locked.pdf", encrypted_pdf())
    write(folder, "cut.pdf", pdf_of(["x"])[:300])
    write(folder, "empty.txt", "")
    write(folder, "table.csv", "a,b")
    write(folder, "arXiv:2503.17117", "mine")
    write(folder, "bell\a.txt", "x")
    (folder.root / os.fsdecode(b"\xff.txt")).write_bytes(b"x")
    os.utime(folder.root / os.fsdecode(b"\xff.txt"), (LONG_AGO, LONG_AGO))
    with (folder.root / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    os.utime(folder.root / "huge.txt", (LONG_AGO, LONG_AGO))
    expected = {
        "good.txt": "kept",
        "locked.pdf": "encrypted",
        "cut.pdf": "broken",
        "empty.txt": "empty",
        "table.csv": "unknown_format",
        "arXiv:2503.17117": "bad_name",
        "bell\\x07.txt": "bad_name",
        "\\udcff.txt": "bad_name",
        "huge.txt": "too_large",
    }
    found = night(folder, lake)
    assert states(found) == expected and found.notes["quarantined"] == 8
    assert found.frame.filter(pl.col("status") == "quarantined")["message"].null_count() == 0
    again = night(folder, lake)
    assert states(again) == expected and again.did["read"] == 0


def test_a_folder_that_is_gone_keeps_its_documents(folder: DocumentFolder, lake: Lake) -> None:
    write(folder, "a.txt", "Kepler-90 h")
    night(folder, lake)
    folder.root.rename(folder.root.with_name("elsewhere"))
    found = night(folder, lake)
    assert states(found) == {"a.txt": "kept"} and "is not there any more" in found.notes["reason"]
    assert found.notes["fingerprint"] != folder.listed().fingerprint
    folder.root.mkdir()
    assert states(night(folder, lake)) == {}


def test_a_folder_that_never_was_has_no_documents(tmp_path: Path, lake: Lake) -> None:
    found = night(DocumentFolder(str(tmp_path / "nowhere")), lake)
    assert (found.frame.height, found.notes["kept"]) == (0, 0)


def test_many_files_are_read_on_ray(folder: DocumentFolder, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_reading, "MANY", 3)
    for name in "abcd":
        write(folder, f"{name}.txt", f"Kepler-{ord(name)}")
    runtime = InThisProcess()
    found = night(folder, lake, runtime)
    assert runtime.tasks == [f"{name}.txt" for name in "abcd"] and states(found) == dict.fromkeys(runtime.tasks, "kept")
    assert found.frame["text"].to_list() == [f"Kepler-{ord(name)}" for name in "abcd"]
    for name in "abcd":
        os.utime(folder.root / f"{name}.txt", (LONG_AGO, LONG_AGO))
    assert night(folder, lake, runtime).did["read"] == 0 and len(runtime.tasks) == 4


@given(st.data())
def test_a_plan_accounts_for_every_file_once(data: st.DataObject) -> None:
    paths = st.lists(st.text("ab/", min_size=1, max_size=4).map(lambda p: f"x{p}x".replace("//", "/")), unique=True)
    reader = Reader("1", None)
    first = [FoundFile(path, 1, data.draw(st.sampled_from(["1", "2"]))) for path in data.draw(paths)]
    planned = folder_files.plan(first, RAW_DOCUMENTS__FILES.empty(), reader)
    read = [folder_files.outcome(f, "0" * 64, read_badly(f.name + ".txt", b"word"), reader) for f in planned.read]
    before = folder_files.table([*planned.kept, *read])
    assert before["path"].to_list() == sorted(f.path for f in first)
    counted = before.filter(pl.col("status") == "kept")["document_id"]
    assert sorted(counted) == sorted({f.name for f in first})
    second = [FoundFile(path, 1, data.draw(st.sampled_from(["1", "2"]))) for path in data.draw(paths)]
    again = folder_files.plan(second, before, reader)
    assert sorted([*(r["path"] for r in again.kept), *(f.path for f in again.read)]) == sorted(f.path for f in second)
    states = {r["path"]: r["fingerprint"] for r in before.iter_rows(named=True)}
    for file in again.read:
        known = before.filter((pl.col("path") == file.path) & (pl.col("status") == "kept"))
        assert known.is_empty() or states[file.path] != file.fingerprint
