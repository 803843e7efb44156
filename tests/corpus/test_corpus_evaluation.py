"""Searches and answers judged, on a library small enough to know what is right."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from small_library import document, small_library

from exo_assets.corpus import evaluation_plots
from exo_assets.corpus.answer_evaluation import answer_figures, answer_metrics, answers
from exo_assets.corpus.chunks import ChunkSettings
from exo_assets.corpus.evaluation_contracts import (
    CORPUS_ANSWER_METRICS,
    CORPUS_ANSWERS,
    CORPUS_LATENCY,
    CORPUS_RETRIEVAL_FIGURES,
    CORPUS_RETRIEVAL_METRICS,
)
from exo_assets.corpus.fusion import EQUAL, MOSTLY_DENSE
from exo_assets.corpus.library import Library, SearchRequest
from exo_assets.corpus.query_sets import GATED_SETS, SETS, Query, QuerySet, query_sets
from exo_assets.corpus.questions import Judged, Question
from exo_assets.corpus.remembering import remembering
from exo_assets.corpus.retrieval_evaluation import retrieval_figures, retrieval_metrics
from exo_assets.corpus.search_latency import search_latency

PACKAGE = {"source": "package"}
DOCUMENTS = [
    document("exo:odd", "Odd and even transits of unequal depth speak for an eclipsing binary.", **PACKAGE),
    document("exo:pixels", "The pixels of TESS are 21 arc seconds wide.", **PACKAGE),
    document("exo:window", "The window of a filter should be three times as long as a transit.", **PACKAGE),
    document("arXiv:1", "We find water in the air of a warm planet.", "Steam", source="arxiv", media="abstract"),
    document("arXiv:2", "Pixels of TESS are large, we show.", "Crowding", source="arxiv", media="abstract"),
]
ODD = Question(
    "Why do unequal odd and even transits mean an eclipsing binary?",
    "vetting",
    (Judged("exo:odd", "speak for an eclipsing binary", 2),),
)
PIXELS = Question("How wide are the pixels of TESS?", "vetting", (Judged("exo:pixels", "21 arc seconds", 2),))
LACKING = Question("What is in a document that is not installed?", "vetting", (Judged("exo:none", "nothing", 2),))
PIZZA = Question("best pizza recipe", "chat")
QUESTIONS = (ODD, PIXELS, LACKING, PIZZA)


@pytest.fixture(scope="module")
def library() -> Library:
    return small_library(DOCUMENTS)


@pytest.fixture(scope="module")
def figures(library: Library) -> pl.DataFrame:
    return retrieval_figures(library, query_sets(library, QUESTIONS), "0.5/0.5")


def test_each_set_is_searched_among_what_was_judged_for_it(library: Library) -> None:
    sets = {each.name: each for each in query_sets(library, QUESTIONS)}
    assert tuple(sets) == SETS and set(GATED_SETS) < set(sets)
    assert {q.text for q in sets["titles"].queries} == {"Steam", "Crowding"}
    assert [q.text for q in sets["questions"].queries] == [ODD.text, PIXELS.text]
    found = {name: {h.source for h in library.search("pixels of TESS", each.request)} for name, each in sets.items()}
    assert found["titles"] == {"arxiv"} and found["questions"] == {"package"}
    assert found["questions_everywhere"] == found["titles_everywhere"] == {"arxiv", "package"}


def test_an_id_follows_the_question_and_what_answers_it(library: Library) -> None:
    def ids(*questions: Question) -> list[str]:
        return [q.query_id for each in query_sets(library, questions) if each.name == "questions" for q in each.queries]

    again = small_library(DOCUMENTS[:3], version="small-2")
    elsewhere = [q.query_id for each in query_sets(again, (ODD,)) if each.name == "questions" for q in each.queries]
    judged_otherwise = Question(ODD.text, ODD.kind, (Judged("exo:odd", "of unequal depth", 2),))
    assert ids(ODD) == elsewhere and ids(ODD) != ids(judged_otherwise)


def test_figures_of_every_search_are_kept_by_query(figures: pl.DataFrame) -> None:
    CORPUS_RETRIEVAL_FIGURES.check(figures)
    assert set(figures["search"]) == {"dense", "keyword", "0.5/0.5", "0.7/0.3", "rrf"}  # no cross-encoder
    right = figures.filter(set="questions", search="0.5/0.5")
    assert right["ndcg_at_10"].to_list() == right["mrr"].to_list() == [1.0, 1.0]
    # A title that shares no word with its abstract: keywords find nothing, and do not borrow what vectors found.
    steam = figures.filter(set="titles", query="Steam")
    assert steam.filter(search="keyword")["recall_at_100"].to_list() == [0.0]
    assert steam.filter(search="dense")["recall_at_100"].to_list() == [1.0]


def test_an_item_counts_once_however_many_passages_hold_it() -> None:
    text = "Stars vary. Pixels are wide. Gas glows."
    library = small_library([document("exo:a", text, **PACKAGE)], chunks=ChunkSettings(9, 5))
    assert library.chunks["text"].to_list() == ["Stars vary. Pixels are wide.", "Pixels are wide. Gas glows."]
    both = dict.fromkeys(library.chunks["chunk_id"], ("pixels", 2))
    query = Query("1", "wide pixels", both)
    sets = [QuerySet("questions", (query,), SearchRequest(limit=100, every_passage=True))]
    found = retrieval_figures(library, sets, "0.5/0.5").filter(search="dense")
    assert found.select("ndcg_at_10", "recall_at_100", "mrr").row(0) == (1.0, 1.0, 1.0)
    other = Query("2", "wide pixels", {library.chunks["chunk_id"][1]: ("gas", 1)})
    last = library.search("wide pixels", SearchRequest(every_passage=True))[-1]
    second = retrieval_figures(library, [QuerySet("questions", (other,), sets[0].request)], "0.5/0.5")
    rank = 2 if last.chunk_id == library.chunks["chunk_id"][1] else 1
    assert second.filter(search="0.5/0.5")["mrr"][0] == 1 / rank


def test_means_come_with_intervals_and_paired_differences(figures: pl.DataFrame) -> None:
    metrics = CORPUS_RETRIEVAL_METRICS.check(retrieval_metrics(figures, "0.5/0.5"))
    one = metrics.filter(set="titles", search="0.5/0.5", metric="recall_at_100", half="all").row(0, named=True)
    assert one["queries"] == 2 and one["is_default"]
    keyword = figures.filter(set="titles", search="keyword")["recall_at_100"].mean()
    assert one["minus_keyword"] == pytest.approx(one["value"] - keyword)
    assert one["minus_keyword_low"] <= one["minus_keyword"] <= one["minus_keyword_high"]
    dense = metrics.filter(search="dense")
    assert dense["minus_dense"].null_count() == dense.height and dense["minus_keyword"].null_count() == 0
    halves = metrics.filter(set="questions", search="dense", metric="mrr")
    assert halves.filter(pl.col("half") != "all")["queries"].sum() == halves.filter(half="all")["queries"][0]
    assert set(metrics.filter(set="titles")["half"]) == {"all"}
    assert evaluation_plots.searches(metrics).startswith(b"\x89PNG")


def test_a_library_with_a_memory_finds_the_same(library: Library) -> None:
    quick = remembering(library)
    for request in (SearchRequest(), SearchRequest(fusion=MOSTLY_DENSE), SearchRequest(every_passage=True)):
        for query in (ODD.text, PIXELS.text, ODD.text, "Steam"):
            assert quick.search(query, request) == library.search(query, request)
    assert np.array_equal(quick.embed(["a", "b", "a"]), library.embed(["a", "b", "a"]))


def test_answers_are_judged_by_what_they_cite(library: Library) -> None:
    given = CORPUS_ANSWERS.check(answers(library, QUESTIONS, EQUAL))
    assert given["query"].to_list() == [ODD.text, PIXELS.text, PIZZA.text], "what cannot be judged is left out"
    rows = {row["query"]: row for row in given.iter_rows(named=True)}
    assert rows[PIXELS.text]["cites_answer"] and "21 arc seconds" in rows[PIXELS.text]["answer"]
    assert "we show" not in rows[PIXELS.text]["answer"], "papers are not among what was judged"
    assert rows[PIZZA.text]["declined"] and not rows[PIZZA.text]["is_answerable"]
    assert given["n_unsupported"].sum() == 0 and given["n_sentences"].sum() >= 2


def _answer(name: str, half: str, can: bool, **more: object) -> dict[str, object]:
    row = dict.fromkeys(CORPUS_ANSWERS.schema.names(), None) | {"version": "1", "query": name, "query_id": name}
    numbers = {"n_sentences": 0, "n_unsupported": 0, "n_cited": 0, "n_cited_judged": 0}
    return (
        row | {"half": half, "is_answerable": can, "answer": "", "cites_answer": False, "kind": "code"} | numbers | more
    )


def test_each_figure_is_over_the_questions_that_it_speaks_of() -> None:
    said = {"n_sentences": 4, "n_unsupported": 1, "n_cited": 2, "n_cited_judged": 1, "cites_answer": True}
    table = pl.DataFrame(
        [
            _answer("right", "tuning", True, **said),
            _answer("wrong", "tuning", True, n_sentences=1, n_cited=1),
            _answer("declined", "held_out", True, declined="none"),
            _answer("refused", "held_out", False, declined="none"),
            _answer("chatted", "tuning", False, n_sentences=2, n_unsupported=2),
        ],
        schema=CORPUS_ANSWERS.schema,
    )
    metrics = CORPUS_ANSWER_METRICS.check(answer_metrics(CORPUS_ANSWERS.check(table)))
    found = {(r["half"], r["metric"]): (r["value"], r["questions"]) for r in metrics.iter_rows(named=True)}
    assert found["all", "citation_precision"] == (0.25, 2)
    assert found["all", "citation_recall"] == (pytest.approx(1 / 3), 3)
    assert found["all", "unsupported_share"] == (pytest.approx(1.25 / 3), 3)
    assert found["all", "answered_share"] == (pytest.approx(2 / 3), 3)
    assert found["all", "refusal_share"] == (0.5, 2)
    assert found["held_out", "refusal_share"] == (1.0, 1)
    assert ("held_out", "citation_precision") not in found
    assert answer_figures(table).filter(query_id="declined")["metric"].sort().to_list() == [
        "answered_share",
        "citation_recall",
    ]
    assert evaluation_plots.answers(metrics).startswith(b"\x89PNG")


def test_searches_are_timed_over_as_many_passages_as_asked(library: Library) -> None:
    stores = []

    def make_store(vectors, keywords):  # type: ignore[no-untyped-def]
        stores.append((len(vectors), keywords.passages))
        return type(library.store)(vectors, keywords)

    vectors = library.embed(library.chunks["text"].to_list())
    request = SearchRequest(fusion=EQUAL)
    table = search_latency(library, vectors, [ODD.text, PIXELS.text], make_store, request, sizes=(3, 12), searches=4)
    CORPUS_LATENCY.check(table)
    assert stores == [(3, 3), (12, 12)] and table["passages"].to_list() == [3, 12]
    assert (table["p99_ms"] >= table["p50_ms"]).all() and (table["p50_ms"] > 0).all()
