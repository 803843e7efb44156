"""Mirrors of arXiv's abstracts: corpus/*.jsonl and *.parquet in a folder, a bucket or on a web server.

Belongs here: listing and reading them. Does not belong here: what the files hold (`exo_assets.corpus.abstract_files`).
Files without abstracts are left alone, and named. Of a web server the index page of corpus/ is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as pafs

from exo_assets.corpus.abstract_files import SUFFIXES, AbstractFileError, newer_first, parse_abstracts
from exo_assets.corpus.arxiv import Listing
from exo_resources.archive.errors import (
    ArchiveMalformedError,
    ArchiveMirrorError,
    ArchiveStatusError,
    ArchiveTableAbsentError,
    ArchiveUnreachableError,
    Asked,
)
from exo_resources.archive.mirror import file_system, read_whole, shown
from exo_resources.archive.transfer import Deadline, answer_bytes, http_client, with_retries
from exo_resources.mast.index_page import listed
from exo_resources.settings import Settings

if TYPE_CHECKING:
    import httpx

ASKED = Asked("abstracts of the mirror", "arXiv listing", "EXO_ARCHIVE_MIRROR")
REMEDY = "put abstracts (arxiv_id, title, abstract, categories) as JSON lines or Parquet into corpus/ of the mirror"


@dataclass(frozen=True)
class Mirrored:
    """Abstracts of a mirror: `files` they came from, `other` files there, and the day of the newest of them
    that is not in the future."""

    listing: Listing
    files: tuple[str, ...]
    other: tuple[str, ...]
    as_of: date | None


def mirrored_abstracts(settings: Settings, wanted: Collection[str], today: date) -> Mirrored:
    """The abstracts of the mirror that are in one of the categories `wanted`; a named ArchiveError otherwise.

    ArchiveTableAbsentError when the mirror is there and has no abstracts.
    """
    if not settings.archive_mirror:
        raise ArchiveMirrorError(ASKED, "EXO_ARCHIVE=mirror, but EXO_ARCHIVE_MIRROR is not set")
    web = settings.archive_mirror.startswith(("http://", "https://"))
    found, other, days = dict[str, Listing](), list[str](), list[date]()
    for name, data, day in _of_web(settings) if web else _of_store(settings):
        try:
            listing = parse_abstracts(name, data, wanted)
        except AbstractFileError as error:
            raise ArchiveMalformedError(ASKED, str(error), remedy="copy the file to the mirror again") from error
        if listing is None:
            other.append(name)
            continue
        found[name] = listing
        days += [day] if day else []
    if not found:
        raise ArchiveTableAbsentError(
            ASKED, f"the mirror {shown(settings.archive_mirror)} holds no abstracts in corpus/", remedy=REMEDY
        )
    listing = newer_first(found[name] for name in sorted(found))
    dated = [d.updated for d in listing.documents if d.updated] or days
    return Mirrored(
        listing,
        tuple(sorted(found)),
        tuple(sorted(other)),
        max((day for day in dated if day <= today), default=None),
    )


def _of_store(settings: Settings) -> Iterator[tuple[str, bytes, date | None]]:
    """Name, bytes and day of each file of a folder or bucket."""
    assert settings.archive_mirror is not None
    fs, base = file_system(settings.archive_mirror, ASKED)
    root = shown(settings.archive_mirror)
    try:
        infos = fs.get_file_info(pafs.FileSelector(f"{base}/corpus", allow_not_found=True))
        names = sorted((i.base_name, i) for i in infos if i.type == pafs.FileType.File)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ArchiveUnreachableError(ASKED, f"the mirror {root} cannot be read ({error})") from error
    for name, info in names:
        if name.endswith(SUFFIXES):
            deadline = Deadline.after(ASKED, settings.archive_timeout_s)
            day = info.mtime.astimezone(UTC).date() if info.mtime else None
            yield name, read_whole(fs, info.path, f"{root}/corpus/{name}", deadline), day


def _of_web(settings: Settings) -> Iterator[tuple[str, bytes, date | None]]:
    """Name and bytes of each file of a web server."""
    assert settings.archive_mirror is not None
    url = f"{settings.archive_mirror.rstrip('/')}/corpus/"
    with http_client(settings.archive_timeout_s, settings.archive_connect_timeout_s) as client:
        try:
            page = _fetched(client, url, settings)
        except ArchiveStatusError as error:
            if error.status in (403, 404, 410):
                return
            raise
        for name in sorted(listed(page)):
            if name.endswith(SUFFIXES):
                yield name, _fetched(client, url + name, settings), None


def _fetched(client: httpx.Client, url: str, settings: Settings) -> bytes:
    deadline = Deadline.after(ASKED, settings.archive_timeout_s)
    get: Callable[[], bytes] = lambda: answer_bytes(client, url, deadline)  # noqa: E731
    return with_retries(get, attempts=settings.archive_attempts, deadline=deadline)
