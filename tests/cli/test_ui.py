"""`exo ui` for real: the UI answers, the code location loads with schedules and sensors on, nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from exo_resources.settings import CHECKOUT

ASKED = """{
  repositoriesOrError { ... on RepositoryConnection { nodes {
    schedules { name scheduleState { status } }
    sensors { name sensorState { status } }
    pipelines { name }
  } } }
}"""


def answer(url: str) -> Any:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": ASKED}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["data"]["repositoriesOrError"]["nodes"]


def in_session(session: int) -> list[int]:
    """Processes of a session, zombies aside."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_the_ui_answers_with_everything_on_and_ends_without_leftovers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Snapshot and a timetable far from now: nothing starts by itself while the test looks.
    env = os.environ | {"EXO_HOME": str(tmp_path / "home"), "EXO_ARCHIVE": "snapshot"}
    log = (tmp_path / "ui.log").open("w+")
    ui = subprocess.Popen(
        [sys.executable, "-m", "deployments.cli.main", "ui", "--port", str(port)],
        cwd=CHECKOUT, env=env, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        deadline, nodes = time.monotonic() + 240, []
        while not nodes:
            assert ui.poll() is None and time.monotonic() < deadline, Path(log.name).read_text()
            try:
                nodes = answer(f"http://127.0.0.1:{port}")
            except (urllib.error.URLError, OSError, KeyError):
                time.sleep(0.5)
        [repository] = nodes
        assert {"nightly_refresh", "weekly_retrain", "publish_release", "rollback_champion"} <= {
            job["name"] for job in repository["pipelines"]
        }
        assert {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]} == {
            "nightly_refresh_schedule": "RUNNING",
            "weekly_retrain_schedule": "RUNNING",
        }
        states = {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}
        assert {"archive_changed", "champion_moved", "run_digest", "night_overdue"} <= states.keys()
        assert set(states.values()) == {"RUNNING"}
        children = [int(p) for p in Path(f"/proc/{ui.pid}/task/{ui.pid}/children").read_text().split()]
        assert children and in_session(children[0])
        ui.send_signal(signal.SIGTERM)
        assert ui.wait(90) == 0, Path(log.name).read_text()
        left = in_session(children[0])
        deadline = time.monotonic() + 30
        while left and time.monotonic() < deadline:
            time.sleep(0.2)
            left = in_session(children[0])
        assert left == []
    finally:
        ui.kill()
        ui.wait()
        log.close()
