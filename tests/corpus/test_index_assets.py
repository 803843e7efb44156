from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from indexed_corpus import DOCUMENTS, IDENTITY, SIGNALS, STARS, content, embedder

from exo_assets.corpus.embedding import MINILM, Vectors, packaged_files
from exo_assets.corpus.evaluation_gates import GATE_NAMES
from exo_assets.corpus.index_assets import corpus_embeddings, corpus_index, corpus_release
from exo_resources import embedding_run
from exo_resources.lake import Lake
from exo_resources.library_store import CURRENT, ROOT, LibraryMissingError, LibraryStore
from exo_resources.ray_runtime import RayRuntime, WorkerLost
from exo_resources.settings import Settings
from exo_resources.vector_parts import ROOT as PARTS


class Here:
    """In the place of Ray where Ray is not what is tested: tasks in this process, counted."""

    def __init__(self, gives_up_after: int | None = None) -> None:
        self.embedded: list[str] = []
        self._left = gives_up_after

    def gpus(self) -> int:
        return 0

    def stream(
        self, function: Callable[..., Vectors], shared: Any, tasks: Iterable[Sequence[str]], **_: Any
    ) -> Iterator[Vectors]:
        for texts in tasks:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = self._left and self._left - 1
            self.embedded += texts
            yield function(shared, texts)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    _write(lake, len(DOCUMENTS))
    for name, frame in (("core_signals", SIGNALS), ("core_stars", STARS), ("core_planet_identity", IDENTITY)):
        lake.write(name, frame)
    return lake


def _write(lake: Lake, documents: int) -> None:
    parts = content(DOCUMENTS[:documents])
    lake.write("corpus_documents", parts.documents)
    lake.write("corpus_chunks", parts.chunks)


def _store(lake: Lake, **settings: Any) -> LibraryStore:
    return LibraryStore(lake, Settings(home=Path(lake.root).parent, **settings))


def _run(store: LibraryStore, runtime: Any, *assets: dg.AssetsDefinition, failing: bool = False) -> dict[str, bool]:
    """Which of the assets were recomputed."""
    values = {"lake": store.lake, "library_store": store, "ray_runtime": runtime}
    result = dg.materialize(
        assets or (corpus_embeddings, corpus_index),
        resources={k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in values.items()},
        raise_on_error=not failing,
    )
    assert result.success is not failing
    return {
        e.asset_key.to_user_string(): bool(e.step_materialization_data.materialization.metadata["recomputed"].value)
        for e in result.get_asset_materialization_events()
        if e.asset_key
    }


def _gates(lake: Lake, version: str, **status: str) -> None:
    rows = [
        {"gate": gate, "value": 0.9, "lowest": 0.8, "status": said, "explanation": f"of {gate}", "version": version}
        for gate, said in (dict.fromkeys(GATE_NAMES, "passed") | {"kept_titles": "not_applicable"} | status).items()
    ]
    lake.write("corpus_gates", pl.DataFrame(rows))


def _built(lake: Lake) -> str:
    return str(lake.read("corpus_index")["version"][0])


def test_every_passage_is_embedded_and_a_version_is_built_that_nobody_reads_yet(lake: Lake) -> None:
    store, here = _store(lake), Here()
    assert _run(store, here) == {"corpus_embeddings": True, "corpus_index": True}
    chunks, table = lake.read("corpus_chunks"), lake.read("corpus_embeddings")
    assert table["chunk_id"].equals(chunks["chunk_id"]) and sorted(here.embedded) == sorted(set(chunks["text"]))
    vectors = np.array(table["vector"].to_list(), dtype=np.float32)
    assert np.abs(vectors - embedder().embed(chunks["text"].to_list())).max() < 2e-6
    with pytest.raises(LibraryMissingError):
        store.open()
    library = store.open(_built(lake))
    assert library.search("TIC 150428135")[0].document_id == "arXiv:2001.00001"
    assert lake.keys(PARTS) == []
    row = lake.read("corpus_index").row(0, named=True)
    assert (row["chunks"], row["collection"]) == (chunks.height, None) and row["names"] > 10


