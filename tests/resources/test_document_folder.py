"""The watched folder on disk and in a bucket, and what is read of it again when it changes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus import folder_files
from exo_assets.corpus.folder_files import FoundFile, Reader
from exo_assets.corpus.plain_text import escaped
from exo_assets.corpus.source_contracts import RAW_DOCUMENTS__FILES
from exo_resources import document_reading
from exo_resources.document_folder import DocumentFolder, FolderError, Listed
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
    (folder.root / "loop").symlink_to(folder.root)
    (folder.root / "to_nothing").symlink_to("nowhere")
    os.mkfifo(folder.root / "pipe")
    listed = folder.listed()
    assert listed.left_out == ()
    assert [f.path for f in listed.files] == ["a.txt", "deep/er/b.pdf", "tomorrow.txt"]
    assert [f.path for f in listed.unsettled] == ["fresh.txt"]
    assert listed.files[1].name == "b.pdf" and listed.files[0].size_bytes == 3


def test_what_is_named_like_a_document_and_is_none_is_left_out_with_the_reason(
    folder: DocumentFolder, lake: Lake
) -> None:
    write(folder, "a.txt", "one")
    before = folder.listed().fingerprint
    write(folder, "book.pdf/b.txt", "two")
    os.mkfifo(folder.root / "pipe.txt")
    (folder.root / "null.txt").symlink_to("/dev/null")
    (folder.root / "nothing.md").symlink_to("nowhere")
    (folder.root / "under.md").symlink_to("a.txt/b.md")
    (folder.root / "circle.md").symlink_to("circle.md")
    (folder.root / ".hidden.md").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder.root / "s.text"))
        found = night(folder, lake)
        assert folder.listed().fingerprint == taken_in(lake) != before
    none = ("book.pdf", "circle.md", "nothing.md", "null.txt", "pipe.txt", "s.text", "under.md")
    assert states(found) == {"a.txt": "kept", "book.pdf/b.txt": "kept", **dict.fromkeys(none, "not_a_file")}
    said = dict(found.frame.select("path", "message").iter_rows())
    assert said["circle.md"] == "circle.md: is a link that leads nowhere, not a file; put the document itself there"
    assert "is a folder" in said["book.pdf"] and "a pipe" in said["pipe.txt"]


def test_a_link_out_of_the_folder_is_not_followed(folder: DocumentFolder, lake: Lake, tmp_path: Path) -> None:
    secret = tmp_path / "documents_of_others.txt"  # whose path begins like the folder's
    secret.write_text("a secret")
    os.utime(secret, (LONG_AGO, LONG_AGO))
    write(folder, "deep/a.txt", "one")
    (folder.root / "out.txt").symlink_to(secret)
    (folder.root / "in.txt").symlink_to("deep/a.txt")
    found = night(folder, lake)
    assert states(found) == {"deep/a.txt": "kept", "in.txt": "kept", "out.txt": "leads_out"}
    assert "secret" not in str(found.frame.drop("message").rows())
    [file] = [f for f in folder.listed().files if f.path == "deep/a.txt"]
    place = folder.root / "deep/a.txt"
    place.unlink()  # between listing and reading
    place.symlink_to(secret)
    assert folder.read(FoundFile(file.path, secret.stat().st_size, f"8:{secret.stat().st_mtime_ns}")) is None


def test_what_became_a_pipe_is_not_waited_for(folder: DocumentFolder) -> None:
    place = write(folder, "a.txt", "one")
    [file] = folder.listed().files
    place.unlink()
    os.mkfifo(place)
    assert folder.read(file) is None


class SeenWithoutRights(DocumentFolder):
    """A folder that is looked at by somebody who is not root."""

    def listed(self) -> Listed:
        with nobody():
            return super().listed()

    def read(self, file: FoundFile) -> bytes | None:
        with nobody():
            return super().read(file)


@contextmanager
def nobody() -> Iterator[None]:
    """This process without root's rights, if it has them."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.fixture
def foreign() -> Iterator[SeenWithoutRights]:
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield SeenWithoutRights(place)


def test_a_subfolder_that_cannot_be_read_keeps_its_documents_and_hides_no_others(
    foreign: SeenWithoutRights, lake: Lake
) -> None:
    write(foreign, "a.txt", "one")
    write(foreign, "sub/b.txt", "two")
    write(foreign, "listed/c.txt", "three")
    assert states(night(foreign, lake)) == {"a.txt": "kept", "listed/c.txt": "kept", "sub/b.txt": "kept"}
    (foreign.root / "sub").chmod(0)
    (foreign.root / "listed").chmod(0o644 if os.geteuid() == 0 else 0o400)  # names can be read, files not
    write(foreign, "a.txt", "one more", age_s=50)
    write(foreign, "other/b.txt", "the name of one that cannot be seen")
    for _ in range(2):
        found = night(foreign, lake)
        assert found.notes["source"] == "folder" and found.frame["text"][0] == "one more"
        assert states(found) == {
            "a.txt": "kept",
            "listed/c.txt": "kept",
            "other/b.txt": "duplicate_name",
            "sub": "unreadable",
            "sub/b.txt": "kept",
        }
    [message] = found.frame.filter(pl.col("path") == "sub")["message"]
    assert message == "sub: cannot be looked at (Permission denied); check the rights on it"
    for name in ("sub", "listed"):
        (foreign.root / name).chmod(0o755)
    found = night(foreign, lake)
    assert states(found)["sub/b.txt"] == "kept" and "sub" not in states(found)
    foreign.root.chmod(0)
    kept = night(foreign, lake)
    assert kept.notes["source"] == "last_good" and states(kept) == states(found)


def test_a_file_that_cannot_be_opened_is_named_until_it_can_be(foreign: SeenWithoutRights, lake: Lake) -> None:
    write(foreign, "a.txt", "one").chmod(0)
    assert states(night(foreign, lake)) == {"a.txt": "unreadable"}
    (foreign.root / "a.txt").chmod(0o644)
    assert states(night(foreign, lake)) == {"a.txt": "kept"}


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


def test_a_file_that_is_being_rewritten_keeps_its_name_too(folder: DocumentFolder, lake: Lake) -> None:
    write(folder, "a/x.txt", "of a")
    write(folder, "b/x.txt", "of b")
    night(folder, lake)
    write(folder, "a/x.txt", "of a, again", age_s=0)
    assert states(night(folder, lake)) == {"a/x.txt": "kept", "b/x.txt": "duplicate_name"}


def test_names_that_cannot_be_shown_stay_apart(folder: DocumentFolder, lake: Lake) -> None:
    write(folder, os.fsdecode(b"\xff.md"), "raw")
    write(folder, "\\udcff.md", "as it is shown")
    write(folder, "back\\slash/a.md", "kept")
    write(folder, os.fsdecode(b"\xff/b.md"), "kept")
    expected = {
        "\\udcff.md": "bad_name",
        "\\\\udcff.md": "bad_name",
        "back\\\\slash/a.md": "kept",
        "\\udcff/b.md": "kept",
    }
    assert states(night(folder, lake)) == expected
    again = night(folder, lake)
    assert states(again) == expected and again.did["read"] == 0


@given(st.text(), st.text())
def test_escaping_is_injective(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) is (one == other)
    assert escaped(one).isprintable()


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
