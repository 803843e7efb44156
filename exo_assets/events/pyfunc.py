"""The event vetter behind MLflow's generic interface:
`mlflow.pyfunc.load_model("models:/exo-event-vetter@champion").predict(df)`.

Belongs here: the loader that MLflow calls by this module's name. Does not belong here: MLflow itself; the model stays
plain files, nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.events.vetter import EventVetter
from exo_assets.training.pyfunc import as_json


class EventVetterModel:
    """Pandas in, pandas out: columns of `core_events` to those of `EventVetter.judge`, reasons as JSON text."""

    def __init__(self, vetter: EventVetter) -> None:
        self.vetter = vetter

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Judgements of `data`, one row each, in order. There are no `params`."""
        if params:
            raise ValueError(f"the event vetter takes no parameters, got {sorted(params)}")
        judged = self.vetter.judge(pl.from_pandas(data))
        return judged.with_columns(pl.col("reasons").map_elements(as_json, return_dtype=pl.String)).to_pandas()


def _load_pyfunc(path: str) -> EventVetterModel:
    """What MLflow calls with the folder of the model's files."""
    return EventVetterModel(EventVetter.load(Path(path)))
