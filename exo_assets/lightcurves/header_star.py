"""Whose light curve a FITS file is, as its headers say: the star, who observed it, in which segment.

Belongs here: keywords of names. Does not belong here: columns, and what times are counted from (`time_reference.py`).

The mission is what MISSION or TELESCOP says, or else that of a product that has only one: never that of the catalogue
which the star's name belongs to. The Kepler telescope flew two missions: a campaign, a product of K2 alone, the name K2
anywhere, and a star of EPIC are K2's. Stars of EPIC are numbered from 200,000,000 on, those of KIC below it (Huber et
al. 2016; Brown et al. 2011), so that KEPLERID, which both missions write, says which it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from exo_assets.lightcurves.curve import HeaderStar
from exo_assets.lightcurves.many_stars_file import MOST_SEGMENT
from exo_assets.lightcurves.mast_names import CATALOGUES
from exo_assets.lightcurves.products import Product

Headers = Sequence[Mapping[str, Any]]

FIRST_EPIC = 200_000_000
_NAME = re.compile(r"\s*(KIC|EPIC|TIC)[\s_-]*0*(\d{1,16})\s*", re.IGNORECASE)
_NUMBERS = {"TICID": "TIC", "TIC_ID": "TIC", "EPIC": "EPIC", "EPICID": "EPIC", "KEPLERID": "KIC", "KIC": "KIC"}
"""Keywords whose value is a star's number, and the catalogue that it is of. KEPLERID has EPIC's numbers too."""


def star_and_mission(headers: Headers, product: Product) -> tuple[str, str]:
    """Target in the catalogue's spelling, and the mission that observed it; empty where the headers do not say.

    `headers` are the table's and the file's; the file's go first.
    """
    objects = [str(h.get("OBJECT", "")) for h in reversed(headers)]
    stars = [(found[1].upper(), int(found[2])) for found in map(_NAME.fullmatch, objects) if found]
    numbers = [(catalogue, n) for key, catalogue in _NUMBERS.items() for n in _numbers(headers, key)]
    bare = _numbers(headers, "OBJECT")
    is_epic = (
        any(catalogue == "EPIC" for catalogue, _ in (*stars, *numbers))
        or any(catalogue == "KIC" and n >= FIRST_EPIC for catalogue, n in numbers)
        or bool(not stars and not numbers and bare and bare[0] >= FIRST_EPIC)
    )
    mission = _mission(headers, product, is_epic=is_epic)
    if stars:
        return f"{stars[0][0]} {stars[0][1]}", mission
    if numbers:
        catalogue, number = numbers[0]
        is_of_k2 = catalogue == "KIC" and (number >= FIRST_EPIC or mission == "k2")
        return f"{'EPIC' if is_of_k2 else catalogue} {number}", mission
    catalogue = next((c for c, of in CATALOGUES.items() if of == mission), "")
    return (f"{catalogue} {bare[0]}" if catalogue and bare else ""), mission


def _mission(headers: Headers, product: Product, *, is_epic: bool) -> str:
    said = " ".join(str(h.get(key, "")) for key in ("MISSION", "TELESCOP") for h in headers).lower()
    if re.search(r"\btess\b", said):
        return "tess"
    if re.search(r"\bk2\b", said):
        return "k2"
    if "kepler" not in said:
        return product.mission
    has_campaign = any(isinstance(h.get("CAMPAIGN"), int | str) and h["CAMPAIGN"] != "" for h in headers)
    return "k2" if is_epic or has_campaign or product.mission == "k2" else "kepler"


def _numbers(headers: Headers, key: str) -> list[int]:
    """The numbers above zero that a keyword has, the file's first."""
    texts = (str(h.get(key, "")).strip() for h in reversed(headers))
    return [int(text) for text in texts if re.fullmatch(r"\d{1,16}", text) and int(text)]


def segment(headers: Headers) -> int:
    """Kepler quarter, K2 campaign or TESS sector of a header; 0 where it says none."""
    keys = ("QUARTER", "CAMPAIGN", "SECTOR")
    said = (h.get(k) for h in reversed(headers) for k in keys)
    return next((n for n in said if type(n) is int and 0 <= n <= MOST_SEGMENT), 0)


def header_star(headers: Headers) -> HeaderStar:
    """RADIUS, LOGG and TEFF of the mission's input catalogue; what is no positive number is unknown."""

    def value(key: str) -> float:
        given = next((h[key] for h in headers if isinstance(h.get(key), int | float)), float("nan"))
        return float(given) if given > 0 else float("nan")

    return HeaderStar(value("RADIUS"), value("LOGG"), value("TEFF"))
