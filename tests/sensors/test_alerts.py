"""Alerts against real instances (in memory, on disk) and a real webhook: one digest a run, told once, ended aloud."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from exo_assets.corpus.contracts import CORPUS_QUARANTINE
from exo_resources.alert_book import AGAIN_AFTER, AlertBook, Finding
from exo_resources.lake import Lake
from exo_resources.notifier import Notifier
from exo_resources.settings import CHECKOUT, Settings
from sensors import build_sensors
from sensors.findings import WILL_RETRY
from sensors.night_overdue import AFTER_TAG, LONGEST_PAUSE, overdue

OUTAGE = "the last good copy was kept (live: no connection). Remedy: check the network"


@pytest.fixture(params=["memory", "sqlite"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """In memory (one log for all runs), and on disk as the embedded deployment has it (one log per run)."""
    if request.param == "memory":
        with dg.DagsterInstance.ephemeral() as made:
            yield made
    else:
        (tmp_path / "dagster").mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
            yield made


class House:
    """A home with a webhook that people read, and a sensor that is evaluated as the daemon does."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, sensor: str = "run_digest") -> None:
        self.read = list[dict[str, Any]]()
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                house.read.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.book, self.lake = AlertBook(folder / "alerts.json"), Lake(str(folder / "lake"))
        notifier = Notifier(folder / "alerts.jsonl", hook, ui_url="http://ui.example:3000/")
        self.resources = {"notifier": notifier, "alert_book": self.book, "lake": self.lake}
        self.instance = instance
        self.cursor: str | None = None
        self.sensor = {s.name: s for s in build_sensors(Settings())}[sensor]

    def tick(self) -> list[dict[str, Any]]:
        """What people read because of one more look."""
        before = len(self.read)
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=self.resources) as context:
            self.cursor = self.sensor.evaluate_tick(context).cursor
        return self.read[before:]


