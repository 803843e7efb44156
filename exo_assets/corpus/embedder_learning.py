"""How the embedding model is taught, without torch: settings, what it is shown, what comes out, and the recipe.

Belongs here: plain values that training, its resources and its assets share. Does not belong here: layers and loops
(`embedder_torch.py`), the pairs' texts (`pairs.py`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.pairs import Pair
from exo_assets.training.recipe import Checkpoints, Place, Recipe

WAYS = ("lora", "dora", "full")
"""LoRA: a product of two narrow matrices is added to each linear layer (Hu et al. 2021, arXiv 2106.09685); DoRA: their
directions are moved so and their lengths apart (Liu et al. 2024, arXiv 2402.09353); full: every weight is moved."""
_RATE = {"lora": 5e-4, "dora": 5e-4, "full": 5e-5}

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class EmbedderSettings:
    """Every number of the training that is not learned.

    `pairs`: most pairs of an epoch. `batch`: pairs of a step, of all workers together; the passages of the others are
    what each question must not find. `tokens`: of a text, beyond which it is cut in training. `rank`, `alpha`: of the
    narrow matrices and their weight (alpha / rank), of no use to `full`. `temperature`: cosines are divided by it.
    `symmetric`: passages must find their questions, too. `learning_rate` None: the way's own.
    """

    way: str = "lora"
    epochs: int = 1
    pairs: int = 800
    batch: int = 16
    tokens: int = 128
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.1
    temperature: float = 0.05
    symmetric: bool = True
    learning_rate: float | None = None
    weight_decay: float = 0.01
    warm_up: float = 0.1
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"{self.way!r} is no way to teach an embedding model; there are {', '.join(WAYS)}")

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return _RATE[self.way] if self.learning_rate is None else self.learning_rate


@dataclass(frozen=True)
class Ragged:
    """Tokens of texts, one after the other: text `i` ends before `ends[i]`."""

    tokens: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[Sequence[int]]) -> Ragged:
        """From the token ids of each text."""
        rows = [np.asarray(ids, dtype=np.int32) for ids in texts]
        return cls(
            np.concatenate([np.empty(0, np.int32), *rows]), np.cumsum([len(row) for row in rows], dtype=np.int64)
        )

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        return self.tokens[self.ends[row - 1] if row else 0 : self.ends[row]]


@dataclass(frozen=True)
class EmbedderData:
    """The network that is taught (`weights` by name, as `bert_weights.py` reads them) and pairs as tokens.

    `document` (pairs,) numbers the pairs' documents: what is of one document is nobody's wrong answer.
    """

    weights: Weights
    queries: Ragged
    passages: Ragged
    document: npt.NDArray[np.int64]


@dataclass(frozen=True)
class EmbedderJob:
    """One model to teach."""

    name: str
    seed: int


@dataclass(frozen=True)
class EmbedderEpoch:
    """Progress after an epoch: mean loss (nats) and the share of questions whose passage was the best of its batch.

    There is no early end: the last epoch is the best.
    """

    job: str
    epoch: int
    loss: float
    found: float
    samples_per_s: float
    waited: float
    is_best: bool = True

    def curves(self) -> dict[str, float]:
        """What is drawn over epochs."""
        return {"loss/training": self.loss, "found_in_batch": self.found}

    def __str__(self) -> str:
        return (
            f"{self.job} epoch {self.epoch}: loss {self.loss:.4f}, {self.found:.1%} found among their batch, "
            f"{self.samples_per_s:.1f} pairs/s"
        )


@dataclass(frozen=True)
class EmbedderFit:
    """A taught network: its weights by name, what was added merged into them, and how it came to them."""

    job: EmbedderJob
    weights: Weights
    history: Sequence[EmbedderEpoch] = ()


def embedder_data(weights: Weights, pairs: Sequence[Pair], tokenizer: Any, tokens: int) -> EmbedderData:
    """What a training is given. `tokenizer` is the model's own (`tokenizers.Tokenizer`); texts are cut to `tokens`."""
    tokenizer.enable_truncation(tokens)
    codes = {name: code for code, name in enumerate(sorted({pair.document_id for pair in pairs}))}
    return EmbedderData(
        weights,
        Ragged.of(e.ids for e in tokenizer.encode_batch([pair.query for pair in pairs])),
        Ragged.of(e.ids for e in tokenizer.encode_batch([pair.passage for pair in pairs])),
        np.array([codes[pair.document_id] for pair in pairs], dtype=np.int64),
    )


class EmbedderRecipe(Recipe[EmbedderData, EmbedderSettings, EmbedderJob, EmbedderEpoch, EmbedderFit]):
    """`embedder_torch.teach`, its outcome as arrays of NumPy's without pickles."""

    def fit(
        self,
        data: EmbedderData,
        settings: EmbedderSettings,
        job: EmbedderJob,
        *,
        place: Place | None = None,
        kept: Checkpoints | None = None,
        report: Callable[[EmbedderEpoch], None] | None = None,
    ) -> EmbedderFit:
        """See `embedder_torch.teach`."""
        from exo_assets.corpus.embedder_torch import teach

        return teach(data, settings, job, place=place, kept=kept, report=report)

    def pack(self, fit: EmbedderFit) -> bytes:
        """Weights, and the history as JSON."""
        history = json.dumps([asdict(epoch) for epoch in fit.history]).encode()
        out = io.BytesIO()
        arrays: dict[str, Any] = {f"weights/{name}": value for name, value in fit.weights.items()}
        np.savez(out, allow_pickle=False, history=np.frombuffer(history, dtype=np.uint8), **arrays)
        return out.getvalue()

    def unpack(self, stored: bytes, job: EmbedderJob) -> EmbedderFit:
        """What `pack` packed."""
        with np.load(io.BytesIO(stored), allow_pickle=False) as read:
            arrays = {name: read[name] for name in read.files}
        history = [EmbedderEpoch(**epoch) for epoch in json.loads(arrays.pop("history").tobytes())]
        return EmbedderFit(job, {name.removeprefix("weights/"): v for name, v in arrays.items()}, history)


EMBEDDERS = EmbedderRecipe()
