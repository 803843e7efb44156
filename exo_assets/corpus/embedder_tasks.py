"""What an embedding model is judged by: questions whose one right passage is known, before and after it was taught.

Belongs here: the tasks and their figures. Does not belong here: embedding (vectors are given), or what the figures lead
to (`embedder_gates.py`).

Questions are of held-out documents only; they are looked for among passages of the whole corpus, as in the index, and
once more among those of held-out documents alone, none of which the model has ever seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.corpus.chunks import chunk_table
from exo_assets.corpus.contracts import SHIPPED
from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.pairs import Pair, is_held_out, sentence_pairs, title_pair
from exo_assets.corpus.questions import QuestionsError, judged_chunks, questions
from exo_assets.corpus.retrieval_metrics import RECALL_DEPTH, PerQuery, differences, gains, intervals, per_query
from exo_assets.corpus.tokens import Offsets

TITLES, SENTENCES = "title_to_abstract", "sentence_to_abstract"
QUESTIONS, GENERAL = "questions", "python_documentation"
HELD_OUT = "held_out"
AMONG_HELD_OUT = "_among_held_out"
"""All questions taken from held-out documents; the ending of a task whose passages are of those alone, too."""
MOST_QUERIES = 250
MOST_PASSAGES = 500
"""Held-out documents that are asked for, and passages that they are looked for among: judging takes as long as teaching
beyond that."""


@dataclass(frozen=True)
class Task:
    """Questions and the passages among which each has its answers.

    Without `judged`, `passages[i]` is what `queries[i]` asks for, and the passages behind those are right for none.
    `judged` has for each question (number of a passage, name, gain) of what is right: passages of one name are one.
    `documents` are those that the questions were taken from, where they were.
    """

    name: str
    queries: tuple[str, ...]
    passages: tuple[str, ...]
    judged: tuple[tuple[tuple[int, str, float], ...], ...] | None = None
    documents: tuple[str, ...] = ()


def field_tasks(documents: pl.DataFrame) -> list[Task]:
    """Titles and sentences of held-out abstracts to the abstracts without them.

    `documents` are rows of `corpus_documents`. Without held-out abstracts there are no tasks.
    """
    rows = list(documents.filter(media="abstract").select("document_id", "title", "text").iter_rows())
    rows.sort(key=lambda row: hashlib.sha256(f"asked\0{row[0]}".encode()).digest())
    held = [row for row in rows if is_held_out(row[0])][:MOST_QUERIES]
    others = [text for name, _, text in rows if not is_held_out(name)]
    others = others[: max(0, MOST_PASSAGES - len(held))]
    asked = {
        TITLES: [pair for name, title, text in held for pair in title_pair(name, title, text)],
        SENTENCES: [pair for name, _, text in held for pair in sentence_pairs(name, text, 1)],
    }
    return [
        Task(
            name,
            tuple(p.query for p in pairs),
            (*(p.passage for p in pairs), *others),
            documents=tuple(p.document_id for p in pairs),
        )
        for name, pairs in asked.items()
        if pairs
    ]


def pairs_task(name: str, pairs: Sequence[Pair]) -> Task:
    """The passage of each pair among those of all."""
    return Task(name, tuple(pair.query for pair in pairs), tuple(pair.passage for pair in pairs))


def questions_task(documents: pl.DataFrame, offsets: Offsets) -> Task:
    """The questions of `questions.yaml` that the documents that ship answer, among the passages of these.

    QuestionsError when no question is answered by what is there of them.
    """
    chunks = chunk_table(documents.filter(pl.col("source").is_in(SHIPPED)), offsets)
    number = {name: row for row, name in enumerate(chunks["chunk_id"])}
    asked = [(question.text, judged_chunks(question, chunks)) for question in questions() if question.answerable]
    asked = [(text, judged) for text, judged in asked if judged]
    if not asked:
        raise QuestionsError("none of the passages by which questions are judged is in the corpus")
    judged = [tuple((number[chunk], name, float(grade)) for chunk, (name, grade) in j.items()) for _, j in asked]
    return Task(QUESTIONS, tuple(text for text, _ in asked), tuple(chunks["text"]), tuple(judged))


def tasks_bytes(tasks: Sequence[Task]) -> bytes:
    """Tasks as JSON: a model is judged by what it was held out from when it was taught."""
    return json.dumps([asdict(task) for task in tasks]).encode()


def read_tasks(stored: bytes) -> list[Task]:
    """What `tasks_bytes` wrote."""
    return [
        Task(
            task["name"],
            tuple(task["queries"]),
            tuple(task["passages"]),
            None if task["judged"] is None else tuple(tuple((n, i, g) for n, i, g in q) for q in task["judged"]),
            tuple(task["documents"]),
        )
        for task in json.loads(stored)
    ]


def texts_of(tasks: Iterable[Task]) -> list[str]:
    """Every text of the tasks, once."""
    return list(dict.fromkeys(text for task in tasks for text in (*task.queries, *task.passages)))


def per_task(tasks: Sequence[Task], embed: Callable[[Sequence[str]], Vectors]) -> dict[str, PerQuery]:
    """Figures of each question, by name of the task. All texts are embedded in one call.

    A task of which only the first passages are anyone's answer is judged among those alone too (AMONG_HELD_OUT).
    """
    texts = texts_of(tasks)
    vectors = embed(texts) if texts else np.empty((0, 0), dtype=np.float32)
    row = {text: number for number, text in enumerate(texts)}
    out = dict[str, PerQuery]()
    for task in tasks:
        queries, passages = ([row[text] for text in group] for group in (task.queries, task.passages))
        cosines = vectors[queries] @ vectors[passages].T
        out[task.name] = _figures(cosines, task.judged)
        if task.judged is None and len(passages) > len(queries):
            out[task.name + AMONG_HELD_OUT] = _figures(cosines[:, : len(queries)], None)
    return out


def _figures(
    cosines: npt.NDArray[np.float32], judged: tuple[tuple[tuple[int, str, float], ...], ...] | None
) -> PerQuery:
    rights = judged or tuple(((i, str(i), 1.0),) for i in range(len(cosines)))
    results, judgements = list[list[str]](), list[dict[str, float]]()
    for best, right in zip(np.argsort(-cosines, axis=1, kind="stable"), rights, strict=True):
        names = {number: name for number, name, _ in right}
        found = dict.fromkeys(names.get(int(p), str(p)) for p in best[: RECALL_DEPTH + len(right)])
        results.append(list(found)[:RECALL_DEPTH])
        judgements.append({name: gain for _, name, gain in right})
    return per_query(gains(results, judgements))


def comparison(
    before: dict[str, PerQuery], after: dict[str, PerQuery], tasks: Sequence[Task], *, seed: int
) -> pl.DataFrame:
    """[task, metric, before, after, difference, low, high, n_queries, n_passages]: figures of two models on the same
    questions, and their difference with its 95 % interval, paired by question.

    HELD_OUT has all questions that were taken from held-out documents, titles and sentences alike; its interval draws
    documents.
    """
    asked = [task for task in tasks if task.documents]
    documents = [name for task in asked for name in task.documents]
    if asked:
        before, after = (figures | {HELD_OUT: _joined(figures, asked)} for figures in (before, after))
    sizes = {task.name: len(task.passages) for task in tasks}
    sizes |= {task.name + AMONG_HELD_OUT: len(task.queries) for task in tasks}
    sizes[HELD_OUT] = max((len(task.passages) for task in asked), default=0)
    rows = []
    for task, figures in after.items():
        groups = documents if task == HELD_OUT else None
        old, new = (intervals(f, seed=seed) for f in (before[task], figures))
        for metric, found in differences(figures, before[task], seed=seed, groups=groups).items():
            n = len(figures[metric])
            values = (old[metric].value, new[metric].value, found.value, found.low, found.high)
            rows.append((task, metric, *values, n, sizes[task]))
    figures_ = dict.fromkeys(("before", "after", "difference", "low", "high"), pl.Float64)
    schema = {"task": pl.String, "metric": pl.String, **figures_, "n_queries": pl.Int64, "n_passages": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _joined(figures: dict[str, PerQuery], tasks: Sequence[Task]) -> PerQuery:
    """Figures of the questions of all `tasks`, one task after the other."""
    return {metric: np.concatenate([figures[task.name][metric] for task in tasks]) for metric in figures[tasks[0].name]}
