"""The gates between an event vetter and its use.

Belongs here: what is demanded, and what was found. Does not belong here: judging a finding (`evaluation/gates.py`), or
acting on it (`evaluation/champion.py`).

| gate | demand | why this threshold |
| --- | --- | --- |
| enough_test_events | >= 40 planet candidates and >= 40 others | fewer judge nothing |
| floor_average_precision | >= 0.98 | a plain LightGBM on the archive's columns reaches 0.9935 out of fold |
| floor_recall_at_precision_99 | >= 0.80 | the plain model has 0.88 to 0.92; on the test fifth four events decide |
| calibration_ece | <= 0.02 | a twelfth of the events are planet candidates: more would be felt |
| sets_cover | >= 0.95 | upper end of the 95 % interval of each class's coverage: a lack must not be certain |
| not_worse_than_champion | AP difference, lower end of its interval >= -0.01 | as the signals' vetter |
| not_worse_than_best | the same, with the best model ever promoted | as the signals' vetter |
| permuted_labels_near_half | 0.45 <= ROC AUC <= 0.55 | shuffled labels carry nothing, unless stars cross folds |
| no_banned_feature | 0 features | leaks are banned by name |
| labels_change_nothing | 0 | scrambled labels, KOIs, flags and numbers must not move a probability |
| test_stars_disjoint | 0 stars | nothing on a test star may be learned from |
| explanations_add_up | 1e-6 | contributions sum to what they explain |
| probabilities_sound | 0 | probabilities lie in [0, 1] and sum to one |
| digest_matches | 1 | the model that was judged is the one in the registry |

A candidate that is no better than asked for is not promoted, and the run goes on; one that leaks or is not what it says
fails the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from exo_assets.evaluation.bootstrap import Metrics, paired_difference
from exo_assets.evaluation.gates import Finding, Gate
from exo_assets.evaluation.metrics import binary_metrics, point
from exo_assets.events.features import BANNED, build_features
from exo_assets.events.labels import LABELS
from exo_assets.events.sets import COVERAGE
from exo_assets.events.settings import EventSettings
from exo_assets.events.training import TEST, Task, divided, fit_task, learnable, prepared
from exo_assets.events.vetter import PROBABILITIES, EventVetter, planet_log_odds
from exo_assets.lightcurves.intervals import wilson
from exo_assets.training.calibration import sigmoid
from exo_assets.training.model_ref import ModelRef

LEAST = 40
"""Test events of planet candidates, and of others, below which figures are not judged."""
SAMPLED = 150
"""Events of each label on which properties of the model are tried."""
PERMUTED_ROUNDS, PERMUTATIONS = 20, 3

EVENT_GATES: tuple[Gate, ...] = (
    Gate("enough_test_events", "The test stars hold enough labelled events to judge", lowest=LEAST, fail=False),
    Gate("floor_average_precision", "Ranks planet candidates above the rest on test stars", 0.98, fail=False),
    Gate("floor_recall_at_precision_99", "Finds planet candidates at 99 % precision on test stars", 0.8, fail=False),
    Gate("calibration_ece", "Probabilities mean what they say on test stars", highest=0.02, fail=False),
    Gate("sets_cover", "Sets of test events hold each class as often as promised", COVERAGE, fail=False),
    Gate("not_worse_than_champion", "Average precision is not below that of the champion", -0.01, None, True, False),
    Gate("not_worse_than_best", "Average precision is not below that of the best before", -0.01, None, True, False),
    Gate("permuted_labels_near_half", "Learns nothing from shuffled labels", 0.45, 0.55, optional=True),
    Gate("no_banned_feature", "No feature is a label, a name or a position", highest=0),
    Gate("labels_change_nothing", "Labels, KOIs, flags and numbers do not move a probability", highest=0),
    Gate("test_stars_disjoint", "No test star was learned from", highest=0),
    Gate("explanations_add_up", "Contributions sum to the score", highest=1e-6),
    Gate("probabilities_sound", "Probabilities lie in [0, 1] and sum to one", highest=0),
    Gate("digest_matches", "The model that was judged is the one in the registry", lowest=1),
)  # fmt: skip


@dataclass(frozen=True)
class EventExhibits:
    """What is judged: the candidate's reference and model, the tables `core_events`, `ml_event_predictions` and
    `ml_event_metrics`, the model that it is compared with (None: there is none), and the best one that was promoted
    before it (None: there is none, or it is the rival)."""

    candidate: ModelRef
    vetter: EventVetter
    events: pl.DataFrame
    predictions: pl.DataFrame
    metrics: pl.DataFrame
    rival: EventVetter | None
    best: EventVetter | None


def find(exhibits: EventExhibits, plan: EventSettings) -> dict[str, Finding]:
    """One finding per gate."""
    tested = exhibits.predictions.filter(split="test")
    sample = sampled(exhibits.events)
    return {
        "enough_test_events": _enough(tested),
        "floor_average_precision": _figure(exhibits.metrics, "average_precision"),
        "floor_recall_at_precision_99": _figure(exhibits.metrics, "recall_at_precision_99"),
        "calibration_ece": _figure(exhibits.metrics, "ece"),
        "sets_cover": _coverage(exhibits.vetter, tested),
        "not_worse_than_champion": _not_worse(exhibits.rival, "champion", exhibits.events, tested, plan.seed),
        "not_worse_than_best": _not_worse(exhibits.best, "better model", exhibits.events, tested, plan.seed),
        "permuted_labels_near_half": permuted(exhibits.events, plan),
        "no_banned_feature": no_banned_feature(exhibits.vetter.features),
        "labels_change_nothing": labels_change_nothing(exhibits.vetter, sample),
        "test_stars_disjoint": learned_test_stars(exhibits.predictions),
        "explanations_add_up": explanations_add_up(exhibits.vetter, sample),
        "probabilities_sound": _sound(exhibits.predictions),
        "digest_matches": _digest(exhibits),
    }


def sampled(events: pl.DataFrame) -> pl.DataFrame:
    """SAMPLED events of each label, and of those without one, spread over the table."""
    kinds = events.sort("event").partition_by("label", maintain_order=True)
    return pl.concat(kind.gather_every(max(kind.height // SAMPLED, 1)).head(SAMPLED) for kind in kinds)


def no_banned_feature(features: tuple[str, ...]) -> Finding:
    """Features whose name is banned, or begins as a banned one."""
    guilty = [f for f in features if any(f == b or (b.endswith("_") and f.startswith(b)) for b in BANNED)]
    return Finding(float(len(guilty)), ", ".join(guilty) or "none")


def labels_change_nothing(vetter: EventVetter, sample: pl.DataFrame) -> Finding:
    """Largest change of a probability when everything that a model must not read is replaced."""
    replaced = sample.with_columns(
        label=pl.lit(LABELS[0]),
        label_join=pl.lit(LABELS[0]),
        label_source=pl.lit("published"),
        koi=pl.lit("K00001.01"),
        disposition_now=pl.lit("CONFIRMED"),
        published_fold=pl.lit(3, pl.Int64),
        is_rogue=pl.lit(True),
        planet_number=pl.lit(1, pl.Int64),
    )
    before, after = (vetter.judge(frame).select(PROBABILITIES).to_numpy() for frame in (sample, replaced))
    change = float(np.abs(before - after).max()) if sample.height else float("nan")
    return Finding(change, f"largest change of a probability over {sample.height} events of every label")


def learned_test_stars(predictions: pl.DataFrame) -> Finding:
    """Stars with an event that was learned from and one that is held to be of a test star."""
    learned, tested = (set(predictions.filter(split=split)["star_id"]) for split in ("oof", "test"))
    both = sorted(learned & tested)
    return Finding(float(len(both)), ", ".join(both[:5]) or f"none of {len(tested)}")


def explanations_add_up(vetter: EventVetter, sample: pl.DataFrame) -> Finding:
    """Largest difference between the sum of an event's contributions and what they explain."""
    if not sample.height:
        return Finding(float("nan"), "no event to explain")
    features = vetter.features_of(sample)
    gap = float(np.abs(vetter.contributions(features).sum(axis=1) - vetter.margin(features)).max())
    return Finding(gap, f"largest gap over {sample.height} events of every label")


