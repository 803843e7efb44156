"""Evaluation as assets: predictions, figures, probes, gates, the champion.

Belongs here: what is read, which model is fetched, what is shown in the UI. Does not belong here: any figure or rule.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.present_names import by_present_name
from exo_assets.evaluation import champion as rules
from exo_assets.evaluation.contracts import (
    ML_CONTINUAL_LEARNING,
    ML_FORWARD_TEST,
    ML_LEAKAGE_PROBE,
    ML_PERFORMANCE_HISTORY,
    ML_VETTER_CHAMPION,
    ML_VETTER_GATES,
    ML_VETTER_METRICS,
    ML_VETTER_PARTS,
    ML_VETTER_PREDICTIONS,
)
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.gate_checks import refusal_fails_run
from exo_assets.table_asset import Table, table_asset
from exo_assets.training.contracts import OOF_KEY
from exo_assets.training.model_ref import ModelRef
from exo_resources.ray_train import NeuralTraining
from exo_resources.signal_views import SignalViews

if TYPE_CHECKING:
    from exo_assets.training.vetter import Vetter

GROUP = "evaluation"
_NAMES = CORE_DISPOSITION_HISTORY.name
"""The table that knows which name a signal has now."""


def _seed(resources: Any) -> str:
    return str(resources.settings.seed)


@table_asset(ML_VETTER_PREDICTIONS, group=GROUP)
def ml_vetter_predictions(
    *,
    ml_vetter_candidate: pl.DataFrame,
    ml_vetter_oof: pl.DataFrame,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    signal_views: SignalViews,
    registry: Any,
    lake: Any,
) -> Table:
    """The candidate on test stars, and the training stars out of fold."""
    from exo_assets.evaluation.predictions import predictions

    candidate = candidate_of(ml_vetter_candidate)
    signals = signal_views.beside(with_diagnostics(core_signals, feat_signal_diagnostics), feat_view_index)
    frame = predictions(candidate, _load(registry, candidate), signals, ml_vetter_oof)
    # Kept by digest: a later candidate is compared with these when this model can no longer be loaded.
    kept = io.BytesIO()
    frame.filter(split="test").write_parquet(kept)
    lake.put(_kept_key(candidate), kept.getvalue())
    counts = frame.filter(inputs="as_archived").group_by("split").len().sort("split")
    return Table(frame, notes={"candidate": str(candidate), "signals": dict(counts.iter_rows())})


@table_asset(
    ML_VETTER_METRICS,
    group=GROUP,
    salt=_seed,
)
def ml_vetter_metrics(
    *,
    ml_vetter_predictions: pl.DataFrame,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    signal_views: SignalViews,
    ml_vetter_candidate: pl.DataFrame,
    registry: Any,
    settings: Any,
) -> Table:
    """Every figure with its interval; the pictures and the headline figures are shown in the UI."""
    from exo_assets.evaluation import plots
    from exo_assets.evaluation.predictions import held_out
    from exo_assets.evaluation.report import headline, metrics_table
    from exo_assets.evaluation.threads import in_threads

    frame = metrics_table(ml_vetter_predictions, core_signals, seed=settings.seed, map_=in_threads)
    tested = ml_vetter_predictions.filter(split="test", inputs="as_archived")
    vetter = _load(registry, candidate_of(ml_vetter_candidate))
    signals = signal_views.beside(with_diagnostics(core_signals, feat_signal_diagnostics), feat_view_index)
    strength = vetter.contributions(held_out(signals).sort("signal_id").head(400))[:, :-1]
    pictures = {
        "precision, recall and ROC": plots.ranking(tested),
        "calibration": plots.calibration(tested),
        "dispositions": plots.confusion(tested),
        "what moves the score": plots.importance(strength, vetter.contributing),
    }
    return Table(frame, metadata=_shown(pictures), notes=headline(frame))


@table_asset(
    ML_VETTER_PARTS,
    group=GROUP,
    salt=_seed,
)
def ml_vetter_parts(ml_vetter_predictions: pl.DataFrame, core_signals: pl.DataFrame, settings: Any) -> Table:
    """Features, network and blend beside each other; without a network there is nothing to picture."""
    from exo_assets.evaluation import interval_plots
    from exo_assets.evaluation.parts import parts_table

    frame = parts_table(ml_vetter_predictions, core_signals, seed=settings.seed)
    told = frame.filter(split="test", population="overall", metric="average_precision")
    drawn = {
        "blend less its parts": interval_plots.differences(frame),
        "reliability by SNR and period": interval_plots.reliability_by_bin(frame),
    }
    pictures = {name: png for name, png in drawn.items() if png}
    notes = {f"average precision on test stars, {r['model']}": r["value"] for r in told.iter_rows(named=True)}
    return Table(frame, metadata=_shown(pictures), notes=notes)


@table_asset(
    ML_CONTINUAL_LEARNING,
    group=GROUP,
    kinds=("ray", "pytorch", "parquet"),
    salt=_seed,
)
def ml_continual_learning(
    context: dg.AssetExecutionContext,
    *,
    core_signals: pl.DataFrame,
    ml_training_set: pl.DataFrame,
    neural_training: NeuralTraining,
    settings: Any,
) -> Table:
    """TESS after Kepler in several ways; empty when one of them has too few resolved signals."""
    from exo_assets.evaluation import interval_plots
    from exo_assets.evaluation.continual import PAIR, continual_table, is_judged, teachable
    from exo_assets.evaluation.predictions import held_out
    from exo_assets.training.continual import compare_ways
    from exo_assets.training.neural_inputs import without_views
    from exo_assets.training.settings import TrainingSettings
    from exo_assets.training.vetter_training import prepare

    plan = TrainingSettings(seed=settings.seed)
    folds = ml_training_set.filter(split="train").select("signal_id", "fold")
    rows = core_signals.join(folds, on="signal_id", how="inner").filter(pl.col("mission").is_in(PAIR)).sort("signal_id")
    if absent := teachable(rows, plan.least_per_class):
        return Table(ML_CONTINUAL_LEARNING.empty(), notes={"absent": absent})
    transformer, data = prepare(rows, None, plan)
    stars = held_out(core_signals)
    tested = stars.with_row_index("at").filter(is_judged())
    matrix = transformer.matrix(transformer.features(stars))[tested["at"].to_numpy()]
    learnt = compare_ways(
        without_views(rows, data),
        data.mission,
        PAIR,
        matrix,
        plan.neural,
        seed=plan.seed,
        run=partial(
            neural_training.run, name="ml_continual_learning", progress=lambda epoch: context.log.info("%s", epoch)
        ),
    )
    frame = continual_table(learnt, tested, seed=settings.seed)
    told = frame.filter(metric="roc_auc")
    return Table(
        frame,
        metadata=_shown({"ways of learning": interval_plots.continual(frame)}),
        notes={f"{r['way']}, {r['mission']}": r["value"] for r in told.iter_rows(named=True)},
    )


@table_asset(
    ML_FORWARD_TEST,
    group=GROUP,
    salt=_seed,
)
def ml_forward_test(
    *,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    core_disposition_history: pl.DataFrame,
    raw_nea__q1_q17_dr25_koi: pl.DataFrame,
    settings: Any,
) -> Table:
    """Trained on the dispositions of then, judged on what was resolved since; empty when there is nothing to judge."""
    from exo_assets.evaluation import plots
    from exo_assets.evaluation.forward import forward_test, quick
    from exo_assets.evaluation.threads import run_in_threads
    from exo_assets.training.settings import TrainingSettings

    dr25 = raw_nea__q1_q17_dr25_koi
    scored = {"kepoi_name", "koi_score"} <= set(dr25.columns)
    peer = dr25.select(signal_id="kepoi_name", koi_score="koi_score") if scored else None
    signals = with_diagnostics(core_signals, feat_signal_diagnostics)
    found = forward_test(
        signals, core_disposition_history, peer, quick(TrainingSettings(seed=settings.seed)), run_in_threads
    )
    if found.absent:
        return Table(found.table, notes={"absent": found.absent})
    figures = {f"{r['model']} {r['metric']}": r["value"] for r in found.table.iter_rows(named=True)}
    return Table(found.table, metadata=_shown({"forward in time": plots.forward(found.judged)}), notes=figures)


@table_asset(
    ML_LEAKAGE_PROBE,
    group=GROUP,
    salt=_seed,
)
def ml_leakage_probe(
    *,
    ml_vetter_candidate: pl.DataFrame,
    ml_vetter_oof: pl.DataFrame,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    registry: Any,
    settings: Any,
) -> Table:
    """The search for leaks, on the features as the candidate's transformer makes them."""
    from exo_assets.evaluation.probe import leakage_probe
    from exo_assets.evaluation.threads import in_threads

    candidate = candidate_of(ml_vetter_candidate)
    folds = ml_vetter_oof.filter("as_archived").select("signal_id", "fold")
    signals = (
        with_diagnostics(core_signals, feat_signal_diagnostics)
        .join(folds, on="signal_id", how="inner")
        .filter(pl.col("disposition").is_not_null())
    )
    transformer = _load(registry, candidate).transformer
    frame = leakage_probe(candidate, signals, transformer, seed=settings.seed, map_=in_threads)
    suspects = frame.filter(probe="feature_alone").sort("roc_auc", descending=True, nulls_last=True).head(5)
    strongest = {f"{r['population']} {r['subject']}": r["roc_auc"] for r in suspects.iter_rows(named=True)}
    return Table(frame, notes={"strongest single features (ROC AUC)": strongest})


