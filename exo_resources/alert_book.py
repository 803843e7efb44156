"""What people were told and is not over yet: the memory that makes an alert come once.

Belongs here: open alerts, kept atomically below EXO_HOME, and what of tonight's findings is news. Does not belong here:
finding out what is wrong (sensors), and how an alert travels (`notifier.py`).

A cause is the same as last time when its words are, whatever numbers are in them: a count that moves is no news.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

_log = logging.getLogger("exo.alerts")

AGAIN_AFTER = {"ERROR": timedelta(days=3), "WARN": timedelta(days=14)}
"""What stays wrong for so long is told once more; only telling it again starts the time anew."""
_NUMBER = re.compile(r"\d+([.,]\d+)*")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong now.

    `key` names it over nights; `severity` is ERROR (a person has to act) or WARN; `title` says what is wrong, `cause`
    why, `remedy` what a person can do.
    """

    key: str
    severity: str
    title: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Alert:
    """A finding that was told, and is not over: since when, in which run last, and in how many runs it was found."""

    key: str
    severity: str
    title: str
    cause: str
    remedy: str
    job: str
    run_id: str
    since: str
    told_at: str
    runs: int

    @property
    def words(self) -> str:
        """Its title and cause in one sentence."""
        return f"{self.title}: {self.cause}" if self.cause else self.title


@dataclass(frozen=True)
class News:
    """What is to be told: alerts that are new, whose cause or severity changed, that go on for long, and that are over;
    `known` go on and need not be told."""

    new: tuple[Alert, ...] = ()
    changed: tuple[Alert, ...] = ()
    still: tuple[Alert, ...] = ()
    over: tuple[Alert, ...] = ()
    known: tuple[Alert, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.still or self.over)

    @property
    def severity(self) -> str:
        """ERROR, WARN, or INFO when nothing but an end is told."""
        found = {alert.severity for alert in (*self.new, *self.changed, *self.still)}
        return next((severity for severity in AGAIN_AFTER if severity in found), "INFO")


class AlertBook:
    """The open alerts of an installation, in one JSON file; several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def alerts(self) -> list[Alert]:
        """The open alerts, the worst and oldest first; none when the file is not there or damaged."""
        try:
            found = [Alert(**entry) for entry in json.loads(self.path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            _log.warning("%s cannot be read (%s): what was told before is told again", self.path, error)
            return []
        return sorted(found, key=lambda alert: (list(AGAIN_AFTER).index(alert.severity), alert.since, alert.key))

    @contextmanager
    def settled(
        self,
        findings: Iterable[Finding],
        is_over: Callable[[Alert], bool],
        *,
        job: str,
        run_id: str,
        now: datetime | None = None,
    ) -> Iterator[News]:
        """What is news in the `findings` of a run; it counts as told when the block ends well.

        An open alert that is not among the findings is over when `is_over` says so, and stays open otherwise.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = {alert.key: alert for alert in self.alerts()}
            news = _news(before, list(findings), is_over, _Ran(job, run_id, now or datetime.now(UTC)))
            yield news
            kept = {**before, **{a.key: a for a in (*news.new, *news.changed, *news.still, *news.known)}}
            for alert in news.over:
                del kept[alert.key]
            if kept != before:
                self._write(list(kept.values()))

    def _write(self, alerts: list[Alert]) -> None:
        temporary = self.path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        try:
            temporary.write_text(json.dumps([asdict(alert) for alert in alerts], indent=1), encoding="utf-8")
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Ran:
    """The run that is told of, and the time of telling."""

    job: str
    run_id: str
    now: datetime


def _news(before: dict[str, Alert], findings: list[Finding], is_over: Callable[[Alert], bool], ran: _Ran) -> News:
    moment = ran.now.isoformat(timespec="seconds")
    new, changed, still, known = list[Alert](), list[Alert](), list[Alert](), list[Alert]()
    for found in findings:
        old = before.get(found.key)
        if old is None:
            new.append(Alert(**asdict(found), job=ran.job, run_id=ran.run_id, since=moment, told_at=moment, runs=1))
            continue
        runs = old.runs + (old.run_id != ran.run_id)
        seen = replace(old, **asdict(found), job=ran.job, run_id=ran.run_id, runs=runs)
        if (old.severity, _same(old.cause)) != (found.severity, _same(found.cause)):
            changed.append(replace(seen, told_at=moment))
        elif ran.now - datetime.fromisoformat(old.told_at) >= AGAIN_AFTER[found.severity]:
            still.append(replace(seen, told_at=moment))
        else:
            known.append(seen)
    there = {found.key for found in findings}
    over = [alert for key, alert in before.items() if key not in there and is_over(alert)]
    return News(tuple(new), tuple(changed), tuple(still), tuple(over), tuple(known))


def _same(cause: str) -> str:
    return _NUMBER.sub("#", cause)
