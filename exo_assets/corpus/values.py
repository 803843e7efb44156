"""The values of a text: numbers with their units, and what they are of.

Belongs here: numbers in figures and words, units, bounds, and the quantity that a value belongs to. Does not belong
here: the words of units and quantities (`meanings.yaml`), comparing values (`fitting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from exo_assets.corpus.designators import Designator
from exo_assets.corpus.meanings import meanings


@dataclass(frozen=True)
class Value:
    """A number: how many `decimals` it is written with, its unit (`x`: times), the body that is its measure (Earth
    radii), what it is of, and whether it bounds from below (+) or above (-). `error`: it is the uncertainty of the one
    before it."""

    value: Decimal
    decimals: int
    unit: str
    body: str
    quantity: str
    bound: str
    start: int
    place: float
    error: bool


_NUMBER = re.compile(
    r"(?<![\w.,])(?<![A-Za-z]-)(?<![A-Za-z]\d-)"
    r"[-−]?(?:\d{1,3}(?:[,\u2009\u202f]\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?(?![\d])"
)
_COUNT = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = {
    **{"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
}
_PARTS = {"third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "tenth": 10}
_WRITTEN = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:-(?P<ones>{'|'.join(_COUNT[1:10])}))?|(?P<count>{'|'.join(_COUNT[2:])})"
    r"|(?P<twice>twice|both|pairs?|double[ds]?|two-?fold)|(?P<thrice>thrice|triple[ds]?|three-?fold)"
    r"|(?P<half>half|halves|halved)|(?P<one>one(?=[ -](?:hour|day|year|month|minute|second|per)))"
    rf"|(?:(?:a|one)\s(?P<part>{'|'.join(_PARTS)})\b))\b",
    re.IGNORECASE,
)
_RATIO = re.compile(r"twice|double\w*|two-?fold|thrice|triple\w*|three-?fold|half|halves|halved|(?:a|one)\s\w+", re.I)
_BODY = re.compile(
    r"\s?(?P<body>Earth|Jupiter|Neptune|Saturn|Jovian|solar|Solar|Sun|terrestrial|stellar|planetary)[ -]"
    r"(?P<of>radii|radius|masses|mass)\b|\s?(?P<short>[RM])_?(?P<sign>Earth|E|⊕|Jup|J|Sun|☉)(?!\w)"
)
_BODIES = {
    **{"jovian": "jupiter", "solar": "sun", "terrestrial": "earth", "e": "earth", "⊕": "earth", "jup": "jupiter"},
    **{"j": "jupiter", "☉": "sun"},
}
_TIMES_BODY = re.compile(r"[^.;,]{0,40}?\b(?P<body>Earth|Jupiter|Neptune|Saturn|Sun)\b")
_JOINED = re.compile(r"\s*(?:±\s*|\+/-\s*|to|and|or|,|–|-|by)\s*")
_BARE = re.compile(r"[,;)]|[.](?=\s|$)")
_OF_THE_OTHER = re.compile(r"\A[^.;:()]*(?:\b(?:those|that|ones?|other|latter)\b[^.;:()]*|\b[A-Z]\w*(?:['’]s)?\s)\Z")
_YEAR = 1900
_COMPARED = (
    ("greater", "larger", "longer", "higher", "older", "deeper", "hotter", "brighter"),
    ("smaller", "shorter", "lower", "younger", "shallower", "cooler", "colder", "fainter", "fewer", "less"),
)
_LEAST = re.compile(
    rf"(?:(?<!no )(?<!not )(?:more|{'|'.join(_COMPARED[0])}) than|above|over|at least|exceed(?:s|ed|ing)?|beyond|from|"
    r"lower limit of|no less than|no fewer than)\s(?:about |some |magnitude )?(?:the )?\Z",
    re.IGNORECASE,
)
_MOST = re.compile(
    rf"(?:(?<!no )(?:{'|'.join(_COMPARED[1])}) than|below|under|at most|up to|as much as|as many as|within|"
    r"no more than|not more than|upper limit of)\s(?:about |some |magnitude )?(?:the )?\Z",
    re.IGNORECASE,
)
_BOUND_BEHIND = re.compile(
    r"[^.;,]{0,25}?\bor (?P<which>more|above|longer|larger|less|below|shorter|fewer)\b"
    r"|[^.;,]{0,20}?\bat (?P<end>most|least)\b"
)
_FARTHEST = 14.0
_BEHIND_COSTS = 0.5

_Found = tuple[Decimal, int, int, int]
_Unit = tuple[str, str, str]
_NO_UNIT: _Unit = ("", "", "")


def values(
    text: str, taken: Sequence[Designator], quantities: Sequence[tuple[str, float, int]], place: Callable[[int], float]
) -> list[Value]:
    """The values of `text` in order, those in the names `taken` left out.

    `quantities`: (name, place, start) of each that is named; `place`: how many words in a character stands.
    """
    found = [each for each in _numbers(text) if not any(d.start <= each[2] < d.end for d in taken)]
    units = _units(text, found)
    errors = {row for row in range(1, len(found)) if _is_error(text, found, row)}
    out = []
    for row, ((value, decimals, start, end), (unit, body, quantity)) in enumerate(zip(found, units, strict=True)):
        of = quantity or meanings().of_unit.get(unit, "") or _nearest(unit, start, quantities, place)
        bound = _bound(text, start, end)
        out.append(Value(value, decimals, unit, body, of, bound, start, place(start), row in errors))
    return out


def bounds(text: str, start: int, found: Sequence[Value]) -> bool:
    """Whether the word at `start` says that the value behind it is a bound."""
    behind = next((v.start for v in found if v.start > start), None)
    if behind is None:
        return False
    before = text[max(0, behind - 40) : behind]
    said = _LEAST.search(before) or _MOST.search(before)
    return bool(said) and behind - len(before) + said.start() <= start  # type: ignore[union-attr]


def _is_error(text: str, found: Sequence[_Found], row: int) -> bool:
    """Whether a number is the uncertainty of the one before it: 5.1 ± 0.2, 5.1 +0.2 -0.1."""
    between = text[found[row - 1][3] : found[row][2]].strip()
    return between in ("±", "+", "+/-") or (not between and found[row][0] < 0)


def _numbers(text: str) -> list[_Found]:
    """(value, decimals, start, end) of numbers in figures and in words, halves and doubles included."""
    out = []
    for match in _NUMBER.finditer(text):
        plain = re.sub(r"[,\u2009\u202f]", "", match[0]).replace("−", "-")
        try:
            value = Decimal(plain)
        except InvalidOperation:
            continue
        out.append((value, max(0, -int(value.as_tuple().exponent)), match.start(), match.end()))
    out += [(_written(match), 0, match.start(), match.end()) for match in _WRITTEN.finditer(text)]
    return sorted(out, key=lambda each: each[2])


def _written(match: re.Match[str]) -> Decimal:
    if match["tens"]:
        return Decimal(_TENS[match["tens"].lower()] + (_COUNT.index(match["ones"].lower()) if match["ones"] else 0))
    if match["count"]:
        return Decimal(_COUNT.index(match["count"].lower()))
    if match["part"]:
        return 1 / Decimal(_PARTS[match["part"].lower()])
    known = {"one": "1", "twice": "2", "thrice": "3", "half": "0.5"}
    return Decimal(next(number for group, number in known.items() if match[group]))


def _units(text: str, found: Sequence[_Found]) -> list[_Unit]:
    """Unit, body and quantity that are written behind each number, or behind another one that it is joined to."""
    units = [_unit(text, start, end) for _, _, start, end in found]
    for row in range(len(found) - 2, -1, -1):  # 4 to 6 days, 5.1 +0.2 -0.1 days: all are days
        between = text[found[row][3] : found[row + 1][2]]
        if units[row] == _NO_UNIT and (_JOINED.fullmatch(between) or _is_error(text, found, row + 1)):
            units[row] = units[row + 1]
    for row in range(1, len(found)):  # 4 days, that of the other 6: both are days
        bare = units[row] == _NO_UNIT and _BARE.match(text, found[row][3]) and found[row][0] < _YEAR
        if bare and _OF_THE_OTHER.search(text[found[row - 1][3] : found[row][2]]):
            units[row] = units[row - 1]
    return units


def _unit(text: str, start: int, end: int) -> _Unit:
    known = meanings()
    if body := _BODY.match(text, end):
        name = (body["body"] or body["sign"]).lower()
        of = "radius" if (body["of"] or body["short"])[0].lower() == "r" else "mass"
        return "x", _BODIES.get(name, name), of
    if not (unit := known.unit.match(text, end)):
        return ("x", "", "") if _RATIO.fullmatch(text, start, end) else _NO_UNIT
    symbol = known.symbols[int(unit.lastindex or 1) - 1]
    if symbol == "x" and (measure := _TIMES_BODY.match(text, unit.end())):
        return "x", measure["body"].lower(), ""
    return symbol, "", ""


def _nearest(unit: str, start: int, quantities: Sequence[tuple[str, float, int]], place: Callable[[int], float]) -> str:
    """The nearest quantity that a value in `unit` can be of; empty where none is near or the unit is none."""
    units_of = meanings().units_of
    away = [
        (abs(place(start) - there) + (_BEHIND_COSTS if at > start else 0.0), name)
        for name, there, at in quantities
        if unit in units_of.get(name, ())
    ]
    distance, name = min(away, default=(_FARTHEST, ""))
    return name if distance < _FARTHEST else ""


def _bound(text: str, start: int, end: int) -> str:
    before = text[max(0, start - 40) : start]
    if behind := _BOUND_BEHIND.match(text, end):
        return (
            "+" if (behind["which"] or behind["end"]).lower() in ("more", "above", "longer", "larger", "least") else "-"
        )
    return "+" if _LEAST.search(before) else "-" if _MOST.search(before) else ""
