"""Tokens as chunks count them.

Belongs here: the form in which a tokenizer is handed to the chunker, and one that needs no model. Does not belong here:
the embedding model's tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Offsets = Callable[[str], Sequence[tuple[int, int]]]
"""(start, end) of every token of a text, in order; without special tokens, and without cutting long texts."""

_TOKEN = re.compile(r"\w{1,12}|[^\w\s]")


def plain_tokens(text: str) -> list[tuple[int, int]]:
    """Words in pieces of at most 12 letters, and signs: close to a word-piece tokenizer, without a vocabulary."""
    return [match.span() for match in _TOKEN.finditer(text)]


class TokenizerError(ValueError):
    """A tokenizer gave offsets that are not those of tokens in order."""


def token_bounds(text: str, offsets: Offsets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the tokens of `text`, each rising; empty tokens (special ones) are left out.

    TokenizerError when they are out of order or outside the text.
    """
    pairs = np.asarray(offsets(text), dtype=np.int64).reshape(-1, 2)
    pairs = pairs[pairs[:, 1] > pairs[:, 0]]
    starts, ends = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    if starts.size and (
        starts[0] < 0 or ends[-1] > len(text) or (np.diff(starts) < 0).any() or (np.diff(ends) < 0).any()
    ):
        raise TokenizerError("the tokenizer's offsets are not in order, or lie outside the text")
    return starts, ends
