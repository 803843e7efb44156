"""A cross-encoder: how well a passage answers a question, both read together.

Belongs here: running one that a folder holds (model.onnx, tokenizer.json). Does not belong here: which passages it is
shown (`library.py`). No weights ship: no package of a registry carries any.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

NETWORK, TOKENIZER = "model.onnx", "tokenizer.json"
TOKENS = 512
"""Tokens of question and passage together; the passage is cut."""
BATCH = 16
KNOWN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class RerankerError(RuntimeError):
    """The cross-encoder cannot be had or is not one; the message says what to do."""


class CrossEncoder:
    """A loaded cross-encoder. Safe to share between threads; `threads` is how many one pass uses."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """The network takes input_ids, attention_mask and possibly token_type_ids (pairs, tokens) and gives one number
        a pair. RerankerError when the folder holds none such."""
        for name in (NETWORK, TOKENIZER):
            if not (folder / name).is_file():
                raise RerankerError(
                    f"{folder} is no cross-encoder: there is no {name} in it. None ships with Exo: EXO_RERANKER names "
                    f"a folder with {NETWORK} and {TOKENIZER}; unset it to search without"
                )
        self.folder = folder
        self._tokenizer = _tokenizer(folder / TOKENIZER)
        self._session = _session(folder / NETWORK, threads)
        self._inputs = [given.name for given in self._session.get_inputs()]
        if set(self._inputs) - set(KNOWN_INPUTS):
            raise RerankerError(f"{folder / NETWORK} takes {self._inputs}; {', '.join(KNOWN_INPUTS)} are known")

    def scores(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float64]:
        """A score of each passage (passages,), higher is better."""
        encoded = self._tokenizer.encode_batch([(question, passage) for passage in passages])
        out = np.empty(len(passages))
        by_length = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
        for start in range(0, len(by_length), BATCH):
            rows = by_length[start : start + BATCH]
            out[rows] = self._pass([encoded[row] for row in rows])
        return out

    def _pass(self, encoded: Sequence[Any]) -> npt.NDArray[np.float64]:
        longest = max(len(e.ids) for e in encoded)
        feed = {name: np.zeros((len(encoded), longest), dtype=np.int64) for name in KNOWN_INPUTS}
        for row, e in enumerate(encoded):
            for name, values in zip(KNOWN_INPUTS, (e.ids, e.attention_mask, e.type_ids), strict=True):
                feed[name][row, : len(e.ids)] = values
        logits = np.asarray(self._session.run(None, {name: feed[name] for name in self._inputs})[0], dtype=float)
        if logits.size != len(encoded) or not np.isfinite(logits).all():
            raise RerankerError(
                f"{self.folder / NETWORK} gives {logits.shape} for {len(encoded)} pairs, not a number each"
            )
        return logits.reshape(len(encoded))


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise RerankerError(f"{path} is not a tokenizer file: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS, strategy="only_second")
    return tokenizer


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        raise RerankerError(f"{path} is not a network that onnxruntime can load: {error}") from error
