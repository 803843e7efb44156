from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import qdrant_edge
import qdrant_engine
from indexed_corpus import DOCUMENTS, content, embedder
from ports import free_port
from qdrant_client import models
from qdrant_engine import Engine, serving

from exo_assets.corpus.fusion import Floats, deepest
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import Allowed, Filters, Library, SearchRequest
from exo_resources import passage_server
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryMissingError, LibraryStore, qdrant_server
from exo_resources.passage_server import FILTERED, QdrantServer, ServerStore
from exo_resources.passage_store import EmbeddedStore
from exo_resources.qdrant_connection import QdrantServerError
from exo_resources.settings import Settings

KEY = "sesame"
SMALL = {"dense": models.VectorParams(size=4, distance=models.Distance.DOT)}
QUESTIONS = (
    "How many planets does Kepler-90 have?",
    "secondary eclipse of a hot Jupiter",
    "koi_depth",
    "transit timing variations of KIC 11442793",
    "planets planets planets",
    "zzz qqq",
)
FILTERS = (
    Filters(missions=("kepler",)),
    Filters(sources=("arxiv", "file")),
    Filters(documents=("notes.txt",)),
    Filters(year_from=2017, year_to=2020),
    Filters(year_to=2013),
    Filters(targets=("KOI-351.01",)),
    Filters(targets=("TOI 700", "Kepler-11")),
    Filters(targets=("WASP-18 b",), sources=("arxiv",)),
    Filters(sources=("package",), year_from=2000),
)


@pytest.fixture(scope="module")
def parts() -> IndexContent:
    return content()


@pytest.fixture(scope="module")
def keywords(parts: IndexContent) -> KeywordIndex:
    return KeywordIndex.build(parts.chunks["text"].to_list())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """Qdrant's engine behind HTTP, for tests that leave it as it is."""
    with serving(Engine(tmp_path_factory.mktemp("qdrant")), KEY) as url:
        yield QdrantServer(url, "exo_corpus", KEY)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "qdrant")


@pytest.fixture
def server(engine: Engine) -> Iterator[QdrantServer]:
    with serving(engine, KEY) as url:
        yield QdrantServer(url, "exo_corpus", KEY)


@pytest.fixture(scope="module", params=["embedded", "server"])
def library(
    request: pytest.FixtureRequest, parts: IndexContent, keywords: KeywordIndex, shared: QdrantServer
) -> Library:
    store: Any
    if request.param == "embedded":
        store = EmbeddedStore(parts.vectors, keywords)
    else:
        server = shared
        server.fill(parts.version(), parts, lambda _: None)
        store = ServerStore(server, parts.version(), parts.chunks["chunk_id"].to_list())
    return Library(
        {"version": parts.version()},
        chunks=parts.chunks,
        documents=parts.documents,
        aliases=parts.aliases,
        store=store,
        words=keywords,
        embed=embedder().embed,
    )


def _same(found: Floats, wanted: Floats, depth: int) -> None:
    """Equal where both have a score; of equal scores at the edge of the depth either may be in."""
    assert int((~np.isnan(found)).sum()) == int((~np.isnan(deepest(wanted, depth))).sum())
    both = ~np.isnan(found)
    assert np.allclose(found[both], wanted[both], atol=1e-4)
    if both.any():
        assert found[both].min() >= np.sort(wanted[~np.isnan(wanted)])[::-1][:depth].min() - 1e-4


@pytest.mark.parametrize("depth", [1, 4, 300])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_legs_are_cosine_and_bm25(
    library: Library, parts: IndexContent, keywords: KeywordIndex, question: str, depth: int
) -> None:
    vector = embedder().embed([question])[0]
    _same(library.store.dense(vector, depth, None), (parts.vectors @ vector).astype(float), depth)
    also = ("koi351", "kepler90", "planet")
    _same(library.store.keyword(question, also, depth, None), keywords.found(question, also).astype(float), depth)


