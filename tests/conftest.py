"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from exo_resources.lake import Lake
from exo_resources.settings import CHECKOUT

# Networks and trees of the tests are small, and on a busy machine threads that wait for each other take many times as
# long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, not whether it passed.
settings.register_profile("exo", deadline=None)
settings.load_profile("exo")

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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """EXO_HOME of this process, in a folder that is not there yet, and no other setting."""
    for name in [name for name in os.environ if name.startswith("EXO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EXO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write which marked tests passed, so that CI can tell 'used' from 'skipped'."""
    report = yield
    target = os.environ.get("EXO_TEST_REPORT")
    if target and report.when == "call" and report.passed:
        lines = [f"{mark} {report.nodeid}\n" for mark in ("archive", "postgres") if item.get_closest_marker(mark)]
        with open(target, "a", encoding="utf-8") as out:
            out.writelines(lines)
    return report
