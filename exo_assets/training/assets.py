"""Assets of the training stage: the training set, what was compared, the candidate and its out-of-fold predictions.

Belongs here: which tables and resources training takes, and where its tasks run (Ray). Does not belong here: the
recipe (vetter_training.py) or the registry.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.present_names import by_present_name
from exo_assets.code_version import code_version
from exo_assets.features.from_light_curves import with_diagnostics
from exo_assets.features.seen_views import view_rows
from exo_assets.features.tabular import count_signals
from exo_assets.features.transformer import SignalTransformer
from exo_assets.features.view_arrays import SIMULATED_ROOT
from exo_assets.table_asset import Table, table_asset
from exo_assets.training import comparison, report
from exo_assets.training.contracts import (
    ML_TRAINING_COMPARISON,
    ML_TRAINING_SET,
    ML_VETTER_CANDIDATE,
    ML_VETTER_OOF,
    OOF_KEY,
)
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.network_training import jobs_of, learn_network
from exo_assets.training.neural import Epoch, NeuralJob, NeuralSettings
from exo_assets.training.neural_inputs import neural_data
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.simulated_rows import with_simulated
from exo_assets.training.splits import assign_folds, assign_splits, moved
from exo_assets.training.tuning import SPACE, Search, objective
from exo_assets.training.vetter_training import HEADS, Data, Networked, Trained, learnable, prepare, train_vetter
from exo_assets.training.warm_start import warm_jobs
from exo_resources.network_store import NetworkStore
from exo_resources.ray_train import NeuralTraining
from exo_resources.signal_views import SignalViews

GROUP = "training"


def training_settings(settings: Any) -> TrainingSettings:
    """Settings of training from the platform's."""
    return TrainingSettings(seed=settings.seed, neural=NeuralSettings(simulated=settings.simulated_weight))


def _salt(resources: Any) -> str:
    chosen = resources.settings
    return f"{chosen.profile}:{chosen.seed}:{chosen.retrain}:{chosen.simulated_weight}"


@table_asset(ML_TRAINING_SET, group=GROUP)
def ml_training_set(context: dg.AssetExecutionContext, core_signals: pl.DataFrame, settings: Any, lake: Any) -> Table:
    """Label, split and fold of every signal that has a disposition; what changed sides since is said."""
    disposed = core_signals.filter(pl.col("disposition").is_not_null())
    disposed = disposed.join(assign_splits(core_signals), on="star_id", how="left")
    folds = assign_folds(disposed.filter(split="train"), training_settings(settings).folds)
    table = disposed.join(folds, on="star_id", how="left").rename({"disposition": "label"})
    counts = table.group_by("mission", "split", "label").len("signals").sort("mission", "split", "label")
    frame = ML_TRAINING_SET.conform(table).sort("signal_id")
    before = lake.read(ML_TRAINING_SET.name) if lake.version(ML_TRAINING_SET.name) else frame
    sides = before.join(frame, on="signal_id", suffix="_now").filter(pl.col("split") != pl.col("split_now")).height
    if sides:
        context.log.warning("%d signals changed sides of the frozen test set: their stars have other keys", sides)
    shown = {"signals": dg.MetadataValue.json(counts.to_dicts()), "signals that changed sides": sides}
    return Table(frame, metadata=shown)


@table_asset(ML_TRAINING_COMPARISON, group=GROUP, kinds=("ray", "lightgbm", "parquet"), salt=_salt)
def ml_training_comparison(
    *,
    core_signals: pl.DataFrame,
    feat_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    ml_training_set: pl.DataFrame,
    ray_runtime: Any,
    settings: Any,
) -> Table:
    """Plain training, class weights, SMOTE and a linear model on the same folds."""
    rows = _learnable(core_signals, feat_signal_diagnostics, ml_training_set)
    table = comparison.compare(feat_signals, rows, training_settings(settings), ray_runtime.map)
    return Table(
        ML_TRAINING_COMPARISON.conform(table),
        metadata={"kept": table.filter("is_kept")["method"][0], "best": table.filter("is_best")["method"][0]},
    )


