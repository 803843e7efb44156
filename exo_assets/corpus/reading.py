"""What all readers of files share: their limits, and how a refusal travels.

Belongs here: limits, exceptions and the signature of text recognition. Does not belong here: any format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Ocr = Callable[[bytes], str]
"""Text of one page from its picture: a grey PGM file of 300 dots an inch; OcrError when it cannot be had."""


@dataclass(frozen=True)
class Limits:
    """What a document may be at most; beyond it the document is refused, never cut.

    `characters`: some 800 pages of a book. `passages`: as many as it would be cut into, about; signs and headings make
    far more of them than words do. `recognised_pages`: pages whose text has to be recognised, which takes seconds each.
    """

    bytes: int = 100_000_000
    pages: int = 2_000
    characters: int = 2_000_000
    passages: int = 5_000
    recognised_pages: int = 200


class OcrError(Exception):
    """Text recognition failed on a page; the message says how."""


class Refusal(Exception):
    """Why a document is refused, on the way from where it is found out to `read_document`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
