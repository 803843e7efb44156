"""What an embedding model is judged by: questions whose one right passage is known, before and after it was taught.

Belongs here: the tasks and their figures. Does not belong here: embedding (vectors are given), or what the figures lead
to (`embedder_gates.py`).

Questions are of held-out documents only; they are looked for among passages of the whole corpus, as in the index, and
once more among those of held-out documents alone, none of which the model has ever seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.corpus.embedding import Vectors
from exo_assets.corpus.pairs import Pair, is_held_out, sentence_pairs, title_pair
from exo_assets.corpus.retrieval_metrics import RECALL_DEPTH, PerQuery, differences, gains, intervals, per_query

TITLES, SENTENCES, GENERAL = "title_to_abstract", "sentence_to_abstract", "python_documentation"
AMONG_HELD_OUT = "_among_held_out"
"""Ending of the name of a task whose passages are all of held-out documents."""
MOST_QUERIES = 400
MOST_PASSAGES = 1600
"""Held-out documents that are asked for, and passages that they are looked for among: judging takes as long as teaching
beyond that."""


@dataclass(frozen=True)
class Task:
    """`queries[i]` asks for `passages[i]`; the passages behind those are right for none."""

    name: str
    queries: tuple[str, ...]
    passages: tuple[str, ...]


def field_tasks(documents: pl.DataFrame) -> list[Task]:
    """Titles and sentences of held-out abstracts to the abstracts without them, among all and among held-out ones.

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
        Task(name + ending, tuple(p.query for p in pairs), (*(p.passage for p in pairs), *beside))
        for name, pairs in asked.items()
        for ending, beside in (("", others), (AMONG_HELD_OUT, []))
        if pairs
    ]


def pairs_task(name: str, pairs: Sequence[Pair]) -> Task:
    """The passage of each pair among those of all."""
    return Task(name, tuple(pair.query for pair in pairs), tuple(pair.passage for pair in pairs))


def texts_of(tasks: Iterable[Task]) -> list[str]:
    """Every text of the tasks, once."""
    return list(dict.fromkeys(text for task in tasks for text in (*task.queries, *task.passages)))


def per_task(tasks: Sequence[Task], embed: Callable[[Sequence[str]], Vectors]) -> dict[str, PerQuery]:
    """Figures of each question, by name of the task. All texts are embedded in one call."""
    texts = texts_of(tasks)
    vectors = embed(texts) if texts else np.empty((0, 0), dtype=np.float32)
    row = {text: number for number, text in enumerate(texts)}
    out = dict[str, PerQuery]()
    for task in tasks:
        queries, passages = (vectors[[row[t] for t in texts_]] for texts_ in (task.queries, task.passages))
        out[task.name] = per_query(gains(*_ranked(queries @ passages.T)))
    return out


def _ranked(cosines: npt.NDArray[np.float32]) -> tuple[list[list[str]], list[dict[str, float]]]:
    """The best passages of each question, and its right one."""
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :RECALL_DEPTH]
    return [[str(p) for p in row] for row in best], [{str(i): 1.0} for i in range(len(cosines))]


def comparison(before: dict[str, PerQuery], after: dict[str, PerQuery], *, seed: int) -> pl.DataFrame:
    """[task, metric, before, after, difference, low, high, n_queries]: figures of two models on the same questions, and
    their difference with its 95 % interval, paired by question."""
    rows = []
    for task, figures in after.items():
        old, new = (intervals(f, seed=seed) for f in (before[task], figures))
        for metric, found in differences(figures, before[task], seed=seed).items():
            n = len(figures[metric])
            rows.append((task, metric, old[metric].value, new[metric].value, found.value, found.low, found.high, n))
    names = ("task", "metric", "before", "after", "difference", "low", "high")
    schema = {**{n: pl.String if i < 2 else pl.Float64 for i, n in enumerate(names)}, "n_queries": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
