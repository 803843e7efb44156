"""The vetter: from transit signals to calibrated probabilities, a verdict and reasons.

Belongs here: scoring, explaining, and the vetter's plain files. Does not belong here: how it is trained
(vetter_training.py) or where it is kept (the registry).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import VIEWS, VIEWS_WIDTH, Floats
from exo_assets.features.transformer import Matrix, SignalTransformer, has_block
from exo_assets.training.attribution import Windows
from exo_assets.training.blend import Blend
from exo_assets.training.calibration import Calibrator, softmax
from exo_assets.training.conformal import SETS, SetLimits
from exo_assets.training.forest import Forest
from exo_assets.training.network import Network
from exo_assets.training.view_reasons import NO_WEIGHT, ViewReasons, reach_durations

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
    "prediction_set": pl.String,
    "reasons": pl.List(REASON),
    "log_odds_features": pl.Float64,
    "log_odds_network": pl.Float64,
}
SCORE_SCHEMA = pl.Schema(_SCORE)
_FILE = "vetter.json"
_NETWORK = "network_"


@dataclass(frozen=True)
class Expert:
    """What judges the signals of one mission: LightGBM models (text), bagged, and what turns them into a verdict.

    `planet` is the head planet against false positive, `archive` the three dispositions. By layout, `blend` weighs the
    log-odds of these models and of the network, and `calibration` makes a probability of the sum; `archive_blend` does
    the same for the dispositions. `low` and `high` are the probabilities of a planet at and below (above) which the
    verdict is false positive (planet); `limits` those of the prediction sets.
    """

    planet: tuple[str, ...]
    archive: tuple[str, ...]
    blend: Mapping[str, Blend]
    calibration: Mapping[str, Calibrator]
    archive_blend: Blend
    low: float
    high: float
    limits: SetLimits
    other_missions: float = 0.0


@dataclass(frozen=True)
class Vetter:
    """A trained vetter; scoring is done in one thread.

    `experts` is by mission; a mission without one is judged by `fallback`'s, with verdicts far more reserved.
    `network` sees every mission's features and the views of those that have some; None when none was trained.
    """

    transformer: SignalTransformer
    experts: Mapping[str, Expert]
    fallback: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    network: Network | None = None

    def verdict_thresholds(self) -> dict[str, dict[str, float]]:
        """By mission learned from: the probability of a planet at and above which the verdict is planet, at and below
        which it is false positive; between them it is candidate."""
        return {m: {"planet_from": e.high, "false_positive_to": e.low} for m, e in sorted(self.experts.items())}

    def unfamiliar(self, mission: str) -> str | None:
        """What a user should know of verdicts on a mission that nothing was learned from; None for the others."""
        if mission in self.experts:
            return None
        return f"no resolved {mission} signals were learned from: judged as {self.fallback}, verdicts are reserved"

    @property
    def contributing(self) -> tuple[str, ...]:
        """What contributions are told of: the features, and the views of each branch of the network."""
        branches = self.network.settings.branches if self.network else ()
        return (*FEATURE_NAMES, *(f"{branch}_view" for branch in branches))

    # -- scoring -------------------------------------------------------------------------------------------------

    def score(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """One row per signal, in order: probabilities, verdict, the strongest reasons (see SCORE_SCHEMA).

        `signals` are rows with any of the columns of `core_signals`, `mission` among them; absent columns count as
        unknown, labels and identity are never read. Signals of one star must come together, or be counted in
        `star_counts` [mission_star_id, n_signals]. ValueError on an unknown mission.
        """
        return self.score_features(self.features(signals, star_counts))

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """Features of `signals` as the vetter sees them, and their views; rows can be scored apart from each other
        afterwards."""
        features = self.transformer.features(signals, star_counts)
        full = has_block(signals).alias("full")
        features = features.with_columns(pl.when(full).then(pl.lit("full")).otherwise(pl.lit("basic")).alias("layout"))
        if self.network is None or VIEWS not in signals.columns:
            return features
        seen = pl.col("mission").cast(pl.String).is_in(self.transformer.curves_of)
        return features.with_columns(signals[VIEWS]).with_columns(pl.when(seen).then(pl.col(VIEWS)))

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        """`score` from what `features` returned."""
        if features.height == 0:
            return pl.DataFrame(schema=SCORE_SCHEMA)
        seen = self._seen(features)
        forest = self._by_features(seen)
        logits, network = self.network.explained(seen.x, seen.views, seen.where) if self.network else (None, None)
        raw_forest = forest.sum(axis=1)
        raw_network = logits[:, 0] - logits[:, 2] if logits is not None else None
        probability, n = np.empty(len(seen.x)), len(seen.x)
        verdict, sets = np.empty(n, dtype=object), np.full(n, SETS[2], dtype=object)
        archive, weighed = np.empty((n, len(CLASSES))), np.empty_like(forest)
        for mission, layout, rows in seen.groups():
            expert = self._expert(mission)
            blend = expert.blend[layout]
            p = expert.calibration[layout](blend(raw_forest[rows], _at(raw_network, rows)))
            probability[rows] = p
            weighed[rows] = blend(forest[rows], _at(network, rows))
            low, high = (expert.low, expert.high) if mission in self.experts else CAUTIOUS
            verdict[rows] = np.where(p >= high, VERDICTS[0], np.where(p <= low, VERDICTS[2], VERDICTS[1]))
            if mission in self.experts:
                sets[rows] = expert.limits.sets(p)
            archive[rows] = softmax(
                expert.archive_blend(self._heads(mission).archive.raw(seen.x[rows]), _at(logits, rows))
            )
        return pl.DataFrame(
            {
                "signal_id": features["signal_id"],
                "probability_planet": probability,
                **{name: archive[:, i] for i, name in enumerate(DISPOSITION_COLUMNS)},
                "verdict": pl.Series(verdict.tolist(), dtype=pl.String),
                "prediction_set": pl.Series(sets.tolist(), dtype=pl.String),
                "reasons": _reasons(seen.x, weighed, self.contributing),
                "log_odds_features": raw_forest,
                "log_odds_network": raw_network,
            },
            schema=SCORE_SCHEMA,
        )

    def contributions(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> Matrix:
        """What each of `contributing` adds to the log-odds before calibration, per signal, and the expected value last;
        rows sum to `raw_score`.

        Of the features' models these are SHAP values, as LightGBM's `pred_contrib` and shap's tree explainer give them,
        averaged over the bags; of the network integrated gradients (network.py); both weighed as in the blend.
        """
        seen = self._seen(self.features(signals, star_counts))
        forest = self._by_features(seen)
        network = self.network.contributions(seen.x, seen.views, seen.where) if self.network else None
        out = np.empty_like(forest)
        for mission, layout, rows in seen.groups():
            out[rows] = self._expert(mission).blend[layout](forest[rows], _at(network, rows))
        return out

    def occlusions(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> list[ViewReasons | None]:
        """Of each signal which part of its light curve argued for a planet or against it; None where the vetter sees
        no views of it (`unseen_views` says why a whole mission has none). One signal costs some 460 evaluations."""
        return self.occlude_features(self.features(signals, star_counts))

    def occlude_features(self, features: pl.DataFrame) -> list[ViewReasons | None]:
        """`occlusions` from what `features` returned."""
        out: list[ViewReasons | None] = [None] * features.height
        if self.network is None or features.is_empty():
            return out
        seen = self._seen(features)
        odds = self.network.log_odds(seen.x[seen.where], seen.views, np.arange(len(seen.where)))
        duty = features["duty_cycle"].to_list()
        for number, row in enumerate(seen.where):
            weight = self._expert(str(seen.missions[row])).blend[seen.layouts[row]].network
            windows = Windows(reach_durations=reach_durations(duty[row]))
            views = seen.views[number]
            found = self.network.occlusion(seen.x[row], views, windows)
            out[row] = ViewReasons(float(odds[number]), weight, found, views)
        return out

    def unseen_views(self, mission: str) -> str | None:
        """Why no views of this mission's signals are seen; None when they are."""
        if self.network is None:
            return "the model has no network: it judges by features alone"
        if mission not in self.transformer.curves_of:
            return f"the model learned from too few light curves of {mission}: it does not see them"
        return None

    def unused_views(self, mission: str, layout: str) -> str | None:
        """Why views move nothing of the probability of this mission's signals in this layout; None when they do."""
        unseen = self.unseen_views(mission)
        return unseen or (None if self._expert(mission).blend[layout].network else NO_WEIGHT)

    def raw_score(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> np.ndarray:
        """Log-odds before calibration: the blend of the features' models and the network."""
        seen = self._seen(self.features(signals, star_counts))
        logits = self.network.logits(seen.x, seen.views, seen.where) if self.network else None
        odds = logits[:, 0] - logits[:, 2] if logits is not None else None
        out = np.empty(len(seen.x))
        for mission, layout, rows in seen.groups():
            forest = self._heads(mission).planet.raw(seen.x[rows])[:, 0]
            out[rows] = self._expert(mission).blend[layout](forest, _at(odds, rows))
        return out

    def network_gap(self, signals: pl.DataFrame) -> float | None:
        """Largest difference of a probability between the network's served files and its trained weights; None without
        a network."""
        if self.network is None:
            return None
        from exo_assets.training.network_check_torch import largest_gap

        seen = self._seen(self.features(signals))
        return largest_gap(self.network, seen.x, seen.views, seen.where)

    def _seen(self, features: pl.DataFrame) -> _Seen:
        known = features[VIEWS].is_not_null() if VIEWS in features.columns else None
        where = np.flatnonzero(known.to_numpy()) if known is not None else np.empty(0, dtype=np.int64)
        views = np.zeros((0, VIEWS_WIDTH), dtype=np.float32)
        if len(where):
            views = features[VIEWS].drop_nulls().explode().to_numpy().astype(np.float32).reshape(len(where), -1)
        return _Seen(
            self.transformer.matrix(features),
            features["mission"].cast(pl.String).to_numpy(),
            features["layout"].to_numpy(),
            where,
            views,
        )

    def _by_features(self, seen: _Seen) -> Matrix:
        """Contributions of the features' models, unweighted, in the columns of `contributing` and the expected."""
        forest = np.zeros((len(seen.x), len(self.contributing) + 1))
        n = len(FEATURE_NAMES)
        for mission in np.unique(seen.missions):
            rows = np.flatnonzero(seen.missions == mission)
            found = self._heads(str(mission)).planet.contributions(seen.x[rows])
            forest[rows, :n], forest[rows, -1] = found[:, :n], found[:, n]
        return forest

    def _expert(self, mission: str) -> Expert:
        return self.experts.get(mission, self.experts[self.fallback])

    def _heads(self, mission: str) -> _Heads:
        return self._loaded[mission if mission in self.experts else self.fallback]

    @cached_property
    def _loaded(self) -> dict[str, _Heads]:
        return {m: _Heads(Forest(e.planet), Forest(e.archive)) for m, e in self.experts.items()}

    # -- files ---------------------------------------------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the vetter's files: the same data, code and seed give the same digest."""
        return digest_of(self._files())

    @property
    def version(self) -> str:
        """The first twelve characters of the digest."""
        return self.digest[:12]

    def save(self, folder: Path) -> None:
        """Write the vetter's files (LightGBM text, ONNX and JSON) into `folder`, which is made."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Vetter:
        """The vetter in `folder`; FileNotFoundError naming the file that is missing, ValueError one
        that is damaged."""
        folder = Path(folder)
        if not (folder / _FILE).is_file():
            raise FileNotFoundError(f"there is no vetter in {folder}: {_FILE} is missing")
        try:
            stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{folder / _FILE} is damaged: {error}") from error

        def models(names: Sequence[str]) -> tuple[str, ...]:
            return tuple((folder / n).read_text(encoding="utf-8") for n in names)

        experts = {
            mission: Expert(
                planet=models(e["planet"]),
                archive=models(e["archive"]),
                blend={k: Blend(**b) for k, b in e["blend"].items()},
                calibration={k: Calibrator.from_dict(c) for k, c in e["calibration"].items()},
                archive_blend=Blend(**e["archive_blend"]),
                low=e["low"],
                high=e["high"],
                limits=SetLimits(**e["limits"]),
                other_missions=e["other_missions"],
            )
            for mission, e in stored["experts"].items()
        }
        network = {p.name.removeprefix(_NETWORK): p.read_bytes() for p in sorted(folder.glob(f"{_NETWORK}*"))}
        blends = [b for e in experts.values() for b in (*e.blend.values(), e.archive_blend)]
        if not network and any(b.network for b in blends):
            raise FileNotFoundError(f"the vetter in {folder} blends a network, but its files {_NETWORK}* are missing")
        return cls(
            SignalTransformer.from_json(json.dumps(stored["transformer"])),
            experts,
            stored["fallback"],
            stored["facts"],
            Network.from_files(network) if network else None,
        )

    def _files(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}

        def add(stem: str, texts: Sequence[str]) -> list[str]:
            names = [f"{stem}_{i}.txt" for i in range(len(texts))]
            files.update(zip(names, (text.encode() for text in texts), strict=True))
            return names

        experts = {
            mission: {
                "planet": add(f"planet_{mission}", e.planet),
                "archive": add(f"archive_{mission}", e.archive),
                "blend": {k: asdict(b) for k, b in e.blend.items()},
                "calibration": {k: c.to_dict() for k, c in e.calibration.items()},
                "archive_blend": asdict(e.archive_blend),
                "low": e.low,
                "high": e.high,
                "limits": asdict(e.limits),
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
        files[_FILE] = json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode()
        if self.network is not None:
            files |= {f"{_NETWORK}{name}": data for name, data in self.network.files().items()}
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
    return digest_of({p.name: p.read_bytes() for p in sorted(Path(folder).iterdir()) if p.is_file()})


class _Heads(NamedTuple):
    planet: Forest
    archive: Forest


@dataclass(frozen=True)
class _Seen:
    """Rows to be judged; `views` are those of the rows `where`."""

    x: Matrix
    missions: np.ndarray
    layouts: np.ndarray
    where: np.ndarray
    views: Floats

    def groups(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """Mission, layout and numbers of the rows that share them."""
        for mission in np.unique(self.missions):
            for layout in LAYOUTS:
                rows = np.flatnonzero((self.missions == mission) & (self.layouts == layout))
                if len(rows):
                    yield str(mission), layout, rows


def _at(values: Matrix | None, rows: np.ndarray) -> Matrix | None:
    return None if values is None else values[rows]


def _reasons(x: Matrix, contributions: Matrix, names: Sequence[str]) -> pl.Series:
    """What contributes most, per row; the value of views is null. The mission is left out: it is where a signal was
    seen, nothing about it."""
    strength = np.abs(contributions[:, :-1])
    strength[:, FEATURE_NAMES.index("mission")] = -1.0
    top = np.argsort(-strength, axis=1, kind="stable")[:, :REASONS]
    rows = np.arange(len(x))[:, None]
    values = np.hstack([x, np.full((len(x), len(names) - x.shape[1]), np.nan)])
    flat = pl.DataFrame(
        {
            "feature": pl.Series(np.array(names, dtype=object)[top].ravel().tolist(), dtype=pl.String),
            "value": pl.Series(values[rows, top].ravel(), dtype=pl.Float64).fill_nan(None),
            "contribution": contributions[rows, top].ravel(),
        }
    )
    return flat.to_struct("reasons").reshape((len(x), REASONS)).arr.to_list()