@pytest.mark.parametrize("filters", FILTERS, ids=repr)
def test_a_filter_lets_through_what_it_should_and_nothing_else(
    library: Library, parts: IndexContent, keywords: KeywordIndex, filters: Filters
) -> None:
    allowed = library._allowed(filters, None)
    assert allowed is not None
    vector, question = embedder().embed(["planets in transit"])[0], "planets in transit of a star"
    dense = np.where(allowed.passages, parts.vectors @ vector, np.nan)
    keyword = np.where(allowed.passages, keywords.found(question), np.nan)
    for depth in (2, 300):
        _same(library.store.dense(vector, depth, allowed), dense, depth)
        _same(library.store.keyword(question, (), depth, allowed), keyword, depth)


def test_nothing_is_found_where_nothing_is_allowed(library: Library, parts: IndexContent) -> None:
    nobody = Allowed(Filters(missions=("k2",)), (), np.zeros(parts.chunks.height, dtype=bool))
    assert np.isnan(library.store.dense(parts.vectors[0], 5, nobody)).all()
    assert np.isnan(library.store.keyword("planets", (), 5, nobody)).all()


def test_the_store_is_shared_between_threads(library: Library, parts: IndexContent) -> None:
    wanted = [int(np.nanargmax(library.store.dense(v, 3, None))) for v in parts.vectors]
    got: list[list[int]] = [[] for _ in range(4)]

    def ask(thread: int) -> None:
        for vector in parts.vectors:
            got[thread].append(int(np.nanargmax(library.store.dense(vector, 3, None))))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [wanted] * 4


# -- collections -------------------------------------------------------------------------------------------------------


def _store(home: Path, server: QdrantServer, **more: Any) -> LibraryStore:
    settings = Settings(home=home, qdrant_url=server.url, qdrant_api_key=KEY, **more)
    return LibraryStore(Lake(settings.lake), settings)


def _collections(server: QdrantServer) -> set[str]:
    return {c.name for c in server.link.client.get_collections().collections}


def _alias(server: QdrantServer) -> dict[str, str]:
    return {a.alias_name: a.collection_name for a in server.link.client.get_aliases().aliases}


def test_a_version_is_a_collection_and_a_release_swaps_the_alias(tmp_path: Path, server: QdrantServer) -> None:
    store = _store(tmp_path, server)
    first = store.build(content(DOCUMENTS[:5]))["version"]
    assert _collections(server) == {f"exo_corpus_{first}"} and _alias(server) == {}
    store.release(first)
    assert _alias(server) == {"exo_corpus": f"exo_corpus_{first}"}
    second = store.build(content(DOCUMENTS[:6]))["version"]
    assert _alias(server) == {"exo_corpus": f"exo_corpus_{first}"} and store.open().version == first
    store.release(second)
    assert _alias(server) == {"exo_corpus": f"exo_corpus_{second}"} and store.open().version == second
    hit = store.open().search("odd and even eclipses")[0]
    assert hit.document_id == "arXiv:1801.00001" and hit.keyword is not None and hit.dense is not None


def test_old_collections_go_with_their_versions_and_others_stay(tmp_path: Path, server: QdrantServer) -> None:
    server.link.client.create_collection("somebody_elses", vectors_config=SMALL)
    store = _store(tmp_path, server)
    for last in (3, 4, 5, 6, 7):
        store.release(store.build(content(DOCUMENTS[:last]))["version"])
    kept = {f"exo_corpus_{m['version']}" for m in store.versions()}
    assert len(kept) == 3 and _collections(server) == {*kept, "somebody_elses"}


def test_a_search_in_a_collection_that_is_gone_says_so(server: QdrantServer, parts: IndexContent) -> None:
    gone = ServerStore(server, "gone", parts.chunks["chunk_id"].to_list())
    with pytest.raises(QdrantServerError, match=r"refuses: 404 .*doesn't exist.*corpus_refresh"):
        gone.dense(parts.vectors[0], 3, None)


def test_homes_that_share_a_server_leave_each_other_alone(tmp_path: Path, server: QdrantServer) -> None:
    one, two = _store(tmp_path / "one", server), _store(tmp_path / "two", server, qdrant_alias="exo_corpus_two")
    same = [two.build(content(DOCUMENTS[:last]))["version"] for last in (3, 4)]
    two.release(same[0])
    for last in (3, 4, 5, 6, 7):
        one.release(one.build(content(DOCUMENTS[:last]))["version"])
    assert {f"exo_corpus_two_{version}" for version in same} < _collections(server)
    assert _alias(server)["exo_corpus_two"] == f"exo_corpus_two_{same[0]}"
    assert two.open().version == same[0] and two.open().search("planets of Kepler-90")


