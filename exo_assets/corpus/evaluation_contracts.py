"""Contracts of the tables that judge an index: figures by query, answers, intervals, latency, gates.

Belongs here: columns, units and keys. Does not belong here: how a figure is computed or what a gate demands.
"""

from __future__ import annotations

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.corpus.query_sets import SETS
from exo_assets.corpus.questions import HALVES, KINDS, UNANSWERABLE_KINDS

F, N, S, B = pl.Float64, pl.Int64, pl.String, pl.Boolean

SEARCHES = ("dense", "keyword", "0.5/0.5", "0.7/0.3", "rrf", "reranked")
"""Vectors alone, keywords alone, both joined by weights or by reciprocal ranks, the best of the default re-ordered."""
STATUSES = ("passed", "failed", "not_applicable")
POPULATIONS = ("all", *HALVES)
ANSWER_METRICS = ("citation_precision", "citation_recall", "unsupported_share", "answered_share", "refusal_share")

_VERSION = Column("version", S, "Version of the index that was judged", nullable=False)
_SET = Column(
    "set",
    S,
    "titles: of abstracts, searched among abstracts; questions: judged ones, among the documents that ship; "
    "_everywhere: the same among the whole index",
    nullable=False,
    allowed=SETS,
)
_QUERY = (
    Column("query_id", S, "Digest of the query and of what answers it; the same in every version", nullable=False),
    Column("query", S, "What was asked", nullable=False),
)
_INTERVAL = (
    Column("value", F, "The figure", nullable=False),
    Column("low", F, "Lower end of its 95 % interval, bootstrap by query", nullable=False),
    Column("high", F, "Upper end of its 95 % interval, bootstrap by query", nullable=False),
)
_HALF = "all, or the half of the questions: thresholds are chosen on tuning only"


def _difference(other: str, said: str) -> tuple[Column, ...]:
    """A paired difference with its interval."""
    return (
        Column(f"minus_{other}", F, f"The figure less that of {said} on the same queries; null for itself"),
        Column(f"minus_{other}_low", F, "Lower end of the difference's 95 % interval, paired by query"),
        Column(f"minus_{other}_high", F, "Upper end of the difference's 95 % interval, paired by query"),
    )


CORPUS_RETRIEVAL_FIGURES = TableContract(
    "corpus_retrieval_figures",
    "How well each query of each set was answered by each way to search the index.",
    (
        _VERSION,
        _SET,
        Column("search", S, "How it was searched", nullable=False, allowed=SEARCHES),
        *_QUERY,
        Column("kind", S, "Kind of the question; null for titles", allowed=KINDS),
        Column("half", S, "Half of the questions that it is in; null for titles", allowed=HALVES),
        Column("ndcg_at_10", F, "nDCG of the first ten results", nullable=False, low=0, high=1),
        Column("recall_at_100", F, "Share of what answers or helps among a hundred", nullable=False, low=0, high=1),
        Column("mrr", F, "1 over the rank of the first that answers or helps", nullable=False, low=0, high=1),
    ),
    key=("set", "search", "query_id"),
)

CORPUS_RETRIEVAL_METRICS = TableContract(
    "corpus_retrieval_metrics",
    "Figures of each way to search the index, with intervals, and less those of vectors and keywords alone.",
    (
        _VERSION,
        _SET,
        Column("half", S, _HALF, nullable=False, allowed=POPULATIONS),
        Column("search", S, "How it was searched", nullable=False, allowed=SEARCHES),
        Column("is_default", B, "Whether people are served by this search", nullable=False),
        Column(
            "metric",
            S,
            "ndcg_at_10: gain of the first ten results over the best possible; recall_at_100: share of what answers among "
            "the first hundred; mrr: one over the rank of the first that answers",
            nullable=False,
            allowed=("ndcg_at_10", "recall_at_100", "mrr"),
        ),
        *_INTERVAL,
        Column("queries", N, "Queries that it rests on", nullable=False, low=1),
        *_difference("dense", "vectors alone"),
        *_difference("keyword", "keywords alone"),
    ),
    key=("set", "half", "search", "metric"),
)

