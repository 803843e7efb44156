"""Scanned pages: read by tesseract where it is installed, refused with a reason when it fails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.read_document import read_document
from exo_assets.corpus.reading import OcrError
from exo_resources.ocr import Tesseract, find_tesseract

WORDS = "The transit depth of Kepler-90 h is 7400 ppm"


def _scan(text: str) -> bytes:
    """A PDF of one page that is a picture of `text`."""
    from matplotlib.figure import Figure

    drawn = io.BytesIO()
    page = Figure(figsize=(8, 3), dpi=200)
    page.text(0.05, 0.5, text, fontsize=18)
    page.savefig(drawn, format="png")
    drawn.seek(0)
    from matplotlib.image import imread

    out = io.BytesIO()
    scanned = Figure(figsize=(8, 3), dpi=200)
    scanned.figimage(imread(drawn))
    scanned.savefig(out, format="pdf")
    return out.getvalue()


def _program(folder: Path, script: str) -> Tesseract:
    path = folder / "tesseract"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Tesseract(path, longest_seconds=5.0)


@pytest.mark.skipif(find_tesseract() is None, reason="tesseract is not installed (Debian: tesseract-ocr)")
def test_a_scanned_page_is_read() -> None:
    scan = _scan(WORDS)
    unread = read_document("scan.pdf", scan)
    assert isinstance(unread, Rejected)
    assert (unread.reason, "(OCR)" in unread.message) == ("no_text", True)
    document = read_document("scan.pdf", scan, ocr=find_tesseract())
    assert isinstance(document, Document)
    assert document.text == WORDS
    assert document.pages_without_text == 0


def test_the_picture_goes_in_and_text_comes_out(tmp_path: Path) -> None:
    document = read_document(
        "scan.pdf", _scan(WORDS), ocr=_program(tmp_path, "head -c 2; echo ' words'; cat > /dev/null")
    )
    assert isinstance(document, Document)
    assert document.text == "P5 words"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat > /dev/null; echo 'Error opening data file' >&2; exit 1", "tesseract failed: Error opening data file"),
        ("exit 7", "status 7"),
    ],
)
def test_a_failure_refuses_the_document_and_says_how(script: str, said: str, tmp_path: Path) -> None:
    refused = read_document("scan.pdf", _scan(WORDS), ocr=_program(tmp_path, script))
    assert isinstance(refused, Rejected)
    assert refused.reason == "no_text"
    assert said in refused.message
    assert "page 1" in refused.message


def test_a_program_that_hangs_or_is_gone_is_an_error(tmp_path: Path) -> None:
    slow = _program(tmp_path, "exec sleep 60")
    with pytest.raises(OcrError, match=r"longer than 0\.2 s"):
        Tesseract(slow.program, longest_seconds=0.2)(b"P5 1 1 255\n\0")
    with pytest.raises(OcrError, match="cannot be run"):
        Tesseract(tmp_path / "none")(b"")


def test_it_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tesseract() is None
    program = _program(tmp_path, "true").program
    assert find_tesseract("eng+deu") == Tesseract(program, "eng+deu")
