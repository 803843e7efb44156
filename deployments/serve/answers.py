"""What the endpoint answers: replies to requests of single signals and of tables.

Belongs here: a request's values to a reply's. Does not belong here: HTTP (app.py), scoring (exo_assets.scoring).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from deployments.serve.model import Loaded
from exo_assets.features.registry import FEATURES
from exo_assets.scoring.batch import FAILURE, score_resilient
from exo_assets.scoring.files import score_file_frame
from exo_assets.scoring.read_file import CatalogueFileError, read_catalogue_bytes
from exo_assets.scoring.score import MEASURED, prepare

LARGEST_TABLE_UNPACKED = 256_000_000
USED = tuple(name for name in MEASURED if any(name in feature.inputs for feature in FEATURES))
"""Columns that any feature is computed from: what a reply may call missing."""


def judge_requests(signals: list[dict[str, Any]], loaded: Loaded) -> list[dict[str, Any]]:
    """A reply for each signal of valid requests; they are judged together and know nothing of one another."""
    frame = pl.DataFrame(
        {
            "mission": [s["mission"] for s in signals],
            "mission_star_id": [str(i) for i in range(len(signals))],
            **{n: pl.Series([s[n] for s in signals], dtype=pl.Float64) for n in MEASURED},
        }
    )
    counts = pl.DataFrame(
        {"mission_star_id": frame["mission_star_id"], "n_signals": [s["n_signals_on_star"] or 1 for s in signals]}
    )
    prepared = prepare(frame, loaded.vetter, counts, checked=True)
    results = score_resilient(prepared.features, loaded.vetter)
    return [_reply(s, row, loaded) for s, row in zip(signals, results.iter_rows(named=True), strict=True)]


def _reply(signal: dict[str, Any], row: dict[str, Any], loaded: Loaded) -> dict[str, Any]:
    model = {"model_version": loaded.vetter.version, "model": loaded.pin.ref.as_row()}
    if row[FAILURE] is not None:
        return {"error": "the model failed on this signal", "reason": row[FAILURE], **model}
    return {
        "signal_id": signal["signal_id"],
        "probability_planet": row["probability_planet"],
        "disposition_confirmed": row["disposition_confirmed"],
        "disposition_candidate": row["disposition_candidate"],
        "disposition_false_positive": row["disposition_false_positive"],
        "verdict": row["verdict"],
        "prediction_set": row["prediction_set"],
        "reasons": row["reasons"],
        "missing": [name for name in USED if signal[name] is None],
        "caution": loaded.vetter.unfamiliar(signal["mission"]),
        **model,
    }


def judge_table(data: bytes, name: str, loaded: Loaded) -> bytes:
    """CSV bytes in, CSV bytes out. CatalogueFileError when they are no catalogue."""
    raw = read_catalogue_bytes(data, name, largest=LARGEST_TABLE_UNPACKED)
    try:
        scored = score_file_frame(raw, loaded.vetter)
    except ValueError as error:
        raise CatalogueFileError(f"{name}: {error}") from error
    return scored.write_csv().encode()
