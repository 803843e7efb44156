"""Scoring many signals in independent batches: what is sent out, what comes back, and what happens when one fails.

Belongs here: the batch as a value, the model as plain files, the search for the rows that the model fails on. Does not
belong here: where batches are computed (assets.py).
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from exo_assets.features.tabular import MISSION_TYPE
from exo_assets.scoring.contracts import JUDGEMENT, REASONS
from exo_assets.scoring.score import Scorer
from exo_assets.training.vetter import Vetter

LONGEST_REASON = 300
MOST_FAILURES = 50
"""Rows of one batch that may fail one by one before the rest of it is given up with the same reason."""

FAILURE = "reason"
_TYPES: dict[str, Any] = {"reasons": REASONS, "verdict": pl.String, "prediction_set": pl.String}
RESULT = pl.Schema(
    {
        "signal_id": pl.String,
        **{n: _TYPES.get(n, pl.Float64) for n in JUDGEMENT},
        FAILURE: pl.String,
    }
)
"""What comes back for each row: a judgement, or the reason why there is none."""


ModelFiles = tuple[tuple[str, bytes], ...]
"""Names and contents: a model that can be sent to a worker on any machine."""


def model_files(folder: Path) -> ModelFiles:
    """The files of the model in `folder`."""
    return tuple((path.name, path.read_bytes()) for path in sorted(folder.iterdir()) if path.is_file())


@lru_cache(maxsize=1)
def load_model(files: ModelFiles) -> Vetter:
    """The vetter that `model_files` read; a worker that is asked again has it still."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files:
            (Path(folder) / name).write_bytes(content)
        return Vetter.load(Path(folder))


def score_batch(batch: pa.Table, files: ModelFiles) -> pa.Table:
    """RESULT rows (arrow) of a `batch` of features (arrow), in order, by the model in `files`: a task of Ray Data."""
    return to_arrow(score_resilient(from_arrow(batch), load_model(files)))


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """`frame` with plain strings only: enumerations do not survive the journey in one type."""
    return frame.with_columns(pl.col(pl.Enum).cast(pl.String)).to_arrow(compat_level=pl.CompatLevel.oldest())


def from_arrow(table: pa.Table) -> pl.DataFrame:
    """The features that `to_arrow` packed."""
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.with_columns(pl.col("mission").cast(MISSION_TYPE)) if "mission" in frame.columns else frame


def score_resilient(features: pl.DataFrame, vetter: Scorer) -> pl.DataFrame:
    """RESULT of each row of `features`, in order. A row that the model fails on is found by halving, and gets the
    reason instead of a judgement; the others are scored as if it were not there."""
    done: list[pl.DataFrame] = []
    waiting = [features] if features.height else []
    failed = 0
    while waiting:
        part = waiting.pop()
        reason: str | None = None
        if failed >= MOST_FAILURES:
            reason = f"given up after {failed} failures in the batch"
        else:
            try:
                done.append(_checked(vetter.score_features(part)))
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        if reason is None:
            continue
        if part.height == 1 or failed >= MOST_FAILURES:
            done.append(_lost(part, reason))
            failed += part.height
        else:
            middle = part.height // 2
            waiting += [part[middle:], part[:middle]]
    return pl.concat(done) if done else pl.DataFrame(schema=RESULT)


def _checked(scores: pl.DataFrame) -> pl.DataFrame:
    """Scores in the schema of RESULT; a probability that is none becomes a failure of its row."""
    numbers = [name for name in JUDGEMENT if RESULT[name] == pl.Float64]
    sound = pl.all_horizontal(pl.col(name).is_between(0, 1).fill_null(False) for name in numbers)
    frame = scores.select("signal_id", *JUDGEMENT).cast({name: RESULT[name] for name in JUDGEMENT})
    return frame.with_columns(
        pl.when(~sound).then(pl.lit("the model's answer is not a probability")).alias(FAILURE)
    ).with_columns(pl.when(sound).then(pl.col(name)).alias(name) for name in JUDGEMENT)


def _lost(part: pl.DataFrame, reason: str) -> pl.DataFrame:
    nothing: dict[str, Any] = {name: pl.lit(None, RESULT[name]) for name in JUDGEMENT}
    return part.select("signal_id").with_columns(**nothing, **{FAILURE: pl.lit(reason)})
