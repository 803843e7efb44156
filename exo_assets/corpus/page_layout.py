"""Where on a page the text stands that is read: its columns, without running heads, feet and line numbers.

Belongs here: boxes of lines to regions in the order in which they are read. Does not belong here: PDF (`read_pdf.py`).

A page that is drawn line by line over two columns would be read across them. Two columns are two blocks of prose beside
each other with nothing between them; a table's short cells are none, and are read across.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median


@dataclass(frozen=True)
class Box:
    """A rectangle in points; y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Its width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Its height."""
        return self.top - self.bottom

    def beside(self, other: Box) -> bool:
        """Whether both have a height in common."""
        return min(self.top, other.top) - max(self.bottom, other.bottom) > 0.5 * min(self.height, other.height)


@dataclass(frozen=True)
class Line:
    """A piece of text that stands in one line, in the order in which the page draws it. `text` may be empty where
    `has_meaning` says that only the place counts."""

    box: Box
    text: str


@dataclass(frozen=True)
class Layout:
    """Regions of a page in the order in which they are read; `head` and `foot` stand apart from them, and may be text
    of the page all the same: whether they are is seen from other pages."""

    body: tuple[Box, ...]
    head: Line | None
    foot: Line | None


_MARGIN = 0.07
"""How much of a page's height is its upper and lower margin."""
_APART, _PITCHES = 16.0, 1.6
"""Points, and distances of lines, by which a head stands above what is below it."""
_SAME_LINE = 3.0
"""Points by which letters of one line differ in height at most."""
_LEAST_LINES = 4
_PROSE_WIDTH = 0.22
"""Half of the lines of a column are at least that much of the page wide."""
_NARROW = 0.06
_STEPS = (1, 5)
_TALLER = 1.25
_STAMP = re.compile(
    r"(?i)\barXiv:\s?\d|\bpreprint\b|\bdraft version\b|\bdoi:|^\W*(?:page\s)?\d{1,4}(?:\s?(?:of|/)\s?\d+)?\W*$"
)
"""What only heads and feet say."""


def has_meaning(box: Box, page: Box) -> bool:
    """Whether it matters what a line says: it may be a head, a foot or a number of a line."""
    margin = _MARGIN * (page.top - page.bottom)
    return box.width < _NARROW * page.width or box.bottom > page.top - margin or box.top < page.bottom + margin


def layout(lines: Sequence[Line], page: Box) -> Layout | None:
    """How a page is read; None where it is read as it is drawn, all of it."""
    numbers = _line_numbers(lines, page)
    rest = [line for line in lines if line not in numbers]
    head, foot = _apart(rest, page, above=True), _apart(rest, page, above=False)
    body = [line.box for line in rest if line not in (head, foot)]
    if not body or not (numbers or head or foot or len(body) >= 2 * _LEAST_LINES):
        return None
    around = _around(body, page, numbers, head, foot)
    regions = _columns(body, around)
    if regions is None and not (numbers or head or foot):
        return None
    return Layout(tuple(regions or (around,)), head, foot)


def repeated(heads: Sequence[Line | None]) -> set[int]:
    """Rows of the pages whose line that stands apart is none of their text: it stands at the same height on another
    page, or says what only heads and feet say."""
    out = {row for row, line in enumerate(heads) if line and _STAMP.search(line.text)}
    for row, line in enumerate(heads):
        for other, again in enumerate(heads):
            if line and again and row != other and line.box.beside(again.box):
                out.add(row)
    return out


def _apart(lines: Sequence[Line], page: Box, *, above: bool) -> Line | None:
    """The uppermost (lowest) line, if it is in the margin, stands apart and is no title."""
    if not lines:
        return None
    outermost = max(lines, key=lambda line: line.box.top if above else -line.box.bottom)
    inside = [line for line in lines if line is outermost or line.box.beside(outermost.box)]
    others = [line.box for line in lines if line not in inside]
    margin = _MARGIN * (page.top - page.bottom)
    at_the_edge = outermost.box.bottom > page.top - margin if above else outermost.box.top < page.bottom + margin
    if not others or not at_the_edge:
        return None
    tops = sorted({round(b.top) for b in others})
    pitch = median([high - low for low, high in pairwise(tops) if high - low > _SAME_LINE] or [0.0])
    away = outermost.box.top - tops[-1] if above else tops[0] - outermost.box.top
    tall = max(line.box.height for line in inside) > _TALLER * median(b.height for b in others)
    if tall or away < max(_APART, _PITCHES * pitch):
        return None
    box = Box(
        min(line.box.left for line in inside),
        min(line.box.bottom for line in inside),
        max(line.box.right for line in inside),
        max(line.box.top for line in inside),
    )
    return inside[0] if len(inside) == 1 else Line(box, " ".join(line.text.strip() for line in inside))