def test_a_collection_that_a_killed_run_left_is_completed(tmp_path: Path, server: QdrantServer) -> None:
    store = _store(tmp_path, server)
    parts = content()
    version = store.build(parts)["version"]
    lost = parts.chunks["chunk_id"][2]
    server.link.client.delete(f"exo_corpus_{version}", [lost])
    assert store.missing(version) == f"the Qdrant server lacks exo_corpus_{version}"
    with pytest.raises(LibraryMissingError, match="does not have the index"):
        store.open(version)
    store.build(parts)
    assert store.missing(version) == "" and store.open(version).passage(lost)["chunk_id"] == lost


def test_a_server_that_is_set_later_gets_the_version_that_the_lake_has(tmp_path: Path, server: QdrantServer) -> None:
    settings = Settings(home=tmp_path)
    version = LibraryStore(Lake(settings.lake), settings).build(content())["version"]
    later = _store(tmp_path, server)
    assert "lacks" in later.missing(version)
    later.build(content())
    assert later.missing(version) == "" and _collections(server) == {f"exo_corpus_{version}"}


def test_what_is_on_the_server_can_be_used_without_the_lake(shared: QdrantServer, parts: IndexContent) -> None:
    shared.fill("v", parts, lambda _: None)
    (point,) = shared.link.client.retrieve(shared.collection("v"), [parts.chunks["chunk_id"][0]])
    chunk = parts.chunks.row(0, named=True)
    assert {k: point.payload[k] for k in ("document_id", "start", "end", "text")} == {
        k: chunk[k] for k in ("document_id", "start", "end", "text")
    }
    assert point.payload["targets"] == ["KIC 11442793"] and point.payload["year"] == 2017


