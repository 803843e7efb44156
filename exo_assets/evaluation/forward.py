"""The forward-in-time test: what would a vetter trained then have said of what was decided since?

Belongs here: who is taught, who is judged, and the figures. Does not belong here: the history of dispositions.

Labels are those of the DR25 snapshot's date; measured values are today's catalogue rows, whose Kepler columns come from
DR25 as well. Taught are signals resolved then on stars that are neither judged nor in the frozen test set. Judged are
the candidates of then that are confirmed or false positive now, on whatever star: nothing of them is learned from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from exo_assets.catalogs.contracts import RESOLVED
from exo_assets.evaluation.bootstrap import bootstrap_by_star
from exo_assets.evaluation.contracts import ML_FORWARD_TEST
from exo_assets.evaluation.metrics import BINARY_METRICS, binary_metrics
from exo_assets.evaluation.report import interval_columns, sizes
from exo_assets.training.settings import TrainingSettings
from exo_assets.training.splits import assign_folds, assign_splits
from exo_assets.training.vetter_training import Runner, serial, train_vetter

SNAPSHOT = "q1_q17_dr25_koi"
LEAST_JUDGED = 30
"""Resolved-since signals below which there is no test."""
RANKING = ("roc_auc", "average_precision", "precision_at_recall_90", "precision_at_recall_95", "recall_at_precision_99")
"""Figures that a score which is no probability can be judged by."""


@dataclass(frozen=True)
class ForwardTest:
    """The table, the judged signals with their probability of then, and why there is no test (None: there is one)."""

    table: pl.DataFrame
    judged: pl.DataFrame
    absent: str | None = None


def as_of_snapshot(history: pl.DataFrame) -> pl.DataFrame:
    """`signal_id`, `then`: the disposition of every Kepler signal on the date of the DR25 snapshot."""
    kepler = history.filter(mission="kepler")
    date = kepler.filter(source_table=SNAPSHOT)["as_of"].max()
    then = kepler.filter(pl.col("as_of") <= date) if date is not None else kepler.clear()
    return (
        then.sort("signal_id", "as_of")
        .group_by("signal_id", maintain_order=True)
        .agg(then=pl.col("disposition").last())
    )


def forward_test(
    signals: pl.DataFrame,
    history: pl.DataFrame,
    peer: pl.DataFrame | None,
    settings: TrainingSettings,
    run: Runner = serial,
) -> ForwardTest:
    """Train as of DR25 and judge on what was resolved since.

    `peer` [signal_id, koi_score] is the archive's own score of then: no feature, but a rival on the same signals.
    """
    dated = signals.filter(mission="kepler").join(as_of_snapshot(history), on="signal_id", how="inner")
    judged = dated.filter(pl.col("then") == "CANDIDATE", pl.col("disposition").is_in(RESOLVED)).sort("signal_id")
    if judged.height < LEAST_JUDGED or judged["disposition"].n_unique() < 2:
        why = (
            f"{judged.height} Kepler candidates of the DR25 snapshot are resolved in the newest table (at least "
            f"{LEAST_JUDGED} of both kinds are needed): the test needs both the DR25 and the cumulative KOI table"
        )
        return ForwardTest(ML_FORWARD_TEST.empty(), judged.head(0), why)
    taught = (
        dated.join(judged, on="star_id", how="anti")
        .join(assign_splits(signals).filter(split="train"), on="star_id", how="semi")
        .filter(pl.col("then").is_in(RESOLVED))
        .with_columns(disposition="then")
    )
    taught = taught.join(assign_folds(taught, settings.folds), on="star_id")
    vetter = train_vetter(taught, settings, run=run).vetter
    # Companions of judged signals are scored along, so that multiplicity is that of the catalogue.
    scored = dated.join(judged, on="star_id", how="semi", maintain_order="left")
    score = scored.select("signal_id").with_columns(vetter.score(scored)["probability_planet"])
    judged = judged.join(score, on="signal_id", how="left", maintain_order="left")
    rows = _rows("vetter", judged, "probability_planet", BINARY_METRICS, seed=settings.seed, taught=taught.height)
    if peer is not None:
        scores = peer.select("signal_id", pl.col("koi_score").cast(pl.Float64, strict=False))
        judged = judged.join(scores, on="signal_id", how="left", maintain_order="left")
        known = judged.filter(pl.col("koi_score").is_between(0, 1))
        if known.height >= LEAST_JUDGED and known["disposition"].n_unique() == 2:
            rows += _rows("koi_score", known, "koi_score", RANKING, seed=settings.seed, taught=None)
    return ForwardTest(ML_FORWARD_TEST.conform(pl.DataFrame(rows, schema=ML_FORWARD_TEST.schema)), judged)


def quick(settings: TrainingSettings) -> TrainingSettings:
    """The same recipe for a model that is only judged: one bag, and a token three-class head, which is not used."""
    return replace(settings, bags=1, archive_bags=1, archive_rounds=5)


def _rows(
    model: str, judged: pl.DataFrame, column: str, names: tuple[str, ...], *, seed: int, taught: int | None
) -> list[dict[str, object]]:
    truth = (judged["disposition"] == "CONFIRMED").to_numpy().astype(np.float64)
    score = judged[column].to_numpy()
    found = bootstrap_by_star(judged["star_id"].to_numpy(), lambda w: binary_metrics(truth, score, w), seed=seed)
    size = sizes(judged)
    return [
        {"model": model, "metric": name, **interval_columns(found[name]), **size, "n_training_signals": taught}
        for name in names
    ]
