"""What is found for each gate.

Belongs here: measuring one property per gate. Does not belong here: thresholds and verdicts (`gates.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.evaluation.bootstrap import Metrics, paired_difference
from exo_assets.evaluation.gates import LEAST_PER_CLASS, Finding
from exo_assets.evaluation.metrics import binary_metrics, point
from exo_assets.evaluation.predictions import Judge, held_out
from exo_assets.evaluation.report import resolved
from exo_assets.features.from_light_curves import has_curve
from exo_assets.features.registry import BANNED, FEATURES, Feature
from exo_assets.features.seen_views import VIEWS
from exo_assets.features.transformer import has_block
from exo_assets.training.augmentation import hide_block
from exo_assets.training.model_ref import ModelRef

SAMPLED = 40
"""Signals of each kind on which explanations, indifference to labels and the network's files are tried."""
KIND = ("mission", "layout", "light_curve", "views")
"""What makes a kind of signals: the model answers each by other parts of itself."""


class Model(Judge, Protocol):
    """The part of the vetter that the gates look at."""

    @property
    def digest(self) -> str:
        """SHA-256 of its files."""

    def contributions(self, signals: pl.DataFrame) -> npt.NDArray[np.float64]:
        """SHAP values per signal and feature, the expected value last."""

    def raw_score(self, signals: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Log-odds before calibration."""

    def network_gap(self, signals: pl.DataFrame) -> float | None:
        """Largest difference between the network's files and its weights; None without a network."""


@dataclass(frozen=True)
class Exhibits:
    """What the gates are judged from. `rival` and `best`: predictions of the model in place, and of the best one
    before, for the same test signals, or why there are none."""

    candidate: ModelRef
    model: Model
    signals: pl.DataFrame
    learned: pl.Series
    predictions: pl.DataFrame
    metrics: pl.DataFrame
    probe: pl.DataFrame
    rival: pl.DataFrame | str
    best: pl.DataFrame | str


def find(exhibits: Exhibits, *, seed: int) -> dict[str, Finding]:
    """One finding per gate."""
    sample = sampled(exhibits.signals)
    return {
        "enough_test_signals": _enough(exhibits.predictions),
        **{f"floor_auc_{m}": _floor(exhibits, m) for m in MISSIONS},
        "calibration_ece": _calibration(exhibits.metrics),
        "not_worse_than_champion": _not_worse(exhibits.predictions, exhibits.rival, seed),
        "not_worse_than_best": _not_worse(exhibits.predictions, exhibits.best, seed),
        "permuted_labels_near_half": _permuted(exhibits.probe),
        **{f"missingness_alone_{m}": _missingness(exhibits.probe, m) for m in MISSIONS},
        **{f"feature_alone_{m}": _feature_alone(exhibits.probe, m) for m in MISSIONS},
        "drop_group": _drop_group(exhibits.probe),
        "no_banned_feature": no_banned_feature(FEATURES),
        "labels_change_nothing": labels_change_nothing(exhibits.model, sample),
        "test_stars_disjoint": learned_test_stars(exhibits.signals, exhibits.learned),
        "explanations_add_up": explanations_add_up(exhibits.model, sample),
        "network_as_trained": network_as_trained(exhibits.model, sample),
        "probabilities_sound": _sound(exhibits.predictions),
        "digest_matches": _digest(exhibits),
    }


def sampled(signals: pl.DataFrame) -> pl.DataFrame:
    """Up to SAMPLED signals of each KIND, spread over the table.

    Kepler signals with the pipeline's diagnostics come once more without them, as a user's file may have them. The
    properties must hold for any signal, so that those of training stars count like others: without them a kind that is
    rare, such as signals with views, would not be looked at.
    """
    rows = pl.concat([kinds(signals), signals.select("signal_id")], how="horizontal").with_row_index("at")
    parts = rows.sort("signal_id").partition_by(KIND, maintain_order=True)
    chosen = [part["at"].gather_every(max(part.height // SAMPLED, 1)).head(SAMPLED) for part in parts]
    whole = signals[pl.concat([pl.Series("at", [], rows.schema["at"]), *chosen]).sort()]
    return pl.concat([whole, hide_block(whole.filter(has_block(whole)))], how="diagonal_relaxed")


def kinds(signals: pl.DataFrame) -> pl.DataFrame:
    """The kind of each signal, columns KIND."""
    views = signals[VIEWS].is_not_null() if VIEWS in signals.columns else pl.lit(False)
    layout = pl.when(has_block(signals)).then(pl.lit("full")).otherwise(pl.lit("basic"))
    return signals.select("mission", layout=layout, light_curve=has_curve(signals), views=views)


def looked_at(sample: pl.DataFrame) -> str:
    """How many signals of each kind a property was tried on, in words."""
    told = []
    for *kind, count in kinds(sample).group_by(KIND).len().sort(KIND).iter_rows():
        mission, layout, *shown = kind
        with_what = [what for what, there in zip(("light curve", "views"), shown, strict=True) if there]
        told.append(f"{count} of {mission} {layout}" + (f" with {' and '.join(with_what)}" if with_what else ""))
    return f"{sample.height} signals ({', '.join(told) or 'none'})"


def no_banned_feature(features: tuple[Feature, ...]) -> Finding:
    """Features whose name, or a column that they are computed from, is banned or begins as a banned one."""
    guilty = [f.name for f in features if any(c.startswith(BANNED) for c in (f.name, *f.inputs))]
    return Finding(float(len(guilty)), ", ".join(guilty) or "none")


def labels_change_nothing(model: Judge, sample: pl.DataFrame) -> Finding:
    """Largest change of any probability when everything that a model must not read is replaced."""
    replaced = sample.with_columns(
        disposition=pl.lit("CONFIRMED"),
        disposition_archive=pl.lit("CP"),
        planet_name=pl.lit("Exo-1 b"),
        kic_id=pl.lit(1, pl.Int64),
        epic_id=pl.lit(2, pl.Int64),
        tic_id=pl.lit(3, pl.Int64),
        star_id=pl.lit("KIC 1"),
        source_table=pl.lit("pscomppars"),
        has_diagnostics=pl.lit(True),
        t0_bjd=pl.lit(2_455_000.5),
        ra_deg=pl.lit(10.0),
        dec_deg=pl.lit(-10.0),
        koi_score=pl.lit(1.0),
        koi_pdisposition=pl.lit("CANDIDATE"),
        koi_fpflag_nt=pl.lit(0),
        tfopwg_disp=pl.lit("CP"),
    )
    told = pl.selectors.float() - pl.selectors.starts_with("log_odds")
    before, after = (model.score(frame).select(told).to_numpy() for frame in (sample, replaced))
    change = float(np.abs(before - after).max()) if sample.height else float("nan")
    return Finding(change, f"largest change of a probability over {looked_at(sample)}")


def learned_test_stars(signals: pl.DataFrame, learned: pl.Series) -> Finding:
    """Test stars (by any of their names) with a signal that training used; `learned` holds the names of those."""
    used = signals.filter(pl.col("signal_id").is_in(learned.unique().implode()))
    frozen = held_out(signals)
    both = set(used["star_id"]) & set(frozen["star_id"]) | set(used["mission_star_id"]) & set(frozen["mission_star_id"])
    return Finding(float(len(both)), ", ".join(sorted(both)[:5]) or f"none of {frozen['star_id'].n_unique()}")


def unlearned(predictions: pl.DataFrame, signals: pl.DataFrame, learned: pl.Series) -> pl.DataFrame | str:
    """`predictions` of a model for test signals, without the stars of which it `learned` a signal (by present names).

    In words why nothing is left to compare on, when nothing is. A star may be new in the test set: its host has a key
    now that it had not when the model was trained.
    """
    seen = signals.filter(pl.col("signal_id").is_in(learned.unique().implode()))["star_id"]
    left = predictions.filter(~pl.col("star_id").is_in(seen.unique().implode()))
    learned_all = resolved(left).is_empty() and not resolved(predictions).is_empty()
    return "it learned from every test star that could tell" if learned_all else left


def explanations_add_up(model: Model, sample: pl.DataFrame) -> Finding:
    """Largest difference between the sum of a signal's contributions and its score, log-odds."""
    if not sample.height:
        return Finding(float("nan"), "no signal to explain")
    gap = float(np.abs(model.contributions(sample).sum(axis=1) - model.raw_score(sample)).max())
    return Finding(gap, f"largest gap over {looked_at(sample)}, log-odds")


def network_as_trained(model: Model, sample: pl.DataFrame) -> Finding:
    """Largest difference of a probability between the network's served files and its trained weights."""
    gap = model.network_gap(sample)
    if gap is None:
        return Finding(None, "not applicable, the model has no network")
    return Finding(gap, f"largest difference of a probability over {looked_at(sample)}")


def _tested(predictions: pl.DataFrame) -> pl.DataFrame:
    return resolved(predictions.filter(split="test", inputs="as_archived"))


def _enough(predictions: pl.DataFrame) -> Finding:
    tested = _tested(predictions)
    planets = int(tested["is_planet"].sum())
    both = min(planets, tested.height - planets) >= LEAST_PER_CLASS
    note = f"{planets} planets and {tested.height - planets} false positives"
    return Finding(float(tested.height) if both else 0.0, note)


def _floor(exhibits: Exhibits, mission: str) -> Finding:
    tested = _tested(exhibits.predictions).filter(mission=mission)
    planets = int(tested["is_planet"].sum())
    if min(planets, tested.height - planets) < LEAST_PER_CLASS:
        return Finding(
            None,
            f"not applicable, {planets} planets and {tested.height - planets} false positives of {mission} on test "
            f"stars (at least {LEAST_PER_CLASS} of each are needed)",
        )
    row = _metric(exhibits.metrics, mission, "roc_auc")
    return Finding(row["value"], f"ROC AUC {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})")


def _calibration(metrics: pl.DataFrame) -> Finding:
    row = _metric(metrics, "overall", "ece")
    if row["value"] is None:
        return Finding(float("nan"), "no test signal")
    return Finding(
        row["value"], f"expected calibration error {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
    )


def _metric(metrics: pl.DataFrame, population: str, metric: str) -> dict[str, float | None]:
    found = metrics.filter(head="planet", population=population, split="test", inputs="as_archived", metric=metric)
    return found.row(0, named=True) if found.height else {"value": None, "low": None, "high": None}


def _not_worse(predictions: pl.DataFrame, other: pl.DataFrame | str, seed: int) -> Finding:
    if isinstance(other, str):
        return Finding(None, f"not applicable, {other}")
    both = _tested(predictions).join(
        other.filter(inputs="as_archived").select("signal_id", rival="probability_planet").drop_nulls(),
        on="signal_id",
        how="inner",
        maintain_order="left",
    )
    if not both.height:
        return Finding(float("nan"), "no test signal was judged by both models")
    truth = both["is_planet"].to_numpy()

    def model(column: str) -> Metrics:
        score = both[column].to_numpy()
        return lambda weights: binary_metrics(truth, score, weights)

    found = paired_difference(both["star_id"].to_numpy(), model("probability_planet"), model("rival"), seed=seed)
    gap = found["average_precision"]
    theirs = point(model("rival")(np.ones((1, both.height))))["average_precision"]
    note = f"difference {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}) to {theirs:.4f} on {both.height} signals"
    return Finding(gap.low, note)


def _permuted(probe: pl.DataFrame) -> Finding:
    aucs = probe.filter(probe="permuted_labels")["roc_auc"].drop_nulls()
    if not aucs.len():
        return Finding(float("nan"), "undefined")
    mean = float(aucs.to_numpy().mean())
    return Finding(mean, f"mean ROC AUC {mean:.4f} over {aucs.len()} permutations")


def _missingness(probe: pl.DataFrame, mission: str) -> Finding:
    return _most_telling(probe, "missingness_alone", mission, "from the pattern of unknowns ({inputs})")


def _feature_alone(probe: pl.DataFrame, mission: str) -> Finding:
    return _most_telling(probe, "feature_alone", mission, "of {subject}, the best of {count}")


def _most_telling(probe: pl.DataFrame, name: str, mission: str, of_what: str) -> Finding:
    """The largest ROC AUC of a mission's probes of one name; `of_what` says which it is, by columns of the probe and
    `count`, how many there are."""
    rows = probe.filter(pl.col("roc_auc").is_not_null(), probe=name, population=mission)
    if not rows.height:
        return Finding(None, f"not applicable, too few resolved training signals of {mission} to look")
    best = rows.sort("roc_auc").row(-1, named=True)
    told = of_what.format_map({**best, "count": rows.height})
    return Finding(best["roc_auc"], f"ROC AUC {best['roc_auc']:.4f} {told}")


def _drop_group(probe: pl.DataFrame) -> Finding:
    rows = probe.filter(pl.col("change").is_not_null(), probe="drop_group")
    if not rows.height:
        return Finding(None, "not applicable, nothing can be ranked with all features")
    worst = rows.sort("change").row(0, named=True)
    return Finding(-worst["change"], f"ROC AUC {worst['change']:+.4f} without {worst['subject']}")


def _sound(predictions: pl.DataFrame) -> Finding:
    tested = predictions.filter(split="test")
    thirds = pl.sum_horizontal("disposition_confirmed", "disposition_candidate", "disposition_false_positive")
    wrong = tested.filter(
        ~(pl.col("probability_planet").is_between(0, 1) & ((thirds - 1).abs() < 1e-9)).fill_null(False)
    )
    return Finding(float(wrong.height), f"{wrong.height} of {tested.height} judgements")


def _digest(exhibits: Exhibits) -> Finding:
    judged = exhibits.predictions["candidate_digest"].unique().to_list()
    probed = exhibits.probe["candidate_digest"].unique().to_list()
    same = exhibits.model.digest == exhibits.candidate.digest and judged == probed == [exhibits.candidate.digest]
    told = f"registry {exhibits.candidate.digest[:12]}, files {exhibits.model.digest[:12]}"
    by = ", ".join(sorted({str(one)[:12] for one in (*judged, *probed)})) or "none"
    return Finding(float(same), f"{told}, predictions by {by}")
