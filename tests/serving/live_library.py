"""What the tests of the endpoint's library hold in their hands: versions of an index, clients that search without a
pause, and a replica to kill."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from indexed_corpus import DOCUMENTS, content
from library_parts import dossiers
from live_endpoint import Clients, Live

from exo_assets.corpus.document import Document
from exo_assets.corpus.own_documents import own_documents
from exo_assets.serving.golden_searches import GOLDEN_SEARCHES
from exo_resources.lake import Lake
from exo_resources.library_client import LibraryClient
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings

GOLDEN = {document for _, document in GOLDEN_SEARCHES}
ONLY_IN = {
    "one": Document("one.txt", "file", "text", "One", "The first night at the telescope was cloudy; a barn owl came."),
    "two": Document("two.txt", "file", "text", "Two", "The second night at the telescope was clear; no owl came."),
}
OWL = "night at the telescope with an owl"


class Versions:
    """A lake with two versions of an index: in each a document that the other has not."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.lake = settings, Lake(settings.lake)
        self.store = LibraryStore(self.lake, settings)
        self.client = LibraryClient(settings)
        golden = [d for d in own_documents() if d.document_id in GOLDEN]
        shared = [d for d in DOCUMENTS if d.document_id not in GOLDEN]
        self.one, self.two = (
            str(self.store.build(content([*golden, *shared, ONLY_IN[name]]))["version"]) for name in ("one", "two")
        )
        self.lake.write(
            "out_dossiers", dossiers(k01='{"title":"Kepler-90 h"}').with_columns(signal_id=pl.lit("K00351.01"))
        )

    def own_document(self, version: str) -> str:
        """The document that only this version has."""
        return "one.txt" if version == self.one else "two.txt"

    @contextmanager
    def damaged(self, version: str) -> Iterator[None]:
        """The version without its keywords, as if they had been lost."""
        key = f"corpus/index/{version}/keywords.zip"
        whole = self.lake.get(key)
        self.lake.put(key, whole[: len(whole) // 2])
        try:
            yield
        finally:
            self.lake.put(key, whole)


class Asking(Clients):
    """Clients that ask without a pause; every reply is kept: of searches (status, version, documents)."""

    def __init__(self, live: Live, *, predict: bool = True, search: bool = True) -> None:
        super().__init__(*[self._search] * search, *[self._predict] * predict)
        self.live = live
        self.searches: list[tuple[int, str, list[str]]] = []
        self.predictions: list[int] = []

    def _search(self) -> None:
        with self.live.http() as http:
            number = 0
            while not self.stop.is_set() and number < 20_000:
                number += 1
                reply = http.post("/v1/search", json={"query": f"{OWL} {number}", "limit": 10})
                found = reply.json()
                documents = [hit["document_id"] for hit in found.get("hits", ())]
                self.searches.append((reply.status_code, found.get("version", reply.text), documents))

    def _predict(self) -> None:
        signal = {"mission": "kepler", "period_days": 9.5, "depth_ppm": 616.0}
        with self.live.http() as http:
            while not self.stop.is_set() and len(self.predictions) < 20_000:
                self.predictions.append(http.post("/v1/predict", json=signal).status_code)


def replica_processes(live: Live, deployment: str) -> list[int]:
    """Processes of this endpoint's replicas of a deployment."""
    state = live.client.cluster.state
    assert state is not None
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == state.session:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                if command.startswith(f"ray::ServeReplica:exo:{deployment}"):
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def health(live: Live) -> dict[str, Any]:
    with live.http() as http:
        found: dict[str, Any] = http.get("/healthz").json()
        return found
