"""What the library's replica says, in a form that crosses to the ingress.

Belongs here: replies, refusals and server-sent events as bytes. Does not belong here: what is in them.

Errors cross as replies, too: an exception would arrive as Ray's, without its status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EVENT_STREAM = "text/event-stream"
STILL_THERE = b": still there\n\n"
"""A comment of server-sent events: it keeps the connection, and shows whether there is still somebody at its end."""


@dataclass(frozen=True)
class Reply:
    """A JSON reply: status, body, headers. Before a stream it stands alone, with status 200 and an empty body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it is an answer."""
        return self.status == 200


STREAM_FOLLOWS = Reply(200)


def answered(content: Mapping[str, Any]) -> Reply:
    """An answer."""
    return Reply(200, as_json(content))


def refused(status: int, problem: str, remedy: str, *, retry_after_s: float | None = None) -> Reply:
    """An error, as `RefusedError` is shown; with `retry_after_s` the client is told when to come back."""
    headers = {} if retry_after_s is None else {"Retry-After": str(max(1, round(retry_after_s)))}
    return Reply(status, as_json({"error": problem, "remedy": remedy}), headers)


def as_json(content: Any) -> bytes:
    """JSON in UTF-8; ValueError for a number that JSON does not have."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def as_event(name: str, content: Any) -> bytes:
    """A server-sent event. JSON has no line ends of its own, so that it is one line of data."""
    return b"event: " + name.encode() + b"\ndata: " + as_json(content) + b"\n\n"
