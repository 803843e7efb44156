"""Documents read in a process that may be lost: what becomes of the file, and that the next one is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.read_document import read_document
from exo_resources.reading_process import Bounds, ReadingProcess
from tests.corpus.pdf_files import encrypted_pdf, pdf_of


@pytest.fixture(scope="module")
def reader() -> Iterator[ReadingProcess]:
    with ReadingProcess(Bounds(silence_s=5.0, file_s=30.0), module="tests.resources.bad_readers") as made:
        yield made


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        ("hang", "timed_out", "took longer than 5 s"),
        ("segfault", "crashed", "signal 11"),
        ("memory", "crashed", "status 70"),
    ],
)
def test_a_file_that_takes_its_process_down_is_rejected_and_the_next_is_read(
    reader: ReadingProcess, said: str, reason: str, words: str
) -> None:
    lost = reader.read("bad.txt", said.encode())
    assert isinstance(lost, Rejected) and (lost.name, lost.source, lost.reason) == ("bad.txt", "file", reason)
    assert words in lost.message
    assert isinstance(reader.read("good.txt", b"Kepler-90 h"), Document)


def test_a_crash_that_does_not_come_again_is_none(reader: ReadingProcess, tmp_path: Path) -> None:
    read = reader.read("once.txt", f"crash once {tmp_path / 'marker'}".encode())
    assert isinstance(read, Document) and (tmp_path / "marker").exists()


def test_what_libraries_print_does_not_disturb(reader: ReadingProcess) -> None:
    assert isinstance(reader.read("chatty.txt", b"print"), Document)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.md", "# Kepler-90\n\nEight planets – é ﬁ.".encode()),
        ("b.pdf", pdf_of(["First page", "", "Third"], {"Title": "A title here", "Author": "A. B; C. D"})),
        ("c.pdf", encrypted_pdf()),
        ("d.fits", b"SIMPLE  ="),
        ("/e.txt", b"x"),
        ("f.txt", b""),
    ],
)
def test_what_comes_back_is_what_would_be_read_here(reader: ReadingProcess, name: str, data: bytes) -> None:
    assert reader.read(name, data) == read_document(name, data)


def test_a_large_file_goes_through(reader: ReadingProcess) -> None:
    read = reader.read("large.txt", b"A sentence on Kepler-90. " * 80_000)
    assert isinstance(read, Document) and len(read.text) == 80_000 * 25 - 1


def test_a_long_scan_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\ncat > /dev/null\nsleep 2\necho Kepler-90\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with ReadingProcess(Bounds(silence_s=5.0, file_s=60.0)) as made:
        read = made.read("scan.pdf", pdf_of(["", "", ""]))
    assert isinstance(read, Document) and read.text.count("Kepler-90") == 3


def test_a_process_that_does_not_start_is_an_error() -> None:
    with ReadingProcess(module="tests.resources.no_such_module") as made, pytest.raises(RuntimeError, match="start"):
        made.read("a.txt", b"x")