def _rival(resources: Any) -> str:
    """The models that the candidate is compared with: the gates are judged again when they are others."""
    table = resources.lake.version("ml_vetter_candidate")
    if table is None:
        return "no candidate"
    candidate = candidate_of(resources.lake.read("ml_vetter_candidate"))
    rival = rules.reference(resources.registry, resources.lake, candidate)
    best = rules.best_before(resources.lake, candidate, rival)
    return f"{_seed(resources)} {rival.digest if rival else 'none'} {best.digest if best else 'none'}"


@table_asset(
    ML_VETTER_GATES,
    group=GROUP,
    also_after=[CORE_DISPOSITION_HISTORY.name],
    salt=_rival,
)
def ml_vetter_gates(
    *,
    ml_vetter_candidate: pl.DataFrame,
    ml_vetter_oof: pl.DataFrame,
    ml_vetter_predictions: pl.DataFrame,
    ml_vetter_metrics: pl.DataFrame,
    ml_leakage_probe: pl.DataFrame,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    signal_views: SignalViews,
    registry: Any,
    lake: Any,
    settings: Any,
) -> Table:
    """One row per gate, for exactly this candidate; the blocking checks and the champion read it."""
    from exo_assets.evaluation.evidence import Exhibits, find
    from exo_assets.evaluation.gates import judge

    candidate = candidate_of(ml_vetter_candidate)
    rival = rules.reference(registry, lake, candidate)
    best = rules.best_before(lake, candidate, rival)
    signals = signal_views.beside(with_diagnostics(core_signals, feat_signal_diagnostics), feat_view_index)
    exhibits = Exhibits(
        candidate=candidate,
        model=_load(registry, candidate),
        signals=signals,
        learned=ml_vetter_oof["signal_id"],
        predictions=ml_vetter_predictions,
        metrics=ml_vetter_metrics,
        probe=ml_leakage_probe,
        rival=_unlearned(registry, lake, rival, signals) if rival else "there is no champion before it",
        best=_unlearned(registry, lake, best, signals) if best else "there is no better model before it",
    )
    frame = judge(candidate, rival, find(exhibits, seed=settings.seed))
    counts = frame.group_by("status").len().sort("status")
    notes = {
        "candidate": str(candidate),
        "compared with": str(rival),
        "best before": str(best),
        "gates": dict(counts.iter_rows()),
    }
    return Table(frame, notes={**notes, "failed": frame.filter(status="failed")["gate"].to_list()})


