"""How the endpoint's library is, in a line.

Belongs here: the words. Does not belong here: asking the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(library: Mapping[str, Any]) -> str:
    """What /healthz says of the library, for people."""
    rejected = library["rejected"] or {}
    refused = f"index {rejected.get('version')} was refused: {rejected.get('reason')}"
    return {
        "ok": f"index {library['version']}",
        "none": "no index yet",
        "degraded": f"index {library['version']}; {refused}",
        "failed": f"no index; {refused}",
        "unreachable": "does not answer; signals are judged all the same",
    }[library["status"]]
