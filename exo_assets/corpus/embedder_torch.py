"""Teaching the embedding model: from pairs to weights, resumable after every epoch.

Belongs here: the network, its loss and the loop. Does not belong here: processes, machines and files (a caller says
where to train, where to keep checkpoints and whom to tell), or ONNX (`embedder_export_torch.py`).

The loss is that of multiple negatives (van den Oord et al. 2018, arXiv 1807.03748; Henderson et al. 2017, arXiv
1705.00652): of all passages of a batch, a question must find its own. The batch is that of all workers: embeddings are
gathered, every worker computes the whole loss, and the gradients of each one's own embeddings add up to those of one
worker with the whole batch.

The same data, settings, seed and number of workers give the same weights on one kind of processor, interrupted or not.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from exo_assets.corpus.bert_weights import BERT
from exo_assets.corpus.embedder_learning import (
    EmbedderData,
    EmbedderEpoch,
    EmbedderFit,
    EmbedderJob,
    EmbedderSettings,
    Ragged,
    Weights,
)
from exo_assets.training.recipe import Checkpoints, Place

_LAYERS = ["query", "key", "value", "dense"]
"""Names of the linear layers that LoRA and DoRA are added to: all there are."""


def bert(weights: Weights, dropout: float = 0.0, attention: str = "sdpa") -> Any:
    """transformers' BertModel with these weights, ready to judge. RuntimeError when they are not all of its own.

    `attention` is transformers' name of its implementation; all compute the same.
    """
    from transformers import BertConfig, BertModel

    shape = {**BERT, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    shape |= {"attn_implementation": attention}
    network: Any = BertModel(BertConfig(**shape), add_pooling_layer=False)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    return network.eval()


def embed(network: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Unit vectors (texts, dimensions) of padded token ids (texts, longest): the mean over a text's own tokens."""
    tokens = network(input_ids=ids, attention_mask=mask).last_hidden_state
    weight = mask.unsqueeze(2).to(tokens.dtype)
    return functional.normalize((tokens * weight).sum(1) / weight.sum(1), dim=1)


