"""Assets of threshold-crossing events: the table, a vetter of their own with its gates, the scores.

Belongs here: which tables and resources each takes, where fits are computed (Ray), and where the model is kept (the
registry). Does not belong here: the recipe (training.py), the figures (report.py) or the gates (gates.py).

Where no source has the archive's table, every table here is empty and its notes say why.
"""

from __future__ import annotations

import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.evaluation import champion as rules
from exo_assets.events.contracts import (
    CORE_EVENTS,
    ML_EVENT_CANDIDATE,
    ML_EVENT_CHAMPION,
    ML_EVENT_GATES,
    ML_EVENT_METRICS,
    ML_EVENT_PREDICTIONS,
    OUT_EVENT_SCORES,
)
from exo_assets.events.core import ABSENT
from exo_assets.gate_checks import refusal_fails_run
from exo_assets.table_asset import Table, table_asset
from exo_assets.training.model_ref import ModelRef

GROUP = "events"
ROOT = "events/training"
PREDICTIONS_KEY, PUBLISHED_KEY = ROOT + "/{digest}/predictions.parquet", ROOT + "/{digest}/published_folds.parquet"
NO_CANDIDATE = "there is no event vetter; see ml_event_candidate"


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
    ML_EVENT_CANDIDATE,
    group=GROUP,
    kinds=("ray", "lightgbm", "mlflow", "parquet"),
    salt=_salt,
)
def ml_event_candidate(
    core_events: pl.DataFrame, *, ray_runtime: Any, settings: Any, lake: Any, event_registry: Any
) -> Table:
    """Train the event vetter and register it; its predictions of stars that it never saw stay in the lake."""
    from exo_assets.events.features import build_features
    from exo_assets.events.settings import event_settings
    from exo_assets.events.training import divided, learnable, scarce, train_events

    plan = event_settings(settings.profile, settings.seed)
    rows = divided(learnable(core_events), plan.folds)
    reason = ABSENT if core_events.is_empty() else scarce(rows, plan)
    if reason:
        return Table(ML_EVENT_CANDIDATE.empty(), notes={"why_empty": reason})
    trained = train_events(core_events, build_features(core_events), plan, ray_runtime.map)
    ref = _registered(trained.vetter, event_registry)
    _keep(lake, ref.digest, trained.predictions, trained.published)
    learned = rows.filter(split="train")
    row = {
        **ref.as_row(),
        "trained_at": datetime.fromtimestamp(event_registry.logged_at(ref) / 1000, UTC).isoformat(timespec="seconds"),
        "profile": settings.profile,
        "seed": plan.seed,
        "n_events": learned.height,
        "n_stars": learned["star_id"].n_unique(),
    }
    return Table(ML_EVENT_CANDIDATE.conform(pl.DataFrame([row])), metadata={"model": str(ref)})


def _registered(vetter: Any, registry: Any) -> ModelRef:
    with tempfile.TemporaryDirectory() as folder:
        vetter.save(Path(folder) / "vetter")
        ref: ModelRef = registry.log_candidate(
            Path(folder) / "vetter", vetter.digest, params=dict(vetter.facts), metrics={}, tags={}, plots={}
        )
    return ref


def _keep(lake: Any, digest: str, predictions: pl.DataFrame, published: pl.DataFrame) -> None:
    """Put what the training found into the lake, in place of what earlier ones found."""
    for key, frame in ((PREDICTIONS_KEY, predictions), (PUBLISHED_KEY, published)):
        out = io.BytesIO()
        frame.write_parquet(out)
        lake.put(key.format(digest=digest), out.getvalue())
    for key in lake.keys(ROOT):
        if not key.startswith(f"{ROOT}/{digest}/"):
            lake.delete(key)


def _kept(lake: Any, key: str, digest: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(lake.get(key.format(digest=digest))))


@table_asset(ML_EVENT_PREDICTIONS, group=GROUP)
def ml_event_predictions(ml_event_candidate: pl.DataFrame, lake: Any) -> Table:
    """Every labelled event judged by models that never saw its star, as the candidate's training left them."""
    if ml_event_candidate.is_empty():
        return Table(ML_EVENT_PREDICTIONS.empty(), notes={"why_empty": NO_CANDIDATE})
    frame = ML_EVENT_PREDICTIONS.conform(_kept(lake, PREDICTIONS_KEY, ml_event_candidate["digest"][0]))
    return Table(frame, notes={"events": dict(frame.group_by("split").len().sort("split").iter_rows())})


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
    published = _kept(lake, PUBLISHED_KEY, ml_event_predictions["model_digest"][0])
    frame = metrics_table(ml_event_predictions, published, seed=settings.seed, map_=in_threads)
    drawn = event_recall(frame, tuple(PUBLISHED.values()))
    shown = {"recall at 99 % precision": dg.MetadataValue.md(image(drawn, "recall"))} if drawn else {}
    return Table(frame, metadata=shown, notes=headline(frame))


