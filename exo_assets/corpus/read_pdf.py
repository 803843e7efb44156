"""Text of a PDF with the offsets of its pages.

Belongs here: PDFium, and what its errors mean. Does not belong here: columns and running heads (`page_layout.py`),
other formats (`read_document.py`), what reads the letters of a picture.

PDFium does not stand threads: one lock covers all of it. It bounds neither the memory nor the time that a hostile page
takes to draw; who reads documents of strangers reads them in a process that may be killed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from exo_assets.corpus.document import Document
from exo_assets.corpus.page_layout import Box, Line, has_meaning, layout, repeated
from exo_assets.corpus.plain_text import clean_text, first_line, has_words, one_line
from exo_assets.corpus.reading import Limits, Ocr, OcrError, Refusal

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

_LOCK = Lock()
_HYPHEN = re.compile("([^\n]?)[\x02\ufffe]\n?([^\n]?)")
_CUT_NAME = re.compile("(?<=[A-Z0-9]-)\n(?=[A-Za-z0-9])")
_COPY = "copy it again or print it to a new PDF"
_DOTS_PER_INCH = 300
_MOST_LINES = 2_000
"""Pieces of lines up to which the layout of a page is looked at."""
_LARGEST_PICTURE = 60_000_000
"""Points of a page's picture; larger pages are drawn coarser."""
_NO_TITLE = re.compile(r"(?i)untitled|microsoft word|\.(dvi|tex|docx?|pdf|indd|qxd|rtf)$|^[\W\d_]*$")


def read_pdf(name: str, data: bytes, limits: Limits, ocr: Ocr | None) -> Document:
    """The document in a PDF; Refusal when it has no text that can be read within `limits`."""
    with _LOCK:
        pdf = _open(data)
        try:
            _check_pages(len(pdf), limits)
            pages, known = _pages(pdf, limits, ocr), _metadata(pdf)
        finally:
            pdf.close()
    text, starts = join_pages(pages)
    if not has_words(text):
        raise Refusal(
            "no_text",
            f"none of its {len(pages)} pages has a text layer (is it scanned?); "
            + ("text recognition found nothing either" if ocr else "run it through text recognition (OCR) first"),
        )
    title = one_line(known.get("Title", ""))
    authors = [one_line(a) for a in re.split(r"\s*;\s*|\s+and\s+", known.get("Author", "")[:2000])]
    return Document(
        document_id=name,
        source="file",
        media="pdf",
        title=(title if title and not _NO_TITLE.search(title) else first_line(text)) or name,
        text=text,
        page_starts=starts,
        pages_without_text=sum(not has_words(page) for page in pages),
        authors=tuple(a for a in authors if has_words(a)),
    )


def join_pages(pages: list[str]) -> tuple[str, tuple[int, ...]]:
    """One text of cleaned pages, a line break between them, and the offset at which each begins.

    A page without text begins where the next one does; at the end of the document, where the text ends.
    """
    starts, parts, length = list[int](), list[str](), 0
    for page in pages:
        if page and parts:
            parts.append("\n")  # not a blank line: sentences go on over the page
            length += 1
        starts.append(length)
        if page:
            parts.append(page)
            length += len(page)
    following = length
    for i in range(len(pages) - 1, -1, -1):  # the line break belongs to the page before it
        following = starts[i] = starts[i] if pages[i] else following
    return "".join(parts), tuple(starts)


def _open(data: bytes) -> PdfDocument:
    """The document in `data`, which must live as long as it does.

    Opened through PDFium's own function: its last error is that of this file only when it gave no document.
    """
    import pypdfium2
    from pypdfium2 import raw

    handle = raw.FPDF_LoadMemDocument64(data, len(data), None)
    if handle:
        return pypdfium2.PdfDocument(handle)
    error = raw.FPDF_GetLastError()
    if error in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        raise Refusal("encrypted", "needs a password; save a copy without one")
    raise Refusal("broken", f"is damaged or cut short (PDFium's error {error}); {_COPY}")


def _check_pages(count: int, limits: Limits) -> None:
    if count < 1:
        raise Refusal("broken", f"holds no page that can be read; {_COPY}")
    if count > limits.pages:
        raise Refusal("too_many_pages", f"has {count:,} pages, over {limits.pages:,}; split it")


def _metadata(pdf: PdfDocument) -> dict[str, str]:
    return {key: pdf.get_metadata_value(key) for key in ("Title", "Author")}


