"""Text and pages of PDFs, and PDFs that are broken in every way."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.read_document import read_document
from exo_assets.corpus.read_pdf import join_pages
from exo_assets.corpus.reading import Limits
from tests.corpus.pdf_files import encrypted_pdf, pdf_of

PAPER = pdf_of(
    ["Planets of Kepler-90\n1. Introduction\nThe star has eight.", "", "2. Data\nFour years of K2-\n18 data."],
    info={"Title": "Eight planets", "Author": "A. Shallue; A. Vanderburg"},
)


def _read(data: bytes, **more: Any) -> Document:
    document = read_document("paper.pdf", data, **more)
    assert isinstance(document, Document), document
    return document


def test_pages_title_and_authors() -> None:
    paper = _read(PAPER)
    assert paper.title == "Eight planets"
    assert paper.authors == ("A. Shallue", "A. Vanderburg")
    first, second, third = paper.page_starts
    assert paper.text[first:second].startswith("Planets of Kepler-90")
    assert paper.text[third:].startswith("2. Data")
    assert second == third  # the page without text begins where the next one does
    assert paper.pages_without_text == 1


def test_a_pdf_without_a_title_has_its_first_line() -> None:
    assert _read(pdf_of(["Planets\nand more"], info={"Title": "Microsoft Word - draft.doc"})).title == "Planets"
    assert _read(pdf_of(["Planets\nand more"])).title == "Planets"


def test_words_that_a_line_cut_are_whole_again() -> None:
    text = _read(pdf_of(["The transit obser-\nvations of K2-\n18 are real"])).text
    assert "observations of K2-18 are" in text


def test_fonts_that_are_embedded_and_letters_beyond_ascii() -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    out = io.BytesIO()
    figure = Figure(figsize=(6, 4))
    figure.text(0.1, 0.5, "Théo measured 5 µm at λ, a difﬁcult value")
    with rc_context({"pdf.fonttype": 42}):
        figure.savefig(out, format="pdf")
    assert _read(out.getvalue()).text == "Théo measured 5 µm at λ, a difficult value"


def test_pictures_of_pages_go_to_text_recognition() -> None:
    seen = []

    def ocr(picture: bytes) -> str:
        seen.append(picture[:11])
        return "Scanned\x00 words"

    paper = _read(pdf_of(["A page with text", ""]), ocr=ocr)
    assert seen == [b"P5 2550 330"]  # 8.5 by 11 inches at 300 dots
    assert paper.text == "A page with text\nScanned  words"
    assert paper.pages_without_text == 0
    many = read_document("scan.pdf", pdf_of([""] * 3), limits=Limits(recognised_pages=2), ocr=ocr)
    assert isinstance(many, Rejected)
    assert (many.reason, len(seen)) == ("too_many_pages", 3)
    nothing = read_document("scan.pdf", pdf_of([""]), ocr=lambda picture: " ")
    assert isinstance(nothing, Rejected)
    assert (nothing.reason, "found nothing either" in nothing.message) == ("no_text", True)


def test_what_one_file_was_refused_for_is_not_said_of_the_next() -> None:
    reasons = [
        read_document("a.pdf", data).reason for data in (encrypted_pdf(), pdf_of([]), PAPER[:99], encrypted_pdf())
    ]
    assert reasons == ["encrypted", "broken", "broken", "encrypted"]


@given(st.lists(st.sampled_from(["", "a", "bc d"]), min_size=1, max_size=6))
def test_page_starts_are_exact(pages: list[str]) -> None:
    text, starts = join_pages(pages)
    assert len(starts) == len(pages)
    assert list(starts) == sorted(starts)
    assert all(text[start:].startswith(page) for page, start in zip(pages, starts, strict=True))
    assert text.split() == " ".join(pages).split()


@settings(max_examples=60)
@given(st.integers(0, len(PAPER)))
def test_truncated_pdfs_are_read_or_refused(length: int) -> None:
    result = read_document("cut.pdf", PAPER[:length])
    assert isinstance(result, Document) or result.reason in ("broken", "empty", "no_text")


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, len(PAPER) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_mutated_pdfs_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(PAPER)
    for place, value in changes:
        data[place] = value
    assert isinstance(read_document("odd.pdf", bytes(data)), Document | Rejected)


@settings(max_examples=60)
@given(st.integers(0, len(PAPER)), st.integers(0, len(PAPER)), st.binary(max_size=50))
def test_pdfs_with_parts_cut_out_and_put_in(start: int, end: int, junk: bytes) -> None:
    result = read_document("odd.pdf", PAPER[:start] + junk + PAPER[end:])
    assert isinstance(result, Document | Rejected)


@pytest.mark.parametrize("module", ["read_document", "own_documents"])
def test_pdfium_is_loaded_for_pdfs_only(module: str) -> None:
    code = f"import sys, exo_assets.corpus.{module}; sys.exit('pypdfium2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
