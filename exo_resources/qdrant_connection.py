"""A connection to a Qdrant server, and what goes wrong with it in words.

Belongs here: address, key, patience, errors. Does not belong here: what is asked (`passage_server.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

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
        except QdrantServerError:
            raise
        except Exception as error:
            raise QdrantServerError(
                f"the Qdrant server at {self.url} (EXO_QDRANT_URL) {self._hidden(_words(error), 600)}"
            ) from None

    def _hidden(self, text: str, longest: int = SHOWN) -> str:
        """`text` on one line, cut, without the key."""
        text = text.replace(self._key, "***") if self._key else text
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= longest else text[:longest] + "..."


def _words(error: Exception) -> str:
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    if isinstance(error, UnexpectedResponse):
        return _refusal(error.status_code or 0, error.reason_phrase, error.content, error.headers)
    if isinstance(error, QdrantException):
        return f"refuses: too many requests ({str(error)[:SHOWN]}); raise its rate limit, or ask again later"
    if isinstance(error, ResponseHandlingException) and isinstance(error.source, OSError | _of_http()):
        return f"does not answer ({str(error.source)[:SHOWN] or type(error.source).__name__}); start it, {_OTHERWISE}"
    cause = error.source if isinstance(error, ResponseHandlingException) else error
    return f"does not answer as Qdrant does ({type(cause).__name__}); is it one? {_OTHERWISE}"


def _of_http() -> type[Exception]:
    import httpx

    return httpx.HTTPError


def _refusal(status: int, phrase: str, body: bytes, headers: Any) -> str:
    if 300 <= status < 400:
        where = urlsplit(headers.get("location", "")).netloc or "another address"
        return f"redirects to {where[:SHOWN]}, which is not followed; correct the setting"
    try:
        said = str(json.loads(body)["status"]["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        if status == 404:
            return f"does not answer as Qdrant does ({status} {phrase}); is it one? {_OTHERWISE}"
        said = ""
    told = f" ({said[:SHOWN]})" if said else ""
    return f"refuses: {status} {phrase}{told}; {_REMEDIES.get(status, 'see its log')}"
