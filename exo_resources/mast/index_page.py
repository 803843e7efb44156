"""Pages on which web servers list a folder: Apache's, nginx's, Python's.

Belongs here: names and what stands beside them. Does not belong here: fetching the page, and what the names mean.
"""

from __future__ import annotations

import html
import re
from urllib.parse import unquote, urlsplit

_LINK = re.compile(
    r"<a\s[^>]*?href\s*=\s*[\"']?([^\"'\s>]+)[\"']?[^>]*>.*?</a>([^<\n]*(?:<(?!a\s)[^<\n]*)*)", re.I | re.S
)
_TAG = re.compile(r"<[^>]*>")


def listed(page: bytes) -> dict[str, str]:
    """Names of the files that a page links to, and the text beside each (date and size, as servers write them)."""
    found = {}
    for target, beside in _LINK.findall(page.decode("utf-8", errors="replace")):
        address = urlsplit(html.unescape(target))
        name = unquote(address.path).rpartition("/")[2]
        if name and not address.query:
            found[name] = " ".join(html.unescape(_TAG.sub(" ", beside)).split())
    return found
