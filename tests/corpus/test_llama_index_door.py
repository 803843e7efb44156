from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from indexed_corpus import content, embedder
from qdrant_engine import Engine, serving

from exo_assets.corpus.library import Filters, SearchRequest
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore, qdrant_server
from exo_resources.llama_index_door import as_retriever, as_vector_store
from exo_resources.settings import Settings


def test_a_library_is_a_retriever(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store = LibraryStore(Lake(settings.lake), settings)
    library = store.open(store.build(content())["version"])
    request = SearchRequest(limit=3, filters=Filters(sources=("arxiv",)))
    nodes = as_retriever(library, request).retrieve("planets in the habitable zone")
    hits = library.search("planets in the habitable zone", request)
    assert [(n.node.node_id, n.score, n.node.get_content()) for n in nodes] == [
        (h.chunk_id, h.score, h.text) for h in hits
    ]
    assert nodes[0].metadata["document_id"] == "arXiv:2001.00001" and nodes[0].metadata["start"] == hits[0].start


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home whose index is on a Qdrant server."""
    with serving(Engine(tmp_path / "qdrant")) as url:
        yield Settings(home=tmp_path, qdrant_url=url)


def test_a_server_s_collection_is_a_vector_store_with_keywords_of_our_own(settings: Settings) -> None:
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

    server, parts = qdrant_server(settings), content()
    assert server is not None
    store = LibraryStore(Lake(settings.lake), settings)
    store.release(store.build(parts)["version"])
    opened = as_vector_store(server)
    question = "koi_depth"
    found = opened.query(
        VectorStoreQuery(
            query_embedding=embedder().embed([question])[0].tolist(),
            query_str=question,
            similarity_top_k=3,
            sparse_top_k=3,
            hybrid_top_k=3,
            mode=VectorStoreQueryMode.HYBRID,
        )
    )
    assert found.nodes is not None
    first = found.nodes[0]
    assert "koi_depth" in first.get_content() and first.metadata["document_id"] == "archive:koi_depth"
    with pytest.raises(TypeError, match="does not change"):
        opened.add([TextNode(text="more", embedding=[0.0] * 384)])
    assert server.link.client.count(server.collection(parts.version())).count == parts.chunks.height
