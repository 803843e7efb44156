"""What the endpoint answers: replies to requests of single signals and of tables.

Belongs here: a request's values to a reply's. Does not belong here: HTTP (app.py), scoring (exo_assets.scoring).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from deployments.serve.events import present
from deployments.serve.model import Loaded
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.registry import FEATURES
from exo_assets.features.seen_views import VIEWS, stated_views
from exo_assets.scoring.batch import FAILURE, LONGEST_REASON, score_resilient
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.contradictions import CONTRADICTION
from exo_assets.scoring.event_files import is_events
from exo_assets.scoring.files import score_file_frame
from exo_assets.scoring.measured import MEASURED
from exo_assets.scoring.read_file import CatalogueFileError, read_catalogue_bytes
from exo_assets.scoring.score import JOINED, STATED_COUNT, Prepared, prepare
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.view_reasons import ViewReasons

LARGEST_TABLE_UNPACKED = 256_000_000
USED = tuple(name for name in MEASURED if any(name in feature.inputs for feature in FEATURES))
"""Columns that any feature is computed from: what a reply may call missing."""


def judge_requests(signals: list[dict[str, Any]], loaded: Loaded) -> list[dict[str, Any]]:
    """A reply for each signal of valid requests; they are judged together and know nothing of one another."""
    return _judged(signals, prepared(signals, loaded), loaded)


def explain_request(signal: dict[str, Any], loaded: Loaded) -> tuple[dict[str, Any], ViewReasons | None]:
    """The reply to a valid request with views, and what they argued for; an error as `judge_requests` gives it, and
    None, when the model fails on it."""
    ready = prepared([signal], loaded)
    (reply,) = _judged([signal], ready, loaded)
    if "error" in reply:
        return reply, None
    try:
        (found,) = loaded.vetter.occlude_features(ready.features)
        if found is None:
            raise ValueError("the model does not see the views")
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}"[:LONGEST_REASON], loaded), None
    shown = {"log_odds_network": found.log_odds_network, "network_weight": found.network_weight, "note": found.note}
    return {**reply, **shown, "views": found.as_json()}, found


def prepared(signals: list[dict[str, Any]], loaded: Loaded) -> Prepared:
    """Valid requests made ready for the model, each as if it came alone."""
    frame = pl.DataFrame(
        {
            "mission": [s["mission"] for s in signals],
            **{n: pl.Series([s[n] for s in signals], dtype=pl.String) for n in ("signal_id", "mission_star_id")},
            STATED_COUNT: pl.Series([s[STATED_COUNT] for s in signals], dtype=pl.Int64),
            **{n: pl.Series([s[n] for s in signals], dtype=pl.Float64) for n in (*MEASURED, *CURVE_NAMES)},
        }
    )
    if any(s[VIEWS] is not None for s in signals):
        frame = frame.with_columns(pl.Series(VIEWS, [stated_views(s[VIEWS]) for s in signals], pl.List(pl.Float32)))
    return prepare(frame, loaded.vetter, known=loaded.known, checked=True, apart=True)


def _judged(signals: list[dict[str, Any]], ready: Prepared, loaded: Loaded) -> list[dict[str, Any]]:
    results = score_resilient(ready.features, loaded.vetter)
    said = ready.rows.hstack(ready.judged(results).select(JUDGEMENT)).hstack(results.select(FAILURE))
    rows = zip(signals, ready.features["layout"], said.iter_rows(named=True), strict=True)
    return [_reply(*row, loaded) for row in rows]


def _failed(reason: str, loaded: Loaded) -> dict[str, Any]:
    return {"error": "the model failed on this signal", "reason": reason, **_model(loaded)}


def _model(loaded: Loaded) -> dict[str, Any]:
    return {"model_version": loaded.vetter.version, "model": loaded.pin.ref.as_row()}


def _reply(signal: dict[str, Any], layout: str, row: dict[str, Any], loaded: Loaded) -> dict[str, Any]:
    if row[FAILURE] is not None:
        return _failed(row[FAILURE], loaded)
    seen = row.get(VIEWS) is not None
    unused = loaded.vetter.unused_views(signal["mission"], layout) if seen else "no views were given"
    return {
        "signal_id": signal["signal_id"],
        **{name: row[name] for name in JUDGEMENT},
        **{name: row[name] for name in JOINED},
        "missing": [name for name in USED if row[name] is None],
        "problems": "; ".join(filter(None, (row[CONTRADICTION], row["remark"]))) or None,
        "caution": loaded.vetter.unfamiliar(signal["mission"]),
        "views_used": unused is None,
        "views_unused_because": unused,
        **_model(loaded),
    }


def judge_table(data: bytes, name: str, loaded: Loaded) -> tuple[bytes, ModelRef]:
    """CSV bytes in, CSV bytes and the model that judged out. CatalogueFileError when they are no catalogue,
    RefusedError when they are events and there is no vetter of events."""
    raw = read_catalogue_bytes(data, name, largest=LARGEST_TABLE_UNPACKED)
    events = present(loaded.events) if is_events(raw.columns) else None
    try:
        scored = events.judge(raw) if events else score_file_frame(raw, loaded.vetter, loaded.known)
    except ValueError as error:
        raise CatalogueFileError(f"{name}: {error}") from error
    return scored.write_csv().encode(), (events or loaded).pin.ref