def test_what_did_not_change_is_neither_embedded_nor_built_again(lake: Lake) -> None:
    store = _store(lake)
    _write(lake, 5)
    _run(store, Here())
    first = _built(lake)
    here = Here()
    assert _run(store, here) == {"corpus_embeddings": False, "corpus_index": False} and here.embedded == []
    _write(lake, 7)
    assert _run(store, here) == {"corpus_embeddings": True, "corpus_index": True}
    assert here.embedded and set(here.embedded) == set(content(DOCUMENTS[5:7]).chunks["text"]), "only what is new"
    assert _built(lake) != first and store.manifest(first) is not None


def test_a_text_that_moved_keeps_its_vector(lake: Lake) -> None:
    store = _store(lake)
    _run(store, Here())
    chunks = lake.read("corpus_chunks")
    lake.write("corpus_chunks", chunks.with_columns(chunk_id=pl.col("chunk_id").str.reverse()))
    here = Here()
    assert _run(store, here, corpus_embeddings) == {"corpus_embeddings": True} and here.embedded == []
    assert lake.read("corpus_embeddings")["chunk_id"].equals(chunks["chunk_id"].str.reverse())


def test_a_night_that_is_killed_goes_on_where_it_was(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_run, "CPU_BATCH", (2, 10_000))
    monkeypatch.setattr(embedding_run, "KEPT_EVERY_S", -1.0)
    store, killed = _store(lake), Here(gives_up_after=3)
    with pytest.raises(KeyboardInterrupt):
        _run(store, killed, corpus_embeddings)
    assert len(killed.embedded) == 6 and lake.version("corpus_embeddings") is None
    after = Here()
    _run(store, after)
    assert not set(after.embedded) & set(killed.embedded)
    assert set(after.embedded) | set(killed.embedded) == set(lake.read("corpus_chunks")["text"])
    assert lake.keys(PARTS) == []


def test_workers_that_die_again_and_again_end_the_run_with_their_reason(lake: Lake) -> None:
    class Dying(Here):
        def stream(self, function: Any, shared: Any, tasks: Any, **_: Any) -> Iterator[Any]:
            yield WorkerLost("out of memory: killed")
            yield from []

    store = _store(lake)
    values = {"lake": lake, "library_store": store, "ray_runtime": Dying()}
    with pytest.raises(embedding_run.EmbeddingLostError, match="was given up: out of memory"):
        dg.materialize(
            [corpus_embeddings],
            resources={k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in values.items()},
        )


def test_a_gpu_that_the_model_cannot_use_is_told_of_and_the_cpus_do_it(
    lake: Lake, capfd: pytest.CaptureFixture[str]
) -> None:
    class WithGpu(Here):
        def gpus(self) -> int:
            return 1

    store, runtime = _store(lake), WithGpu()
    _write(lake, 3)
    _run(store, runtime, corpus_embeddings)
    assert lake.version("corpus_embeddings") is not None
    said = capfd.readouterr().err
    assert "the cluster has a GPU, but the embedding model does not run on it" in said
    assert "no CUDAExecutionProvider here" in said and "onnxruntime-gpu is needed" in said


def _folder(path: Path, name: str) -> Path:
    """A folder with the packaged model under another name, cut at 64 tokens."""
    path.mkdir()
    files = packaged_files()
    shutil.copy(files.network, path / "model.onnx")
    shutil.copy(files.tokenizer, path / "tokenizer.json")
    about = {"name": name, "dimensions": MINILM.dimensions, "tokens": 64}
    (path / "model.json").write_text(json.dumps(about))
    return path


