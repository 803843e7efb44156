"""The vetter behind MLflow's generic interface: `mlflow.pyfunc.load_model("models:/exo-vetter@champion").predict(df)`.

Belongs here: the loader that MLflow calls by this module's name. Does not belong here: MLflow itself; the model stays
plain files, nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.training.vetter import REASON, Vetter


class VetterModel:
    """Pandas in, pandas out: columns of `core_signals` to the columns of `Vetter.score`, reasons as JSON text."""

    def __init__(self, vetter: Vetter) -> None:
        self.vetter = vetter

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Scores of `data`, one row each, in order. There are no `params`."""
        if params:
            raise ValueError(f"the vetter takes no parameters, got {sorted(params)}")
        scores = self.vetter.score(pl.from_pandas(data))
        text = pl.col("reasons").map_elements(as_json, return_dtype=pl.String)
        return scores.with_columns(text).to_pandas()


def as_json(reasons: pl.Series) -> str:
    """Reasons (a list of structs) as JSON text."""
    return pl.Series(reasons, dtype=REASON).struct.unnest().write_json()


def _load_pyfunc(path: str) -> VetterModel:
    """What MLflow calls with the folder of the model's files."""
    return VetterModel(Vetter.load(Path(path)))
