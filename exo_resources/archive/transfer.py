"""Bytes over HTTP, within a deadline, every failure named; and the retries around it.

Belongs here: connections, statuses, broken and slow answers. Does not belong here: what is asked for (`tap.py`,
`mirror.py`, `exo_resources.mast`), and what the bytes hold (`content.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from exo_resources.archive.content import refuse_votable
from exo_resources.archive.errors import (
    ArchiveError,
    ArchiveMirrorError,
    ArchiveStatusError,
    ArchiveTimeoutError,
    ArchiveTooLargeError,
    ArchiveTruncatedError,
    ArchiveUnreachableError,
    Asked,
    shortened,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

UNREACHABLE_ATTEMPTS = 2
"""Tries when nothing answers at all: an outage is not cured by waiting a few seconds."""

SCRATCH_KEPT_S = 86_400.0
"""Age at which a download left by a killed process is deleted, seconds."""

_JITTER = wait_random_exponential(multiplier=0.5, max=8)
_ERROR_BODY_BYTES = 4096


@dataclass(frozen=True)
class Deadline:
    """A moment after which nothing more is tried for what was asked, `seconds` from when it was set."""

    asked: Asked
    seconds: float
    ends: float

    @classmethod
    def after(cls, asked: str | Asked, seconds: float) -> Deadline:
        """A deadline `seconds` from now; a name alone is that of a table."""
        return cls(Asked.of(asked), seconds, time.monotonic() + seconds)

    @property
    def table(self) -> str:
        """Name of what was asked."""
        return self.asked.name

    def remaining(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.ends - time.monotonic())

    def check(self) -> None:
        """ArchiveTimeoutError when it has passed."""
        if self.remaining() <= 0:
            raise ArchiveTimeoutError(self.asked, f"not complete after {self.seconds:g} s")


def with_retries(work: Callable[[], T], *, attempts: int, deadline: Deadline) -> T:
    """`work`, tried again with jitter after a transient ArchiveError; at most `attempts` times and by the deadline.

    A server that said how long to wait is left alone for that long.
    """

    def enough(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        most = UNREACHABLE_ATTEMPTS if isinstance(error, ArchiveUnreachableError) else attempts
        return state.attempt_number >= min(most, attempts)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.retry_after_s if isinstance(error, ArchiveStatusError) else 0.0
        return max(_JITTER(state), asked_for)

    def too_late(state: RetryCallState) -> bool:
        return state.upcoming_sleep >= deadline.remaining()

    return Retrying(
        stop=lambda state: enough(state) or too_late(state),
        wait=wait,
        retry=retry_if_exception(lambda e: isinstance(e, ArchiveError) and e.transient),
        reraise=True,
    )(work)


def http_client(timeout_s: float, connect_timeout_s: float) -> httpx.Client:
    """A client whose single waits are bounded; `Deadline` bounds their sum."""
    import httpx  # costs a quarter of a second; most processes that load this module fetch nothing

    return httpx.Client(
        timeout=httpx.Timeout(max(timeout_s / 2, 0.1), connect=connect_timeout_s),
        follow_redirects=True,
        headers={"User-Agent": "exo", "Accept-Encoding": "identity"},
    )


@dataclass(frozen=True)
class Answer:
    """What is known of a successful answer besides its body."""

    url: str
    content_type: str
    last_modified: str | None
    etag: str | None
    length: int | None


def download(
    client: httpx.Client, url: str, target: Path, deadline: Deadline, params: Mapping[str, str] | None = None
) -> Answer:
    """Stream `url` into the file `target`; a named ArchiveError when anything but all of it arrived."""
    with _named_failures(url, deadline) as written, client.stream("GET", url, params=params) as response:
        _refuse_status(deadline.asked, response)
        with target.open("wb") as out:
            for chunk in response.iter_raw():
                written.append(out.write(chunk))
                deadline.check()
        return _answer(response)


def answer_bytes(
    client: httpx.Client,
    url: str,
    deadline: Deadline,
    form: Mapping[str, str] | None = None,
    largest: int | None = None,
) -> bytes:
    """The body at `url`, or what it answers to a posted `form`; a named ArchiveError when not all of it arrived.

    Nothing more is read of one that has over `largest` bytes: ArchiveTooLargeError.
    """
    out = bytearray()
    method = "GET" if form is None else "POST"
    with _named_failures(url, deadline) as written, client.stream(method, url, data=form) as response:
        _refuse_status(deadline.asked, response)
        for chunk in response.iter_raw():
            out += chunk
            written.append(len(chunk))
            if largest is not None and len(out) > largest:
                raise ArchiveTooLargeError(deadline.asked, f"the answer has over {largest / 1e6:,.0f} MB")
            deadline.check()
    return bytes(out)


def head(client: httpx.Client, url: str, deadline: Deadline) -> Answer:
    """What the server says of `url` without sending it."""
    with _named_failures(url, deadline):
        response = client.head(url)
    if not response.is_success:
        raise ArchiveStatusError(deadline.asked, response.status_code, str(response.url))
    return _answer(response)


@contextmanager
def _named_failures(url: str, deadline: Deadline) -> Iterator[list[int]]:
    """Turns httpx's errors into named ones; the list holds the sizes of what has arrived."""
    import httpx

    written: list[int] = []
    deadline.check()
    try:
        yield written
    except httpx.HTTPError as error:
        raise _named(deadline.asked, error, sum(written)) from error
    except httpx.InvalidURL as error:
        raise ArchiveMirrorError(deadline.asked, f"{shortened(url)} is not a URL ({error})") from error


def _answer(response: httpx.Response) -> Answer:
    length = response.headers.get("Content-Length", "")
    return Answer(
        url=str(response.url),
        content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        last_modified=response.headers.get("Last-Modified"),
        etag=response.headers.get("ETag"),
        length=int(length) if length.isdigit() else None,
    )


def _refuse_status(asked: Asked, response: httpx.Response) -> None:
    if response.is_success:
        return
    body = next(response.iter_raw(_ERROR_BODY_BYTES), b"")
    if response.status_code < 500:
        refuse_votable(asked.name, body)  # a TAP service explains itself
    wait = _seconds(response.headers.get("Retry-After", ""))
    raise ArchiveStatusError(asked, response.status_code, str(response.url), retry_after_s=wait)


def _seconds(retry_after: str) -> float:
    """Seconds from now that a Retry-After header asks for (a number or an HTTP date); 0 when it says nothing."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


def _named(asked: Asked, error: httpx.HTTPError, written: int) -> ArchiveError:
    import httpx

    words = shortened(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError() | httpx.UnsupportedProtocol():
            return ArchiveUnreachableError(asked, f"no connection ({words})")
        case httpx.TimeoutException():
            return ArchiveTimeoutError(asked, f"the server fell silent after {written:,} bytes ({words})")
        case httpx.TransportError():
            return ArchiveTruncatedError(asked, f"the connection broke after {written:,} bytes ({words})")
        case _:
            return ArchiveUnreachableError(asked, words)


def sweep(folder: Path) -> None:
    """Delete the downloads that killed processes left in `folder`."""
    for path in folder.glob("*.part"):
        try:
            if time.time() - path.stat().st_mtime > SCRATCH_KEPT_S:
                path.unlink()
        except FileNotFoundError:
            continue  # another process was quicker
