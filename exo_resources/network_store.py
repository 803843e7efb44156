"""Trained networks of candidates in the lake, those of the folds too: what a later training may go on from.

Belongs here: keeping, finding and forgetting them. Does not belong here: the served network, which is part of the
model's files (registry.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import polars as pl

from exo_assets.training.neural import NeuralFit, NeuralJob
from exo_assets.training.stored_fit import fit_bytes, read_fit
from exo_resources.lake import Lake

ROOT = "training/networks"


@dataclass(frozen=True)
class Networks:
    """Networks by name of their job, and the signals with their dispositions [signal_id, disposition] of then."""

    fits: dict[str, NeuralFit]
    learned: pl.DataFrame


class NetworkStore:
    """Networks below the digest of the model that they belong to."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def keep(self, digest: str, fits: Sequence[NeuralFit], learned: pl.DataFrame) -> None:
        """Keep the networks of a model, and what they learned; the latter is written last: without it they are none."""
        for fit in fits:
            self.lake.put(self._fit(digest, fit.job.name), fit_bytes(fit))
        table = io.BytesIO()
        learned.select("signal_id", "disposition").write_parquet(table)
        self.lake.put(self._learned(digest), table.getvalue())

    def of(self, digest: str, jobs: Iterable[NeuralJob]) -> Networks | None:
        """The networks of a model for `jobs`; None when one of them is not there."""
        wanted = list(jobs)
        if not all(self.lake.has(key) for key in (self._learned(digest), *(self._fit(digest, j.name) for j in wanted))):
            return None
        fits = {job.name: read_fit(self.lake.get(self._fit(digest, job.name)), job) for job in wanted}
        return Networks(fits, pl.read_parquet(io.BytesIO(self.lake.get(self._learned(digest)))))

    def keep_only(self, digests: Iterable[str]) -> None:
        """Delete the networks of all other models."""
        kept = tuple(f"{ROOT}/{digest}/" for digest in digests)
        for key in self.lake.keys(ROOT):
            if not key.startswith(kept):
                self.lake.delete(key)

    def _learned(self, digest: str) -> str:
        return f"{ROOT}/{digest}/learned.parquet"

    def _fit(self, digest: str, job: str) -> str:
        return f"{ROOT}/{digest}/{quote(job, safe='')}.npz"
