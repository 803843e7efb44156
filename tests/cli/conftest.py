"""What tests of several commands use."""

from __future__ import annotations

from pathlib import Path

import pytest
from indexed_corpus import content

from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings


@pytest.fixture
def released(home: Path) -> str:
    settings = Settings()
    store = LibraryStore(Lake(settings.lake), settings)
    return str(store.release(store.build(content())["version"])["version"])
