"""The gates of an index, on figures whose verdict is known."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from exo_assets.corpus.evaluation_checks import CHECKS, SHOWN_GATES
from exo_assets.corpus.evaluation_contracts import (
    CORPUS_ANSWERS,
    CORPUS_GATES,
    CORPUS_RELEASED_FIGURES,
    CORPUS_RETRIEVAL_FIGURES,
)
from exo_assets.corpus.evaluation_gates import GATE_NAMES, GATES, LEAST, TOLERANCE, judge, served_figures
from exo_assets.gate_checks import check_result

GOOD = {"dense": 0.85, "keyword": 0.9, "0.5/0.5": 0.95}
Change = Callable[[str, str, int], float]


def _retrieval(version: str = "2", count: int = 80, change: Change = lambda *_: 0.0) -> pl.DataFrame:
    """Figures of `count` queries a set; `change` of set, search and query is added to what is good."""
    rows = [
        {
            "version": version,
            "set": name,
            "search": search,
            "query_id": f"{name}-{query}",
            "query": f"{query}?",
            "ndcg_at_10": min(
                1.0, max(0.0, value + 0.1 * ((-1) ** query) * (value < 0.9) + change(name, search, query))
            ),
            "recall_at_100": 1.0,
            "mrr": 1.0,
        }
        for name in ("titles", "questions", "questions_everywhere")
        for search, value in GOOD.items()
        for query in range(count)
    ]
    return CORPUS_RETRIEVAL_FIGURES.check(CORPUS_RETRIEVAL_FIGURES.conform(pl.DataFrame(rows)))


def _answers(version: str = "2", *, cited: float = 1.0, refused: float = 1.0, unsupported: int = 0) -> pl.DataFrame:
    """80 answerable questions of which a share is cited rightly, 40 unanswerable of which a share is declined."""
    rows = []
    for number in range(120):
        can = number < 80
        right = number < 80 * cited
        declined = not can and number - 80 < 40 * refused
        rows.append(
            {
                "version": version,
                "query_id": f"{number:03}",
                "query": f"{number}?",
                "kind": "code" if can else "chat",
                "half": "tuning" if number % 2 else "held_out",
                "is_answerable": can,
                "declined": "none" if declined else None,
                "answer": "" if declined else "so",
                "n_sentences": 0 if declined else 1,
                "n_unsupported": 0 if declined else unsupported,
                "n_cited": 0 if declined else 1,
                "n_cited_judged": int(can and right),
                "cites_answer": can and right,
            }
        )
    return CORPUS_ANSWERS.check(pl.DataFrame(rows, schema=CORPUS_ANSWERS.schema))


def _released(retrieval: pl.DataFrame | None = None, answered: pl.DataFrame | None = None) -> pl.DataFrame:
    figures = served_figures(
        retrieval if retrieval is not None else _retrieval("1"),
        answered if answered is not None else _answers("1"),
        "0.5/0.5",
    )
    return CORPUS_RELEASED_FIGURES.check(figures)


def _status(gates: pl.DataFrame) -> dict[str, str]:
    CORPUS_GATES.check(gates)
    assert tuple(gates["gate"]) == GATE_NAMES
    return dict(gates.select("gate", "status").iter_rows())


def _failed(gates: pl.DataFrame) -> set[str]:
    return {gate for gate, status in _status(gates).items() if status == "failed"}


def test_a_good_first_index_passes_without_a_comparison() -> None:
    gates = judge(_retrieval(), _answers(), None, "0.5/0.5")
    status = _status(gates)
    assert {name for name, s in status.items() if s == "not_applicable"} == {g.name for g in GATES if g.kind == "kept"}
    assert set(status.values()) == {"passed", "not_applicable"}
    assert gates["reference_version"].null_count() == gates.height and set(gates["version"]) == {"2"}


def test_the_same_figures_as_the_release_pass() -> None:
    gates = judge(_retrieval(), _answers(), _released(), "0.5/0.5")
    assert set(_status(gates).values()) == {"passed"}
    kept = gates.filter(pl.col("gate").str.starts_with("kept_"))
    assert set(kept["reference_version"]) == {"1"} and kept["value"].to_list() == [0.0] * kept.height


def test_a_drop_beyond_the_tolerance_and_chance_blocks() -> None:
    def worse(name: str, search: str, _: int) -> float:
        return -0.03 if (name, search) == ("titles", "0.5/0.5") else 0.0

    gates = judge(_retrieval(change=worse), _answers(), _released(), "0.5/0.5")
    assert _failed(gates) == {"kept_titles"}
    row = gates.filter(gate="kept_titles").row(0, named=True)
    assert row["value"] == pytest.approx(-0.03) and row["high"] < 0 and row["lowest"] == -TOLERANCE
    assert "against 1 on 80 queries" in row["explanation"]


def test_a_small_drop_passes_and_so_does_one_that_may_be_chance() -> None:
    small = judge(_retrieval(change=lambda n, s, q: -0.009), _answers(), _released(), "0.5/0.5")
    assert _failed(small) == set()

    def lost(name: str, search: str, query: int) -> float:
        return -0.95 if (name, search, query) == ("questions", "0.5/0.5", 0) else 0.0

    gates = judge(_retrieval(change=lost), _answers(), _released(), "0.5/0.5")
    row = gates.filter(gate="kept_questions").row(0, named=True)
    assert row["value"] < -TOLERANCE and row["high"] >= 0 and row["status"] == "passed"


def test_the_search_that_people_are_served_by_is_the_one_that_is_judged() -> None:
    def worse(_: str, search: str, __: int) -> float:
        return -0.2 if search == "keyword" else 0.0

    assert _failed(judge(_retrieval(change=worse), _answers(), _released(), "0.5/0.5")) == set()
    assert "kept_titles" in _failed(judge(_retrieval(change=worse), _answers(), _released(), "keyword"))


def test_a_leg_that_spoils_the_other_blocks_even_the_first_index() -> None:
    def spoilt(name: str, search: str, _: int) -> float:
        return -0.1 if name == "questions" and search == "0.5/0.5" else 0.0

    gates = judge(_retrieval(change=spoilt), _answers(), None, "0.5/0.5")
    assert _failed(gates) == {"hybrid_questions"}
    assert "against keyword alone" in gates.filter(gate="hybrid_questions")["explanation"][0]


def test_floors_hold_without_a_release() -> None:
    gates = judge(_retrieval(change=lambda *_: -0.5), _answers(cited=0.3, refused=0.2, unsupported=1), None, "0.5/0.5")
    floors = {g.name for g in GATES if g.kind == "floor"}
    assert _failed(gates) == floors


@pytest.mark.parametrize(
    ("answered", "gate"),
    [
        (_answers(cited=0.8), "kept_citation_recall"),
        (_answers(cited=0.8), "kept_citation_precision"),
        (_answers(refused=0.7), "kept_refusal"),
        (_answers(unsupported=1), "kept_supported"),
    ],
)
def test_answers_must_not_get_worse_either(answered: pl.DataFrame, gate: str) -> None:
    assert gate in _failed(judge(_retrieval(), answered, _released(), "0.5/0.5"))


def test_few_queries_judge_nothing_but_their_number() -> None:
    gates = judge(_retrieval(count=LEAST - 1), _answers(), _released(), "0.5/0.5")
    status = _status(gates)
    assert status["questions_in_index"] == "failed"
    searched = [g.name for g in GATES if g.set in ("titles", "questions") and g.kind != "count"]
    assert {status[name] for name in searched} == {"not_applicable"}


def test_only_queries_with_the_same_judgement_are_compared() -> None:
    before = _released().with_columns(
        query_id=pl.when(pl.col("set") == "questions").then(pl.col("query_id") + "!").otherwise("query_id")
    )
    status = _status(judge(_retrieval(), _answers(), before, "0.5/0.5"))
    assert status["kept_questions"] == "not_applicable" and status["kept_titles"] == "passed"


def test_figures_of_two_versions_are_refused() -> None:
    with pytest.raises(ValueError, match="different versions: 2, 3"):
        judge(_retrieval("2"), _answers("3"), None, "0.5/0.5")


def test_every_gate_is_a_blocking_check_that_says_what_was_found() -> None:
    specs = {spec.name: spec for checks in CHECKS for spec in checks.check_specs}
    assert set(specs) == set(GATE_NAMES) and all(spec.blocking for spec in specs.values())
    table = judge(_retrieval(change=lambda *_: -0.5), _answers(), None, "0.5/0.5")
    by_name = {gate.name: check_result(gate, table, "corpus_gates", ("low",)) for gate in SHOWN_GATES}
    assert not by_name["floor_titles"].passed and "0.45" in str(by_name["floor_titles"].description)
    assert by_name["kept_titles"].passed and str(by_name["kept_titles"].description).startswith("NOT APPLICABLE")
    assert not check_result(SHOWN_GATES[0], table.clear(), "corpus_gates").passed
