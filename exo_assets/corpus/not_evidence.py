"""What stands in documents and is no evidence of anything: reference lists.

Belongs here: telling them from prose. Does not belong here: running heads and line numbers, which are not read at all
(`page_layout.py`).
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"(?i)^\W*(?:\d+\.?\s+)?(?:references?|bibliography|literature cited|works cited)\W*$")
_INITIALS = r"(?:[A-Z]\.[ -]?){1,4}"
_NAME = r"(?:(?:de|van|von|der|den|da|le|la)\s){0,3}[A-Z][\w'’-]+"
_REFERENCE = re.compile(
    rf"^\W*(?:\[\w{{1,12}}\]\s*|\d{{1,3}}\.\s+)?(?:{_NAME},?\s{_INITIALS}|{_INITIALS}\s?{_NAME})"
    r"(?=[\s\S]{0,400}?\b(?:19|20)\d{2}[a-z]?\b)[\s\S]{0,400}?"
    r"(?:\b(?:A&A|ApJ[SL]?|AJ|MNRAS|PASP|Nature|Science|Icarus|PASJ|ARA&A|PhRv|JOSS|SPIE|arXiv|doi|ascl)\b|\b\d{1,4},\s?[A-Z]?\d{1,6}\b)"
)


def is_reference_heading(heading: str) -> bool:
    """Whether a list of references stands under a heading."""
    return bool(_HEADING.match(heading))


def is_reference(sentence: str) -> bool:
    """Whether a sentence is an entry of a list of references: names with initials first, then year and journal."""
    return bool(_REFERENCE.match(sentence))