def _moved(resources: Any) -> str:
    return rules.moved(resources.registry, resources.lake.stored("ml_vetter_champion"))


@table_asset(ML_VETTER_CHAMPION, group=GROUP, salt=_moved)
def ml_vetter_champion(
    context: dg.AssetExecutionContext,
    *,
    ml_vetter_candidate: pl.DataFrame,
    ml_vetter_gates: pl.DataFrame,
    ml_vetter_metrics: pl.DataFrame,
    registry: Any,
    lake: Any,
) -> Table:
    """Moves the registry's aliases if the gates in the lake let exactly this candidate pass, whoever asks."""
    from exo_assets.evaluation.report import headline

    candidate = candidate_of(ml_vetter_candidate)
    figure = headline(ml_vetter_metrics).get("overall average_precision")
    with refusal_fails_run():
        champion, refused = rules.crown(registry, lake, candidate, ml_vetter_gates, figure=figure)
    if refused:
        context.log.warning("%s stays champion; %s was %s", champion, candidate, refused)
    before = lake.stored("ml_vetter_champion")
    frame = rules.champion_table(champion, registry.previous(), candidate, refused, before)
    return Table(frame, notes={"champion": str(champion), "refused": refused})


@table_asset(ML_PERFORMANCE_HISTORY, group=GROUP, also_after=["core_signals"])
def ml_performance_history(ml_vetter_metrics: pl.DataFrame, lake: Any) -> Table:
    """The figures of this candidate, appended to those of all before it."""
    from exo_assets.evaluation.report import performance_history

    before = lake.stored("ml_performance_history")
    frame = performance_history(ml_vetter_metrics, lake.version("core_signals").digest, before)
    return Table(frame, notes={"models": frame["candidate_digest"].n_unique()})


