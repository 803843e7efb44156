"""How the library says no.

Belongs here: errors to replies with a status, the problem and the remedy. Does not belong here: what fails.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from deployments.serve.dossiers import DossierUnknownError, NoDossiersError
from deployments.serve.from_thread import TooLongError
from deployments.serve.gate import BusyError
from deployments.serve.reply import Reply, as_json, refused
from exo_assets.corpus.library import QueryError
from exo_resources.chat_store import ChatBusyError, ChatNameError, ChatStoreError, ChatUnknownError
from exo_resources.qdrant_connection import QdrantServerError

REMEDY = "`exo run --job corpus_refresh` builds and releases an index and puts it on the endpoint"
RETRY_SOON_S, RETRY_LATER_S = 5.0, 60.0

STATUS_OF_REASON = {
    "unreachable": 503,
    "timeout": 504,
    "refused": 502,
    "overloaded": 503,
    "broken": 502,
    "too_long": 422,
}
"""HTTP status for each reason why a language model gave no answer (`exo_assets.corpus.generated.REASONS`)."""

log = logging.getLogger("ray.serve")


class RefusalError(Exception):
    """The reply that ends a request."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def refusal(error: Exception) -> Reply:  # noqa: PLR0911
    """An error as the client is told it."""
    if isinstance(error, RefusalError):
        return error.reply
    if isinstance(error, QueryError):
        return refused(422, str(error), "see /docs for what may be asked")
    if isinstance(error, BusyError):
        return refused(503, f"the library is busy: {error}", "ask again later", retry_after_s=RETRY_SOON_S)
    if isinstance(error, TooLongError):
        return refused(504, str(error), "ask again, or set EXO_LLM_TIMEOUT_S higher", retry_after_s=RETRY_SOON_S)
    if isinstance(error, ChatNameError):
        return refused(422, str(error), "choose another name, such as a UUID")
    if isinstance(error, ChatUnknownError):
        return refused(404, str(error), "a session begins with its first question and ends 30 days after its last")
    if isinstance(error, ChatBusyError):
        return refused(409, str(error), "ask again when it has answered", retry_after_s=RETRY_SOON_S)
    if isinstance(error, ChatStoreError):
        return refused(503, str(error), "mend the database; searches and single questions go on without it")
    if isinstance(error, QdrantServerError):
        return refused(503, str(error), "ask again later; GET /v1/corpus says how it is", retry_after_s=RETRY_SOON_S)
    if isinstance(error, NoDossiersError):
        return refused(503, str(error), "`exo run --job corpus_refresh` makes them", retry_after_s=RETRY_LATER_S)
    if isinstance(error, DossierUnknownError):
        near = (
            f"did you mean one of {', '.join(error.nearest)}?" if error.nearest else "/v1/search finds what is written"
        )
        return refused(404, str(error), near)
    log.exception("the library failed on a request", exc_info=error)
    return refused(500, f"the library failed: {type(error).__name__}: {error}"[:500], "see the log of the endpoint")


def model_failed(answer: Mapping[str, Any]) -> Reply:
    """The reply with an answer that lacks a part because its language model failed: what there is of it is in it."""
    error = answer["error"]
    remedy = "the passages are in `answer`; GET /v1/corpus says how the language model is"
    content = {"error": error["message"], "reason": error["reason"], "remedy": remedy, "answer": answer}
    return Reply(STATUS_OF_REASON.get(error["reason"], 502), as_json(content))
