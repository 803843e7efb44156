"""A connection to a Qdrant server, and what goes wrong with it in words.

Belongs here: address, key, patience, errors. Does not belong here: what is asked (`passage_server.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from exo_assets.corpus.plain_text import one_line

if TYPE_CHECKING:
    from qdrant_client.http.exceptions import UnexpectedResponse

PORT = 6333
"""Qdrant's own, where a URL names none; its client takes it for https too."""
SHOWN = 200
_OTHERWISE = "correct the setting, or unset it to search inside each process"
_REMEDIES = {
    401: "check EXO_QDRANT_API_KEY",
    403: "check EXO_QDRANT_API_KEY and what it allows",
    404: "it has lost the index: `exo run --job corpus_refresh` puts it there again",
}


class QdrantServerError(ConnectionError):
    """The Qdrant server does not answer, or refuses, or is none; the message has no secret in it."""


class QdrantConnection:
    """A connection to `url`; nothing is asked of the server to make it."""

    def __init__(self, url: str, key: str | None, timeout_s: int) -> None:
        parts = urlsplit(url)
        address = parts.netloc if parts.port else f"{parts.netloc.removesuffix(':')}:{PORT}"
        self.url = urlunsplit((parts.scheme, address, parts.path, "", ""))
        self._key, self._timeout = key, timeout_s
        self._client: Any = None

    @property
    def client(self) -> Any:
        """Qdrant's client; what is asked of it belongs under `answering`."""
        if self._client is None:
            from qdrant_client import QdrantClient

            self._client = QdrantClient(
                url=self.url,
                # As `api_key` it would print a warning, with a line of this file, at each start of a command.
                headers={"api-key": self._key} if self._key else None,
                timeout=self._timeout,
                check_compatibility=False,
            )
        return self._client

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn whatever Qdrant's client raises into QdrantServerError; only calls of it belong inside."""
        try:
            yield
        except Exception as error:
            said = _words(error, self._shown)
            raise QdrantServerError(f"the Qdrant server at {self.url} (EXO_QDRANT_URL) {said}") from None

    def _shown(self, text: str) -> str:
        """What the server or its client says, on one line, cut, without the key."""
        return one_line(text.replace(self._key, "***") if self._key else text, SHOWN)


def _words(error: Exception, shown: Callable[[str], str]) -> str:
    import httpx
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    if isinstance(error, UnexpectedResponse):
        return _refusal(error, shown)
    if isinstance(error, QdrantException):
        return f"refuses: too many requests ({shown(str(error))}); raise its rate limit, or ask again later"
    cause = error.source if isinstance(error, ResponseHandlingException) else error
    if isinstance(cause, OSError | httpx.HTTPError):
        return f"does not answer ({shown(str(cause)) or type(cause).__name__}); start it, {_OTHERWISE}"
    return _other(type(cause).__name__)


def _refusal(error: UnexpectedResponse, shown: Callable[[str], str]) -> str:
    status, phrase = error.status_code or 0, shown(error.reason_phrase)
    if 300 <= status < 400:
        where = shown(urlsplit(error.headers.get("location", "")).netloc) or "another address"
        return f"redirects to {where}, which is not followed; correct the setting"
    try:
        told = f" ({shown(str(json.loads(error.content)['status']['error']))})"
    except (ValueError, KeyError, TypeError, RecursionError):
        if status == 404:
            return _other(f"{status} {phrase}")
        told = ""
    return f"refuses: {status} {phrase}{told}; {_REMEDIES.get(status, 'see its log')}"


def _other(what: str) -> str:
    return f"does not answer as Qdrant does ({what}); is it one? {_OTHERWISE}"