def _rival(resources: Any) -> str:
    """The models that the candidate is compared with: the gates are judged again when they are others."""
    table = resources.lake.version(ML_EVENT_CANDIDATE.name)
    if table is None or table.rows == 0:
        return "no candidate"
    candidate = ModelRef.from_row(resources.lake.read(ML_EVENT_CANDIDATE.name).row(0, named=True))
    rival = rules.reference(resources.event_registry, resources.lake, candidate)
    best = rules.best_before(resources.lake, candidate, rival)
    return f"{_salt(resources)} {rival.digest if rival else 'none'} {best.digest if best else 'none'}"


@table_asset(ML_EVENT_GATES, group=GROUP, salt=_rival)
def ml_event_gates(
    ml_event_candidate: pl.DataFrame,
    ml_event_predictions: pl.DataFrame,
    ml_event_metrics: pl.DataFrame,
    core_events: pl.DataFrame,
    *,
    event_registry: Any,
    lake: Any,
    settings: Any,
) -> Table:
    """One row per gate, for exactly this candidate; the blocking checks and the champion read it."""
    from exo_assets.evaluation.gates import judge
    from exo_assets.events.gates import EVENT_GATES, EventExhibits, find
    from exo_assets.events.settings import event_settings

    if ml_event_candidate.is_empty():
        return Table(ML_EVENT_GATES.empty(), notes={"why_empty": NO_CANDIDATE})
    candidate = ModelRef.from_row(ml_event_candidate.row(0, named=True))
    rival = rules.reference(event_registry, lake, candidate)
    best = rules.best_before(lake, candidate, rival)
    exhibits = EventExhibits(
        candidate=candidate,
        vetter=_load(event_registry, candidate),
        events=core_events,
        predictions=ml_event_predictions,
        metrics=ml_event_metrics,
        rival=_load(event_registry, rival) if rival else None,
        best=_load(event_registry, best) if best else None,
    )
    found = find(exhibits, event_settings(settings.profile, settings.seed))
    frame = judge(candidate, rival, found, gates=EVENT_GATES, contract=ML_EVENT_GATES)
    compared = {"compared with": str(rival), "best before": str(best)}
    return Table(frame, notes={**compared, "failed": frame.filter(status="failed")["gate"].to_list()})


def _moved(resources: Any) -> str:
    return rules.moved(resources.event_registry, resources.lake.stored(ML_EVENT_CHAMPION.name))


@table_asset(
    ML_EVENT_CHAMPION,
    group=GROUP,
    salt=_moved,
)
def ml_event_champion(
    context: dg.AssetExecutionContext,
    *,
    ml_event_candidate: pl.DataFrame,
    ml_event_gates: pl.DataFrame,
    ml_event_metrics: pl.DataFrame,
    event_registry: Any,
    lake: Any,
) -> Table:
    """Moves the registry's aliases if the gates in the lake let exactly this candidate pass, whoever asks."""
    from exo_assets.events.gates import EVENT_GATES
    from exo_assets.events.report import headline

    before = lake.stored(ML_EVENT_CHAMPION.name)
    if ml_event_candidate.is_empty():
        champion = event_registry.champion()
        frame = rules.champion_table(
            champion, event_registry.previous(), champion, None, before, contract=ML_EVENT_CHAMPION
        )
        return Table(frame, notes={"why_empty" if champion is None else "no_candidate": NO_CANDIDATE})
    candidate = ModelRef.from_row(ml_event_candidate.row(0, named=True))
    figure = headline(ml_event_metrics).get("event_vetter_average_precision")
    with refusal_fails_run():
        champion, refused = rules.crown(
            event_registry,
            lake,
            candidate,
            ml_event_gates,
            figure=figure,
            demands=EVENT_GATES,
            table=ML_EVENT_GATES.name,
        )
    if refused:
        context.log.warning("%s is not promoted: %s", candidate, refused)
    frame = rules.champion_table(
        champion, event_registry.previous(), candidate, refused, before, contract=ML_EVENT_CHAMPION
    )
    return Table(frame, notes={"champion": str(champion), "refused": refused})


@table_asset(OUT_EVENT_SCORES, group=GROUP)
def out_event_scores(core_events: pl.DataFrame, ml_event_champion: pl.DataFrame, *, event_registry: Any) -> Table:
    """Judge every event, labelled or not, with the champion."""
    from exo_assets.events.scores import event_scores

    if ml_event_champion.is_empty() or core_events.is_empty():
        return Table(OUT_EVENT_SCORES.empty(), notes={"why_empty": "there is no champion; see ml_event_champion"})
    champion = ModelRef.from_row(ml_event_champion.row(0, named=True))
    frame = event_scores(_load(event_registry, champion), champion.digest, core_events)
    return Table(frame, notes={"model": str(champion)})


def _load(registry: Any, ref: ModelRef) -> Any:
    from exo_assets.events.vetter import EventVetter

    return EventVetter.load(registry.fetch(ref))


ASSETS: list[dg.AssetsDefinition] = [
    core_events,
    ml_event_candidate,
    ml_event_predictions,
    ml_event_metrics,
    ml_event_gates,
    ml_event_champion,
    out_event_scores,
]
