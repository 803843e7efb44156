"""arXiv's OAI-PMH service: the records that changed in a span of days.

Belongs here: requests, pauses between them, retries, resumption tokens. Does not belong here: what records hold
(`exo_assets.corpus.arxiv`), and which spans are asked for (`harvest.py`).

arXiv asks for one connection and a pause of three seconds between requests (info.arxiv.org/help/api/tou.html). Its sets
are written group:archive:category (physics:astro-ph:EP).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlencode

from exo_assets.corpus.arxiv import ArxivError, Listing, parse_oai
from exo_assets.corpus.safe_xml import LARGEST_BYTES
from exo_resources.archive.errors import (
    ArchiveError,
    ArchiveHtmlError,
    ArchiveQueryError,
    ArchiveTooLargeError,
    ArchiveTruncatedError,
    Asked,
)
from exo_resources.archive.transfer import Deadline, answer_bytes, http_client, with_retries
from exo_resources.settings import Settings

log = logging.getLogger("exo.arxiv")

GROUPED = {
    *(
        "astro-ph",
        "cond-mat",
        "gr-qc",
        "hep-ex",
        "hep-lat",
        "hep-ph",
        "hep-th",
        "math-ph",
        "nlin",
        "nucl-ex",
        "nucl-th",
    ),
    *("physics", "quant-ph"),
}
"""Archives that arXiv keeps in its group physics; every other archive is a group of its own."""

_EXPIRED = "badResumptionToken"
_MOST_PARTS = 200
"""Parts of one list; arXiv's hold some 1,000 records each, and a category has some hundreds of changes in a span."""
_MOST_WITHOUT_NEWS = 3
"""Parts in a row that name no record that was not named before."""
_LONGEST_TOKEN = 4_000
"""Characters of a resumption token; arXiv's have some dozens."""


class TokenExpiredError(ArchiveError):
    """The service does not know its own token any more; the list has to be asked for from its beginning."""

    remedy = "run again later"


def set_of(category: str) -> str:
    """The OAI-PMH set of a category: physics:astro-ph:EP of astro-ph.EP."""
    archive = category.partition(".")[0]
    return f"{'physics' if archive in GROUPED else archive}:{category.replace('.', ':')}"


class OaiService:
    """The service that `settings` name, over one connection: a context manager. `requests` counts what was asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = http_client(settings.archive_timeout_s, settings.archive_connect_timeout_s)
        self._free_at = 0.0
        self.requests = 0

    def __enter__(self) -> OaiService:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def records(self, category: str, first: date, last: date | None) -> list[Listing]:
        """All listings of records of `category` that changed from `first` to `last` (None: until now), in order.

        A named ArchiveError when they cannot be had whole.
        """
        span = f"{category} from {first} to {last or 'now'}"
        asked = Asked(span, "arXiv listing", "EXO_ARXIV_URL")
        attempts = self._settings.archive_attempts
        for attempt in range(1, attempts + 1):
            try:
                return list(self._parts(asked, category, first, last))
            except TokenExpiredError as error:
                if attempt == attempts:
                    raise
                log.warning("%s; asking for it from its beginning", error)
        raise AssertionError("unreachable")

    def _parts(self, asked: Asked, category: str, first: date, last: date | None) -> Iterator[Listing]:
        question = {"metadataPrefix": "arXiv", "set": set_of(category), "from": first.isoformat()}
        if last is not None:
            question["until"] = last.isoformat()
        seen, named, without_news = set[str](), set[str](), 0
        for _ in range(_MOST_PARTS):
            listing = self._ask(asked, question)
            yield listing
            token = listing.resumption_token
            if token is None:
                return
            if token in seen:
                raise ArchiveTruncatedError(asked, "the service gave the same resumption token twice")
            if len(token) > _LONGEST_TOKEN:
                raise ArchiveTooLargeError(asked, f"a resumption token has {len(token):,} characters")
            without_news = without_news + 1 if _names(listing) <= named else 0
            if without_news >= _MOST_WITHOUT_NEWS:
                raise ArchiveTooLargeError(asked, f"the list goes on after {without_news} parts without a new record")
            seen.add(token)
            named |= _names(listing)
            question = {"resumptionToken": token}
        raise ArchiveTooLargeError(asked, f"the list has more than {_MOST_PARTS:,} parts")

    def _ask(self, asked: Asked, question: dict[str, str]) -> Listing:
        s = self._settings
        deadline = Deadline.after(asked, s.archive_timeout_s)
        url = f"{s.arxiv_url}?{urlencode({'verb': 'ListRecords', **question})}"

        def once() -> Listing:
            self._pause()
            try:
                data = answer_bytes(self._client, url, deadline, largest=LARGEST_BYTES)
            finally:
                self._free_at = time.monotonic() + s.arxiv_pause_s
            return _listing(asked, data)

        return with_retries(once, attempts=s.archive_attempts, deadline=deadline)

    def _pause(self) -> None:
        time.sleep(max(0.0, self._free_at - time.monotonic()))
        self.requests += 1


def _names(listing: Listing) -> set[str]:
    """What a part of a list speaks of."""
    found = {one.document_id for one in listing.documents} | {one.name for one in listing.rejected}
    return found.union(listing.deleted)


def _listing(asked: Asked, data: bytes) -> Listing:
    """What `data` lists; a transient ArchiveError when it is a web page or was cut."""
    try:
        return parse_oai(data)
    except ArxivError as error:
        if error.code == _EXPIRED:
            raise TokenExpiredError(asked, str(error)) from error
        if error.code:
            remedy = "check EXO_ARXIV_CATEGORIES (astro-ph.EP,astro-ph.SR), and that {url} is an OAI-PMH service"
            raise ArchiveQueryError(asked, str(error), remedy=remedy) from error
        if b"<html" in data[:1000].lower():
            raise ArchiveHtmlError(asked, str(error)) from error
        raise ArchiveTruncatedError(asked, str(error)) from error