def permuted(events: pl.DataFrame, plan: EventSettings) -> Finding:
    """Mean ROC AUC on test stars of small models of shuffled labels."""
    rows = divided(learnable(events), plan.folds)
    counts = rows.filter(split="test").group_by(pl.col("label") == LABELS[0]).len()["len"]
    if counts.len() < 2 or counts.min() < LEAST:  # type: ignore[operator]
        return Finding(None, f"not applicable, test stars hold fewer than {LEAST} of a kind")
    data = prepared(rows, build_features(events), plan)
    test, rng, aucs = data.fold == TEST, np.random.default_rng(plan.seed), []
    for seed in range(PERMUTATIONS):
        # Those of test stars too: what is known of a true label would say how unlike planets are to the rest.
        label = rng.permutation(data.label)
        task = Task("event", "fold", TEST, plan.seed + seed, PERMUTED_ROUNDS, plan.params)
        raw = fit_task(replace(data, label=label), task).raw
        truth = (label[test] == 0).astype(float)
        aucs.append(point(binary_metrics(truth, sigmoid(planet_log_odds(raw))))["roc_auc"])
    mean = float(np.mean(aucs))
    return Finding(mean, f"mean ROC AUC {mean:.4f} over {PERMUTATIONS} permutations")


def _enough(tested: pl.DataFrame) -> Finding:
    planets = tested.filter(label=LABELS[0]).height
    others = tested.height - planets
    return Finding(float(min(planets, others)), f"{planets} planet candidates and {others} others")


