"""The corpus for programs that are written with llama-index.

Belongs here: a library as a retriever, a server's collection as a vector store. Does not belong here: searching itself.
Nothing here downloads: terms of keywords are Exo's own.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from exo_assets.corpus.library import Library, SearchRequest
from exo_assets.corpus.sparse_terms import of_query
from exo_assets.corpus.terms import english_stemmer, terms
from exo_resources.passage_server import DENSE, KEYWORD, QdrantServer

if TYPE_CHECKING:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.vector_stores.qdrant import QdrantVectorStore


def as_retriever(library: Library, request: SearchRequest | None = None) -> BaseRetriever:
    """A retriever over `library.search`: nodes are passages, named by `chunk_id`, with all that a `Hit` says."""
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    asked = request or SearchRequest()

    class LibraryRetriever(BaseRetriever):
        """Passages of one version of the index."""

        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return [
                NodeWithScore(
                    node=TextNode(
                        id_=hit.chunk_id,
                        text=hit.text,
                        metadata={k: v for k, v in asdict(hit).items() if k not in ("chunk_id", "text")},
                        start_char_idx=hit.start,
                        end_char_idx=hit.end,
                    ),
                    score=hit.score,
                )
                for hit in library.search(query_bundle.query_str, asked)
            ]

    return LibraryRetriever()


def as_vector_store(server: QdrantServer, collection: str | None = None) -> QdrantVectorStore:
    """The released version on a server, or another one's collection, for hybrid queries. It is read, never added to.

    Query vectors must be of the model that the index was made with (`Library.embed`).
    """
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    stem, collection = english_stemmer(), collection or server.alias

    def of_queries(texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
        found = [of_query(terms(text, stem)) for text in texts]
        return [list(each.indices) for each in found], [list(each.values) for each in found]

    def of_passages(texts: list[str]) -> Any:
        raise TypeError(f"{collection} is a version of Exo's index, which does not change; {len(texts)} texts refused")

    return QdrantVectorStore(
        collection,
        client=server.link.client,
        enable_hybrid=True,
        sparse_doc_fn=of_passages,
        sparse_query_fn=of_queries,
        dense_vector_name=DENSE,
        sparse_vector_name=KEYWORD,
        text_key="text",
    )