CORPUS_ANSWERS = TableContract(
    "corpus_answers",
    "The quoted answer to every judged question, from the documents that ship, and what it is worth.",
    (
        _VERSION,
        *_QUERY,
        Column("kind", S, "Kind of the question", nullable=False, allowed=(*KINDS, *UNANSWERABLE_KINDS)),
        Column("half", S, "Half of the questions that it is in", nullable=False, allowed=HALVES),
        Column("is_answerable", B, "Whether the documents that ship answer it", nullable=False),
        Column("declined", S, "Why it was declined; null where it was answered"),
        Column("answer", S, "The answer with its citations; empty where it was declined", nullable=False),
        Column("n_sentences", N, "Sentences of the answer", nullable=False, low=0),
        Column("n_unsupported", N, "Sentences that do not stand in a passage that they cite", nullable=False, low=0),
        Column("n_cited", N, "Passages that are cited", nullable=False, low=0),
        Column("n_cited_judged", N, "Of these, passages judged to answer or to help", nullable=False, low=0),
        Column("cites_answer", B, "Whether a passage is cited that was judged to answer", nullable=False),
    ),
    key=("query_id",),
)

CORPUS_ANSWER_METRICS = TableContract(
    "corpus_answer_metrics",
    "What quoted answers are worth: means over questions, with intervals.",
    (
        _VERSION,
        Column("half", S, _HALF, nullable=False, allowed=POPULATIONS),
        Column(
            "metric",
            S,
            "citation_precision: share of cited passages that were judged to answer or help; citation_recall: answerable "
            "questions whose answer is cited; unsupported_share: sentences that stand in no passage that they cite; "
            "answered_share: answerable questions that were not declined; refusal_share: unanswerable ones that were",
            nullable=False,
            allowed=ANSWER_METRICS,
        ),
        *_INTERVAL,
        Column("questions", N, "Questions that it rests on", nullable=False, low=1),
    ),
    key=("half", "metric"),
)

CORPUS_LATENCY = TableContract(
    "corpus_latency",
    "What a search costs, its query embedded, by the number of passages; beyond the corpus its passages are drawn again.",
    (
        _VERSION,
        Column("passages", N, "Passages that are searched", nullable=False, low=1),
        Column("searches", N, "Searches that were timed, one after the other", nullable=False, low=1),
        Column("p50_ms", F, "Median time on the clock", "ms", nullable=False, low=0),
        Column("p99_ms", F, "99th percentile of the time on the clock", "ms", nullable=False, low=0),
        Column("cpu_p50_ms", F, "Median processor time", "ms", nullable=False, low=0),
        Column("cpu_p99_ms", F, "99th percentile of the processor time", "ms", nullable=False, low=0),
        Column("load", F, "Load of the machine meanwhile (one-minute average); null where it tells none", low=0),
        Column("cores", N, "Cores of the machine", nullable=False, low=1),
    ),
    key=("passages",),
)

CORPUS_GATES = TableContract(
    "corpus_gates",
    "One row per gate between an index and its release: what was demanded, what was found, for exactly which version.",
    (
        Column("gate", S, "Name of the gate", nullable=False),
        Column("set", S, "Queries that it looks at", nullable=False),
        Column("value", F, "What was found; null when not applicable"),
        Column("low", F, "Lower end of its 95 % interval, of differences paired by query"),
        Column("high", F, "Upper end of its 95 % interval, of differences paired by query"),
        Column("lowest", F, "Least value that passes; of a difference, when its interval lies below 0", nullable=False),
        Column("status", S, "What came out", nullable=False, allowed=STATUSES),
        Column("explanation", S, "The property in words, and what was found", nullable=False),
        Column("version", S, "Version of the index that was judged", nullable=False),
        Column("reference_version", S, "Released version that it was compared with; null: none, or not compared"),
    ),
    key=("gate",),
)

CORPUS_RELEASED_FIGURES = TableContract(
    "corpus_released_figures",
    "The released index's figures by query, which the next index is compared with.",
    (
        _VERSION,
        Column("set", S, "Set of queries", nullable=False),
        Column("figure", S, "Name of the figure", nullable=False),
        Column("query_id", S, "Digest of the query and of what answers it", nullable=False),
        Column("value", F, "Its figure by the search or the answer that people are served", nullable=False),
    ),
    key=("set", "figure", "query_id"),
)

CONTRACTS = (
    CORPUS_RETRIEVAL_FIGURES,
    CORPUS_RETRIEVAL_METRICS,
    CORPUS_ANSWERS,
    CORPUS_ANSWER_METRICS,
    CORPUS_LATENCY,
    CORPUS_GATES,
    CORPUS_RELEASED_FIGURES,
)