def _figure(metrics: pl.DataFrame, metric: str) -> Finding:
    rows = metrics.filter(model="event_vetter", split="test", metric=metric)
    if not rows.height or rows["value"][0] is None:
        return Finding(float("nan"), "undefined")
    row = rows.row(0, named=True)
    return Finding(row["value"], f"{metric} {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})")


def _coverage(vetter: EventVetter, tested: pl.DataFrame) -> Finding:
    sets = vetter.limits.sets(tested.select(PROBABILITIES).to_numpy())
    told, upper = [], []
    for label in LABELS:
        own = sets.filter(tested["label"] == label).str.split(" or ").list.contains(label)
        if own.len():
            held = int(own.sum())
            low, high = (float(end) for end in wilson(held, own.len()))
            told.append(f"{label} {held / own.len():.3f} ({low:.3f} to {high:.3f})")
            upper.append(high)
    return Finding(min(upper) if upper else float("nan"), ", ".join(told) or "no test event")


def _not_worse(rival: EventVetter | None, what: str, events: pl.DataFrame, tested: pl.DataFrame, seed: int) -> Finding:
    if rival is None:
        return Finding(None, f"not applicable, there is no {what} before it")
    events = events.join(tested.select("event"), on="event", how="semi")
    theirs = rival.judge(events).select("event", rival="score")
    both = tested.join(theirs, on="event", how="inner", maintain_order="left")
    truth = (both["label"] == LABELS[0]).cast(pl.Float64).to_numpy()

    def model(column: str) -> Metrics:
        score = sigmoid(both[column].to_numpy())
        return lambda weights: binary_metrics(truth, score, weights)

    found = paired_difference(both["star_id"].to_numpy(), model("score"), model("rival"), seed=seed)
    gap = found["average_precision"]
    return Finding(gap.low, f"difference {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}) on {both.height} events")


def _sound(predictions: pl.DataFrame) -> Finding:
    p = predictions.select(PROBABILITIES)
    inside = pl.all_horizontal(pl.col(n).is_between(0, 1) for n in PROBABILITIES)
    wrong = p.filter(~(inside & ((pl.sum_horizontal(PROBABILITIES) - 1).abs() < 1e-9)).fill_null(False))
    return Finding(float(wrong.height), f"{wrong.height} of {p.height} judgements")


def _digest(exhibits: EventExhibits) -> Finding:
    judged = exhibits.predictions["model_digest"].unique().to_list()
    same = exhibits.vetter.digest == exhibits.candidate.digest and judged == [exhibits.candidate.digest]
    told = f"registry {exhibits.candidate.digest[:12]}, files {exhibits.vetter.digest[:12]}"
    return Finding(float(same), f"{told}, predictions by {', '.join(str(one)[:12] for one in judged) or 'none'}")
