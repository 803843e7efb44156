"""Names of stars that are words: Bayer's letters, constellations, and proper names.

Belongs here: how they are spelt, and the one spelling under which they are compared, the archive's (bet Pic, Proxima
Cen, Barnard). Does not belong here: where in a text a name stands (`designators.py`), which star it is
(`identifiers.py`).

Bayer's designation is a Greek letter and the constellation's genitive, or its abbreviation of three letters (IAU 1922).
"""

from __future__ import annotations

import re
import unicodedata

import polars as pl

LETTERS = {
    "alpha": "alf", "beta": "bet", "gamma": "gam", "delta": "del", "epsilon": "eps", "zeta": "zet", "eta": "eta",
    "theta": "tet", "iota": "iot", "kappa": "kap", "lambda": "lam", "mu": "mu", "nu": "nu", "xi": "xi",
    "omicron": "omi", "pi": "pi", "rho": "rho", "sigma": "sig", "tau": "tau", "upsilon": "ups",
    "phi": "phi", "chi": "chi", "psi": "psi", "omega": "ome",
}  # fmt: skip
"""Greek letters to the archive's abbreviations of them."""
_SYMBOLS = {"¹": "1", "²": "2", "³": "3"} | {
    unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda')}"): s for name, s in LETTERS.items()
}

CONSTELLATIONS = {
    "And": "Andromedae", "Ant": "Antliae", "Aps": "Apodis", "Aqr": "Aquarii", "Aql": "Aquilae", "Ara": "Arae",
    "Ari": "Arietis", "Aur": "Aurigae", "Boo": "Bootis", "Cae": "Caeli", "Cam": "Camelopardalis", "Cnc": "Cancri",
    "CVn": "Canum Venaticorum", "CMa": "Canis Majoris", "CMi": "Canis Minoris", "Cap": "Capricorni", "Car": "Carinae",
    "Cas": "Cassiopeiae", "Cen": "Centauri", "Cep": "Cephei", "Cet": "Ceti", "Cha": "Chamaeleontis", "Cir": "Circini",
    "Col": "Columbae", "Com": "Comae Berenices", "CrA": "Coronae Australis", "CrB": "Coronae Borealis", "Crv": "Corvi",
    "Crt": "Crateris", "Cru": "Crucis", "Cyg": "Cygni", "Del": "Delphini", "Dor": "Doradus", "Dra": "Draconis",
    "Equ": "Equulei", "Eri": "Eridani", "For": "Fornacis", "Gem": "Geminorum", "Gru": "Gruis", "Her": "Herculis",
    "Hor": "Horologii", "Hya": "Hydrae", "Hyi": "Hydri", "Ind": "Indi", "Lac": "Lacertae", "Leo": "Leonis",
    "LMi": "Leonis Minoris", "Lep": "Leporis", "Lib": "Librae", "Lup": "Lupi", "Lyn": "Lyncis", "Lyr": "Lyrae",
    "Men": "Mensae", "Mic": "Microscopii", "Mon": "Monocerotis", "Mus": "Muscae", "Nor": "Normae", "Oct": "Octantis",
    "Oph": "Ophiuchi", "Ori": "Orionis", "Pav": "Pavonis", "Peg": "Pegasi", "Per": "Persei", "Phe": "Phoenicis",
    "Pic": "Pictoris", "Psc": "Piscium", "PsA": "Piscis Austrini", "Pup": "Puppis", "Pyx": "Pyxidis", "Ret": "Reticuli",
    "Sge": "Sagittae", "Sgr": "Sagittarii", "Sco": "Scorpii", "Scl": "Sculptoris", "Sct": "Scuti", "Ser": "Serpentis",
    "Sex": "Sextantis", "Tau": "Tauri", "Tel": "Telescopii", "Tri": "Trianguli", "TrA": "Trianguli Australis",
    "Tuc": "Tucanae", "UMa": "Ursae Majoris", "UMi": "Ursae Minoris", "Vel": "Velorum", "Vir": "Virginis",
    "Vol": "Volantis", "Vul": "Vulpeculae",
}  # fmt: skip
"""Abbreviations of the constellations to their genitives."""

