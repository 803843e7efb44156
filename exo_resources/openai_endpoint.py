"""An OpenAI-compatible endpoint: its address, which models it lists, and what its errors mean.

Belongs here: addresses without secrets, and failures in words. Does not belong here: asking a model
(`openai_call.py`), which model is set (`language_model.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from exo_assets.corpus.generated import GeneratorError

NO_KEY = "none"
"""Sent where no key is set: the client would else take one from its own environment variables."""
STATUS_TIMEOUT_S = 5.0
LONGEST_PAUSE_S = 20.0
SHOWN = 200


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers. `url` is without credentials; `login` are those that stood in it."""

    url: str
    model: str
    key: str = field(default=NO_KEY, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    trust_env: bool = True

    @classmethod
    def of(cls, url: str, model: str, key: str | None) -> Endpoint:
        """From settings; GeneratorError (refused) for an address with a query."""
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise GeneratorError("EXO_LLM_URL must end with its path, such as http://host:8000/v1", "refused")
        host = parts.hostname or ""
        netloc = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
        bare = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
        login = (parts.username, parts.password or "") if parts.username else None
        return cls(bare, model, key or NO_KEY, login)

    def hidden(self, text: str) -> str:
        """`text` on one line, cut, without the key and the password."""
        for secret in (self.key if self.key != NO_KEY else "", *(self.login or ())[1:]):
            text = text.replace(secret, "***") if secret else text
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= SHOWN else text[:SHOWN] + "..."


@dataclass(frozen=True)
class Failure:
    """What went wrong, in words without secrets; `wait_s`: for how long the endpoint asks to be left alone."""

    reason: str
    text: str
    again: bool = False
    wait_s: float = 0.0


class BrokeOffError(Exception):
    """A stream ended before the model said that it had finished."""


def failure(error: Exception, endpoint: Endpoint, *, began: bool) -> Failure:
    """What an error of the client means; no other try helps once text `began` to arrive."""
    import httpx
    import openai

    host = urlsplit(endpoint.url).netloc
    if isinstance(error, openai.APIStatusError):
        return _refusal(error.response.status_code, error.response.headers, _said(error.body), endpoint)
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return Failure("timeout", f"{host} did not answer in time", again=not began)
    if isinstance(error, openai.APIConnectionError) and not began:
        said = endpoint.hidden(str(error.__cause__ or error))
        return Failure("unreachable", f"{host} cannot be reached: {said}", again=True)
    if isinstance(error, BrokeOffError | httpx.HTTPError | openai.APIConnectionError):
        what = "its text ended too early" if isinstance(error, BrokeOffError) else "the connection ended too early"
        return Failure("broken", f"{host}: {what}", again=not began)
    return Failure("broken", f"{host} {_unreadable(error, endpoint)}")


def _unreadable(error: Exception, endpoint: Endpoint) -> str:
    import openai

    if isinstance(error, openai.APIError):
        return f"reports an error: {endpoint.hidden(error.message)}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "sent what is no JSON"
    return f"sent what cannot be read ({type(error).__name__})"


def _refusal(status: int, headers: Any, said: str, endpoint: Endpoint) -> Failure:
    host = urlsplit(endpoint.url).netloc
    told = f": {endpoint.hidden(said)}" if said else ""
    if status in (408, 409, 425, 429) or status >= 500:
        return Failure("overloaded", f"{host} answered HTTP {status}{told}", True, _retry_after(headers))
    if 300 <= status < 400:
        elsewhere = urlsplit(headers.get("location", "")).netloc or "another address"
        return Failure("refused", f"{host} redirects to {endpoint.hidden(elsewhere)}, which is not followed")
    if status in (401, 403):
        return Failure("refused", f"{host} does not accept EXO_LLM_API_KEY (HTTP {status}{told})")
    return Failure("refused", f"{host} answered HTTP {status}{told}")


def _said(body: object) -> str:
    """The message of an endpoint's error, in the forms that are usual."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return message if isinstance(message, str) else ""
    return ""


def _retry_after(headers: Any) -> float:
    try:
        return max(0.0, min(LONGEST_PAUSE_S, float(headers.get("retry-after", 0))))
    except ValueError:
        return 0.0


def check_model(endpoint: Endpoint) -> str | None:
    """Ask for the models; a note where the endpoint does not list them. GeneratorError when it cannot be asked."""
    import httpx

    headers = {} if endpoint.login else {"Authorization": f"Bearer {endpoint.key}"}
    host = urlsplit(endpoint.url).netloc
    try:
        reply = httpx.get(
            f"{endpoint.url}/models",
            headers=headers,
            auth=endpoint.login,
            timeout=STATUS_TIMEOUT_S,
            follow_redirects=False,
            trust_env=endpoint.trust_env,
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        said = endpoint.hidden(str(error)) or type(error).__name__
        raise GeneratorError(f"{host} cannot be reached: {said}", "unreachable") from None
    if reply.status_code == 404:
        return "it does not list its models"
    if reply.status_code != 200:
        refused = _refusal(reply.status_code, reply.headers, "", endpoint)
        raise GeneratorError(refused.text, refused.reason)
    try:
        models = [str(m["id"]) for m in reply.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return "it does not list its models"
    if models and endpoint.model not in models:
        listed = endpoint.hidden(", ".join(sorted(models)))
        raise GeneratorError(f"{host} has no model {endpoint.model!r}, only {listed}", "refused")
    return None
