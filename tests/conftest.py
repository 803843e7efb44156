"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from exo_resources.lake import Lake
from exo_resources.settings import CHECKOUT

ARCHIVE_MIRROR = CHECKOUT.parent / "shared" / "archive"


@pytest.fixture(scope="session")
def archive_mirror() -> Path:
    """The mirror of the archive beside the checkout."""
    if not (ARCHIVE_MIRROR / "tap").is_dir():
        pytest.skip("no archive mirror beside the checkout (shared/archive)")
    return ARCHIVE_MIRROR


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))
