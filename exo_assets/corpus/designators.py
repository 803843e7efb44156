"""Names of stars, planets and signals in free text.

Belongs here: what a designator looks like, and the one form under which all spellings of it are compared. Does not
belong here: which names are of one star (`identifiers.py`).

Naming: KOI numbers are written KOI-351.01 or K00351.01 (Thompson et al. 2018), planets by a letter from b on (Hessman
et al. 2010, arXiv 1012.0707), planets of one star of a binary by the star's capital before it (Kepler-132 A b).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from exo_assets.corpus import star_names

_CLEAN = (
    (r"[‐-―−_+ \t\n\r\f\v\u00a0\u2000-\u200a\u202f-]+", "-"),  # hyphens, dashes, minus, spaces, plus
    (r"[^a-z0-9.-]", ""),
)
_STEPS = (
    (r"^-+|[-.]+$", ""),
    (r"^k([0-9]{5}(?:\.[0-9]{2})?)$", r"koi\1"),
    (r"(^|[a-z-])0+([0-9])", r"\1\2"),
    (r"-*([a-z])-*", r"\1"),  # a hyphen counts between digits only: K2-3 is not K23, WASP-10 7 not WASP-107
)
"""(pattern, replacement), in order, on the text in lower case; polars and Python apply the same ones."""


def key(name: str) -> str:
    """The form in which names are compared: 'Kepler-90 h' and 'KEPLER 90h' are 'kepler90h', 'K00351.01' 'koi351.01'.

    Blind to case, hyphens, spaces and zeros in front of a number; 'π Men c' is 'pimenc', 'beta Pictoris b' 'betpicb'.
    """
    out = star_names.letters_spelt(name.lower())
    for pattern, replacement in _CLEAN:
        out = re.sub(pattern, replacement, out)
    out = star_names.archives_spelling(f"-{out}-")
    for pattern, replacement in _STEPS:
        out = re.sub(pattern, replacement, out)
    return out


def key_column(names: pl.Expr) -> pl.Expr:
    """`key` of a column of names."""
    out = star_names.letters_spelt_column(names.str.to_lowercase())
    for pattern, replacement in _CLEAN:
        out = out.str.replace_all(pattern, replacement)
    out = star_names.archives_spelling_column(pl.format("-{}-", out))
    for pattern, replacement in _STEPS:
        out = out.str.replace_all(pattern, re.sub(r"\\(\d)", r"${\1}", replacement))
    return out


@dataclass(frozen=True)
class Designator:
    """A name found in a text: characters [start, end).

    `host` is the key of the star's name in it, `key` that of the whole (equal when it names a star). `sure` is False
    where the same letters may mean something else ('K2 10 d'): such a name counts only where a table knows it.
    """

    key: str
    host: str
    start: int
    end: int
    sure: bool = True


_GAP = r"[\s_‐-―−-]{0,2}"
_SIGNAL = r"(?P<signal>\.\d{2})"
_ENDS = r"(?!\w|['’](?!s\b)|\.\w|-(?![c-h]\b)\w)"  # 'b-e' is a list of planets, 'b-i' a moon, 'd-type' no planet
_PART = r"(?P<part>\s?\(?[ABC]{1,2}\)?(?=\s?[b-i]\b))?"
_PLANET = rf"{_PART}(?:[\s_-]?(?P<planet>[b-i]|(?<=\d)[B-I]|(?<=[\s_])[B-H]){_ENDS})?"
_PLANET_NEEDED = rf"{_PART}[\s_-]?(?P<planet>[b-i]|(?<=[\s_])[B-H]){_ENDS}"
_TAIL = rf"(?![\d])(?:{_SIGNAL}(?![\d])|(?!\.\d){_PLANET})"
_WORD = r"(?<![\w.])"

_CATALOGUES = (
    r"WASP|HATS|HAT-?P|HAT|CoRoT|KELT|NGTS|Qatar|TrES|XO|TRAPPIST|MASCARA|KPS|LHS|LTT|GJ|Gl|HD|HIP|HR|BD|PDS|VHS|"
    r"Wolf|Ross|NN|Gliese|SPECULOOS|DMPP|GPX|COCONUTS|Luhman|LkCa|PSR [BJ]"
)

_COUNTED = (
    r"(?!\s+(?:stars?|planets?|candidates?|targets?|days?|hours?|minutes?|years?|months?|quarters?|light|systems?|"
    r"hosts?|signals?|transits?|sigma|per|of|and|to|percent|%|x|×|K|ppm|pc)\b(?!-))"
)

_FAMILIES: tuple[tuple[str, bool], ...] = (
    (rf"{_WORD}(?i:KOI){_GAP}\d{{1,5}}{_TAIL}", True),
    (rf"{_WORD}[Kk]\d{{5}}(?:{_SIGNAL}|(?![.\w]\d))(?!\w)", True),
    (rf"{_WORD}(?i:TOI){_GAP}\d{{1,5}}{_TAIL}", True),
    (rf"{_WORD}(?i:KIC){_GAP}\d{{6,9}}{_TAIL}", True),
    (rf"{_WORD}(?i:EPIC){_GAP}\d{{8,10}}{_TAIL}", True),
    (rf"{_WORD}(?i:TIC){_GAP}(?!(?:19|20)\d\d\b)\d{{4,11}}{_TAIL}", True),
    (rf"{_WORD}(?i:Kepler)[_‐-―−-]?\d{{1,4}}(?!\.\d){_TAIL}", True),
    (rf"{_WORD}(?i:Kepler)\s(?!(?:19|20)\d\d\b(?!\s[b-h]\b))\d{{1,4}}(?!\.\d){_COUNTED}{_TAIL}", True),
    (rf"{_WORD}(?i:K2)[_‐-―−-]\d{{1,3}}(?!\.\d){_TAIL}", True),
    (rf"{_WORD}(?i:K2)\s\d{{1,3}}(?=\s?[a-zA-Z]\b){_TAIL}", False),
    (rf"{_WORD}(?:{_CATALOGUES}){_GAP}\+?\d{{1,6}}(?:[\s-]\d{{2,6}}(?!\d))?{_TAIL}", True),
    (rf"{_WORD}(?i:WASP|HATS|HAT-?P|CoRoT|KELT|NGTS|Qatar|TrES|TRAPPIST)[-_]\d{{1,4}}{_TAIL}", True),
    (rf"{_WORD}(?:OGLE|KMT|MOA|UKIRT)-\d{{4}}-BLG-\d{{3,5}}(?:L(?=\s?[b-d]\b|\b))?{_TAIL}", True),
    (rf"{_WORD}(?:L|LP|G|LSPM|Wolf) ?\d{{1,4}}-\d{{1,4}}{_TAIL}", True),
    (rf"{_WORD}(?i:{_CATALOGUES}){_GAP}\d{{1,6}}{_TAIL}", False),
    *star_names.patterns(_PLANET, _PLANET_NEEDED, _WORD),
    (rf"{_WORD}(?!(?i:Kepler|K2|KOI|TOI|KIC|TIC|EPIC)\b)[A-Z][A-Za-z]{{0,11}}(?:-[A-Z])?[- ]\d{{1,6}}{_TAIL}", False),
)
_PATTERNS = tuple((re.compile(pattern), sure) for pattern, sure in _FAMILIES)
_MORE = re.compile(r"(?:\s*,\s*(?:and\s+)?|\s+(?:and|or|&)\s+|\s*[/&]\s*)(?P<planet>[b-i])(?![\w'’]|[.-]\w)")
_RANGE = re.compile(r"\s?[-‐-―−]\s?(?P<planet>[c-h])(?![\w'’])")


def designators(text: str) -> list[Designator]:
    """The names in `text`, in order; of two that overlap, the longer.

    A list of planets ('Kepler-90 b, c and d', 'TOI-700 b-e') gives each of them.
    """
    found = [d for pattern, sure in _PATTERNS for m in pattern.finditer(text) for d in _read(text, m, sure)]
    found.sort(key=lambda d: (not d.sure, d.start - d.end, d.start))
    taken: list[Designator] = []
    covered = bytearray(len(text))
    here: dict[tuple[int, int, bool], set[str]] = {}  # a range of planets ('b-e') stands in one place
    for d in found:
        keys = here.get((d.start, d.end, d.sure))
        if keys is None and not any(covered[d.start : d.end]):
            keys = here[d.start, d.end, d.sure] = set()
            covered[d.start : d.end] = b"\1" * (d.end - d.start)
        if keys is not None and d.key not in keys:
            keys.add(d.key)
            taken.append(d)
    return sorted(taken, key=lambda d: (d.start, d.end, d.key))


def _read(text: str, match: re.Match[str], sure: bool) -> Iterator[Designator]:
    groups = match.groupdict()
    part, planet = groups.get("part"), groups.get("planet")
    sure = sure and not (groups.get("small") and not planet)
    suffix = next((name for name in ("part", "planet", "signal") if groups.get(name)), None)
    host_end = match.start(suffix) if suffix else match.end()
    host = key(text[match.start() : host_end])
    if groups.get("signal"):
        yield Designator(host + groups["signal"], host, match.start(), match.end(), sure)
        return
    if not planet:
        yield Designator(host, host, match.start(), host_end, sure)
        return
    host += key(part) if part else ""
    yield Designator(host + planet.lower(), host, match.start(), match.end(), sure)
    at, last = match.end(), planet
    if planet.islower() and (through := _RANGE.match(text, at)) and through["planet"] > planet:
        for letter in map(chr, range(ord(planet) + 1, ord(through["planet"]) + 1)):
            yield Designator(host + letter, host, through.start("planet"), through.end(), sure)
        at, last = through.end(), through["planet"]
    while planet.islower() and (more := _MORE.match(text, at)) and more["planet"] > last:
        yield Designator(host + more["planet"], host, more.start("planet"), more.end(), sure)
        at, last = more.end(), more["planet"]
