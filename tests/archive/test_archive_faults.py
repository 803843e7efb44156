"""The real client over real HTTP against a service that misbehaves: a named reason or a recovered download, never a
half-written snapshot, and what was refused kept apart."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exo_assets.archive.contracts import DR25_KOI
from exo_assets.archive.refused import KEPT, keep_refused, refused_copies, refused_table
from exo_assets.archive.snapshot.shipped import shipped_frame, write_mirror
from exo_assets.archive.snapshots import read_snapshot, snapshot_bytes, snapshots
from exo_resources.archive import ArchiveSource, Attempt, Fetched, errors
from exo_resources.settings import CHECKOUT
from tests.archive.conftest import EXCERPT, ROWS, TABLE, MakeSource, files_of
from tests.archive.replica import Replica

PERMANENT: dict[str, tuple[type[errors.ArchiveError], str]] = {
    "status_404": (errors.ArchiveStatusError, "404"),
    "votable": (errors.ArchiveQueryError, "ORA-00942: no such table"),
    "renamed": (errors.ArchiveHeaderError, r"missing columns \['koi_period'\]"),
    "not_utf8": (errors.ArchiveEncodingError, "line 4 is not UTF-8"),
    "empty": (errors.ArchiveEmptyError, "no rows"),
    "ragged": (errors.ArchiveMalformedError, "Expected 80 columns, got 79"),
    "garbled": (errors.ArchiveRowsError, r"koi_period is not a number in \d+ of 400 rows"),
}
TRANSIENT = {
    "truncated": errors.ArchiveTruncatedError,
    "chunk_cut": errors.ArchiveTruncatedError,
    "short": errors.ArchiveRowCountError,
    "status_500": errors.ArchiveStatusError,
    "html": errors.ArchiveHtmlError,
}


def refused_by(fetched: Fetched, error: type[errors.ArchiveError]) -> Attempt:
    """Why the table is absent, which it is because of `error`."""
    assert (fetched.source, fetched.rows) == ("absent", 0)
    [attempt] = fetched.attempts
    assert attempt.error == error.__name__ and attempt.refused == error.is_content and attempt.remedy
    return attempt


def outside_quarantine(archive: ArchiveSource) -> dict[str, bytes]:
    return {name: data for name, data in files_of(archive).items() if "/raw/refused/" not in name}


@pytest.mark.parametrize("fault", PERMANENT)
def test_a_permanent_fault_is_named_at_once_and_leaves_no_snapshot(
    source: MakeSource, replica: Replica, fault: str
) -> None:
    replica.fault(TABLE, fault)
    archive = source()
    error, words = PERMANENT[fault]
    attempt = refused_by(archive.fetch(TABLE), error)
    assert re.search(words, attempt.message)
    assert replica.requests[TABLE] == 1
    assert outside_quarantine(archive) == {}
    kept = refused_copies(archive.lake)
    assert [(k.archive_table, k.source, k.error, k.reason) for k in kept] == (
        [(TABLE, "live", error.__name__, attempt.message)] if error.is_content else []
    )


@pytest.mark.parametrize(("fault", "aside"), [("duplicated", 2), ("same_key", 1)])
def test_repeated_rows_are_set_aside_and_stop_nothing(
    source: MakeSource, replica: Replica, fault: str, aside: int
) -> None:
    archive = source()
    good = archive.fetch(TABLE)
    replica.fault(TABLE, fault)
    fetched = archive.fetch(TABLE)
    assert (fetched.source, fetched.rows, fetched.quarantined) == ("live", ROWS, aside)
    assert fetched.sha256 != good.sha256 and fetched.notes["quarantined"] == aside
    assert DR25_KOI.problems(fetched.frame) == []
    assert fetched.frame["kepoi_name"].equals(good.frame["kepoi_name"])
    assert read_snapshot(archive.lake, snapshots(archive.lake, TABLE)[-1]).height == ROWS + aside, "raw is verbatim"


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_that_stays_is_named_after_bounded_tries(
    source: MakeSource, replica: Replica, fault: str
) -> None:
    replica.fault(TABLE, fault)
    archive = source()
    refused_by(archive.fetch(TABLE), TRANSIENT[fault])
    assert replica.requests[TABLE] == 3
    assert outside_quarantine(archive) == {}


def test_what_was_refused_is_kept_to_the_byte_once_and_the_last_few(source: MakeSource, replica: Replica) -> None:
    archive = source(archive_attempts=1)
    replica.fault(TABLE, "renamed")
    for _ in range(2):
        archive.fetch(TABLE)
    [copy] = refused_copies(archive.lake, TABLE)
    sent = EXCERPT.replace(b"koi_period,", b"orbital_period,", 1)
    assert gzip.decompress(archive.lake.get(copy.key)) == sent and copy.size_bytes == len(sent)
    assert "koi_period" in copy.reason and "contracts.py" in copy.remedy
    told = {"source": "live", "error": "E", "reason": "r", "remedy": "m"}
    for n in range(KEPT + 1):
        keep_refused(archive.lake, TABLE, b"page %d" % n, **told, refused_at=f"2030-{n}")
    left = refused_copies(archive.lake)
    assert [gzip.decompress(archive.lake.get(c.key)) for c in left] == [b"page %d" % n for n in range(1, KEPT + 1)]
    assert len(archive.lake.keys("raw/refused")) == 2 * KEPT
    assert refused_table(left)["refused_at"].to_list() == [f"2030-{n}" for n in range(1, KEPT + 1)]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_that_passes_is_recovered(source: MakeSource, replica: Replica, fault: str) -> None:
    replica.fault(TABLE, fault, times=2)
    archive = source()
    fetched = archive.fetch(TABLE)
    assert (fetched.source, fetched.rows, fetched.attempts) == ("live", ROWS, ())
    assert fetched.frame.equals(shipped_frame(TABLE).head(ROWS).sort("kepoi_name"))
    [kept] = snapshots(archive.lake, TABLE)
    assert snapshot_bytes(archive.lake, kept) == EXCERPT


@pytest.mark.parametrize("fault", ["drip", "silent"])
def test_a_slow_answer_ends_at_the_deadline(source: MakeSource, replica: Replica, fault: str) -> None:
    replica.fault(TABLE, fault)
    archive = source(archive_timeout_s=1)
    assert "EXO_ARCHIVE_TIMEOUT_S" in refused_by(archive.fetch(TABLE), errors.ArchiveTimeoutError).remedy
    assert files_of(archive) == {}


def test_a_count_that_disagrees_is_named(source: MakeSource, replica: Replica) -> None:
    replica.fault(TABLE, "count")
    told = refused_by(source().fetch(TABLE), errors.ArchiveRowCountError).message
    assert told == "400 rows arrived, the service counts 407"


@pytest.mark.parametrize("fault", [*PERMANENT, *TRANSIENT])
def test_the_last_good_copy_outlives_every_fault(source: MakeSource, replica: Replica, fault: str) -> None:
    archive = source(archive_attempts=1)
    good = archive.fetch(TABLE)
    before = files_of(archive)
    replica.fault(TABLE, fault)
    kept = archive.fetch(TABLE)
    assert (kept.source, kept.sha256, kept.as_of) == ("last_good", good.sha256, good.as_of)
    assert kept.frame.equals(good.frame)
    assert kept.attempts[0].source == "live" and kept.attempts[0].error.startswith("Archive")
    assert outside_quarantine(archive) == before


def test_nothing_listening_is_found_once_for_all_tables(source: MakeSource, mirror_folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        archive = source("live", archive_url=url)
        assert "EXO_ARCHIVE_MIRROR" in refused_by(archive.fetch(TABLE), errors.ArchiveUnreachableError).remedy
    # Something answers now, but the source remembers: five tables must not wait in turn.
    with Replica(mirror_folder, port=int(url.rpartition(":")[2])) as late:
        refused_by(archive.fetch("toi"), errors.ArchiveUnreachableError)
    assert not late.requests


def test_an_unknown_table_names_the_known_ones(source: MakeSource) -> None:
    with pytest.raises(errors.ArchiveSettingError, match="cumulative"):
        source().fetch("tois")


@pytest.mark.parametrize("fault", ["truncated", "status_500", "html", "bad_gzip", "not_utf8", "renamed"])
def test_a_mirror_on_the_web_gets_the_same_checks(source: MakeSource, replica: Replica, fault: str) -> None:
    expected = {
        "truncated": errors.ArchiveTruncatedError,
        "status_500": errors.ArchiveStatusError,
        "html": errors.ArchiveHtmlError,
        "bad_gzip": errors.ArchiveGzipError,
        "not_utf8": errors.ArchiveEncodingError,
        "renamed": errors.ArchiveHeaderError,
    }[fault]
    tmp = source().settings.home / "plain"
    (tmp / "tap").mkdir(parents=True)
    (tmp / "tap" / f"{TABLE}.csv").write_bytes(EXCERPT)
    packed = fault == "bad_gzip"
    with Replica(write_mirror(tmp / "packed") if packed else tmp) as web:
        archive = source("mirror", archive_mirror=web.url, archive_attempts=2)
        before = files_of(archive)
        web.fault(TABLE, fault)
        refused_by(archive.fetch(TABLE), expected)
        assert outside_quarantine(archive) == before
        web.heal()
        assert archive.fetch(TABLE).source == "mirror"


def test_killed_in_the_middle_of_a_download_the_last_good_copy_stays(source: MakeSource, replica: Replica) -> None:
    archive = source()
    good = archive.fetch(TABLE)
    before = files_of(archive)
    replica.fault(TABLE, "drip")
    code = (
        "from exo_resources.archive import ArchiveSource; from exo_resources.settings import Settings;"
        f"ArchiveSource(Settings()).fetch({TABLE!r})"
    )
    environment = os.environ | {
        "EXO_HOME": str(archive.settings.home),
        "EXO_ARCHIVE": "live",
        "EXO_ARCHIVE_URL": replica.url,
    }
    victim = subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, env=environment)
    try:
        assert replica.started_body.wait(60), "the download never began"
        victim.send_signal(signal.SIGKILL)
    finally:
        victim.kill()
        assert victim.wait() == -signal.SIGKILL
    left = {name: data for name, data in files_of(archive).items() if not name.endswith(".part")}
    assert left == before
    replica.heal()
    again = archive.fetch(TABLE)
    assert (again.source, again.sha256) == ("live", good.sha256)
