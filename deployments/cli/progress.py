"""Showing a run as it happens: a line per asset, and what is being worked on.

Belongs here: turning Dagster's events into lines. Does not belong here: running anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster import DagsterEvent, EventLogEntry
    from rich.console import Console


VersionOf = Callable[[str], object]
"""What identifies the content of the table that an asset wrote; None when it is no table."""


@dataclass
class AssetState:
    """What became of one asset in a run."""

    name: str
    state: str = "waiting"
    seconds: float = 0.0
    rows: int | None = None
    recomputed: bool | None = None
    changed: bool | None = None
    materialized: bool = False
    checked: bool = False
    error: str = ""
    failed_checks: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """recomputed, unchanged, kept, failed, skipped; `done` for what is no table or does not say.

        unchanged: it was computed again, because the outside world was asked, and came out as it was.
        """
        if self.state != "done" or self.recomputed is None:
            return self.state
        if not self.recomputed:
            return "kept"
        return "unchanged" if self.changed is False else "recomputed"


_SIGNS = {
    "recomputed": ("✓", "green"),
    "done": ("✓", "green"),
    "kept": ("·", "dim"),
    "unchanged": ("·", "dim"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "yellow"),
}


class Progress:
    """Listens to a run. On a terminal the asset being worked on is shown live; elsewhere plain lines are written."""

    def __init__(self, console: Console, total: int, version_of: VersionOf = lambda _: None) -> None:
        self.console, self.total, self.version_of = console, total, version_of
        self.assets: dict[str, AssetState] = {}
        self._began: dict[str, float] = {}
        self._before: dict[str, object] = {}
        self._spinner: Any = None

    def live(self) -> AbstractContextManager[Any]:
        """Around the run: the live line on a terminal."""
        if not self.console.is_terminal:
            return nullcontext()
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", "starting")
        # The streams are the log file's now; Live would take them to the terminal instead.
        return Live(self._spinner, console=self.console, transient=True, redirect_stdout=False, redirect_stderr=False)

    def listen(self, entry: EventLogEntry) -> None:
        """Take one event of the run."""
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        asset = self.assets.setdefault(event.step_key, AssetState(event.step_key))
        kind = event.event_type_value
        if kind == "STEP_START":
            asset.state = "running"
            self._began[asset.name] = time.monotonic()
            self._before[asset.name] = self.version_of(asset.name)
            self._show()
        elif kind == "ASSET_MATERIALIZATION":
            asset.materialized = True
            _take_metadata(asset, event)
        elif kind == "ASSET_CHECK_EVALUATION":
            asset.checked = True
            check = event.asset_check_evaluation_data
            if not check.passed:
                said = f": {check.description}" if check.description else ""
                asset.failed_checks.append(f"{check.asset_key.to_user_string()}, {check.check_name}{said}")
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"):
            asset.state = {"STEP_SUCCESS": "done", "STEP_FAILURE": "failed", "STEP_SKIPPED": "skipped"}[kind]
            asset.seconds = time.monotonic() - self._began.get(asset.name, time.monotonic())
            if kind == "STEP_SUCCESS" and asset.recomputed:
                before, after = self._before.get(asset.name), self.version_of(asset.name)
                asset.changed = None if after is None else before != after
            if kind == "STEP_FAILURE":
                asset.error = cause(event)
            self._write(asset)
            self._show()

    def close(self) -> None:
        """At the end of the run: what never began, because something before it failed."""
        idle = [asset for asset in self.assets.values() if asset.state == "waiting"]
        for asset in idle:
            asset.state = "skipped"
        if idle:
            self._line(f"- not run: {', '.join(asset.name for asset in idle)}", "yellow")

    def _write(self, asset: AssetState) -> None:
        only_checked = asset.checked and not asset.materialized
        if not (only_checked and asset.state == "done"):  # what only checked is worth a line when it fails
            sign, style = _SIGNS[asset.outcome]
            rows = f"{asset.rows:>9,} rows" if asset.rows is not None else " " * 14
            tail = f"  {asset.error}" if asset.error else ""
            self._line(f"{sign} {asset.name:<34}{rows}  {asset.seconds:6.1f} s  {asset.outcome}{tail}", style)
        for failed in asset.failed_checks:
            self._line(f"    check not passed: {failed}", "yellow")

    def _line(self, text: str, style: str) -> None:
        self.console.print(text, style=style, markup=False, soft_wrap=not self.console.is_terminal)

    def _show(self) -> None:
        if self._spinner is None:
            return
        ended = sum(asset.state not in ("waiting", "running") for asset in self.assets.values())
        running = [asset.name for asset in self.assets.values() if asset.state == "running"]
        self._spinner.update(text=f"{ended} of {self.total}  {', '.join(running)}")


def _take_metadata(asset: AssetState, event: DagsterEvent) -> None:
    metadata = event.step_materialization_data.materialization.metadata
    rows, recomputed = metadata.get("dagster/row_count"), metadata.get("recomputed")
    asset.rows = int(rows.value) if rows is not None else asset.rows  # type: ignore[arg-type]
    asset.recomputed = bool(recomputed.value) if recomputed is not None else asset.recomputed


def cause(event: DagsterEvent) -> str:
    """Why a step failed, in one line: what the asset said of its failure, else the error that it raised."""
    data = event.step_failure_data
    said = data.user_failure_data.description if data.user_failure_data else None
    if said:
        return " ".join(said.split())
    error = data.error
    if error is not None and error.cause is not None:
        error = error.cause  # the outermost is Dagster's own; what the step raised says more than what lies below it
    if error is None:
        return "no reason given"
    kind, colon, text = " ".join(error.message.split()).partition(": ")
    return f"{kind.rpartition('.')[2]}{colon}{text}"
