"""A worse index is not released: real assets on the documents that ship, with their real vectors or shuffled ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from small_library import document, embed, offsets

from exo_assets.corpus import search_latency
from exo_assets.corpus.chunks import chunk_table
from exo_assets.corpus.document import documents_table
from exo_assets.corpus.embedding import MINILM, Vectors, model_digest, packaged_files
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.corpus.evaluation_assets import (
    corpus_answer_metrics,
    corpus_answers,
    corpus_gates,
    corpus_latency,
    corpus_released_figures,
    corpus_retrieval_figures,
    corpus_retrieval_metrics,
)
from exo_assets.corpus.evaluation_checks import CHECKS
from exo_assets.corpus.evaluation_gates import GATES
from exo_assets.corpus.identifiers import ALIAS_SCHEMA
from exo_assets.corpus.index_assets import corpus_release
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.questions import questions
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings

JUDGED = (corpus_retrieval_figures, corpus_answers, corpus_gates, corpus_release, corpus_released_figures)
SHOWN = (corpus_retrieval_metrics, corpus_answer_metrics, corpus_latency)

VETTING = "exo:exo_assets/corpus/vetting.md"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LibraryStore:
    monkeypatch.setattr(LibraryStore, "_embed", lambda *_: embed)  # the same model, each text embedded once
    return LibraryStore(Lake(str(tmp_path / "lake")), Settings(home=tmp_path))


def _built(store: LibraryStore, note: str, shuffle: bool = False) -> str:
    """A version of the index is built: the judged columns, the text on vetting, and a note that makes it new."""
    judged = {passage.document_id for question in questions() for passage in question.passages}
    ships = [d for d in own_documents() if d.document_id in judged and d.document_id.startswith(("archive:", VETTING))]
    table = documents_table([*ships, document("note.md", note)])
    chunks = chunk_table(table, offsets())
    vectors: Vectors = embed(chunks["text"].to_list())
    if shuffle:
        vectors = np.random.default_rng(0).permutation(vectors)
    model = EmbeddingRef(MINILM.name, MINILM.dimensions, MINILM.tokens, model_digest(MINILM, packaged_files()), None)
    names = pl.DataFrame(schema=ALIAS_SCHEMA)
    content = IndexContent(chunks, table, vectors, names, model)
    manifest = store.build(content)
    lake = store.lake
    lake.write("corpus_index", pl.DataFrame({"version": manifest["version"], "dimensions": MINILM.dimensions}))
    lake.write("corpus_embeddings", chunks.select("chunk_id").with_columns(vector=pl.Series(vectors.tolist())))
    return str(manifest["version"])


def _night(store: LibraryStore, *assets: Any) -> dg.ExecuteInProcessResult:
    values = {"lake": store.lake, "library_store": store, "settings": store.settings}
    return dg.materialize(
        [*(assets or (*JUDGED, *CHECKS))],
        resources={k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in values.items()},
        raise_on_error=False,
    )


def _made(result: dg.ExecuteInProcessResult) -> set[str]:
    return {e.asset_key.to_user_string() for e in result.get_asset_materialization_events() if e.asset_key}


def _recomputed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        e.asset_key.to_user_string()
        for e in result.get_asset_materialization_events()
        if e.asset_key and e.step_materialization_data.materialization.metadata["recomputed"].value
    }


def _failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {c.check_name for c in result.get_asset_check_evaluations() if not c.passed}


def test_an_index_that_answers_worse_than_the_released_one_is_not_released(
    store: LibraryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = store.lake
    first = _built(store, "A note.")
    night = _night(store)
    assert night.success and _failed(night) == set()
    assert store.open().version == first
    assert set(lake.read("corpus_released_figures")["version"]) == {first}

    # The same index and questions: nothing is searched again, and the gates compare with what was released meanwhile.
    night = _night(store)
    assert night.success and _recomputed(night) <= {"corpus_gates", "corpus_release"}
    assert {c.check_name for c in night.get_asset_check_evaluations()} == {"contract", *(gate.name for gate in GATES)}
    gates = lake.read("corpus_gates")
    kept = gates.filter(pl.col("gate").str.starts_with("kept_") & (pl.col("gate") != "kept_titles"))
    assert set(kept["status"]) == {"passed"} and set(kept["reference_version"]) == {first}

    second = _built(store, "Another note.", shuffle=True)
    night = _night(store)
    assert not night.success
    assert {"kept_questions", "hybrid_questions"} <= _failed(night)
    assert "corpus_gates" in _made(night) and not {"corpus_release", "corpus_released_figures"} & _made(night)
    assert store.open().version == first and store.status()["waiting"] == second
    assert set(lake.read("corpus_released_figures")["version"]) == {first}

    # A run without the checks: the release reads the gates itself. The released figures stay those of the release.
    again = _night(store, corpus_release)
    assert not again.success and store.open().version == first
    assert _night(store, corpus_released_figures).success
    assert set(lake.read("corpus_released_figures")["version"]) == {first}

    monkeypatch.setattr(search_latency, "SIZES", (50,))
    monkeypatch.setattr(search_latency, "SEARCHES", 3)
    shown = _night(store, *SHOWN)
    assert shown.success and _made(shown) == {"corpus_retrieval_metrics", "corpus_answer_metrics", "corpus_latency"}
    assert lake.read("corpus_latency")["passages"].to_list() == [50]
    assert set(lake.read("corpus_retrieval_metrics")["version"]) == {second}
