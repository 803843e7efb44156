"""What searches and quoted answers of the documents that ship are worth, on the judged questions.

    python -m benchmarks.answers [--corpus FILE.jsonl] [--keep FILE.parquet] [--against FILE.parquet]

The documents are indexed as a night does it, in a lake of their own that is thrown away; no catalogue is read, so that
questions about objects are judged on the documents alone. `--corpus` adds abstracts (a JSON object a line with `title`
and `abstract`). Figures are means over questions with 95 % intervals by bootstrap over questions. `--keep` writes the
figures by question; `--against` compares with such a file, paired over the questions that both have by their text.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from exo_assets.corpus.answer_evaluation import answer_figures, answers
from exo_assets.corpus.chunking import offsets_of
from exo_assets.corpus.chunks import chunk_table
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.embedding import Embedder, packaged_files
from exo_assets.corpus.identifiers import ALIAS_SCHEMA
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.library import Library
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.query_sets import query_sets
from exo_assets.corpus.questions import questions
from exo_assets.corpus.retrieval_evaluation import FUSIONS, retrieval_figures
from exo_assets.corpus.subjects import targets_of
from exo_assets.evaluation.bootstrap import bootstrap_by_star
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings

DEFAULT = "0.5/0.5"


def documents(corpus: Path | None) -> list[Document]:
    """What ships, and the abstracts of `corpus`."""
    lines = corpus.read_text(encoding="utf-8").splitlines() if corpus else []
    rows = [json.loads(line) for line in lines]
    papers = [
        Document(f"arXiv:{number}", "arxiv", "abstract", row["title"].strip(), row["abstract"].strip())
        for number, row in enumerate(rows)
    ]
    return [*own_documents(), *papers]


def opened(found: Sequence[Document], home: Path) -> Library:
    """An index of the documents, opened."""
    names = pl.DataFrame(schema=ALIAS_SCHEMA)
    table = documents_table(found)
    targets = targets_of([f"{d.title}. {d.text}" for d in found], names)
    table = table.with_columns(targets=pl.Series(targets, dtype=pl.List(pl.String)))
    chunks = chunk_table(table, offsets_of(packaged_files()))
    vectors = Embedder().embed(chunks["text"].to_list())
    settings = Settings(home=home)
    store = LibraryStore(Lake(settings.lake), settings)
    content = IndexContent(chunks, table, vectors, names, store.models.in_use())
    return store.open(store.build(content)["version"])


def figures(library: Library) -> pl.DataFrame:
    """Figures by question: query (its text), half, metric, value."""
    judged = [s for s in query_sets(library, questions()) if s.name == "questions"]
    searched = retrieval_figures(library, judged, DEFAULT).filter(search=DEFAULT)
    found = answers(library, questions(), FUSIONS[DEFAULT])
    metrics = ["ndcg_at_10", "recall_at_100", "mrr"]
    of_search = searched.unpivot(metrics, index=["query", "half"], variable_name="metric")
    of_answers = answer_figures(found).join(found.select("query_id", "query"), on="query_id")
    return pl.concat([of_search, of_answers.select(of_search.columns)])


def interval(values: np.ndarray) -> str:
    """A mean with its 95 % interval."""
    weights = bootstrap_by_star(np.arange(values.size), lambda w: {"mean": w @ values / w.sum(axis=1)}, seed=0)
    found = weights["mean"]
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def show(now: pl.DataFrame, before: pl.DataFrame | None) -> None:
    """A row for each metric and half."""
    for (metric,), rows in now.group_by("metric", maintain_order=True):
        for half in ("all", "tuning", "held_out"):
            part = rows if half == "all" else rows.filter(half=half)
            line = f"{metric:<20} {half:<9} {part.height:>4} {interval(part['value'].to_numpy())}"
            if before is not None:
                both = part.join(before.select("query", "metric", was="value"), on=["query", "metric"])
                line += f"   difference on {both.height} {interval((both['value'] - both['was']).to_numpy())}"
            print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Index, search, answer, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--against", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        library = opened(documents(asked.corpus), Path(home))
        print(f"{library.documents.height} documents, {library.chunks.height} passages")
        now = figures(library)
    if asked.keep:
        now.write_parquet(asked.keep)
    show(now, pl.read_parquet(asked.against) if asked.against else None)


if __name__ == "__main__":
    main()
