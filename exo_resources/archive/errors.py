"""Everything that can go wrong between the archive and the lake, one name each.

Belongs here: the failures, whether waiting may cure them, what a person can do, and how an attempt is told of.
Does not belong here: detecting them.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Asked:
    """What an archive was asked for, in the words of errors: its name, its kind, and the setting with the address."""

    name: str
    kind: str = "archive table"
    url_setting: str = "EXO_ARCHIVE_URL"

    @classmethod
    def of(cls, what: str | Asked) -> Asked:
        """A table, when only its name is given."""
        return cls(what) if isinstance(what, str) else what


class ArchiveError(RuntimeError):
    """What an archive was asked for could not be had. `transient` says whether another try may succeed, `is_content`
    that the archive answered, but not with the table: somebody has to look at what it sent (`sent`, where it is known).

    `{url}` in a remedy stands for the setting that holds the archive's address.
    """

    transient = False
    is_content = False
    remedy = "run again later, or set EXO_ARCHIVE_MIRROR to a mirror of the archive"

    def __init__(self, asked: str | Asked, problem: str, *, remedy: str | None = None) -> None:
        what = Asked.of(asked)
        cure = (remedy or self.remedy).replace("{url}", what.url_setting)
        super().__init__(f"{what.kind} {what.name!r}: {problem}. Remedy: {cure}")
        self.table = what.name
        self.problem = problem
        self.cure = cure
        self.sent: bytes | None = None


@dataclass(frozen=True)
class Attempt:
    """A source that was asked in vain; `refused` when it answered, and the answer is not the table."""

    source: str
    error: str
    message: str
    remedy: str = ""
    refused: bool = False

    @classmethod
    def failed(cls, source: str, error: ArchiveError) -> Attempt:
        """What `source` failed with."""
        return cls(source, type(error).__name__, error.problem, error.cure, error.is_content)


def shortened(text: str) -> str:
    """An address, or what a server said, as a message shows it: both may have megabytes."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


class ArchiveUnreachableError(ArchiveError):
    """No connection: name not resolved, refused, no route, a proxy in the way, or TLS failed."""

    transient = True
    remedy = (
        "check the network, {url} and the proxy settings; without internet, set EXO_ARCHIVE_MIRROR, or "
        "EXO_ARCHIVE=snapshot"
    )


class ArchiveTimeoutError(ArchiveError):
    """The answer did not come, or not all of it, within the time allowed."""

    transient = True
    remedy = "run again later, or raise EXO_ARCHIVE_TIMEOUT_S"


class ArchiveStatusError(ArchiveError):
    """An HTTP status that is not success; `retry_after_s` is how long the server wants to be left alone."""

    def __init__(self, asked: str | Asked, status: int, url: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(
            asked,
            f"HTTP status {status} from {shortened(url)}",
            remedy=ArchiveError.remedy if status >= 500 or status == 429 else "check {url} or the mirror",
        )
        self.status = status
        self.retry_after_s = retry_after_s
        self.transient = status >= 500 or status in (408, 425, 429)


class ArchiveTruncatedError(ArchiveError):
    """The connection broke before the whole answer was there."""

    transient = True


class ArchiveTooLargeError(ArchiveError):
    """An answer, or a list of them, that goes on beyond all that was asked for can hold."""

    remedy = "check that {url} is the service it should be; if it is, run again later or report it to its help desk"


class ArchiveHtmlError(ArchiveError):
    """A web page instead of a table: an error or maintenance page, or a proxy's log-in."""

    is_content = True
    transient = True
    remedy = "open the address in a browser: the archive may be in maintenance, or a proxy asks for a log-in"


class ArchiveQueryError(ArchiveError):
    """The TAP service answered with an error document: it did not accept the query."""

    is_content = True
    remedy = "check that the table exists in the archive's TAP_SCHEMA and that EXO_ARCHIVE_URL is a TAP service"


class ArchiveGzipError(ArchiveError):
    """Compressed bytes that do not decompress."""

    is_content = True
    remedy = "copy the file to the mirror again"


class ArchiveEncodingError(ArchiveError):
    """Bytes that are not UTF-8."""

    is_content = True
    remedy = "download the table again; if it stays so, save it as UTF-8 (the archive's tables are)"


class ArchiveMalformedError(ArchiveError):
    """Not a CSV table: ragged rows, a quote that never ends, an unusable header."""

    is_content = True
    remedy = "download the table again; if it stays so, report it to the archive's help desk"


class ArchiveHeaderError(ArchiveError):
    """Columns that the pipeline needs are not there."""

    is_content = True
    remedy = (
        "compare the header with exo_assets/archive/contracts.py: download all columns, or adapt the contract and "
        "exo_assets/catalogs/layouts.py if the archive renamed one"
    )


class ArchiveEmptyError(ArchiveError):
    """A header without rows."""

    is_content = True
    remedy = "the archive never publishes this table empty: run again later"


class ArchiveRowCountError(ArchiveError):
    """Fewer or more rows than the service counts."""

    is_content = True
    transient = True


class ArchiveShrunkError(ArchiveError):
    """Far fewer rows than the copy in use: a part of the table, most likely."""

    is_content = True
    remedy = "compare it with the archive; if so many rows were really withdrawn, raise EXO_ARCHIVE_SHRINK for one run"


class ArchiveRowsError(ArchiveError):
    """Rows without the identifiers that every row has, or with words where numbers belong."""

    is_content = True
    remedy = "download the table again; if it stays so, report it to the archive's help desk"


class ArchiveMirrorError(ArchiveError):
    """The mirror itself is missing, is no mirror, or is not set."""

    remedy = "set EXO_ARCHIVE_MIRROR to a folder, http(s):// or s3:// URL that holds tap/<table>.csv.gz"


class ArchiveTableAbsentError(ArchiveError):
    """The mirror is there, but this table is not in it."""

    remedy = "add tap/<table>.csv.gz to the mirror"


class ArchiveSettingError(ArchiveError):
    """A table name or a setting that makes no sense."""

    remedy = "correct the name"
