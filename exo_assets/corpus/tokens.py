"""Tokens as chunks count them.

Belongs here: the form in which a tokenizer is handed to the chunker, and one that needs no model. Does not belong here:
the embedding model's tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Offsets = Callable[[str], Sequence[tuple[int, int]]]
"""(start, end) of every token of a text, in order; without special tokens, and without cutting long texts."""

BLOCK_CHARACTERS = 200_000
"""Most characters that a tokenizer is given at once: it takes some hundred bytes a token while it works."""

_TOKEN = re.compile(r"\w{1,12}|[^\w\s]")


def plain_tokens(text: str) -> list[tuple[int, int]]:
    """Words in pieces of at most 12 letters, and signs: close to a word-piece tokenizer, without a vocabulary."""
    return [match.span() for match in _TOKEN.finditer(text)]


def count_tokens(text: str) -> int:
    """Number of `plain_tokens`, which need no room for that."""
    return sum(1 for _ in _TOKEN.finditer(text))


class TokenizerError(ValueError):
    """A tokenizer gave offsets that are not those of tokens in order."""


def token_bounds(text: str, offsets: Offsets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the tokens of `text`, each rising; empty tokens (special ones) are left out.

    TokenizerError when they are out of order or outside the text.
    """
    parts = [_block_bounds(text[start:end], offsets) + start for start, end in _blocks(text)]
    starts, ends = np.concatenate(parts, axis=1) if parts else np.empty((2, 0), dtype=np.int64)
    return np.ascontiguousarray(starts), np.ascontiguousarray(ends)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Pieces of at most BLOCK_CHARACTERS, cut before white space, where no token goes on; inside of a word only where
    there is none."""
    start = 0
    while start < len(text):
        end = min(start + BLOCK_CHARACTERS, len(text))
        if end < len(text):
            space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
            end = space if space > start else end
        yield start, end
        start = end


def _block_bounds(text: str, offsets: Offsets) -> NDArray[np.int64]:
    """Starts and ends of the tokens of one block, in two rows."""
    pairs = np.asarray(offsets(text), dtype=np.int64).reshape(-1, 2)
    pairs = pairs[pairs[:, 1] > pairs[:, 0]]
    starts, ends = pairs[:, 0], pairs[:, 1]
    if starts.size and (
        starts[0] < 0 or ends[-1] > len(text) or (np.diff(starts) < 0).any() or (np.diff(ends) < 0).any()
    ):
        raise TokenizerError("the tokenizer's offsets are not in order, or lie outside the text")
    return pairs.T
