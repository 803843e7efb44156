"""Rows of Markdown tables: which hold values, and what their columns are called.

Belongs here: reading a table's lines. Does not belong here: whether a row answers a question (`extractive.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"^[ \t]{0,3}\|[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"\s*\|?\s*:?-{1,}:?\s*(?:\|\s*:?-{1,}:?\s*)*\|?\s*")


@dataclass(frozen=True)
class Row:
    """A row: characters [start, end) of the text, its cells, and the row that names its columns, with its place."""

    start: int
    end: int
    cells: tuple[str, ...]
    header: tuple[str, ...]
    header_place: tuple[int, int]

    @property
    def text(self) -> str:
        """The row as a sentence: Parameter: Orbital period; Value: 3.3; Unit: days."""
        named = list(zip(self.header, self.cells, strict=False))
        return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell)


def rows(text: str) -> dict[int, Row]:
    """The rows of all tables of `text` that hold values, by where they start."""
    out: dict[int, Row] = {}
    header: tuple[tuple[str, ...], tuple[int, int]] | None = None
    before, before_end = None, -1
    for match in _LINE.finditer(text):
        start, end = match.start() + len(match[0]) - len(match[0].lstrip()), match.start() + len(match[0].rstrip())
        if match.start() != before_end + 1:
            before, header = None, None
        if _RULE.fullmatch(match[0]):
            header = before
        elif header is not None:
            out[start] = Row(start, end, _cells(match[0]), *header)
        before, before_end = (_cells(match[0]), (start, end)), match.end()
    return out


def _cells(line: str) -> tuple[str, ...]:
    return tuple(re.sub(r"[*`]", "", cell).strip() for cell in line.strip().strip("|").split("|"))
