"""How the library says no.

Belongs here: errors to replies with a status, the problem and the remedy. Does not belong here: what fails.
"""

from __future__ import annotations

import logging

from deployments.serve.dossiers import DossierUnknownError, NoDossiersError
from deployments.serve.from_thread import TooLongError
from deployments.serve.gate import BusyError
from deployments.serve.reply import Reply, refused
from exo_assets.corpus.library import QueryError
from exo_resources.chat_store import ChatBusyError, ChatNameError, ChatStoreError, ChatUnknownError

REMEDY = "`exo run --job corpus_refresh` builds and releases an index and puts it on the endpoint"
RETRY_SOON_S, RETRY_LATER_S = 5.0, 60.0

log = logging.getLogger("ray.serve")


class AnswerError(RuntimeError):
    """There is no answer because who words them failed; `status` is the HTTP status that says so."""

    def __init__(self, problem: str, remedy: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.remedy, self.status, self.retry_after_s = remedy, status, retry_after_s


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
    if isinstance(error, AnswerError):
        return refused(error.status, str(error), error.remedy, retry_after_s=error.retry_after_s)
    if isinstance(error, ChatNameError):
        return refused(422, str(error), "choose another name, such as a UUID")
    if isinstance(error, ChatUnknownError):
        return refused(404, str(error), "a session begins with its first question and ends 30 days after its last")
    if isinstance(error, ChatBusyError):
        return refused(409, str(error), "ask again when it has answered", retry_after_s=RETRY_SOON_S)
    if isinstance(error, ChatStoreError):
        return refused(503, str(error), "mend the database; searches and single questions go on without it")
    if isinstance(error, NoDossiersError):
        return refused(503, str(error), REMEDY, retry_after_s=RETRY_LATER_S)
    if isinstance(error, DossierUnknownError):
        near = f"did you mean one of {', '.join(error.nearest)}?" if error.nearest else REMEDY
        return refused(404, str(error), near)
    log.exception("the library failed on a request", exc_info=error)
    return refused(500, f"the library failed: {type(error).__name__}: {error}"[:500], "see the log of the endpoint")


