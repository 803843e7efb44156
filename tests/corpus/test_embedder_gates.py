"""What stands between a taught model and its use: really worse models are refused, better ones become champion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from exo_assets.corpus import embedder_champion as rules
from exo_assets.corpus.docstrings import docstring_pairs
from exo_assets.corpus.embedder_contracts import (
    ML_EMBEDDER_CANDIDATE,
    ML_EMBEDDER_CHAMPION,
    ML_EMBEDDER_GATES,
    ML_EMBEDDER_METRICS,
)
from exo_assets.corpus.embedder_gates import EMBEDDER_GATES, find
from exo_assets.corpus.embedder_tasks import (
    AMONG_HELD_OUT,
    GENERAL,
    HELD_OUT,
    QUESTIONS,
    SENTENCES,
    TITLES,
    Task,
    comparison,
    pairs_task,
    per_task,
    read_tasks,
    tasks_bytes,
)
from exo_assets.corpus.embedding import MINILM, Embedder, ModelFiles, packaged_files
from exo_assets.corpus.embedding_in_use import EmbeddingRef, embedding_in_use
from exo_assets.evaluation.gates import GateRefused, judge
from exo_assets.training.model_ref import ModelRef
from tests.corpus.small_pairs import PAIRS

PACKAGED = EmbeddingRef(MINILM.name, 384, 512, "0" * 64)
FIGURES = {HELD_OUT: 0.025, TITLES: 0.0, SENTENCES: 0.05, GENERAL: 0.0, QUESTIONS: 0.0}


def candidate(digest: str = "a" * 64, **changed: object) -> pl.DataFrame:
    row = {
        "name": f"{MINILM.name}-lora",
        "version": digest[:12],
        "run_id": "run",
        "digest": digest,
        "dimensions": 384,
        "tokens": 512,
        "folder_key": f"corpus/models/{digest[:16]}",
        "way": "lora",
        "base_digest": PACKAGED.digest,
        "recipe": "r",
        "data_digest": "d",
        "n_pairs": 800,
        "n_documents": 900,
        "cosine_min": 0.9995,
        "cosine_mean": 0.9997,
        "trained_at": "2026-01-01T00:00:00+00:00",
        **changed,
    }
    return ML_EMBEDDER_CANDIDATE.check(ML_EMBEDDER_CANDIDATE.conform(pl.DataFrame([row])))


def metrics(**changed: float) -> pl.DataFrame:
    """Figures that rise by so much, give or take 0.01, in 200 questions each."""
    rows = [
        {
            "candidate_digest": "a" * 64,
            "compared_with_digest": PACKAGED.digest,
            "task": task,
            "metric": "ndcg_at_10",
            "before": 0.8,
            "after": 0.8 + rise,
            "difference": rise,
            "low": rise - 0.01,
            "high": rise + 0.01,
            "n_queries": 200,
            "n_passages": 500,
        }
        for task, rise in (FIGURES | changed).items()
    ]
    return ML_EMBEDDER_METRICS.check(ML_EMBEDDER_METRICS.conform(pl.DataFrame(rows)))


def gates(
    made: pl.DataFrame, found: pl.DataFrame, taught: tuple[str, ...] = (), before: EmbeddingRef = PACKAGED
) -> pl.DataFrame:
    row = made.row(0, named=True)
    findings = find(row, found, pl.Series("document_id", taught, dtype=pl.String), True)
    table = judge(
        ModelRef.from_row(row), rules.as_model(before), findings, gates=EMBEDDER_GATES, contract=ML_EMBEDDER_GATES
    )
    return ML_EMBEDDER_GATES.check(table)


def crown(made: pl.DataFrame, found: pl.DataFrame, champion: pl.DataFrame, **asked: object) -> pl.DataFrame:
    return rules.crown(made, gates(made, found, **asked), found, champion, PACKAGED)[0]  # type: ignore[arg-type]


def test_what_rises_and_forgets_nothing_becomes_champion_and_is_what_is_embedded_with() -> None:
    champion = ML_EMBEDDER_CHAMPION.check(crown(candidate(), metrics(), ML_EMBEDDER_CHAMPION.empty()))
    row = champion.row(0, named=True)
    assert json.loads(row["metrics"])[TITLES] == pytest.approx([0.8, 0.8])
    used = embedding_in_use(PACKAGED, chosen=None, champion=champion)
    assert (used.digest, used.key) == ("a" * 64, f"corpus/models/{'a' * 16}")
    assert crown(candidate(), metrics(), champion).equals(champion), "the same again changes nothing"


def test_the_next_candidate_is_compared_with_the_champion() -> None:
    first = crown(candidate(), metrics(), ML_EMBEDDER_CHAMPION.empty())
    standing = rules.embedding_ref(candidate().row(0, named=True))
    assert rules.rival("b" * 64, first, PACKAGED) == standing
    assert rules.rival("a" * 64, first, PACKAGED) == PACKAGED, "its own promotion does not change the comparison"
    second = candidate("b" * 64)
    with pytest.raises(GateRefused, match="compared it with another model"):
        crown(second, metrics(), first)
    assert crown(second, metrics(), first, before=standing)["digest"].to_list() == ["b" * 64]


@pytest.mark.parametrize(("task", "rise"), [(HELD_OUT, 0.009), (TITLES, -0.011), (SENTENCES, -0.011)])
def test_what_does_not_rise_beyond_its_interval_is_passed_over_in_peace(task: str, rise: float) -> None:
    champion = crown(candidate(), metrics(), ML_EMBEDDER_CHAMPION.empty())
    for standing in (champion, ML_EMBEDDER_CHAMPION.empty()):
        found, before = metrics(**{task: rise}), rules.rival("c" * 64, standing, PACKAGED)
        made = candidate("c" * 64)
        after, refused = rules.crown(made, gates(made, found, before=before), found, standing, PACKAGED)
        assert after.equals(standing) and len(refused) == 1 and "failed: found" in refused[0]


@pytest.mark.parametrize(
    ("made", "found", "taught", "gate"),
    [
        (candidate(), metrics(**{GENERAL: -0.011}), (), "general_not_forgotten"),
        (candidate(), metrics(**{QUESTIONS: -0.02}), (), "questions_not_worse"),
        (candidate(cosine_min=0.99), metrics(), (), "export_as_taught"),
        (candidate(), metrics(), ("arXiv:1", "arXiv:6"), "held_out_never_taught"),
    ],
)
def test_what_forgot_is_not_what_was_taught_or_saw_the_answers_is_refused(
    made: pl.DataFrame, found: pl.DataFrame, taught: tuple[str, ...], gate: str
) -> None:
    with pytest.raises(GateRefused, match=gate):
        crown(made, found, ML_EMBEDDER_CHAMPION.empty(), taught=taught)


def test_a_fall_of_no_more_than_a_hundredth_is_borne_and_unasked_questions_are_not_held_against_it() -> None:
    found = metrics(**{GENERAL: -0.0099}).filter(pl.col("task") != QUESTIONS)
    assert crown(candidate(), found, ML_EMBEDDER_CHAMPION.empty()).height == 1


def test_a_model_that_knows_nothing_is_refused(tmp_path: Path) -> None:
    from exo_assets.corpus.bert_weights import packaged_weights
    from exo_assets.corpus.embedder_export_torch import exported

    random, files = np.random.default_rng(3), packaged_files()
    weights = {
        name: random.normal(0, 0.05, value.shape).astype(np.float32) if value.ndim == 2 else value
        for name, value in packaged_weights(files.network).items()
    }
    network = tmp_path / "model.onnx"
    network.write_bytes(exported(weights))
    tasks = [pairs_task(TITLES, PAIRS), pairs_task(SENTENCES, PAIRS), pairs_task(GENERAL, docstring_pairs(25))]
    embedders = (Embedder(), Embedder(MINILM, ModelFiles(network, files.tokenizer)))
    before, after = (per_task(tasks, embedder.embed) for embedder in embedders)
    assert before[GENERAL]["ndcg_at_10"].mean() > 0.8 and after[GENERAL]["ndcg_at_10"].mean() < 0.6
    found = comparison(before, after, tasks, seed=1)
    found = found.with_columns(candidate_digest=pl.lit("a" * 64), compared_with_digest=pl.lit(PACKAGED.digest))
    with pytest.raises(GateRefused, match="general_not_forgotten failed"):
        crown(candidate(), ML_EMBEDDER_METRICS.conform(found), ML_EMBEDDER_CHAMPION.empty())


def test_titles_and_sentences_of_one_document_are_drawn_together() -> None:
    tasks = [Task(name, ("a", "b"), ("a", "b", "c"), documents=("one", "two")) for name in (TITLES, SENTENCES)]
    tasks.append(Task(GENERAL, ("a",), ("a",)))
    metric = ("ndcg_at_10", "recall_at_100", "mrr")
    before = {task.name: dict.fromkeys(metric, np.zeros(len(task.queries))) for task in tasks}
    after = {task.name: dict.fromkeys(metric, np.eye(2)[0][: len(task.queries)]) for task in tasks}
    (row,) = comparison(before, after, tasks, seed=1).filter(task=HELD_OUT, metric="ndcg_at_10").to_dicts()
    assert (row["before"], row["after"], row["difference"]) == (0.0, 0.5, 0.5)
    assert (row["low"], row["high"]) == (0.0, 1.0), "two documents, not four questions"
    assert (row["n_queries"], row["n_passages"]) == (4, 3)


def test_figures_are_of_the_right_passages_also_where_several_are_right() -> None:
    vectors = {"q": [1.0, 0.0], "p": [0.8, 0.6], "also": [0.6, 0.8], "best": [1.0, 0.0], "r": [0.0, 1.0]}
    known = Task("known", ("q", "r"), ("p", "also", "best"))
    judged = Task("judged", ("q",), ("p", "also", "best"), (((0, "one", 2.0), (1, "one", 2.0)),))
    asked = read_tasks(tasks_bytes([known, judged]))
    assert asked == [known, judged]
    found = per_task(asked, lambda texts: np.array([vectors[text] for text in texts], dtype=np.float32))
    second = 1 / np.log2(3)
    np.testing.assert_allclose(found["known"]["ndcg_at_10"], [second, 1.0])
    np.testing.assert_allclose(found["known" + AMONG_HELD_OUT]["ndcg_at_10"], [1.0, 1.0])
    np.testing.assert_allclose(found["judged"]["ndcg_at_10"], [second])
    assert "judged" + AMONG_HELD_OUT not in found
