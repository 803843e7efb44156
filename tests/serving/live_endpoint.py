"""What the tests of the running endpoint hold in their hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter
from exo_resources.serve_client import Deployed, ServeClient
from exo_resources.settings import Settings


@dataclass(frozen=True)
class Model:
    """A model as the registry would hand it out."""

    ref: ModelRef
    path: Path
    vetter: Vetter

    @property
    def deployed(self) -> Deployed:
        """As it is put on the endpoint, beside no catalogue and no model of events."""
        return Deployed(self.ref, self.path)


@dataclass(frozen=True)
class Live:
    """The running endpoint."""

    client: ServeClient
    settings: Settings

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.client.url, trust_env=False, timeout=60)


class Clients:
    """Threads that ask without a pause until `stop` is set, which leaving the context does."""

    def __init__(self, *asks: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=ask) for ask in asks]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(90)


class Load(Clients):
    """Two clients that ask for one judgement without a pause; of every reply the status and who answered is kept."""

    def __init__(self, live: Live, body: Mapping[str, Any]) -> None:
        super().__init__(self._ask, self._ask)
        self.live, self.body = live, body
        self.replies: list[tuple[int, str]] = []

    def _ask(self) -> None:
        with self.live.http() as http:
            while not self.stop.is_set() and len(self.replies) < 20_000:
                reply = http.post("/v1/predict", json=self.body)
                digest = reply.json()["model"]["digest"] if reply.status_code == 200 else reply.text
                self.replies.append((reply.status_code, digest))
