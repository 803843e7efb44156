"""Fixtures of the archive's tests: a replica of the service and sources that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exo_assets.archive.parse import to_csv
from exo_assets.archive.snapshot.shipped import shipped_frame, write_mirror
from exo_resources.archive import ArchiveSource
from exo_resources.settings import Settings
from tests.archive.replica import Replica

TABLE = "q1_q17_dr25_koi"
ROWS = 400
EXCERPT = to_csv(shipped_frame(TABLE).head(ROWS))

MakeSource = Callable[..., ArchiveSource]


@pytest.fixture(scope="session")
def mirror_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds the shipped tables."""
    return write_mirror(tmp_path_factory.mktemp("mirror"))


@pytest.fixture(scope="session")
def excerpt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds the first rows of the shipped table: enough for faults, and quick."""
    folder = tmp_path_factory.mktemp("excerpt")
    (folder / "tap").mkdir()
    (folder / "tap" / f"{TABLE}.csv").write_bytes(EXCERPT)
    return folder


@pytest.fixture
def replica(excerpt_folder: Path) -> Iterator[Replica]:
    """The service, with the excerpt."""
    with Replica(excerpt_folder) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path, replica: Replica) -> MakeSource:
    """Makes an ArchiveSource in one home; live means the replica unless told otherwise."""

    def make(mode: str = "live", **settings: object) -> ArchiveSource:
        values = {"archive_url": replica.url, "archive_attempts": 3, "archive_timeout_s": 30, **settings}
        return ArchiveSource(Settings(home=tmp_path / "home", archive=mode, **values))  # type: ignore[arg-type]

    return make


def files_of(source: ArchiveSource) -> dict[str, bytes]:
    """Every file under the home, temporary ones included."""
    home = source.settings.home
    return {str(p.relative_to(home)): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}
