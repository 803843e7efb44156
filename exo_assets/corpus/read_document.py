"""A document from the bytes of a file: PDF, plain text or Markdown.

Belongs here: what a file is, limits, and text files. Does not belong here: where files lie, PDF itself (`read_pdf.py`).

Every file ends as a Document or as a Rejected with a reason code; nothing is raised for what a file holds. Encodings:
UTF-8 with or without a byte-order mark, UTF-16 with one; no other is guessed.
"""

from __future__ import annotations

import codecs

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.plain_text import LONGEST_NAME, clean_text, control_share, first_line, has_words, one_line, shown
from exo_assets.corpus.reading import Limits, Ocr, Refusal
from exo_assets.corpus.sections import sections
from exo_assets.corpus.tex import without_tex
from exo_assets.corpus.tokens import count_tokens

SUFFIXES = {
    ".pdf": "pdf",
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
}
"""Media by the end of the name."""

RESERVED = ("arXiv:", "archive:", "exo:")
"""Beginnings of the ids of other sources, which no file's name may take."""

_BINARY = {
    b"PK\x03\x04": "a zip archive or an office document",
    b"\xd0\xcf\x11\xe0": "an old office document",
    b"\x1f\x8b": "compressed (gzip)",
    b"BZh": "compressed (bzip2)",
    b"\xfd7zXZ": "compressed (xz)",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"SIMPLE  =": "a FITS file",
    b"PAR1": "a Parquet file",
    b"%!PS": "PostScript",
    b"\x7fELF": "a program",
}
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_MOST_CONTROL = 0.01
"""Share of control characters above which a file is not text."""
_TOKENS_A_PASSAGE = 384
"""Tokens by which a passage of the usual size goes beyond the one before it."""
_REMEDY = "give it as PDF, TXT or Markdown"


def read_document(
    name: str, data: bytes, *, limits: Limits | None = None, ocr: Ocr | None = None
) -> Document | Rejected:
    """The document in `data`; `name` is the file's name without folders, and becomes its id.

    With `ocr`, pages without a text layer are read from their picture; without it a PDF that has no text on any page
    is refused (`no_text`), as is one on which `ocr` fails.
    """
    try:
        _check_name(name)
        return _read(name, data, limits or Limits(), ocr)
    except Refusal as refusal:
        return Rejected(shown(name), "file", refusal.reason, f"{shown(name)}: {refusal}")


def refused_unread(name: str, size_bytes: int, limits: Limits | None = None) -> Rejected | None:
    """Why a file of this name and size is refused whatever it holds; None when its bytes have to be looked at."""
    try:
        _check_name(name)
        _check_size(size_bytes, limits or Limits())
    except Refusal as refusal:
        return Rejected(shown(name), "file", refusal.reason, f"{shown(name)}: {refusal}")
    return None


def refused_at_sight(name: str, data: bytes, limits: Limits | None = None) -> Rejected | None:
    """Why a file is refused by its name, size, format or encoding; None when only reading it can tell.

    A text file is read to its end for that; of a PDF no page is.
    """
    if refused := refused_unread(name, len(data), limits):
        return refused
    try:
        if _media(name, data, limits or Limits()) != "pdf":
            _read(name, data, limits or Limits(), None)
    except Refusal as refusal:
        return Rejected(shown(name), "file", refusal.reason, f"{shown(name)}: {refusal}")
    return None


def _check_name(name: str) -> None:
    if not name.strip() or not name.isprintable() or "/" in name or "\\" in name or clean_text(name) != name:
        raise Refusal(
            "bad_name", "the name is empty or holds slashes, control or invisible characters; rename the file"
        )
    if len(name) > LONGEST_NAME:
        raise Refusal("bad_name", f"the name is longer than {LONGEST_NAME} characters; rename the file")
    if name.startswith(RESERVED):
        raise Refusal(
            "bad_name", f"names that begin with {' or '.join(RESERVED)} are kept for other sources; rename the file"
        )


def _check_size(size_bytes: int, limits: Limits) -> None:
    if size_bytes > limits.bytes:
        raise Refusal("too_large", f"has {size_bytes / 1e6:,.1f} MB, over {limits.bytes / 1e6:,.0f} MB; split it")


def _read(name: str, data: bytes, limits: Limits, ocr: Ocr | None) -> Document:
    media = _media(name, data, limits)
    if media == "pdf":
        from exo_assets.corpus.read_pdf import read_pdf

        document = read_pdf(name, data, limits, ocr)
    else:
        document = _text_document(name, data, media, limits)
    _check_passages(document, limits)
    return document


def _text_document(name: str, data: bytes, media: str, limits: Limits) -> Document:
    text = without_tex(clean_text(_decode(data)))
    if len(text) > limits.characters:
        raise Refusal("too_long", f"holds {len(text):,} characters, over {limits.characters:,}; split it")
    if not has_words(text):
        raise Refusal("no_text", "holds no letter or digit; is it the right file?")
    return Document(document_id=name, source="file", media=media, title=_title(name, text, media), text=text)


def _media(name: str, data: bytes, limits: Limits) -> str:
    """What the file is: by its bytes where they say it, else by its name."""
    dot = name.rfind(".")
    media = SUFFIXES.get(name[dot:].lower()) if dot >= 0 else None
    _check_size(len(data), limits)
    if not data.strip(b" \t\r\n\0") or data in _MARKS:
        raise Refusal("empty", "is empty; was it cut short, or is it still being written?")
    if data.startswith(b"%PDF-"):
        return "pdf"
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise Refusal("binary" if media else "unknown_format", f"is {what}; {_REMEDY}")
    if media is None:
        raise Refusal("unknown_format", f"has none of the endings {', '.join(SUFFIXES)}; {_REMEDY}")
    return media


def _check_passages(document: Document, limits: Limits) -> None:
    """What is not refused here is cut and embedded where nothing bounds time and memory."""
    found = len(sections(document.text, document.media)) + count_tokens(document.text) // _TOKENS_A_PASSAGE
    if found > limits.passages:
        raise Refusal("too_long", f"would make some {found:,} passages, over {limits.passages:,}; split it")


def _decode(data: bytes) -> str:
    """Text of a file that is not a PDF."""
    if data.startswith(_UTF32):
        raise Refusal("encoding", "is UTF-32 text; save it as UTF-8")
    mark, encoding = next(((m, e) for m, e in _MARKS.items() if data.startswith(m)), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in body and encoding == "utf-8":
            raise Refusal("binary", f"holds NUL bytes and is not text; {_REMEDY}") from None
        line = body.count(b"\n", 0, error.start) + 1
        byte = body[error.start]
        raise Refusal(
            "encoding", f"line {line}: byte 0x{byte:02x} is not {encoding.upper()} text; save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Refusal("binary", f"line {line} holds NUL; it is not text, or was cut by a crash; {_REMEDY}")
    if control_share(text) > _MOST_CONTROL:
        raise Refusal("binary", f"holds more than {_MOST_CONTROL:.0%} of control characters and is not text; {_REMEDY}")
    return text


def _title(name: str, text: str, media: str) -> str:
    """The first heading of Markdown, else the first line that has words in it."""
    if media == "markdown":
        for section in sections(text, media):
            if section.path:
                return one_line(section.path[0])
    return first_line(text) or name
