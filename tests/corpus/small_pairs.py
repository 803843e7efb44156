"""A few pairs to teach the real model, in a module that workers can import."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.bert_weights import packaged_weights
from exo_assets.corpus.embedder_learning import EmbedderData, EmbedderSettings, Ragged, embedder_data
from exo_assets.corpus.embedding import load_tokenizer, packaged_files
from exo_assets.corpus.pairs import Pair

QUICK = EmbedderSettings("lora", epochs=2, batch=4, rank=4, dropout=0.0)

PAIRS = tuple(
    Pair("title", f"arXiv:{number}", title, text)
    for number, (title, text) in enumerate(
        (
            ("An eighth planet of Kepler-90", "A neural network found a planet with a period of 14.4 days."),
            ("A planet in the habitable zone", "TOI-700 d receives 86 percent of the flux of the Earth."),
            ("Six low-mass planets", "Their masses follow from transit timing variations; they are of low density."),
            ("The day side of a hot Jupiter", "The secondary eclipse of WASP-18 b shows 2,900 K."),
            ("Eclipsing binaries in disguise", "Odd and even eclipses differ in depth, which planets do not do."),
            ("A flare star without planets", "Its white-light flares were seen in short cadence."),
            ("Dust around a white dwarf", "Irregular dips of up to 40 percent come and go."),
            ("Spots that mimic transits", "The rotation of the star modulates its flux by one percent."),
        )
    )
)


def small_data() -> EmbedderData:
    """The packaged model and eight pairs."""
    files = packaged_files()
    return embedder_data(packaged_weights(files.network), PAIRS, load_tokenizer(files), QUICK.tokens)


@dataclass(frozen=True)
class FatalTexts(Ragged):
    """Texts that kill the worker that reads the `reads`-th of them, once in all: `mark` says so."""

    mark: Path = Path("never")
    reads: int = 0
    driver: int = 0

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        seen = self.__dict__.get("seen", 0) + 1
        self.__dict__["seen"] = seen
        if os.getpid() != self.driver and seen == self.reads and not self.mark.exists():
            self.mark.write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(row)


def fatal_data(mark: Path, reads: int) -> EmbedderData:
    """As `small_data`; a worker is killed when it reads its `reads`-th question."""
    data = small_data()
    queries = FatalTexts(data.queries.tokens, data.queries.ends, mark, reads, os.getpid())
    return replace(data, queries=queries)