@table_asset(ML_VETTER_CANDIDATE, group=GROUP, kinds=("ray", "lightgbm", "pytorch", "mlflow"), salt=_salt)
def ml_vetter_candidate(
    context: dg.AssetExecutionContext,
    *,
    core_signals: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    feat_view_index: pl.DataFrame,
    feat_simulated_index: pl.DataFrame,
    ml_training_set: pl.DataFrame,
    ml_training_comparison: pl.DataFrame,
    ray_runtime: Any,
    neural_training: NeuralTraining,
    signal_views: SignalViews,
    networks: NetworkStore,
    registry: Any,
    settings: Any,
    lake: Any,
) -> Table:
    """Train the vetter on the training stars and register it; the same model is never registered twice."""
    rows = _learnable(core_signals, feat_signal_diagnostics, ml_training_set)
    counts = count_signals(core_signals)
    plan = replace(training_settings(settings), balance=ml_training_comparison.filter("is_kept")["method"][0])
    if settings.profile == "full":
        plan = _searched(rows, counts, plan, ray_runtime, context)
    epochs: list[Epoch] = []
    summaries: list[Any] = []
    simulated: list[int] = []

    def told(epoch: Epoch) -> None:
        context.log.info("network: %s", epoch)
        epochs.append(epoch)

    def learn(transformer: SignalTransformer, data: Data) -> Networked:
        views = signal_views.arrays(feat_view_index)
        seen = neural_data(rows, data, transformer.curves_of, view_rows(rows, feat_view_index), views)
        beside = signal_views.arrays(feat_simulated_index, SIMULATED_ROOT)
        seen = with_simulated(seen, rows, feat_simulated_index, beside, plan.neural.simulated)
        jobs = jobs_of(plan.neural, range(plan.folds), plan.seed)
        if settings.retrain == "ewc":
            jobs = _warm(jobs, rows, registry.champion(), networks, _Today(ml_training_set, lake, context))
        # Networks that go on from others learn from chosen signals alone.
        simulated.append(seen.simulated if all(job.rows is None for job in jobs) else 0)
        run = partial(neural_training.run, name="ml_vetter_candidate", progress=told, summary=summaries.append)
        return learn_network(seen, plan.neural, jobs, run)

    facts = {"seed": plan.seed, "signals": rows.height}
    trained = train_vetter(rows, plan, counts, ray_runtime.map, facts=facts, learn=learn)
    vetter, figures = trained.vetter, report.metrics(trained.out_of_fold)
    networks.keep(vetter.digest, trained.fits, rows)
    lake.put(OOF_KEY.format(digest=vetter.digest), _parquet(trained.out_of_fold))
    data_digest = lake.version("ml_training_set").digest
    with tempfile.TemporaryDirectory() as folder:
        vetter.save(Path(folder) / "vetter")
        ref = registry.log_candidate(
            Path(folder) / "vetter",
            vetter.digest,
            params=_parameters(plan, trained),
            metrics=figures,
            tags={
                "data_digest": data_digest,
                "signals_digest": lake.version("core_signals").digest,
                "code_version": code_version(train_vetter, learn_network),
                "profile": settings.profile,
            },
            plots=report.plots(trained, vetter, rows, counts),
            series=report.series(epochs),
        )
    networks.keep_only({r.digest for r in (ref, registry.champion(), registry.previous()) if r})
    context.log.info("%s: %s", ref, {k: round(v, 4) for k, v in figures.items() if k.endswith("roc_auc")})
    row = {
        **ref.as_row(),
        "trained_at": datetime.fromtimestamp(registry.logged_at(ref) / 1000, UTC).isoformat(timespec="seconds"),
        "data_digest": data_digest,
        "profile": settings.profile,
        "seed": plan.seed,
        "balance": plan.balance,
        "n_signals": rows.height,
        "n_resolved": rows.filter(pl.col("disposition") != "CANDIDATE").height,
        "n_stars": rows["star_id"].n_unique(),
    }
    return Table(
        ML_VETTER_CANDIDATE.conform(pl.DataFrame([row])),
        metadata={
            "model": str(ref),
            "simulated signals beside the measured": sum(simulated),
            "training of networks": dg.MetadataValue.json([asdict(summary) for summary in summaries]),
            **{k: v for k, v in figures.items() if k.endswith(("roc_auc", "log_loss"))},
        },
        notes={
            "other_missions": {m: e.other_missions for m, e in vetter.experts.items()},
            "tried": trained.tried.to_dicts(),
            "withheld": {m: dict(w) for m, w in vetter.transformer.withheld.items()},
        },
    )