@pytest.fixture
def house(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[House]:
    made = House(tmp_path, instance)
    assert made.tick() == []
    yield made
    made.server.shutdown()
    made.server.server_close()


def _table(name: str, fate: str) -> dg.AssetsDefinition:
    kind, _, words = fate.partition(" ")
    severity = dg.AssetCheckSeverity.ERROR if kind == "ERROR" else dg.AssetCheckSeverity.WARN

    @dg.asset(name=name, check_specs=[dg.AssetCheckSpec("source_is_fresh", asset=name)])
    def table() -> dg.MaterializeResult:  # type: ignore[type-arg]
        if kind == "crash:":
            raise RuntimeError(words)
        check = dg.AssetCheckResult(passed=kind == "well", severity=severity, description=words or None)
        return dg.MaterializeResult(check_results=[check])

    return table


def night(instance: dg.DagsterInstance, job: str = "nightly_refresh", tags: Any = None, **tables: str) -> str:
    """A run with one table for each keyword: "well", "crash: why" or the description of its failed ERROR or WARN
    check ("ERROR ..." or "WARN ...")."""
    assets = [_table(name, fate) for name, fate in tables.items()]
    defs = dg.Definitions(assets=assets, jobs=[dg.define_asset_job(job, executor_def=dg.in_process_executor)])
    made = defs.resolve_job_def(job)
    return made.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def test_a_failed_step_is_told_once_with_cause_remedy_and_link_and_so_is_its_end(
    house: House, instance: dg.DagsterInstance
) -> None:
    failed = night(instance, core_signals="crash: the disk is full")
    [alert] = house.tick()
    assert alert["kind"] == "run_digest" and alert["severity"] == "ERROR"
    assert alert["text"].splitlines() == [
        f"ERROR: nightly_refresh (run {failed[:8]}) ended without success",
        "- ERROR nightly_refresh failed in core_signals: RuntimeError: the disk is full. Remedy: read the step's log "
        "at the link; the next run goes on where this one stopped",
        f"http://ui.example:3000/runs/{failed}",
    ]
    assert alert["details"]["run_id"] == failed and alert["details"]["new"][0]["key"] == "step:core_signals"
    for _ in range(2):
        night(instance, core_signals="crash: the disk is full")
        assert house.tick() == [], "the same cause is told once"
    [known] = house.book.alerts()
    assert known.runs == 3
    night(instance, core_signals="crash: the disk is gone")
    [changed] = house.tick()
    assert "- changed: ERROR nightly_refresh failed in core_signals [since " in changed["text"]
    assert "4 runs]: RuntimeError: the disk is gone" in changed["text"]
    night(instance, core_signals="well")
    [over] = house.tick()
    assert over["severity"] == "INFO" and "- over: nightly_refresh failed in core_signals (since " in over["text"]
    assert house.book.alerts() == [] and house.tick() == []


def test_seven_stale_sources_are_one_message_of_one_line_and_one_bad_table_stands_out(
    house: House, instance: dg.DagsterInstance
) -> None:
    stale = {f"raw_nea__t{n}": f"WARN {OUTAGE}" for n in range(7)}
    night(instance, **stale, raw_nea__toi="ERROR it is empty (live: missing columns ['pl_orbper']). Remedy: adapt it")
    [alert] = house.tick()
    lines = alert["text"].splitlines()
    assert alert["severity"] == "ERROR" and len(lines) == 4
    [grouped] = [line for line in lines if "7 tables" in line]
    names = ", ".join(f"raw_nea__t{n}" for n in range(7))
    assert grouped == (
        f"- WARN 7 tables: check source_is_fresh did not pass ({names}): the last good copy was kept (live: no "
        "connection). Remedy: check the network"
    )
    [bad] = [line for line in lines if "pl_orbper" in line]
    assert bad.startswith("- ERROR raw_nea__toi: check source_is_fresh did not pass: it is empty")
    assert bad.endswith("Remedy: adapt it")
    night(instance, **stale, raw_nea__toi="ERROR it is empty (live: missing columns ['pl_orbper']). Remedy: adapt it")
    assert house.tick() == [], "not seven a night, and not again the night after"
    stale["raw_nea__t0"] = "well"
    night(instance, **stale, raw_nea__toi="ERROR it is empty (live: missing columns ['tid']). Remedy: adapt it")
    [third] = house.tick()
    assert "- changed: ERROR raw_nea__toi" in third["text"] and "['tid']" in third["text"]
    assert "- over: raw_nea__t0: check source_is_fresh did not pass" in third["text"]
    assert "- 6 known problems go on: exo status lists them" in third["text"]


def test_a_number_that_moves_is_no_news_but_a_warning_that_becomes_an_error_is(
    house: House, instance: dg.DagsterInstance
) -> None:
    night(instance, core_signals="WARN 1.25% of 8,642 rows are quarantined")
    assert len(house.tick()) == 1
    night(instance, core_signals="WARN 1.31% of 8,650 rows are quarantined")
    assert house.tick() == []
    night(instance, core_signals="ERROR 7% of 8,650 rows are quarantined")
    [alert] = house.tick()
    assert alert["severity"] == "ERROR"


def test_a_run_that_is_tried_again_is_a_warning_and_its_success_the_end_of_it(
    house: House, instance: dg.DagsterInstance
) -> None:
    night(instance, core_signals="crash: Ray is gone", tags={WILL_RETRY: "true"})
    [alert] = house.tick()
    assert alert["severity"] == "WARN" and "the run is tried again" in alert["text"]
    night(instance, core_signals="well")
    assert ["over:" in told["text"] for told in house.tick()] == [True]


KILLED = """
import os, signal, sys
import dagster as dg

@dg.asset
def core_search():
    print("begun", flush=True)
    signal.pause()

@dg.asset
def raw_before(): ...

core = dg.Definitions(assets=[raw_before, core_search], jobs=[dg.define_asset_job("nightly_refresh")])
with dg.DagsterInstance.local_temp(sys.argv[1]) as instance:
    core.resolve_job_def("nightly_refresh").execute_in_process(instance=instance)
"""


def test_a_killed_run_names_the_step_that_was_running(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        house = House(tmp_path, instance)
        house.tick()
        code = KILLED.replace("def core_search()", "def core_search(raw_before)")
        environment = os.environ | {"DAGSTER_HOME": ""}
        victim = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "dagster")],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert victim.stdout is not None and victim.stdout.readline() == "begun\n"
        finally:
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        [run] = instance.get_runs()
        instance.report_run_failed(run, "The run worker was not found.")  # as run monitoring does
        [alert] = house.tick()
        house.server.shutdown()
        house.server.server_close()
    assert "ERROR nightly_refresh died while core_search was running: " in alert["text"]
    assert "The run worker was not found" in alert["text"]
    assert "Remedy: see whether the machine ran out of memory" in alert["text"]
    assert [new["key"] for new in alert["details"]["new"]] == ["step:core_search"]


