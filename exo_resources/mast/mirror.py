"""Mirrors of MAST: mast/ in a folder, a bucket or on a web server, with files under the archive's own names.

Belongs here: listing and reading them. Does not belong here: what the bytes must be (`fetch.py`).

In a folder or bucket the files may lie flat or in the archive's own folders; of a web server the index page of mast/ is
read. Names that are not the archive's are ignored, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as pafs

from exo_assets.lightcurves.mast_names import parse_name
from exo_resources.archive.errors import (
    ArchiveMirrorError,
    ArchiveStatusError,
    ArchiveTableAbsentError,
    ArchiveUnreachableError,
    Asked,
)
from exo_resources.archive.mirror import file_system, read_whole, shown
from exo_resources.archive.transfer import Deadline, answer_bytes, http_client, with_retries
from exo_resources.mast.files import Available, Listing, asked, chosen, passed_over
from exo_resources.mast.index_page import listed
from exo_resources.settings import Settings

if TYPE_CHECKING:
    import httpx

REMEDY = "put light curves under the archive's own names into mast/ of the mirror (EXO_ARCHIVE_MIRROR)"


class MastMirror:
    """The folder mast/ of the mirror that `settings` name; ArchiveMirrorError when they name none."""

    def __init__(self, settings: Settings) -> None:
        if not settings.archive_mirror:
            raise ArchiveMirrorError(asked("all"), "EXO_ARCHIVE=mirror, but EXO_ARCHIVE_MIRROR is not set")
        self._settings = settings
        self._mirror = settings.archive_mirror
        self.on_web = self._mirror.startswith(("http://", "https://"))

    def available(self, mission: str, stars: Iterable[str] | None) -> Listing:
        """The mission's light curves, of these stars or of all.

        ArchiveTableAbsentError when the mirror has no mast/, another ArchiveError when it cannot be read.
        """
        entries = self._on_web() if self.on_web else self._in_store()
        wanted = None if stars is None else set(stars)
        files, ignored = [], 0
        for name, url, fingerprint, size in entries:
            file = parse_name(name)
            if file is None:
                ignored += 1
            elif file.mission == mission and (wanted is None or file.star_id in wanted):
                files.append(Available(file, url, fingerprint, "mirror", size))
        return Listing("mirror", chosen(files), ignored=ignored, passed_over=passed_over(files))

    def reader(self) -> Callable[[Available, Deadline], bytes]:
        """Reads files of a folder or bucket (those of a web server are fetched like the archive's)."""
        fs, base = file_system(self._mirror, asked("all"))
        root = shown(self._mirror)
        return lambda one, deadline: read_whole(fs, base + one.url.removeprefix(root), one.url, deadline)

    def _in_store(self) -> list[tuple[str, str, str, int | None]]:
        what = asked("list of the mirror")
        fs, base = file_system(self._mirror, what)
        root = shown(self._mirror)
        try:
            infos = fs.get_file_info(pafs.FileSelector(f"{base}/mast", recursive=True))
        except FileNotFoundError:
            raise _absent(what, root) from None
        except (pa.ArrowException, OSError) as error:
            raise ArchiveUnreachableError(what, f"the mirror {root} cannot be read ({error})") from error
        return [
            (*_named(info, root, base), f"{info.size}:{info.mtime_ns}", info.size)
            for info in infos
            if info.type == pafs.FileType.File
        ]

    def _on_web(self) -> list[tuple[str, str, str, int | None]]:
        s, what = self._settings, asked("list of the mirror")
        url = f"{self._mirror.rstrip('/')}/mast/"
        deadline = Deadline.after(what, s.archive_timeout_s)

        def once(client: httpx.Client) -> dict[str, str]:
            try:
                return listed(answer_bytes(client, url, deadline))
            except ArchiveStatusError as error:
                if error.status in (403, 404, 410):
                    raise _absent(what, url) from None
                raise

        with http_client(s.archive_timeout_s, s.archive_connect_timeout_s) as client:
            names = with_retries(lambda: once(client), attempts=s.archive_attempts, deadline=deadline)
        return [(name, url + name, beside, None) for name, beside in names.items() if Path(name).suffix]


def _named(info: pafs.FileInfo, root: str, base: str) -> tuple[str, str]:
    """Name and address of a file; a name that is no text is none of the archive's."""
    try:
        return info.base_name, root + info.path.removeprefix(base)
    except UnicodeDecodeError:
        return "", ""


def _absent(what: Asked, place: str) -> ArchiveTableAbsentError:
    return ArchiveTableAbsentError(what, f"the mirror {place} holds no folder mast/", remedy=REMEDY)
