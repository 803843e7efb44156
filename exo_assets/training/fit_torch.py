"""Training of one network: from NeuralData to weights, resumable after every epoch.

Belongs here: the loop. Does not belong here: the layers (network_torch.py), processes, machines and files (a caller
says where to train, where to keep checkpoints and whom to tell).

The same data, settings, seed and number of workers give the same weights on one kind of processor, interrupted or not:
whatever is drawn is drawn from the seed and the number of the epoch.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from exo_assets.evaluation.metrics import binary_metrics, point
from exo_assets.features.seen_views import Floats
from exo_assets.training.batches import Batch, Rows, Shown, batches, rows_of, shown, steps_of
from exo_assets.training.continual_torch import anchors, fisher, hold_statistics, penalty
from exo_assets.training.network_torch import VetterNetwork
from exo_assets.training.neural import (
    Epoch,
    Ints,
    Matrix,
    NeuralData,
    NeuralFit,
    NeuralJob,
    NeuralSettings,
    Scaler,
    Weights,
)
from exo_assets.training.recipe import Checkpoints, Place

PREDICTED = 4096
"""Rows that are predicted at once."""


@dataclass
class _State:
    """How far a training is."""

    epoch: int = 0
    best_loss: float = math.inf
    stale: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)


def fit(
    data: NeuralData,
    settings: NeuralSettings,
    job: NeuralJob,
    *,
    place: Place | None = None,
    kept: Checkpoints | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> NeuralFit:
    """Train the network of `job`, or go on where its checkpoint ends, and predict what the job leaves out.

    ValueError when the job leaves no planets or no false positives to learn from, or too few rows for the workers.
    """
    return _Training(data, settings, job, place or Place()).run(kept, report)


class _Training:
    """One job at one place."""

    def __init__(self, data: NeuralData, settings: NeuralSettings, job: NeuralJob, place: Place) -> None:
        self.data, self.settings, self.job, self.place = data, settings, job, place
        start = job.start
        self.rows: Rows = rows_of(data, settings, job)
        self.scaler = start.scaler if start else Scaler.fit(data.x[self.rows.taught])
        torch.manual_seed(job.seed)
        self.network = VetterNetwork(self.scaler.width, settings)
        if start:
            self.network.load_state_dict(tensors(start.weights))
        self.network.to(place.device)
        self.anchors = anchors(start, place.device) if start and start.strength else {}
        self.model: nn.Module = self.network
        if place.world > 1:
            self.model = nn.parallel.DistributedDataParallel(self.network, process_group=place.group)
        self.scalars, self.checked = (self.scaler(data.x[rows]) for rows in (self.rows.taught, self.rows.checked))
        self.steps = steps_of(len(self.rows.taught), settings, place.world)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def run(self, kept: Checkpoints | None, report: Callable[[Epoch], None] | None) -> NeuralFit:
        state = self._restored(kept.load(self.job.name) if kept else None)
        while state.epoch < self.settings.epochs and state.stale < self.settings.patience:
            self._epoch(state)
            if self.place.rank == 0 and report:
                report(state.history[-1])
            if self.place.rank == 0 and kept:
                kept.save(self.job.name, self._stored(state))
        self.network.load_state_dict(state.best)
        held = self.rows.held
        logits = {
            layout: predict(
                self.network,
                self.scaler(x[held]),
                np.where(self.data.judged_shows[layout][held], self.data.view[held], -1),
                self.data,
            )
            for layout, x in self.data.judged.items()
        }
        information = fisher(self.network, self._sample(), self.place.device)
        return NeuralFit(
            self.job, self.scaler, arrays(self.network.state_dict()), held, logits, information, state.history
        )

    def _rate(self, step: int) -> float:
        """Warm-up, then half a cosine to nothing (Loshchilov & Hutter 2017, arXiv 1608.03983)."""
        total = self.steps * self.settings.epochs
        rising = max(1, round(self.settings.warm_up * total))
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, total - rising))))

    def _epoch(self, state: _State) -> None:
        began, waited, seen, loss = time.perf_counter(), 0.0, 0, 0.0
        # Dropout too is drawn from the seed and the epoch, apart on every worker.
        torch.manual_seed(((self.job.seed * 1009 + state.epoch) * 1009 + self.place.rank) % 2**63)
        self.model.train()
        if self.anchors:
            hold_statistics(self.network)
        for batch, wait in prefetched(self._batches(state.epoch)):
            waited += wait
            loss += self._step(batch) * len(batch.label)
            seen += len(batch.label)
        seconds = time.perf_counter() - began
        checked_loss, ap = self._validated()
        better = checked_loss < state.best_loss
        if better:
            state.best_loss, state.stale = checked_loss, 0
            state.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        else:
            state.stale += 1
        state.epoch += 1
        rate = seen * self.place.world / seconds
        state.history.append(
            Epoch(self.job.name, state.epoch, loss / max(1, seen), checked_loss, ap, rate, waited / seconds, better)
        )

    def _batches(self, epoch: int) -> Iterator[Batch]:
        part = slice(self.place.rank, None, self.place.world)
        return batches(self.data, self.scalars, self.rows.taught, self.settings, seed=(self.job.seed, epoch), part=part)

    def _step(self, batch: Batch) -> float:
        label, weight = self._there(batch.label), self._there(batch.weight)
        with self._precision():
            logits = self.model(*self._inputs(batch.shown))
        each = functional.cross_entropy(logits.float(), label, reduction="none")
        loss = (each * weight).sum() / weight.sum().clamp_min(1e-9)
        if self.anchors:
            loss = loss + penalty(self.network, self.anchors)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())

    def _validated(self) -> tuple[float, float]:
        """Log loss and average precision of planets on the validation stars, the same on every worker."""
        copies = self.rows.checked
        label = self.data.label[self.data.row[copies]]
        if len(np.unique(label)) < 2:
            raise ValueError(
                f"{self.job.name}: the validation stars hold no planets or no false positives; raise validation_share"
            )
        logits = predict(self.network, self.checked, self.data.seen_in(copies), self.data)
        odds = logits[:, 0] - logits[:, 2]
        truth = (label == 0).astype(np.float64)
        weight = self.data.weight[copies]
        loss = float(np.average(np.logaddexp(0, odds) - truth * odds, weights=weight))
        found = point(binary_metrics(truth, 0.5 * (1 + np.tanh(odds / 2))))["average_precision"]
        if self.place.world > 1:
            # Decisions are rank 0's: another kind of processor may round otherwise.
            both = torch.tensor([loss, found], dtype=torch.float64, device=self.place.device)
            torch.distributed.broadcast(both, group=self.place.group, group_src=0)
            loss, found = (float(v) for v in both)
        return loss, found

    def _sample(self) -> Shown:
        """Up to FISHER_ROWS training rows, spread evenly, as they are."""
        chosen = np.unique(np.linspace(0, len(self.rows.taught) - 1, FISHER_ROWS).astype(np.int64))
        copies = self.rows.taught[chosen]
        return shown(self.scalars[chosen], self.data.seen_in(copies), self.data.views, self.settings)

    def _inputs(self, rows: Shown) -> tuple[Tensor, ...]:
        return tuple(self._there(v) for v in (rows.scalars, rows.views, rows.where, rows.known))

    def _there(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.place.device, non_blocking=True)

    def _precision(self) -> torch.autocast:
        kind = torch.device(self.place.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda")

    def _stored(self, state: _State) -> bytes:
        out = io.BytesIO()
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                **{k: getattr(state, k) for k in ("epoch", "best_loss", "stale", "best")},
                "history": [asdict(epoch) for epoch in state.history],
            },
            out,
        )
        return out.getvalue()

    def _restored(self, stored: bytes | None) -> _State:
        if stored is None:
            return _State()
        read = torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True)
        self.network.load_state_dict(read.pop("network"))
        self.optimizer.load_state_dict(read.pop("optimizer"))
        self.schedule.load_state_dict(read.pop("schedule"))
        history = [Epoch(**epoch) for epoch in read.pop("history")]
        return _State(**read, history=history)


FISHER_ROWS = 512
"""Rows from which the Fisher information is estimated."""


def predict(network: VetterNetwork, scalars: Floats, view: Ints, data: NeuralData) -> Matrix:
    """Logits (rows, 3) of rows of scalars with the views that `view` names (-1: none), without dropout."""
    device = next(network.parameters()).device
    out = np.empty((len(scalars), 3))
    network.eval()
    with torch.inference_mode():
        for begin in range(0, len(scalars), PREDICTED):
            part = slice(begin, begin + PREDICTED)
            rows = shown(scalars[part], view[part], data.views, network.settings)
            inputs = [torch.from_numpy(v).to(device) for v in (rows.scalars, rows.views, rows.where, rows.known)]
            out[part] = network(*inputs).float().cpu().numpy()
    return out


def prefetched(batches_: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch, made while the one before it is learned from, and the seconds that it was waited for."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, batches_, None)
        while True:
            began = time.perf_counter()
            batch = coming.result()
            if batch is None:
                return
            wait = time.perf_counter() - began
            coming = maker.submit(next, batches_, None)
            yield batch, wait


def tensors(weights: Weights) -> dict[str, Tensor]:
    """Weights as torch takes them."""
    return {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}


def arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Weights as plain arrays."""
    return {name: value.detach().cpu().numpy().copy() for name, value in state.items()}