def test_a_quarantined_document_is_told_once_and_so_is_that_it_is_readable(
    house: House, instance: dg.DagsterInstance
) -> None:
    row = {"document": "a.pdf", "source": "document", "reason": "encrypted", "message": "the file asks for a password"}
    sources = next(c.allowed for c in CORPUS_QUARANTINE.columns if c.name == "source")
    row["source"] = next(source for source in sources if source != "arxiv")
    house.lake.write(CORPUS_QUARANTINE.name, CORPUS_QUARANTINE.conform(pl.DataFrame([row])))
    night(instance, "corpus_refresh", corpus_quarantine="well")
    [alert] = house.tick()
    assert "WARN document a.pdf is quarantined: encrypted: the file asks for a password. Remedy: " in alert["text"]
    night(instance, core_signals="well")
    night(instance, "corpus_refresh", corpus_quarantine="well")
    assert house.tick() == []
    house.lake.write(CORPUS_QUARANTINE.name, CORPUS_QUARANTINE.empty())
    night(instance, "corpus_refresh", corpus_quarantine="well")
    assert ["- over: document a.pdf" in told["text"] for told in house.tick()] == [True]


def test_no_good_night_for_long_is_told_and_a_good_one_ends_it(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    house = House(tmp_path, instance, "night_overdue")
    assert house.tick() == [], "an installation of today is not late"
    begun = datetime.now(UTC) - LONGEST_PAUSE - timedelta(minutes=1)
    house.cursor = json.dumps({"since": begun.isoformat()})
    night(instance, core_signals="crash: the disk is full")
    [alert] = house.tick()
    assert alert["severity"] == "ERROR" and "no successful night in 26 hours: none has succeeded yet" in alert["text"]
    assert "the last run was failure" in alert["text"] and "Remedy: see what exo status says" in alert["text"]
    assert house.tick() == []
    night(instance, "publish_release", core_signals="well")
    assert house.tick() == [], "a release alone is no night"
    night(instance, "publish_release", tags={AFTER_TAG: "r"}, core_signals="well")
    [over] = house.tick()
    assert over["severity"] == "INFO" and "over: no successful night" in over["text"]
    later = datetime.now(UTC)
    assert overdue(instance, later - LONGEST_PAUSE, begun, later) is None
    assert overdue(instance, later - LONGEST_PAUSE - timedelta(seconds=1), begun, later) is not None
    house.server.shutdown()
    house.server.server_close()


def test_what_lasts_is_told_again_after_its_time_and_a_run_seen_twice_counts_once(tmp_path: Path) -> None:
    book, day = AlertBook(tmp_path / "book" / "alerts.json"), timedelta(days=1)
    found, start = (
        Finding("check:a:b", "ERROR", "a: check b did not pass", "why", "do"),
        datetime(2026, 1, 1, tzinfo=UTC),
    )

    def told(run: int, after: timedelta, *findings: Finding) -> str:
        with book.settled(findings, lambda _: True, job="j", run_id=f"r{run}", now=start + after) as news:
            return next((name for name in ("new", "changed", "still", "over") if getattr(news, name)), "")

    assert [told(1, day * 0, found), told(1, day * 0, found), told(2, day, found)] == ["new", "", ""]
    assert [alert.runs for alert in book.alerts()] == [2]
    assert told(3, AGAIN_AFTER["ERROR"], found) == "still"
    assert told(4, AGAIN_AFTER["ERROR"] + day, found) == ""
    assert told(5, AGAIN_AFTER["ERROR"] + 2 * day) == "over"
    assert book.alerts() == [] and [p.name for p in book.path.parent.iterdir() if "tmp" in p.name] == []


def test_an_alert_counts_as_told_only_when_it_was_and_a_damaged_book_loses_no_news(tmp_path: Path) -> None:
    book = AlertBook(tmp_path / "alerts.json")
    found = Finding("run:j", "WARN", "j failed", "why", "do")
    with pytest.raises(OSError, match="killed here"), book.settled([found], lambda _: False, job="j", run_id="r"):
        raise OSError("killed here")
    assert book.alerts() == []
    book.path.write_text("[{")
    with book.settled([found], lambda _: False, job="j", run_id="r") as news:
        assert [alert.key for alert in news.new] == ["run:j"]
    assert [alert.key for alert in book.alerts()] == ["run:j"]