@table_asset(ML_VETTER_OOF, group=GROUP)
def ml_vetter_oof(ml_vetter_candidate: pl.DataFrame, lake: Any) -> pl.DataFrame:
    """The out-of-fold predictions that the candidate's training left in the lake."""
    stored = lake.get(OOF_KEY.format(digest=ml_vetter_candidate["digest"][0]))
    return ML_VETTER_OOF.conform(pl.read_parquet(io.BytesIO(stored))).sort("signal_id", "layout")


def _learnable(
    core_signals: pl.DataFrame, feat_signal_diagnostics: pl.DataFrame, ml_training_set: pl.DataFrame
) -> pl.DataFrame:
    """Signals of training stars with a disposition, what light curves tell of them, and their fold."""
    train = ml_training_set.filter(split="train").select("signal_id", "fold")
    signals = with_diagnostics(core_signals, feat_signal_diagnostics)
    return signals.join(train, on="signal_id", how="inner").sort("signal_id")


def _searched(
    rows: pl.DataFrame, counts: pl.DataFrame, plan: TrainingSettings, ray_runtime: Any, context: Any
) -> TrainingSettings:
    """`plan` with the hyper-parameters that Ray Tune found for the planet head, and several models to average."""
    _, data = prepare(rows, counts, plan)
    search = Search(data, plan, tuple(learnable(data, plan)))
    best, loss = ray_runtime.search(
        objective, search, space=SPACE, start=plan.planet, trials=plan.trials, seed=plan.seed
    )
    context.log.info("search: log loss %.5f with %s", loss, best)
    many = replace(plan.neural, members=plan.full_members)
    return replace(plan, planet={**plan.planet, **best}, bags=plan.full_bags, neural=many)


@dataclass(frozen=True)
class _Today:
    """What tells whether a model of then may be gone on from: the splits of today, the lake, and where it is said."""

    splits: pl.DataFrame
    lake: Any
    context: Any

    def moved(self, champion: ModelRef) -> int:
        """Signals that the champion learned and that are now in the test set or in another fold."""
        record, names = OOF_KEY.format(digest=champion.digest), CORE_DISPOSITION_HISTORY.name
        if not self.lake.has(record):
            return 0
        learned = pl.read_parquet(io.BytesIO(self.lake.get(record)), columns=["signal_id", "fold"])
        history = self.lake.stored(names, CORE_DISPOSITION_HISTORY.schema)
        learned = learned.with_columns(by_present_name(learned["signal_id"], history))
        return moved(learned, self.splits.select("signal_id", "split", "fold")).height


def _warm(
    jobs: list[NeuralJob], rows: pl.DataFrame, champion: ModelRef | None, networks: Any, today: _Today
) -> list[NeuralJob]:
    """`jobs` that go on from the champion's networks; as they are, and said so, when it has none for them, or when it
    learned what is judged today."""
    log = today.context.log
    before = networks.of(champion.digest, jobs) if champion else None
    if champion is None or before is None:
        log.warning("EXO_RETRAIN=ewc, but %s has no networks to go on from: trained from nothing", champion)
        return jobs
    if others := today.moved(champion):
        log.warning(
            "%s learned %d signals that changed sides since: networks are trained from nothing", champion, others
        )
        return jobs
    log.info("networks go on from those of %s", champion)
    return warm_jobs(jobs, before.fits, rows, before.learned, jobs[0].seed)


def _parameters(plan: TrainingSettings, trained: Trained) -> dict[str, Any]:
    flat = {k: v for k, v in asdict(plan).items() if k not in (*HEADS, "neural")}
    flat |= {f"neural_{k}": v for k, v in asdict(plan.neural).items()}
    flat |= {f"{head}_{k}": v for head in HEADS for k, v in getattr(plan, head).items()}
    for mission, expert in trained.vetter.experts.items():
        flat[f"{mission}_other_missions"] = expert.other_missions
        flat[f"{mission}_thresholds"] = f"{expert.low:.4f} {expert.high:.4f}"
        flat |= {f"{mission}_{layout}_calibration": c.kind for layout, c in expert.calibration.items()}
        flat |= {f"{mission}_{layout}_blend": f"{b.features:.4f} {b.network:.4f}" for layout, b in expert.blend.items()}
    return flat


def _parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


ASSETS: list[dg.AssetsDefinition] = [ml_training_set, ml_training_comparison, ml_vetter_candidate, ml_vetter_oof]