def embed_texts(network: nn.Module, texts: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
    """Unit vectors of token ids, one text after the other."""
    with torch.inference_mode():
        out = [embed(network, *_padded([np.asarray(ids)], "cpu"))[0].numpy() for ids in texts]
    return np.stack(out)


def ranking_loss(
    queries: Tensor, passages: Tensor, document: Tensor, temperature: float, symmetric: bool
) -> tuple[Tensor, Tensor]:
    """Mean loss (nats) of unit vectors (pairs, dimensions), and the share of questions that found their passage.

    Passages of the same `document` (pairs,) are no wrong answers to each other's questions.
    """
    cosines = queries @ passages.T
    own = torch.arange(len(queries), device=queries.device)
    same = (document[:, None] == document[None]) & (own[:, None] != own[None])
    logits = (cosines / temperature).masked_fill(same, -math.inf)
    loss = functional.cross_entropy(logits, own)
    if symmetric:
        loss = (loss + functional.cross_entropy(logits.T, own)) / 2
    return loss, (logits.argmax(1) == own).float().mean()


def teach(
    data: EmbedderData,
    settings: EmbedderSettings,
    job: EmbedderJob,
    *,
    place: Place | None = None,
    kept: Checkpoints | None = None,
    report: Callable[[EmbedderEpoch], None] | None = None,
) -> EmbedderFit:
    """Teach the network of `data`, or go on where the job's checkpoint ends.

    ValueError when there are too few pairs for one step: a pair for each worker, and two in all.
    """
    return _Teaching(data, settings, job, place or Place()).run(kept, report)


@dataclass
class _State:
    """How far a training is."""

    epoch: int = 0
    history: list[EmbedderEpoch] = field(default_factory=list)


class _Both(nn.Module):
    """Questions and passages in one pass, for workers exchange gradients once a pass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, queries: tuple[Tensor, Tensor], passages: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Unit vectors of each."""
        return embed(self.network, *queries), embed(self.network, *passages)


class _Teaching:
    """One job at one place."""

    def __init__(self, data: EmbedderData, settings: EmbedderSettings, job: EmbedderJob, place: Place) -> None:
        self.data, self.settings, self.job, self.place = data, settings, job, place
        self.batch = min(settings.batch, len(data.queries)) // place.world * place.world
        if self.batch < 2:
            raise ValueError(
                f"{job.name}: {len(data.queries)} pairs are too few for {place.world} workers to learn from"
            )
        torch.manual_seed(job.seed)
        self.network = _adapted(bert(data.weights, settings.dropout), settings).to(place.device)
        self.learned = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        self.model: nn.Module = _Both(self.network)
        if place.world > 1:
            self.model = nn.parallel.DistributedDataParallel(
                self.model, process_group=place.group, broadcast_buffers=False
            )
        self.steps = len(data.queries) // self.batch
        self.optimizer = torch.optim.AdamW(self.learned.values(), lr=settings.rate, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def run(self, kept: Checkpoints | None, report: Callable[[EmbedderEpoch], None] | None) -> EmbedderFit:
        state = self._restored(kept.load(self.job.name) if kept else None)
        while state.epoch < self.settings.epochs:
            self._epoch(state)
            if self.place.rank == 0 and report:
                report(state.history[-1])
            if self.place.rank == 0 and kept:
                kept.save(self.job.name, self._stored(state))
        return EmbedderFit(self.job, _merged(self.network, self.settings), state.history)

    def _rate(self, step: int) -> float:
        """Warm-up, then a straight line to nothing."""
        total = self.steps * self.settings.epochs
        rising = max(1, round(self.settings.warm_up * total))
        return min((step + 1) / rising, max(0.0, (total - step) / max(1, total - rising)))

    def _epoch(self, state: _State) -> None:
        began, loss, found = time.perf_counter(), 0.0, 0.0
        # Dropout too is drawn from the seed and the epoch, apart on every worker.
        torch.manual_seed(((self.job.seed * 1009 + state.epoch) * 1009 + self.place.rank) % 2**63)
        order = np.random.default_rng((self.job.seed, state.epoch)).permutation(len(self.data.queries))
        self.model.train()
        for step in range(self.steps):
            one, share = self._step(order[step * self.batch : (step + 1) * self.batch])
            loss, found = loss + one / self.steps, found + share / self.steps
        state.epoch += 1
        rate = self.steps * self.batch / (time.perf_counter() - began)
        state.history.append(EmbedderEpoch(self.job.name, state.epoch, loss, found, rate, waited=0.0))

    def _step(self, rows: npt.NDArray[np.int64]) -> tuple[float, float]:
        part = len(rows) // self.place.world
        mine = slice(self.place.rank * part, (self.place.rank + 1) * part)
        with self._precision():
            texts = [self._there(texts, rows[mine]) for texts in (self.data.queries, self.data.passages)]
            queries, passages = self.model(*texts)
        document = torch.from_numpy(self.data.document[rows]).to(self.place.device)
        loss, found = ranking_loss(
            self._gathered(queries.float()),
            self._gathered(passages.float()),
            document,
            self.settings.temperature,
            self.settings.symmetric,
        )
        self.optimizer.zero_grad()
        # Workers average their gradients, and each has those of its own embeddings only: the sum is wanted.
        (loss * self.place.world).backward()
        nn.utils.clip_grad_norm_(self.learned.values(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach()), float(found)

    def _gathered(self, mine: Tensor) -> Tensor:
        """The vectors of all workers in their order; only one's own carry gradients."""
        if self.place.world == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.place.world)]
        torch.distributed.all_gather(parts, mine.detach().contiguous(), group=self.place.group)
        parts[self.place.rank] = mine
        return torch.cat(parts)

    def _there(self, texts: Ragged, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return _padded([texts[int(row)] for row in rows], self.place.device)

    def _precision(self) -> torch.autocast:
        kind = torch.device(self.place.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda")

    def _stored(self, state: _State) -> bytes:
        out = io.BytesIO()
        torch.save(
            {
                "learned": {name: p.detach() for name, p in self.learned.items()},
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "epoch": state.epoch,
                "history": [asdict(epoch) for epoch in state.history],
            },
            out,
        )
        return out.getvalue()

    def _restored(self, stored: bytes | None) -> _State:
        if stored is None:
            return _State()
        read = torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True)
        with torch.no_grad():
            for name, value in read["learned"].items():
                self.learned[name].copy_(value)
        self.optimizer.load_state_dict(read["optimizer"])
        self.schedule.load_state_dict(read["schedule"])
        return _State(read["epoch"], [EmbedderEpoch(**epoch) for epoch in read["history"]])


def _adapted(network: Any, settings: EmbedderSettings) -> Any:
    """`network` with what is learned: narrow matrices beside its layers, or all of it."""
    if settings.way == "full":
        return network
    from peft import LoraConfig, get_peft_model

    added = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=_LAYERS,
        use_dora=settings.way == "dora",
    )
    return get_peft_model(network, added)


def _merged(network: Any, settings: EmbedderSettings) -> Weights:
    """Weights of a plain BertModel that computes what `network` does."""
    plain = network if settings.way == "full" else network.merge_and_unload()
    return {name: value.detach().cpu().float().numpy().copy() for name, value in plain.state_dict().items()}


def _padded(texts: Sequence[npt.NDArray[Any]], device: str) -> tuple[Tensor, Tensor]:
    """Token ids (texts, longest), 0 behind the end, and the mask of those that are there."""
    lengths = np.array([len(ids) for ids in texts])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.concatenate(texts)
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask.astype(np.int64)).to(device)