def candidate_of(table: pl.DataFrame) -> ModelRef:
    """The reference in the one row of `ml_vetter_candidate`; dg.Failure when there is not exactly one."""
    if table.height != 1:
        raise dg.Failure(
            f"ml_vetter_candidate has {table.height} rows, not one; materialise it again", allow_retries=False
        )
    return ModelRef.from_row(table.row(0, named=True))


def _load(registry: Any, ref: ModelRef) -> Vetter:
    from exo_assets.training.vetter import Vetter

    return Vetter.load(registry.fetch(ref))


def _kept_key(ref: ModelRef) -> str:
    return f"evaluation/predictions/{ref.digest}.parquet"


def _rival_predictions(registry: Any, lake: Any, rival: ModelRef, signals: pl.DataFrame) -> pl.DataFrame:
    """The rival on today's test rows; when it was trained on other features than this code computes, as it was kept."""
    from exo_assets.evaluation.predictions import score_held_out

    try:
        vetter = _load(registry, rival)
    except (ValueError, KeyError):
        return pl.read_parquet(io.BytesIO(lake.get(_kept_key(rival))))
    return score_held_out(vetter, signals)


def _unlearned(registry: Any, lake: Any, rival: ModelRef, signals: pl.DataFrame) -> pl.DataFrame | str:
    """The rival on the test stars that it did not learn from, by the record of its training; on all without one."""
    from exo_assets.evaluation.evidence import unlearned

    judged, record = _rival_predictions(registry, lake, rival, signals), OOF_KEY.format(digest=rival.digest)
    if isinstance(judged, str) or not lake.has(record):
        return judged
    learned = pl.read_parquet(io.BytesIO(lake.get(record)), columns=["signal_id"])["signal_id"]
    history = lake.stored(_NAMES, CORE_DISPOSITION_HISTORY.schema)
    return unlearned(judged, signals, by_present_name(learned, history))


def _shown(pictures: dict[str, bytes]) -> dict[str, dg.MetadataValue[Any]]:
    from exo_assets.pictures import image

    return {name: dg.MetadataValue.md(image(png, name)) for name, png in pictures.items()}


ASSETS: list[dg.AssetsDefinition] = [
    ml_vetter_predictions,
    ml_vetter_metrics,
    ml_vetter_parts,
    ml_continual_learning,
    ml_forward_test,
    ml_leakage_probe,
    ml_vetter_gates,
    ml_vetter_champion,
    ml_performance_history,
]
