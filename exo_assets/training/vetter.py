"""The vetter: from transit signals to calibrated probabilities, a verdict and reasons.

Belongs here: scoring, explaining, and the vetter's plain files. Does not belong here: how it is trained
(vetter_training.py) or where it is kept (the registry).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.transformer import Matrix, SignalTransformer, has_block
from exo_assets.training.calibration import Calibrator, softmax
from exo_assets.training.forest import Forest

VERDICTS = ("planet", "candidate", "false positive")
CLASSES = ("CONFIRMED", "CANDIDATE", "FALSE POSITIVE")
DISPOSITION_COLUMNS = ("disposition_confirmed", "disposition_candidate", "disposition_false_positive")
LAYOUTS = ("full", "basic")
"""Whether a signal carries pipeline diagnostics (full) or not (basic); each has its own calibration."""

REASONS = 5
CAUTIOUS = (0.02, 0.98)
"""Verdict thresholds for a mission that the vetter has no resolved signals of: nearly everything stays a candidate."""

REASON = pl.Struct({"feature": pl.String, "value": pl.Float64, "contribution": pl.Float64})
_SCORE: dict[str, pl.DataType | type[pl.DataType]] = {
    "signal_id": pl.String,
    "probability_planet": pl.Float64,
    **dict.fromkeys(DISPOSITION_COLUMNS, pl.Float64),
    "verdict": pl.String,
    "reasons": pl.List(REASON),
}
SCORE_SCHEMA = pl.Schema(_SCORE)
_FILE = "vetter.json"


@dataclass(frozen=True)
class Expert:
    """What judges the signals of one mission: LightGBM models (text), bagged, and what turns them into a verdict.

    `planet` is the head planet against false positive, `archive` the three dispositions. `calibration` of the first is
    by layout, `temperature` is of the second; `low` and `high` are the probabilities of a planet at and below (above)
    which the verdict is false positive (planet).
    """

    planet: tuple[str, ...]
    archive: tuple[str, ...]
    calibration: Mapping[str, Calibrator]
    temperature: float
    low: float
    high: float
    other_missions: float = 0.0


@dataclass(frozen=True)
class Vetter:
    """A trained vetter; scoring is done in one thread.

    `experts` is by mission; a mission without one is judged by `fallback`'s, with verdicts far more reserved.
    """

    transformer: SignalTransformer
    experts: Mapping[str, Expert]
    fallback: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def verdict_thresholds(self) -> dict[str, dict[str, float]]:
        """By mission learned from: the probability of a planet at and above which the verdict is planet, at and below
        which it is false positive; between them it is candidate."""
        return {m: {"planet_from": e.high, "false_positive_to": e.low} for m, e in sorted(self.experts.items())}

    def unfamiliar(self, mission: str) -> str | None:
        """What a user should know of verdicts on a mission that nothing was learned from; None for the others."""
        if mission in self.experts:
            return None
        return f"no resolved {mission} signals were learned from: judged as {self.fallback}, verdicts are reserved"

    # -- scoring -------------------------------------------------------------------------------------------------

    def score(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """One row per signal, in order: probabilities, verdict, the strongest reasons (see SCORE_SCHEMA).

        `signals` are rows with any of the columns of `core_signals`, `mission` among them; absent columns count as
        unknown, labels and identity are never read. Signals of one star must come together, or be counted in
        `star_counts` [mission_star_id, n_signals]. ValueError on an unknown mission.
        """
        return self.score_features(self.features(signals, star_counts))

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """Features of `signals` as the vetter sees them; rows can be scored apart from each other afterwards."""
        features = self.transformer.features(signals, star_counts)
        full = has_block(signals).alias("full")
        return features.with_columns(pl.when(full).then(pl.lit("full")).otherwise(pl.lit("basic")).alias("layout"))

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        """`score` from what `features` returned."""
        if features.height == 0:
            return pl.DataFrame(schema=SCORE_SCHEMA)
        x = self.transformer.matrix(features)
        missions = features["mission"].cast(pl.String).to_numpy()
        layouts = features["layout"].to_numpy()
        contributions = self._contributions(x, missions)
        raw = contributions.sum(axis=1)
        probability, verdict = np.empty(len(x)), np.empty(len(x), dtype=object)
        archive = np.empty((len(x), len(CLASSES)))
        for mission, rows in _by_mission(missions):
            expert = self.experts.get(mission, self.experts[self.fallback])
            low, high = (expert.low, expert.high) if mission in self.experts else CAUTIOUS
            for layout in LAYOUTS:
                here = rows[layouts[rows] == layout]
                probability[here] = expert.calibration[layout](raw[here])
            p = probability[rows]
            verdict[rows] = np.where(p >= high, VERDICTS[0], np.where(p <= low, VERDICTS[2], VERDICTS[1]))
            archive[rows] = softmax(self._heads(mission).archive.raw(x[rows]) / expert.temperature)
        return pl.DataFrame(
            {
                "signal_id": features["signal_id"],
                "probability_planet": probability,
                **{name: archive[:, i] for i, name in enumerate(DISPOSITION_COLUMNS)},
                "verdict": pl.Series(verdict.tolist(), dtype=pl.String),
                "reasons": _reasons(x, contributions),
            },
            schema=SCORE_SCHEMA,
        )

    def contributions(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> Matrix:
        """SHAP values (log-odds before calibration) per signal and feature, the expected value last; rows sum to the
        raw score. They equal LightGBM's `pred_contrib` and shap's tree explainer, averaged over the bags."""
        features = self.features(signals, star_counts)
        return self._contributions(self.transformer.matrix(features), features["mission"].cast(pl.String).to_numpy())

    def raw_score(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> np.ndarray:
        """Log-odds before calibration, averaged over the bags."""
        features = self.features(signals, star_counts)
        x, missions = self.transformer.matrix(features), features["mission"].cast(pl.String).to_numpy()
        out = np.empty(len(x))
        for mission, rows in _by_mission(missions):
            out[rows] = self._heads(mission).planet.raw(x[rows])[:, 0]
        return out

    def _contributions(self, x: Matrix, missions: np.ndarray) -> Matrix:
        out = np.empty((len(x), len(FEATURE_NAMES) + 1))
        for mission, rows in _by_mission(missions):
            out[rows] = self._heads(mission).planet.contributions(x[rows])
        return out

    def _heads(self, mission: str) -> _Heads:
        return self._loaded[mission if mission in self.experts else self.fallback]

    @cached_property
    def _loaded(self) -> dict[str, _Heads]:
        return {m: _Heads(Forest(e.planet), Forest(e.archive)) for m, e in self.experts.items()}

    # -- files ---------------------------------------------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the vetter's files: the same data, code and seed give the same digest."""
        return digest_of({name: text.encode() for name, text in self._files().items()})

    @property
    def version(self) -> str:
        """The first twelve characters of the digest."""
        return self.digest[:12]

    def save(self, folder: Path) -> None:
        """Write the vetter's files (LightGBM text and JSON) into `folder`, which is made."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self._files().items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: Path) -> Vetter:
        """The vetter in `folder`; FileNotFoundError naming the file that is missing."""
        folder = Path(folder)
        if not (folder / _FILE).is_file():
            raise FileNotFoundError(f"there is no vetter in {folder}: {_FILE} is missing")
        stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))

        def models(names: Sequence[str]) -> tuple[str, ...]:
            return tuple((folder / n).read_text(encoding="utf-8") for n in names)

        experts = {
            mission: Expert(
                planet=models(e["planet"]),
                archive=models(e["archive"]),
                calibration={k: Calibrator.from_dict(c) for k, c in e["calibration"].items()},
                temperature=e["temperature"],
                low=e["low"],
                high=e["high"],
                other_missions=e["other_missions"],
            )
            for mission, e in stored["experts"].items()
        }
        return cls(
            SignalTransformer.from_json(json.dumps(stored["transformer"])),
            experts,
            stored["fallback"],
            stored["facts"],
        )

    def _files(self) -> dict[str, str]:
        files: dict[str, str] = {}

        def add(stem: str, texts: Sequence[str]) -> list[str]:
            names = [f"{stem}_{i}.txt" for i in range(len(texts))]
            files.update(zip(names, texts, strict=True))
            return names

        experts = {
            mission: {
                "planet": add(f"planet_{mission}", e.planet),
                "archive": add(f"archive_{mission}", e.archive),
                "calibration": {k: c.to_dict() for k, c in e.calibration.items()},
                "temperature": e.temperature,
                "low": e.low,
                "high": e.high,
                "other_missions": e.other_missions,
            }
            for mission, e in self.experts.items()
        }
        content = {
            "transformer": json.loads(self.transformer.to_json()),
            "experts": experts,
            "fallback": self.fallback,
            "facts": dict(self.facts),
        }
        files[_FILE] = json.dumps(content, sort_keys=True, indent=1, allow_nan=False)
        return files


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def digest_of_folder(folder: Path) -> str:
    """`Vetter.digest` of the files in `folder`, without loading a model."""
    return digest_of({p.name: p.read_bytes() for p in sorted(Path(folder).iterdir()) if p.suffix in (".txt", ".json")})


class _Heads(NamedTuple):
    planet: Forest
    archive: Forest


def _by_mission(missions: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(str(m), np.flatnonzero(missions == m)) for m in np.unique(missions)]


def _reasons(x: Matrix, contributions: Matrix) -> pl.Series:
    """The strongest features per row. The mission is left out: it is where a signal was seen, nothing about it."""
    strength = np.abs(contributions[:, :-1])
    strength[:, FEATURE_NAMES.index("mission")] = -1.0
    top = np.argsort(-strength, axis=1, kind="stable")[:, :REASONS]
    rows = np.arange(len(x))[:, None]
    flat = pl.DataFrame(
        {
            "feature": pl.Series(np.array(FEATURE_NAMES, dtype=object)[top].ravel().tolist(), dtype=pl.String),
            "value": pl.Series(x[rows, top].ravel(), dtype=pl.Float64).fill_nan(None),
            "contribution": contributions[rows, top].ravel(),
        }
    )
    return flat.to_struct("reasons").reshape((len(x), REASONS)).arr.to_list()
