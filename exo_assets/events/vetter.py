"""`EventVetter`: what an event is, as three probabilities, from its features.

Belongs here: scoring, and the files that a vetter is. Does not belong here: training (training.py), or features.

Files: one LightGBM text per member, and `event_vetter.json` with the names of the features and the calibration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.labels import LABELS
from exo_assets.training.calibration import Calibrator, softmax
from exo_assets.training.forest import Forest
from exo_assets.training.vetter import digest_of

Array = npt.NDArray[np.float64]

FILE = "event_vetter.json"
PROBABILITIES = tuple(f"probability_{label.lower()}" for label in LABELS)


def planet_log_odds(raw: Array) -> Array:
    """Log-odds of the first class against the rest, from raw scores (rows, classes)."""
    return np.asarray(raw[:, 0] - np.logaddexp.reduce(raw[:, 1:], axis=1))


def probabilities(raw: Array, calibration: Calibrator) -> Array:
    """Probabilities (rows, classes): the first calibrated, the rest shared as the raw scores have it."""
    planet = calibration(planet_log_odds(raw))
    return np.column_stack([planet, (1 - planet)[:, None] * softmax(raw[:, 1:])])


def matrix(features: pl.DataFrame, names: Sequence[str]) -> Array:
    """The named features as numbers (rows, features), nan for unknown; ValueError when one is absent."""
    if absent := [n for n in names if n not in features.columns]:
        raise ValueError(f"features {absent} are absent")
    return np.ascontiguousarray(features.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy())


@dataclass(frozen=True)
class EventVetter:
    """LightGBM models of three classes, averaged and calibrated: their texts, and the features in their order."""

    features: tuple[str, ...]
    members: tuple[str, ...]
    calibration: Calibrator
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _forest(self) -> Forest:
        return Forest(self.members)

    def score(self, features: pl.DataFrame) -> pl.DataFrame:
        """`event`, PROBABILITIES and `score` (log-odds of a planet candidate before calibration), rows in order."""
        raw = self._forest.raw(matrix(features, self.features))
        return features.select("event").hstack(
            [
                *(pl.Series(n, p) for n, p in zip(PROBABILITIES, probabilities(raw, self.calibration).T, strict=True)),
                pl.Series("score", planet_log_odds(raw)),
            ]
        )

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files of the vetter by name."""
        texts = {f"member_{i}.txt": text.encode() for i, text in enumerate(self.members)}
        content = {
            "features": list(self.features),
            "members": len(self.members),
            "calibration": self.calibration.to_dict(),
            "facts": dict(self.facts),
        }
        return texts | {FILE: json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode()}

    @property
    def digest(self) -> str:
        """SHA-256 of the files: same data, code and seed, same digest."""
        return digest_of(self.files)

    def save(self, folder: Path) -> None:
        """Write the files into `folder`."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (Path(folder) / name).write_bytes(data)

    @classmethod
    def load(cls, folder: Path) -> EventVetter:
        """The vetter whose files are in `folder`; FileNotFoundError when one is missing."""
        return cls.of_files(lambda name: (Path(folder) / name).read_bytes())

    @classmethod
    def of_files(cls, read: Any) -> EventVetter:
        """The vetter of the files that `read(name)` gives."""
        stored = json.loads(read(FILE))
        return cls(
            tuple(stored["features"]),
            tuple(read(f"member_{i}.txt").decode() for i in range(stored["members"])),
            Calibrator.from_dict(stored["calibration"]),
            stored["facts"],
        )
