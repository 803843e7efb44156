"""Assets of threshold-crossing events: the table, the vetter's predictions and figures, the scores.

Belongs here: which tables and resources each takes, where fits are computed (Ray), and where the model is kept (the
lake). Does not belong here: the recipe (training.py) or the figures (report.py).

Where no source has the archive's table, every table here is empty and its notes say why.
"""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.events.contracts import CORE_EVENTS, ML_EVENT_METRICS, ML_EVENT_PREDICTIONS, OUT_EVENT_SCORES
from exo_assets.events.core import ABSENT
from exo_assets.table_asset import Table, table_asset

GROUP = "events"
ROOT = "events/vetter"
PUBLISHED_KEY = ROOT + "/{digest}/published_folds.parquet"


def _salt(resources: Any) -> str:
    return f"{resources.settings.profile}:{resources.settings.seed}"


@table_asset(
    CORE_EVENTS,
    group=GROUP,
)
def core_events(
    raw_nea__q1_q17_dr25_tce: pl.DataFrame,
    raw_nea__q1_q17_dr25_koi: pl.DataFrame,
    raw_nea__cumulative: pl.DataFrame,
) -> Table:
    """Harmonised events with their labels."""
    from exo_assets.events.core import core_events as harmonised

    frame, notes = harmonised(raw_nea__q1_q17_dr25_tce, raw_nea__q1_q17_dr25_koi, raw_nea__cumulative)
    return Table(frame, notes=notes)


@table_asset(
    ML_EVENT_PREDICTIONS,
    group=GROUP,
    kinds=("ray", "lightgbm", "parquet"),
    salt=_salt,
)
def ml_event_predictions(core_events: pl.DataFrame, *, ray_runtime: Any, settings: Any, lake: Any) -> Table:
    """Train the event vetter, keep it in the lake by its digest, and judge every labelled event by models that never
    saw its star."""
    from exo_assets.events.features import build_features
    from exo_assets.events.settings import event_settings
    from exo_assets.events.training import divided, learnable, scarce, train_events

    plan = event_settings(settings.profile, settings.seed)
    reason = ABSENT if core_events.is_empty() else scarce(divided(learnable(core_events), plan.folds), plan)
    if reason:
        return Table(ML_EVENT_PREDICTIONS.empty(), notes={"why_empty": reason})
    trained = train_events(core_events, build_features(core_events), plan, ray_runtime.map)
    digest = trained.vetter.digest
    for name, data in trained.vetter.files.items():
        lake.put(f"{ROOT}/{digest}/{name}", data)
    out = io.BytesIO()
    trained.published.write_parquet(out)
    lake.put(PUBLISHED_KEY.format(digest=digest), out.getvalue())
    for key in lake.keys(ROOT):
        if not key.startswith(f"{ROOT}/{digest}/"):
            lake.delete(key)
    counts = trained.predictions.group_by("split").len().sort("split")
    return Table(
        trained.predictions, notes={"model": digest, "events": dict(counts.iter_rows()), **trained.vetter.facts}
    )


@table_asset(
    ML_EVENT_METRICS,
    group=GROUP,
    salt=_salt,
)
def ml_event_metrics(ml_event_predictions: pl.DataFrame, *, settings: Any, lake: Any) -> Table:
    """Every figure with its interval, beside the plain model and what was published."""
    from exo_assets.evaluation.interval_plots import event_recall
    from exo_assets.evaluation.threads import in_threads
    from exo_assets.events.report import PUBLISHED, headline, metrics_table
    from exo_assets.pictures import image

    if ml_event_predictions.is_empty():
        return Table(ML_EVENT_METRICS.empty(), notes={"why_empty": "no event was judged; see ml_event_predictions"})
    stored = lake.get(PUBLISHED_KEY.format(digest=ml_event_predictions["model_digest"][0]))
    published = pl.read_parquet(io.BytesIO(stored))
    frame = metrics_table(ml_event_predictions, published, seed=settings.seed, map_=in_threads)
    drawn = event_recall(frame, tuple(PUBLISHED.values()))
    shown = {"recall at 99 % precision": dg.MetadataValue.md(image(drawn, "recall"))} if drawn else {}
    return Table(frame, metadata=shown, notes=headline(frame))


@table_asset(OUT_EVENT_SCORES, group=GROUP)
def out_event_scores(core_events: pl.DataFrame, ml_event_predictions: pl.DataFrame, *, lake: Any) -> Table:
    """Judge every event, labelled or not, with the vetter."""
    from exo_assets.events.features import build_features
    from exo_assets.events.scores import event_scores
    from exo_assets.events.vetter import EventVetter

    if ml_event_predictions.is_empty():
        return Table(
            OUT_EVENT_SCORES.empty(), notes={"why_empty": "there is no event vetter; see ml_event_predictions"}
        )
    digest = ml_event_predictions["model_digest"][0]
    vetter = EventVetter.of_files(partial(_stored, lake, digest))
    return Table(event_scores(vetter, core_events, build_features(core_events), ml_event_predictions))


def _stored(lake: Any, digest: str, name: str) -> bytes:
    data: bytes = lake.get(f"{ROOT}/{digest}/{name}")
    return data


ASSETS: list[dg.AssetsDefinition] = [core_events, ml_event_predictions, ml_event_metrics, out_event_scores]
