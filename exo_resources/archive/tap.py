"""The archive's live TAP service: synchronous queries that answer in CSV.

Belongs here: the queries and their checks. Does not belong here: retries across sources, and keeping what was fetched.
Protocol: IVOA Table Access Protocol, as documented at <archive>/docs/TAP/usingTAP.html.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from exo_assets.archive.contracts import RawContract
from exo_resources.archive.content import checked_rows, plain_bytes, refuse_page
from exo_resources.archive.copies import Copy, date_of
from exo_resources.archive.errors import ArchiveMalformedError, ArchiveQueryError, ArchiveStatusError
from exo_resources.archive.transfer import Answer, Deadline, download, http_client, with_retries

if TYPE_CHECKING:
    import httpx


class TapService:
    """Tables of one TAP service. `scratch` holds downloads while they are not checked; all of it may be lost."""

    def __init__(self, url: str, scratch: Path, *, timeout_s: float, connect_timeout_s: float, attempts: int) -> None:
        self.url = f"{url.rstrip('/')}/TAP/sync"
        self.scratch = scratch
        self._timeout_s, self._connect_timeout_s, self._attempts = timeout_s, connect_timeout_s, attempts

    def fetch(self, contract: RawContract) -> Copy:
        """The whole table, checked; a named ArchiveError otherwise. Transient failures are tried again."""
        table = contract.archive_table
        deadline = Deadline.after(table, self._timeout_s)

        def once() -> Copy:
            with self._client() as client:
                counted = self._count(client, deadline)
                data, answer = self._query(client, f"select * from {table}", deadline)
            frame = checked_rows(contract, data, content_type=answer.content_type, counted=counted)
            return Copy(data, frame, answer.url, date_of(answer.last_modified))

        return with_retries(once, attempts=self._attempts, deadline=deadline)

    def probe(self, contract: RawContract) -> str:
        """Number of rows and newest update: changes when the table does, costs the service one small query."""
        table = contract.archive_table
        deadline = Deadline.after(table, self._timeout_s)

        def once() -> str:
            with self._client() as client:
                if contract.updated_column:
                    try:
                        return self._cells(
                            client, f"select count(*),max({contract.updated_column}) from {table}", deadline
                        )
                    except (ArchiveQueryError, ArchiveStatusError) as error:
                        if error.transient:
                            raise
                        # Not every table publishes the date of its rows: the count is what is left.
                return self._cells(client, f"select count(*) from {table}", deadline)

        return with_retries(once, attempts=self._attempts, deadline=deadline)

    def _client(self) -> httpx.Client:
        return http_client(self._timeout_s, self._connect_timeout_s)

    def _count(self, client: httpx.Client, deadline: Deadline) -> int:
        table = deadline.table
        text = self._cells(client, f"select count(*) from {table}", deadline)
        if not text.isdigit():
            raise ArchiveMalformedError(table, f"the service answered {text[:80]!r} when asked for its number of rows")
        return int(text)

    def _cells(self, client: httpx.Client, query: str, deadline: Deadline) -> str:
        """The one row that answers an aggregate query, as it was written (without quotes)."""
        data, answer = self._query(client, query, deadline)
        refuse_page(deadline.table, data, answer.content_type)
        lines = data.decode("utf-8", errors="replace").splitlines()
        if len(lines) < 2:
            raise ArchiveMalformedError(deadline.table, f"the service did not answer {query!r} (it sent {data[:80]!r})")
        return lines[1].replace('"', "").strip()

    def _query(self, client: httpx.Client, query: str, deadline: Deadline) -> tuple[bytes, Answer]:
        self.scratch.mkdir(parents=True, exist_ok=True)
        target = self.scratch / f"{deadline.table}.{uuid.uuid4().hex}.part"
        try:
            answer = download(client, self.url, target, deadline, {"query": query, "format": "csv"})
            return plain_bytes(deadline.table, target.read_bytes(), answer.url), answer
        finally:
            target.unlink(missing_ok=True)
