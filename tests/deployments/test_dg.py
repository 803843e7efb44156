"""`dg`, Dagster's command for a project, on this one: it loads what workspace.yaml does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.definitions import defs
from exo_resources.settings import CHECKOUT

BESIDE = Path(sys.executable).with_name("dg")
DG = str(BESIDE) if BESIDE.exists() else shutil.which("dg")

pytestmark = pytest.mark.skipif(DG is None, reason="dg is not installed (package dagster-dg-cli, in the dev extra)")


def dg(home: Path, *arguments: str) -> str:
    assert DG is not None
    env = {name: value for name, value in os.environ.items() if not name.startswith(("EXO_", "DAGSTER_HOME"))}
    done = subprocess.run(
        [DG, *arguments],
        env=env | {"EXO_HOME": str(home), "PYTHONPATH": str(CHECKOUT)},
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dg_check_defs(tmp_path: Path) -> None:
    assert "All definitions loaded successfully" in dg(tmp_path, "check", "defs")


def test_dg_list_defs_names_what_the_deployment_has(tmp_path: Path) -> None:
    listed = json.loads(dg(tmp_path, "list", "defs", "--json"))
    assert {one["asset_key"] for one in listed["assets"]} == {
        spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()
    }
    assert {one["name"] for one in listed["jobs"]} >= {job.name for job in defs.jobs or []}
    assert {one["name"] for one in listed["schedules"]} == {"nightly_refresh_schedule", "weekly_retrain_schedule"}
