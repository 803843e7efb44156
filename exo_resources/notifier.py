"""Alerts: where people are told what is wrong.

Belongs here: writing an alert to the log file and posting it to the webhook.
Does not belong here: deciding what is worth an alert (that is the sensors').
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_log = logging.getLogger("exo.notifier")


class Notifier:
    """Tells people. A log file of JSON lines always; a webhook too when one is set.

    Nothing here raises: an alert that cannot be delivered must not fail the run it is about. A webhook that keeps
    failing is itself written to the log file, without its address, which often carries a secret.
    """

    def __init__(
        self,
        log_file: Path,
        webhook_url: str | None = None,
        *,
        ui_url: str = "http://127.0.0.1:3000",
        attempts: int = 3,
        timeout_s: float = 5.0,
        pause_s: float = 0.5,
    ) -> None:
        self.log_file = log_file
        self.webhook_url = webhook_url
        self.ui_url = ui_url.rstrip("/")
        self.attempts = attempts
        self.timeout_s = timeout_s
        self.pause_s = pause_s

    def link(self, run_id: str) -> str:
        """Where the UI shows a run; all runs when it is empty."""
        return f"{self.ui_url}/runs/{run_id}".rstrip("/")

    def notify(
        self, kind: str, text: str, details: Mapping[str, Any] | None = None, *, severity: str = "ERROR"
    ) -> bool:
        """Tell `text`, words for people, with machine-readable `details`; True when every channel took it.

        `severity` is ERROR (a person has to act), WARN or INFO.
        """
        alert = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": kind,
            "severity": severity,
            "text": text,
            "details": dict(details or {}),
        }
        written = self._append(alert)
        if self.webhook_url is None:
            return written
        problem = self._post(self.webhook_url, alert)
        if problem is None:
            return written
        host = urlsplit(self.webhook_url).hostname or "webhook"
        self._append(
            {
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "kind": "webhook_failed",
                "severity": "ERROR",
                "text": f"the alert {kind!r} did not reach the webhook at {host}: {problem}; check EXO_WEBHOOK_URL",
                "details": {"attempts": self.attempts, "alert": alert},
            }
        )
        return False

    def _append(self, alert: Mapping[str, Any]) -> bool:
        line = json.dumps(alert, default=str, ensure_ascii=False).encode() + b"\n"
        try:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.log_file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
            try:
                # The lock keeps two processes' lines whole even when one write is split.
                fcntl.flock(handle, fcntl.LOCK_EX)
                while line:
                    line = line[os.write(handle, line) :]
            finally:
                os.close(handle)
        except OSError as problem:
            _log.error("alert not written to %s (%s): %s", self.log_file, problem, alert)
            return False
        return True

    def _post(self, url: str, alert: Mapping[str, Any]) -> str | None:
        """None when the webhook took it, else what went wrong at the last attempt."""
        import httpx

        body = json.dumps(alert, default=str).encode()
        problem = "no attempt was made"
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.pause_s * 2 ** (attempt - 1) * (1 + random.random()))
            try:
                answer = httpx.post(
                    url, content=body, headers={"content-type": "application/json"}, timeout=self.timeout_s
                )
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problem = type(error).__name__
                continue
            if answer.is_success:
                return None
            problem = f"HTTP {answer.status_code}"
            if 400 <= answer.status_code < 500 and answer.status_code != 429:
                return problem  # the request itself is refused: repeating it cannot help
        return problem