def _line_numbers(lines: Sequence[Line], page: Box) -> list[Line]:
    """Numbers that count the lines, in a column of their own beside the text."""
    wide = [line.box for line in lines if line.box.width > 2 * _NARROW * page.width]
    if not wide:
        return []
    left, right = min(b.left for b in wide), max(b.right for b in wide)
    narrow = [line for line in lines if line.box.width < _NARROW * page.width]
    before, behind = [n for n in narrow if n.box.right < left], [n for n in narrow if n.box.left > right]
    for found in (before, behind):
        texts = [line.text.strip() for line in sorted(found, key=lambda line: -line.box.top)]
        if len(texts) >= 2 and all(t.isdigit() for t in texts):
            steps = {int(b) - int(a) for a, b in pairwise(texts)}
            if len(steps) == 1 and steps <= set(_STEPS):
                return found
    return []


def _around(body: Sequence[Box], page: Box, numbers: Sequence[Line], head: Line | None, foot: Line | None) -> Box:
    """The page without what is not its text."""
    top, bottom = max(b.top for b in body), min(b.bottom for b in body)
    left, right = min(b.left for b in body), max(b.right for b in body)
    on_the_left = bool(numbers) and numbers[0].box.right < left
    return Box(
        (numbers[0].box.right + left) / 2 if on_the_left else page.left,
        (foot.box.top + bottom) / 2 if foot else page.bottom,
        (numbers[0].box.left + right) / 2 if numbers and not on_the_left else page.right,
        (head.box.bottom + top) / 2 if head else page.top,
    )


def _columns(body: Sequence[Box], around: Box) -> list[Box] | None:
    """The columns of a page that is drawn across them; None for any other."""
    gutter = _gutter(body, around)
    if gutter is None:
        return None
    sides = [0 if b.right < gutter else 1 for b in body if b.right < gutter or b.left > gutter]
    across = sorted((b for b in body if b.left <= gutter <= b.right), key=lambda b: -b.top)
    if sum(a != b for a, b in pairwise(sides)) <= 2 * (len(across) + 1):
        return None  # drawn by column
    out, top = list[Box](), around.top
    for full in [*across, None]:
        above = [b for b in body if b not in across and b.top <= top and (full is None or b.bottom >= full.top)]
        if above:
            bottom = min(b.bottom for b in above)
            low = around.bottom if full is None else (bottom + full.top) / 2
            out += [Box(around.left, low, gutter, top), Box(gutter, low, around.right, top)]
            top = low
        if full is not None:
            below = [b.top for b in body if b.top <= full.bottom]
            low = (full.bottom + max(below)) / 2 if below else around.bottom
            out.append(Box(around.left, low, around.right, top))
            top = low
    return out


def _gutter(body: Sequence[Box], around: Box) -> float | None:
    """Where two columns of prose part; None where there are none."""
    best: tuple[int, float, float] | None = None
    for x in sorted({round(b.right) + 2.0 for b in body}):
        if not around.left + 0.25 * around.width < x < around.left + 0.75 * around.width:
            continue
        left = [b for b in body if b.right < x]
        right = [b for b in body if b.left > x]
        crossing = len(body) - len(left) - len(right)
        facing = sum(any(b.beside(other) for other in right) for b in left)
        wide = min(median(b.width for b in side) if side else 0.0 for side in (left, right))
        if facing >= _LEAST_LINES and 3 * crossing <= len(body) and wide >= _PROSE_WIDTH * around.width:
            middle = (max(b.right for b in left) + min(b.left for b in right)) / 2
            best = min(best or (crossing, x, middle), (crossing, x, middle))
    return None if best is None else best[2]
