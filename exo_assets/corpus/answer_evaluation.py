"""What quoted answers are worth: are the right passages cited, and is what has no answer declined?

Belongs here: the answers to the judged questions, their figures by question, and means with intervals. Does not belong
here: answering (`answering.py`), the questions (`questions.py`), what is demanded (`evaluation_gates.py`).

Answers are sought in the documents that ship, whatever else is in the index: only there it is known which passages
answer, and that nothing answers what is unanswerable. They are quoted, not worded by a model: the index is what is
judged, and a model that is down must not keep it from its release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from exo_assets.corpus.answered import AnswerSentence, CitedAnswer
from exo_assets.corpus.answering import AnswerSettings, answer_question
from exo_assets.corpus.contracts import SHIPPED
from exo_assets.corpus.evaluation_contracts import ANSWER_METRICS, CORPUS_ANSWER_METRICS, CORPUS_ANSWERS, POPULATIONS
from exo_assets.corpus.fusion import Fusion
from exo_assets.corpus.library import Filters, Library
from exo_assets.corpus.query_sets import question_id
from exo_assets.corpus.questions import GRADES, Question, holds, judged_chunks
from exo_assets.corpus.remembering import remembering
from exo_assets.evaluation.bootstrap import bootstrap_by_star
from exo_assets.evaluation.metrics import Array

SEED = 0


def answers(library: Library, questions: Iterable[Question], fusion: Fusion) -> pl.DataFrame:
    """`corpus_answers`: every question that can be judged, answered with the search `fusion`.

    An answerable question whose answer is not in the library (a document that the installation lacks) is left out.
    """
    settings = AnswerSettings()
    search = replace(settings.search, filters=Filters(sources=SHIPPED), fusion=fusion)
    settings, quick = replace(settings, search=search), remembering(library)
    rows = []
    for question in questions:
        judged = judged_chunks(question, library.chunks)
        if judged or not question.answerable:
            rows.append(_row(question, answer_question(question.text, quick, settings), judged))
    return CORPUS_ANSWERS.conform(
        pl.DataFrame(rows, schema=CORPUS_ANSWERS.schema).with_columns(version=pl.lit(library.version))
    )


def answer_figures(answered: pl.DataFrame) -> pl.DataFrame:
    """Each metric of ANSWER_METRICS by question of `corpus_answers`: query_id, half, metric, value.

    A question has no row for a metric that says nothing of it: what was declined cites nothing.
    """
    given, can = pl.col("declined").is_null(), pl.col("is_answerable")
    values = {
        "citation_precision": pl.when(given & can).then(pl.col("n_cited_judged") / pl.col("n_cited")),
        "citation_recall": pl.when(can).then(pl.col("cites_answer").cast(pl.Float64)),
        "unsupported_share": pl.when(given).then(pl.col("n_unsupported") / pl.col("n_sentences")),
        "answered_share": pl.when(can).then(given.cast(pl.Float64)),
        "refusal_share": pl.when(~can).then((~given).cast(pl.Float64)),
    }
    wide = answered.select("query_id", "half", *(value.alias(name) for name, value in values.items()))
    long = wide.unpivot(list(ANSWER_METRICS), index=["query_id", "half"], variable_name="metric")
    return long.filter(pl.col("value").is_not_nan()).drop_nulls("value")


def answer_metrics(answered: pl.DataFrame) -> pl.DataFrame:
    """`corpus_answer_metrics` of `corpus_answers`."""
    figures = answer_figures(answered)
    rows = []
    for half in POPULATIONS:
        for metric in ANSWER_METRICS:
            chosen = figures.filter(metric=metric) if half == "all" else figures.filter(metric=metric, half=half)
            if chosen.height:
                values = chosen.sort("query_id")["value"].to_numpy()
                rows.append({"half": half, "metric": metric, "questions": values.size, **_interval(values)})
    table = pl.DataFrame(rows, schema={name: CORPUS_ANSWER_METRICS.schema[name] for name in rows[0]})
    return CORPUS_ANSWER_METRICS.conform(table.with_columns(version=pl.lit(answered["version"][0])))


def _row(question: Question, given: CitedAnswer, judged: Mapping[str, tuple[str, int]]) -> dict[str, object]:
    text = {source.number: source.text for source in given.sources}
    cited = [source.chunk_id for source in given.cited]
    grades = [judged[chunk][1] for chunk in cited if chunk in judged]
    return {
        "query_id": question_id(question),
        "query": question.text,
        "kind": question.kind,
        "half": question.half,
        "is_answerable": question.answerable,
        "declined": given.declined,
        "answer": given.text,
        "n_sentences": len(given.sentences),
        "n_unsupported": sum(not _stands(sentence, text) for sentence in given.sentences),
        "n_cited": len(cited),
        "n_cited_judged": len(grades),
        "cites_answer": max(GRADES) in grades,
    }


def _stands(sentence: AnswerSentence, text: Mapping[int, str]) -> bool:
    """Whether a quoted sentence stands, word for word, in a passage that it cites."""
    return any(holds(text[number], sentence.text) for number in sentence.citations)


def _interval(values: Array) -> dict[str, float]:
    found = bootstrap_by_star(
        np.arange(values.size), lambda weights: {"mean": weights @ values / weights.sum(axis=1)}, seed=SEED
    )
    return vars(found["mean"])