@dataclass(frozen=True)
class _Page:
    """Text of a page; `head` and `foot` stand apart from it."""

    body: str
    head: Line | None = None
    foot: Line | None = None

    def text(self, *, head: bool, foot: bool) -> str:
        """Cleaned text, with what stands apart where it is text of the page."""
        parts = (self.head.text if head and self.head else "", self.body, self.foot.text if foot and self.foot else "")
        return clean_text("\n".join(part for part in parts if part))


def _pages(pdf: PdfDocument, limits: Limits, ocr: Ocr | None) -> list[str]:
    """Cleaned text of every page, empty where there is none; a page that cannot be loaded breaks the document.

    A line that stands apart at the same height on several pages is a running head or foot, and no text.
    """
    import pypdfium2

    pages, left, recognised = list[_Page](), limits.characters, 0
    for number in range(len(pdf)):
        try:
            page = pdf[number]
            try:
                found = _page_text(page, left, limits)
                if ocr and not has_words(found.text(head=True, foot=True)):
                    recognised += 1
                    if recognised > limits.recognised_pages:
                        raise _too_many_scans(limits)
                    found = _Page(clean_text(_recognised(page, number, ocr)))
            finally:
                page.close()
        except pypdfium2.PdfiumError as error:
            raise Refusal("broken", f"page {number + 1} cannot be read ({error}); {_COPY}") from None
        left -= len(found.body)
        if left < 0:
            raise _too_long(limits)
        pages.append(found)
    heads, feet = repeated([p.head for p in pages]), repeated([p.foot for p in pages])
    return [page.text(head=row not in heads, foot=row not in feet) for row, page in enumerate(pages)]


def _page_text(page: PdfPage, left: int, limits: Limits) -> _Page:
    layer = page.get_textpage()
    try:
        if layer.count_chars() > 2 * left + 1000:  # blanks are counted here, and many are dropped
            raise _too_long(limits)
        how = None if page.get_rotation() else layout(_lines(layer, Box(*page.get_bbox())), Box(*page.get_bbox()))
        if how is None:
            return _Page(_whole_words(layer.get_text_bounded()))
        parts = [_bounded(layer, box) for box in how.body]
    finally:
        layer.close()
    return _Page("\n".join(_whole_words(part) for part in parts), how.head, how.foot)


def _lines(layer: PdfTextPage, page: Box) -> list[Line]:
    """Pieces of lines in the order in which they are drawn; none of a page with more than a page can have."""
    count = layer.count_rects()
    if count > _MOST_LINES:
        return []
    boxes = [Box(*layer.get_rect(row)) for row in range(count)]
    return [Line(b, _bounded(layer, b).strip() if has_meaning(b, page) else "") for b in boxes]


def _bounded(layer: PdfTextPage, box: Box) -> str:
    return str(layer.get_text_bounded(box.left, box.bottom, box.right, box.top))


def _whole_words(raw: str) -> str:
    return clean_text(_CUT_NAME.sub("", _HYPHEN.sub(_joined, raw.replace("\r\n", "\n"))))


def _too_long(limits: Limits) -> Refusal:
    return Refusal("too_long", f"holds over {limits.characters:,} characters; split it")


def _too_many_scans(limits: Limits) -> Refusal:
    most = f"{limits.recognised_pages:,}"
    return Refusal(
        "too_many_pages", f"has over {most} pages without a text layer; split it, or recognise its text first"
    )


def _joined(cut: re.Match[str]) -> str:
    """A word that the end of a line cut; its hyphen stays (K2-18) unless small letters are on both sides."""
    before, after = cut[1], cut[2]
    return before + ("" if before.islower() and after.islower() else "-") + after


def _recognised(page: PdfPage, number: int, ocr: Ocr) -> str:
    try:
        return ocr(_picture(page))
    except OcrError as error:
        raise Refusal("no_text", f"page {number + 1} has no text layer, and text recognition failed: {error}") from None


def _picture(page: PdfPage) -> bytes:
    """The page drawn in grey as a PGM file."""
    scale = _DOTS_PER_INCH / 72
    width, height = page.get_size()
    scale *= min(1.0, (_LARGEST_PICTURE / max(1.0, width * height * scale**2)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        grey = bitmap.to_numpy()
        rows, columns = grey.shape[:2]
        return b"P5 %d %d 255\n" % (columns, rows) + grey.tobytes()
    finally:
        bitmap.close()
