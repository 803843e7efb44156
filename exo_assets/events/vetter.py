"""`EventVetter`: what an event is, as three probabilities, a prediction set and reasons.

Belongs here: scoring, and the files that a vetter is. Does not belong here: training (training.py), or the formulas of
features (features.py).

Files: one LightGBM text per member; `context.parquet`, the events among which an event is judged; and
`event_vetter.json` with the names of the features, the calibration and the limits of the sets.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.features import CONTEXT_COLUMNS, build_features
from exo_assets.events.labels import LABELS
from exo_assets.events.neighbourhood import Neighbourhood
from exo_assets.events.sets import EventLimits
from exo_assets.training.calibration import Calibrator, softmax
from exo_assets.training.forest import Forest
from exo_assets.training.vetter import digest_of

Array = npt.NDArray[np.float64]

FILE, CONTEXT_FILE = "event_vetter.json", "context.parquet"
REASONS = 5
"""Reasons that are told of an event."""
REASON = pl.Struct({"feature": pl.String, "value": pl.Float64, "contribution": pl.Float64})
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
    """LightGBM models of three classes, averaged and calibrated: their texts, and the features in their order.

    `context` are the events (CONTEXT_COLUMNS) that an event is compared with: those that were known when the vetter was
    trained. So an event is judged alike whether it comes alone or with all others.
    """

    features: tuple[str, ...]
    members: tuple[str, ...]
    calibration: Calibrator
    limits: EventLimits
    context: pl.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _forest(self) -> Forest:
        return Forest(self.members)

    @cached_property
    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self.context)

    def judge(self, events: pl.DataFrame, *, every_reason: bool = False) -> pl.DataFrame:
        """JUDGED of each event, rows in order. `events` has the columns of `core_events` that are measured, `event` (no
        name twice), `star_id`, `ra_deg` and `dec_deg`; labels are never read. ValueError when a name is there twice."""
        return self.score(self.features_of(events), every_reason=every_reason)

    def features_of(self, events: pl.DataFrame) -> pl.DataFrame:
        """`build_features` of `events` among the vetter's own context, rows in order."""
        if events["event"].n_unique() != events.height:
            raise ValueError("an event is there twice; give each a name of its own")
        others = self._neighbourhood
        # In one order, whatever the order of `events`: of equals the first counts.
        together = pl.concat([events, others.near(events)], how="diagonal_relaxed").sort("event")
        together = build_features(together, others.crowd(events))
        return events.select("event").join(together, on="event", how="left", maintain_order="left")

    def score(self, features: pl.DataFrame, *, every_reason: bool = False) -> pl.DataFrame:
        """JUDGED from what `features_of` gave: PROBABILITIES, `score` (log-odds of a planet candidate before
        calibration), `verdict` (the most probable), `prediction_set` and `reasons`, rows in order.

        Reasons are told of events that can be a planet candidate (PC is in the set), null of others, unless
        `every_reason` is asked for: they cost more than all else.
        """
        raw = self._forest.raw(matrix(features, self.features))
        p = probabilities(raw, self.calibration)
        sets = self.limits.sets(p)
        return features.select("event").hstack(
            [
                *(pl.Series(n, column) for n, column in zip(PROBABILITIES, p.T, strict=True)),
                pl.Series("score", planet_log_odds(raw)),
                pl.Series("verdict", [LABELS[i] for i in p.argmax(axis=1)], pl.String),
                sets,
                self._reasons(features, (sets.str.contains(LABELS[0]) | every_reason).to_numpy()),
            ]
        )

    def contributions(self, features: pl.DataFrame) -> Array:
        """SHAP values (rows, features + 1), the expected value last, of the raw score of a planet candidate less that
        of the likelier other class; rows sum to `margin`. As LightGBM's `pred_contrib` gives them, averaged."""
        x = matrix(features, self.features)
        sign = np.zeros((len(x), len(LABELS)))
        sign[:, 0] = 1
        sign[np.arange(len(x)), 1 + self._forest.raw(x)[:, 1:].argmax(axis=1)] = -1
        return self._forest.differences(x, sign)

    def margin(self, features: pl.DataFrame) -> Array:
        """Raw score of a planet candidate less that of the likelier other class (rows,)."""
        raw = self._forest.raw(matrix(features, self.features))
        return np.asarray(raw[:, 0] - raw[:, 1:].max(axis=1))

    def _reasons(self, features: pl.DataFrame, wanted: npt.NDArray[np.bool_]) -> pl.Series:
        rows = features.filter(wanted)
        told: list[list[dict[str, Any]] | None] = [None] * features.height
        if rows.height:
            x, found = matrix(rows, self.features), self.contributions(rows)[:, :-1]
            top = np.argsort(-np.abs(found), axis=1, kind="stable")[:, :REASONS]
            for at, row, values, parts in zip(np.flatnonzero(wanted), top, x, found, strict=True):
                told[at] = [
                    {
                        "feature": self.features[i],
                        "value": None if np.isnan(values[i]) else float(values[i]),
                        "contribution": float(parts[i]),
                    }
                    for i in row
                ]
        return pl.Series("reasons", told, pl.List(REASON))

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files of the vetter by name."""
        texts = {f"member_{i}.txt": text.encode() for i, text in enumerate(self.members)}
        content = {
            "features": list(self.features),
            "members": len(self.members),
            "calibration": self.calibration.to_dict(),
            "limits": list(self.limits.lowest),
            "facts": dict(self.facts),
        }
        context = io.BytesIO()
        self.context.select(CONTEXT_COLUMNS).sort("event").write_parquet(context, statistics=False)
        described = json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode()
        return texts | {FILE: described, CONTEXT_FILE: context.getvalue()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the files: same data, code and seed, same digest."""
        return digest_of(self.files)

    @property
    def version(self) -> str:
        """Name of the model version: the first 12 digits of the digest."""
        return self.digest[:12]

    def save(self, folder: Path) -> None:
        """Write the files into `folder`."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (Path(folder) / name).write_bytes(data)

    @classmethod
    def load(cls, folder: Path) -> EventVetter:
        """The vetter whose files are in `folder`; FileNotFoundError when one is missing."""
        folder = Path(folder)
        stored = json.loads((folder / FILE).read_bytes())
        return cls(
            tuple(stored["features"]),
            tuple((folder / f"member_{i}.txt").read_text(encoding="utf-8") for i in range(stored["members"])),
            Calibrator.from_dict(stored["calibration"]),
            EventLimits(tuple(stored["limits"])),
            pl.read_parquet(folder / CONTEXT_FILE),
            stored["facts"],
        )