def test_another_model_embeds_all_anew_and_an_index_keeps_the_model_that_it_was_made_with(
    lake: Lake, tmp_path: Path
) -> None:
    _write(lake, 4)
    _run(_store(lake), Here())
    first, folder = _built(lake), _folder(tmp_path / "model", "mine")
    store, here = _store(lake, embedding_model=folder), Here()
    assert _run(store, here) == {"corpus_embeddings": True, "corpus_index": True}
    assert set(here.embedded) == set(lake.read("corpus_chunks")["text"])
    assert lake.read("corpus_index")["model_name"][0] == "mine" and _built(lake) != first
    shutil.rmtree(folder)
    plain = _store(lake)
    assert plain.open(_built(lake)).search("gas giants")[0].document_id == "arXiv:1310.00001"
    assert plain.open(first).manifest["model"]["name"] == MINILM.name


def test_an_index_that_was_lost_is_built_again(lake: Lake) -> None:
    store = _store(lake)
    _run(store, Here())
    version = _built(lake)
    lake.delete(f"{ROOT}/{version}/vectors.npy")
    assert "lacks vectors.npy" in store.missing(version)
    assert _run(store, Here()) == {"corpus_embeddings": False, "corpus_index": True}
    assert store.missing(version) == "" and store.open(version).chunks.height


def test_without_a_catalogue_there_are_no_names_until_there_is_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "bare"))
    _write(lake, 4)
    store = _store(lake)
    _run(store, Here())
    first = _built(lake)
    assert lake.read("corpus_index")["names"][0] == 0
    for name, frame in (("core_signals", SIGNALS), ("core_stars", STARS), ("core_planet_identity", IDENTITY)):
        lake.write(name, frame)
    assert _run(store, Here()) == {"corpus_embeddings": False, "corpus_index": True}
    assert _built(lake) != first


def test_vectors_of_other_passages_make_no_index(lake: Lake) -> None:
    store = _store(lake)
    _write(lake, 4)
    _run(store, Here())
    _write(lake, 6)
    assert _run(store, Here(), corpus_index, failing=True) == {}


def test_a_version_is_released_when_its_gates_pass(lake: Lake) -> None:
    store = _store(lake)
    _run(store, Here())
    version = _built(lake)
    _gates(lake, version)
    assert _run(store, None, corpus_release) == {"corpus_release": True}
    assert store.open().version == version
    row = lake.read("corpus_release").row(0, named=True)
    assert (row["version"], row["previous_version"], row["documents"]) == (version, None, len(DOCUMENTS))
    assert _run(store, None, corpus_release) == {"corpus_release": False}
    lake.delete(CURRENT)  # the pointer moves only by a release; whoever removes it gets it back
    assert _run(store, None, corpus_release) == {"corpus_release": True} and store.open().version == version


@pytest.mark.parametrize("wrong", ["failed", "of another version", "none"])
def test_gates_that_do_not_let_a_version_pass_leave_the_released_one_in_place(lake: Lake, wrong: str) -> None:
    store = _store(lake)
    _write(lake, 5)
    _run(store, Here())
    before = _built(lake)
    _gates(lake, before)
    _run(store, None, corpus_release)
    _write(lake, 6)
    _run(store, Here())
    assert _built(lake) != before
    if wrong == "failed":
        _gates(lake, _built(lake), hybrid_titles="failed")
    elif wrong == "none":
        lake.write("corpus_gates", lake.read("corpus_gates").clear())
    assert _run(store, None, corpus_release, failing=True) == {}
    assert store.open().version == before and lake.read("corpus_release")["version"][0] == before


@pytest.mark.ray
def test_passages_are_embedded_on_ray(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> None:
    runtime = RayRuntime(None, tmp_path_factory.mktemp("ray"))
    try:
        _run(_store(lake), runtime)
    finally:
        runtime.shutdown()
    chunks, table = lake.read("corpus_chunks"), lake.read("corpus_embeddings")
    vectors = np.array(table["vector"].to_list(), dtype=np.float32)
    assert np.abs(vectors - embedder().embed(chunks["text"].to_list())).max() < 2e-6
