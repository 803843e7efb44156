"""Where trainings of networks keep how far they are: in the lake, below a key of all that decides their outcome.

Belongs here: that key, and checkpoints and finished networks by job. Does not belong here: training, or workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from exo_assets.training.network_recipe import NETWORKS
from exo_assets.training.recipe import Job, Recipe
from exo_resources.lake import Lake
from exo_resources.lake_views import LakeViews

ROOT = "training/checkpoints"


@dataclass(frozen=True)
class TrainStates:
    """States of the jobs of one run: `name` is the run's, `key` the digest of what it computes, `recipe` how it
    trains.

    An instance is a `Checkpoints` of recipe.py, and can be sent to workers.
    """

    lake: Lake
    name: str
    key: str
    recipe: Recipe[Any, Any, Any, Any, Any] = NETWORKS

    def load(self, job: str) -> bytes | None:
        """The newest state of the job, or None."""
        return self._get(self._checkpoint(job))

    def save(self, job: str, state: bytes) -> None:
        """Replace the job's state, atomically."""
        self.lake.put(self._checkpoint(job), state)

    def finish(self, job: Job, fit: Any) -> None:
        """Keep the job's trained network, so that it is not trained again."""
        self.lake.put(self._finished(job.name), self.recipe.pack(fit))

    def is_finished(self, job: Job) -> bool:
        """Whether the job's network is there."""
        return self.lake.has(self._finished(job.name))

    def fit(self, job: Job) -> Any | None:
        """The job's network, or None while it is not trained."""
        stored = self._get(self._finished(job.name))
        return None if stored is None else self.recipe.unpack(stored, job)

    def clear(self) -> None:
        """Delete everything of this run."""
        for key in self.lake.keys(self._run):
            self.lake.delete(key)

    def forget_others(self) -> None:
        """Delete what runs of the same name left behind that computed something else: nothing resumes from it."""
        for key in self.lake.keys(self._named):
            if not key.startswith(f"{self._run}/"):
                self.lake.delete(key)

    @property
    def _named(self) -> str:
        return f"{ROOT}/{quote(self.name, safe='')}"

    @property
    def _run(self) -> str:
        return f"{self._named}/{self.key}"

    def _checkpoint(self, job: str) -> str:
        return f"{self._run}/{quote(job, safe='')}.pt"

    def _finished(self, job: str) -> str:
        return f"{self._run}/{quote(job, safe='')}.npz"

    def _get(self, key: str) -> bytes | None:
        try:
            return self.lake.get(key)
        except FileNotFoundError:
            return None


def content_key(*parts: Any) -> str:
    """Digest of values: dataclasses, mappings, sequences, arrays by their bytes, all else as it is written.

    Views of the lake count by the names of their files, which hold the digest of what they were made from.
    """
    digest = hashlib.sha256()
    _feed(digest, parts)
    return digest.hexdigest()[:24]


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, LakeViews):
        value = value.keys_in_lake
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype} {value.shape};".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {f.name: getattr(value, f.name) for f in fields(value)})
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)};".encode())
        for name in sorted(value):
            _feed(digest, name)
            _feed(digest, value[name])
    elif isinstance(value, list | tuple):
        digest.update(f"sequence {len(value)};".encode())
        for each in value:
            _feed(digest, each)
    else:
        digest.update(f"{value!r};".encode())
