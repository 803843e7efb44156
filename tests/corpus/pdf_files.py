"""PDF files for tests, written by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence


def pdf_of(pages: Sequence[str], info: dict[str, str] | None = None, trailer: str = "") -> bytes:
    """A PDF with a text layer: each page's lines below each other in Helvetica (Latin-1 only)."""
    drawn = ["".join(f"({_escaped(line)}) Tj T*\n" for line in page.split("\n")) for page in pages]
    streams = [f"BT /F1 10 Tf 12 TL 40 750 Td\n{shown}ET" for shown in drawn]
    empty = "0 0 100 100 re f"
    return _pdf([s if page else empty for page, s in zip(pages, streams, strict=True)], info, trailer)


def _pdf(streams: Sequence[str], info: dict[str, str] | None = None, trailer: str = "") -> bytes:
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for stream in streams:
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    if info:
        objects.append("<< " + " ".join(f"/{k} ({_escaped(v)})" for k, v in info.items()) + " >>")
        trailer += f" /Info {len(objects)} 0 R"
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{place:010} 00000 n \n".encode() for place in places)
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R{trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


Placed = tuple[float, float, float, str]
"""Where a line begins, in points from the left and from below, how large it is, and what it says."""


def placed_pdf(*pages: Sequence[Placed]) -> bytes:
    """A PDF whose pages draw lines where they are told to, in that order."""
    drawn = [
        "".join(f"/F1 {size} Tf 1 0 0 1 {x} {y} Tm ({_escaped(text)}) Tj\n" for x, y, size, text in p) for p in pages
    ]
    return _pdf([f"BT\n{page}ET" for page in drawn])


def lines(text: str, x: float, top: float = 700, size: float = 10, step: float = 14) -> list[Placed]:
    """Lines of `text` below each other."""
    return [(x, top - row * step, size, line) for row, line in enumerate(text.strip().split("\n"))]


def encrypted_pdf() -> bytes:
    """A PDF whose security handler wants a password that nobody knows."""
    key = "<" + "5a" * 32 + ">"
    security = f" /Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -4 >> /ID [<00> <00>]"
    return pdf_of(["Secret"], trailer=security)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