_PROPER = {
    "proxima-centauri-": "proxima-cen-", "proxima-cen-": "proxima-cen-", "proxima-": "proxima-cen-",
    "barnards-star-": "barnard-", "teegardens-star-": "teegarden-", "kapteyns-star-": "kapteyn-",
    "luytens-star-": "gj-273-", "aldebaran-": "alf-tau-", "pollux-": "hd-62509-",
}  # fmt: skip
"""Proper names, with hyphens for spaces, to what the archive calls the star."""


def _spellings() -> dict[str, str]:
    """What stands between hyphens to what the archive writes, what is longer first."""
    more = (("alp", "alf"), ("ksi", "xi"), ("gliese", "gj"), ("gl", "gj"))
    letters = {name: short for name, short in (*LETTERS.items(), *more) if name != short}
    behind = ("-", *"0123456789")
    of_letters = {f"-{name}{after}": f"-{short}{after}" for name, short in letters.items() for after in behind}
    genitives = {f"{name.lower().replace(' ', '-')}-": f"{short.lower()}-" for short, name in CONSTELLATIONS.items()}
    return dict(sorted((_PROPER | of_letters | genitives).items(), key=lambda pair: -len(pair[0])))


_SPELLINGS = _spellings()
_SPELT = re.compile("|".join(map(re.escape, _SPELLINGS)))
_SYMBOL = re.compile("|".join(_SYMBOLS))


def letters_spelt(name: str) -> str:
    """A name in small letters with Greek letters written out."""
    return name if name.isascii() else _SYMBOL.sub(lambda match: _SYMBOLS[match[0]], name)


def archives_spelling(name: str) -> str:
    """A name between hyphens, with hyphens for spaces, as the archive spells it: -beta-pictoris-b- is -bet-pic-b-."""
    return _SPELT.sub(lambda match: _SPELLINGS[match[0]], name)


def letters_spelt_column(names: pl.Expr) -> pl.Expr:
    """`letters_spelt` of a column."""
    return names.str.replace_many(list(_SYMBOLS), list(_SYMBOLS.values()))


def archives_spelling_column(names: pl.Expr) -> pl.Expr:
    """`archives_spelling` of a column."""
    return names.str.replace_many(list(_SPELLINGS), list(_SPELLINGS.values()), leftmost=True)


def patterns(planet: str, planet_needed: str, word: str) -> tuple[tuple[str, bool], ...]:
    """(pattern, whether it can mean nothing else) of such names; `planet` and `planet_needed` read a planet's letter
    behind a star's name, `word` is what may stand before one. A constellation in small letters is the group `small`:
    only with a planet's letter behind it can 'pi men' mean nothing else."""
    spelt = "|".join(sorted({*LETTERS, *LETTERS.values(), "alp", "ksi"}, key=len, reverse=True))
    letter = rf"(?:(?i:{spelt})|[{''.join(symbol for symbol in _SYMBOLS if symbol.isalpha())}])"
    number = r"\s?(?:\d{1,2}|[¹²³])?[\s-]?"
    short = "|".join(CONSTELLATIONS)
    genitive = "|".join(name.replace(" ", r"\s") for name in sorted(CONSTELLATIONS.values(), key=len, reverse=True))
    flamsteed = r"(?:\d{1,3}|V\d{3,4}|[A-Z]{2})"
    stars = r"(?:Barnard|Teegarden|Kapteyn|Luyten)['’]?s?\s+Star|Proxima\s+Cen(?:tauri)?"
    with_planet = "Proxima|Barnard|Teegarden|Kapteyn|Fomalhaut|Aldebaran|Pollux|Arcturus|Vega"
    return (
        (rf"{word}{flamsteed}\s(?:(?:{short})|(?i:{genitive}))\b{planet}", True),
        (rf"{word}{letter}{number}(?:(?:{short})|(?i:{genitive})|(?P<small>(?i:{short})))\b{planet}", True),
        (rf"{word}(?i:{flamsteed})\s(?i:{short})\b{planet_needed}", False),
        (rf"{word}(?i:{stars})\b{planet}", True),
        (rf"{word}(?i:{with_planet})\b{planet_needed}", True),
    )
