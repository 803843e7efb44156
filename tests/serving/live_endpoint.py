"""What the tests of the running endpoint hold in their hands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx

from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter
from exo_resources.serve_client import ServeClient
from exo_resources.settings import Settings


@dataclass(frozen=True)
class Model:
    """A model as the registry would hand it out."""

    ref: ModelRef
    path: Path
    vetter: Vetter


@dataclass(frozen=True)
class Live:
    """The running endpoint."""

    client: ServeClient
    settings: Settings

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.client.url, trust_env=False, timeout=60)
