"""The error of a light-curve file that does not count.

Belongs here: the error, which every reader raises. Does not belong here: reading.
"""

from __future__ import annotations


class LightCurveFileError(ValueError):
    """A file that does not count; `reason` is a code for the quarantine, the message is for people."""

    def __init__(self, name: str, reason: str, said: str) -> None:
        super().__init__(f"{name}: {said}")
        self.reason = reason