def _many(passages: int) -> IndexContent:
    """Random passages of few words."""
    random, small = np.random.default_rng(7), content(DOCUMENTS[:1])
    vectors = random.normal(size=(passages, 384)).astype(np.float32)
    words = np.array(["orbit", "dwarf", "flux", "koi_depth", "Kepler-90", "eclipse", "noise", "of", "the", "granule"])
    texts = [" ".join(["orbit", *random.choice(words, size=random.integers(0, 30))]) for _ in range(passages)]
    rows = pl.concat([small.chunks[:1]] * passages).with_columns(
        chunk_id=pl.Series([f"{n:032x}" for n in random.permutation(passages)]), text=pl.Series(texts)
    )
    return replace(small, chunks=rows, vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def many() -> IndexContent:
    return _many(3000)


def test_a_graph_of_vectors_finds_nearly_all_and_keywords_are_bm25_still(
    shared: QdrantServer, many: IndexContent
) -> None:
    shared.fill("many", many, lambda _: None)
    assert shared.has("many", 3000) and not shared.has("many", 2999)
    store = ServerStore(shared, "many", many.chunks["chunk_id"].to_list())
    keywords = KeywordIndex.build(many.chunks["text"].to_list())
    found = 0
    for vector in _many(20).vectors:
        wanted = np.argsort(many.vectors @ vector)[-10:]
        found += int((~np.isnan(store.dense(vector, 10, None)[wanted])).sum())
    # Random vectors are far from each other: the hardest that a graph can be asked.
    assert 180 <= found <= 200
    for question in ("flux of a dwarf", "koi_depth Kepler-90", "granule", "the"):
        _same(store.keyword(question, (), 50, None), keywords.found(question).astype(float), 50)


# -- a server that fails -----------------------------------------------------------------------------------------------


def test_how_the_server_is_can_be_asked(shared: QdrantServer, parts: IndexContent) -> None:
    chunks = parts.chunks["chunk_id"].to_list()
    shared.fill("w", parts, lambda _: None)
    about = {"kind": "server", "url": shared.url, "collection": "exo_corpus_w"}
    assert ServerStore(shared, "w", chunks).status() == {**about, "state": "ready", "problem": None}
    assert "does not have the collection" in ServerStore(shared, "lost", chunks).status()["problem"]
    silent = ServerStore(QdrantServer(f"http://127.0.0.1:{free_port()}", "exo_corpus"), "w", chunks).status()
    assert silent["state"] == "failed" and "does not answer" in silent["problem"]


def test_points_that_are_not_the_index_s_are_told(server: QdrantServer, parts: IndexContent) -> None:
    chunks = parts.chunks["chunk_id"].to_list()
    server.fill("v", parts, lambda _: None)
    server.link.client.delete(server.collection("v"), chunks[:1])
    odd = models.PointStruct(id=7, vector={"dense": parts.vectors[0].tolist()}, payload={})
    server.link.client.upsert(server.collection("v"), [odd])
    with pytest.raises(QdrantServerError, match=r"that are not the index's; remove it"):
        ServerStore(server, "v", chunks).dense(parts.vectors[0], 5, None)


def test_a_collection_that_was_made_and_no_more_gets_its_payload_indexes(engine: Engine, parts: IndexContent) -> None:
    with serving(engine) as url:
        server = QdrantServer(url, "exo_corpus")
        server.fill("v", parts, lambda _: None)
        name = server.collection("v")
        for field in FILTERED:
            engine.shard(name).update(qdrant_edge.UpdateOperation.delete_field_index(field))
        server.fill("v", parts, lambda _: None)
    assert set(engine.shard(name).info().payload_schema) == set(FILTERED)


def test_a_release_does_not_wait_for_old_collections_to_go(
    tmp_path: Path, server: QdrantServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path, server)
    with monkeypatch.context() as broken:
        broken.setattr(engine, "delete", None)  # a key that may not delete, a server that goes away
        for last in (3, 4, 5, 6):
            version = store.build(content(DOCUMENTS[:last]))["version"]
            assert store.release(version)["version"] == version
    assert len(_collections(server)) == 4
    store.release(store.build(content(DOCUMENTS[:7]))["version"])
    assert (
        _collections(server) == {f"exo_corpus_{m['version']}" for m in store.versions()} and len(store.versions()) == 3
    )


def test_an_alias_that_is_a_collection_s_name_is_told(server: QdrantServer, parts: IndexContent) -> None:
    server.link.client.create_collection("exo_corpus", vectors_config=SMALL)
    server.fill("v", parts, lambda _: None)
    with pytest.raises(QdrantServerError, match="Alias cannot have the name of a collection"):
        server.swap("v")


def test_a_server_that_is_killed_while_it_is_filled_is_filled_later(
    tmp_path: Path, many: IndexContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage_server, "TOLD_EVERY_S", -1.0)
    port = free_port()
    settings = Settings(home=tmp_path, qdrant_url=f"http://127.0.0.1:{port}")
    store = LibraryStore(Lake(settings.lake), settings)
    with _process(tmp_path / "qdrant", port) as process, pytest.raises(QdrantServerError, match="does not answer"):
        store.build(many, lambda told: process.kill() if told.startswith("512 of 3,000") else None)
    with _process(tmp_path / "qdrant", port):
        server = qdrant_server(settings)
        assert server is not None
        name = server.collection(many.version())
        assert 512 <= server.link.client.count(name).count < 3000
        with pytest.raises(LibraryMissingError, match="corpus_refresh"):
            store.open(many.version())
        version = store.build(many)["version"]
        assert store.missing(version) == "" and server.link.client.count(name).count == 3000
        store.release(version)
        assert store.open().search("flux of a dwarf")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The engine in a process of its own."""
    command = [sys.executable, qdrant_engine.__file__, str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                if process.poll() is None and _listens(port):
                    break
                time.sleep(0.1)
            yield process
        finally:
            process.kill()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else has the port either
        settings = Settings(home=tmp_path, qdrant_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        store = LibraryStore(Lake(settings.lake), settings)
        with pytest.raises(QdrantServerError, match=r"EXO_QDRANT_URL\) does not answer .* unset it"):
            store.build(content(DOCUMENTS[:3]))


def test_a_search_request_reaches_the_server_with_its_filters(tmp_path: Path, server: QdrantServer) -> None:
    store = _store(tmp_path, server)
    store.release(store.build(content())["version"])
    hits = store.open().search("planets", SearchRequest(filters=Filters(targets=("Kepler-90",), year_from=2014)))
    assert [h.document_id for h in hits] == ["arXiv:1710.00001"] and hits[0].names_target is False
