"""Reading request bodies within a limit, and the CSV inside of them.

Belongs here: size, content type, multipart. Does not belong here: what a CSV means.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

CSV_TYPES = ("text/csv", "application/csv", "application/gzip", "application/x-gzip", "text/plain")
MULTIPART = "multipart/form-data"


class RefusedError(ValueError):
    """A request refused with an HTTP status."""

    def __init__(self, status: int, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.status, self.problem, self.remedy = status, problem, remedy


async def read_body(request: Request, largest: int) -> bytes:
    """The body; RefusedError 413 as soon as it is known to be longer than `largest` bytes."""
    too_large = RefusedError(413, f"the body is larger than {largest / 1e6:g} MB", "send less at once")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise too_large
        parts.append(part)
    return b"".join(parts)


async def read_csv_upload(request: Request, largest: int) -> tuple[bytes, str]:
    """The bytes of an uploaded CSV and what to call it: the body itself, or the file of a form."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in CSV_TYPES and kind != MULTIPART:
        raise RefusedError(
            415,
            f"the content type {kind or '(none)'!r} is not taken here",
            f"send a CSV file with 'Content-Type: text/csv' (or application/gzip), or as {MULTIPART}",
        )
    body = await read_body(request, largest)
    if kind != MULTIPART:
        return body, "the body"
    return await _only_file(request, body)


async def _only_file(request: Request, body: bytes) -> tuple[bytes, str]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, once(), max_files=2, max_fields=20).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise RefusedError(
            400, f"the form cannot be read ({error})", "send one file, as curl -F file=@table.csv does"
        ) from None
    try:
        files = [value for _, value in form.multi_items() if not isinstance(value, str)]
        if len(files) != 1:
            raise RefusedError(400, f"the form holds {len(files)} files", "send exactly one CSV file")
        return await files[0].read(), files[0].filename or "the file"
    finally:
        await form.close()
