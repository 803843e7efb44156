"""Dagster's own webserver and daemon as processes, on a code location of the tests, and its API as apps use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from exo_resources.settings import CHECKOUT
from tests.ports import free_port

T = TypeVar("T")

RUN = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
BACKFILL = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""

CANCEL = """mutation($id: String!) { terminateRun(runId: $id) { __typename } }"""
SCHEDULE = """mutation($s: ScheduleSelector!, $t: Float!) { scheduleDryRun(selectorData: $s, timestamp: $t) {
  ... on DryRunInstigationTick { evaluationResult {
    runRequests { runConfigYaml tags { key value } } skipReason error { message } } } } }"""


@dataclass(frozen=True)
class Servers:
    """A running webserver and daemon."""

    port: int
    location: str

    @property
    def selector(self) -> dict[str, str]:
        """Names of the repository."""
        return {"repositoryName": "__repository__", "repositoryLocationName": self.location}

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that the API answers with."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, job: str, assets: list[str] | None = None, tags: dict[str, str] | None = None) -> str:
        """Launch a job, or some of its assets, as the UI does; the id of the run."""
        selector: dict[str, Any] = {**self.selector, "pipelineName": job}
        if assets:
            selector["assetSelection"] = [{"path": [name]} for name in assets]
        shown = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        parameters = {
            "selector": selector,
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": shown},
        }
        found = self.ask(RUN, p=parameters)["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])


@contextmanager
def dagster_servers(module: str, dagster_home: Path, settings: dict[str, str]) -> Iterator[Servers]:
    """Webserver and daemon on `module`; ended with all of their processes."""
    port = free_port()
    env = os.environ | settings | {"DAGSTER_HOME": str(dagster_home), "PYTHONPATH": str(CHECKOUT)}
    workspace = dagster_home / "workspace.yaml"
    workspace.write_text(
        f"load_from: [{{python_module: {{module_name: {module}, working_directory: {CHECKOUT}, location_name: exo}}}}]"
    )
    commands = [
        ["dagster_webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)],
        ["dagster._daemon", "run", "-w", str(workspace)],
    ]
    with (dagster_home / "servers.log").open("w") as log:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", *command],
                env=env, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True,
            )
            for command in commands
        ]  # fmt: skip
        try:
            servers = Servers(port, "exo")
            until(lambda: _answers(servers), "the webserver to answer", 600)
            yield servers
        finally:
            for process in running:
                process.send_signal(signal.SIGINT)
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _answers(servers: Servers) -> bool:
    try:
        found = servers.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
    except (urllib.error.URLError, OSError):
        return False
    return bool(found["repositoriesOrError"].get("nodes"))


def until(found: Callable[[], T], what: str, patience_s: float = 120) -> T:
    """What `found` returns once it is something; fails after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.2)
    return value
