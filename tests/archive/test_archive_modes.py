"""Which copy is used in which mode, how it is dated, and what an outage leads to."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from exo_assets.archive.contracts import CONTRACTS, DR25_TCE, PSCOMPPARS, TOI
from exo_assets.archive.parse import parse_csv, to_csv
from exo_assets.archive.snapshot.shipped import shipped_csv, write_mirror
from exo_assets.archive.snapshots import (
    SnapshotCorruptError,
    followed,
    read_followed,
    read_snapshot,
    retire,
    snapshots,
    store_snapshot,
)
from exo_resources.archive import ArchiveSource, errors
from tests.archive.conftest import TABLE, MakeSource, files_of
from tests.archive.replica import Replica
from tests.s3_server import s3_bucket

EVENTS = "q1_q17_dr25_tce"
NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


def _toi(rows: int, updated: str = "2025-09-22 12:04:50", extra: bytes = b"") -> bytes:
    names = [c.name for c in TOI.columns]
    lines = [",".join([*names, "rowupdate"])]
    lines += [",".join([f"{i}.01", str(i), "PC", *["1.5"] * (len(names) - 3), updated]) for i in range(100, 100 + rows)]
    return extra + ("\n".join(lines) + "\n").encode()


def _put(folder: Path, table: str, data: bytes, modified: int = 1_500_000_000) -> None:
    path = folder / "tap" / f"{table}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data))
    os.utime(path, (modified, modified))


def test_auto_prefers_live(source: MakeSource, replica: Replica, mirror_folder: Path) -> None:
    fetched = source("auto", archive_mirror=str(mirror_folder)).fetch(TABLE)
    assert (fetched.source, fetched.as_of, fetched.attempts) == ("live", "2017-05-10", ())
    assert fetched.url.startswith(f"{replica.url}/TAP/sync?query=select")


def test_auto_without_live_uses_the_mirror_and_says_why(source: MakeSource, mirror_folder: Path) -> None:
    fetched = source("auto", archive_url=NOWHERE, archive_mirror=str(mirror_folder)).fetch(TABLE)
    assert fetched.source == "mirror"
    assert [(a.source, a.error) for a in fetched.attempts] == [("live", "ArchiveUnreachableError")]
    assert "no connection" in fetched.reason


def test_auto_in_an_outage_keeps_the_last_good_copy(source: MakeSource) -> None:
    good = source("live").fetch(TABLE)
    kept = source("auto", archive_url=NOWHERE).fetch(TABLE)
    assert (kept.source, kept.origin) == ("last_good", "live")
    assert (kept.sha256, kept.retrieved_at, kept.key) == (good.sha256, good.retrieved_at, good.key)


def test_auto_in_an_outage_never_goes_back_to_an_older_mirror(source: MakeSource, tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    _put(new, "toi", _toi(5, "2025-09-22 12:04:50"))
    _put(old, "toi", _toi(4, "2024-01-01 00:00:00"))
    with Replica(new) as live:
        source("live", archive_url=live.url).fetch("toi")
    kept = source("auto", archive_url=NOWHERE, archive_mirror=str(old)).fetch("toi")
    assert (kept.source, kept.rows, kept.as_of) == ("last_good", 5, "2025-09-22")
    assert [a.source for a in kept.attempts] == ["live", "mirror"]
    _put(old, "toi", _toi(6, "2026-01-01 00:00:00"))
    assert source("auto", archive_url=NOWHERE, archive_mirror=str(old)).fetch("toi").rows == 6


def test_auto_offline_from_the_start_runs_on_the_shipped_snapshot(source: MakeSource) -> None:
    archive = source("auto", archive_url=NOWHERE)
    fetched = {c.archive_table: archive.fetch(c.archive_table) for c in CONTRACTS}
    assert {t: f.source for t, f in fetched.items()} == {
        "cumulative": "absent", "toi": "absent", "k2pandc": "absent", "pscomppars": "absent", TABLE: "snapshot",
        "q1_q17_dr25_tce": "absent",
    }  # fmt: skip
    for contract in CONTRACTS:
        contract.check(fetched[contract.archive_table].frame)
    absent = fetched["toi"]
    assert absent.rows == 0 and "EXO_ARCHIVE_MIRROR" in absent.reason and absent.notes["source"] == "absent"


def test_a_shipped_copy_is_never_called_last_good(source: MakeSource) -> None:
    source("snapshot").fetch(TABLE)
    assert source("auto", archive_url=NOWHERE).fetch(TABLE).source == "snapshot"
    assert source("live", archive_url=NOWHERE).fetch(TABLE).source == "absent"


def test_snapshot_asks_nobody(source: MakeSource, replica: Replica) -> None:
    archive = source("snapshot")
    assert [archive.fetch(t).source for t in (TABLE, "cumulative")] == ["snapshot", "absent"]
    assert not replica.requests


def test_mirror_mode_needs_a_mirror(source: MakeSource, tmp_path: Path) -> None:
    with pytest.raises(errors.ArchiveMirrorError, match="EXO_ARCHIVE_MIRROR is not set"):
        source("mirror").fetch(TABLE)
    with pytest.raises(errors.ArchiveMirrorError, match="holds none of the tables"):
        source("mirror", archive_mirror=str(tmp_path / "nothing")).fetch(TABLE)


def test_a_table_that_only_the_mirror_lacks_is_absent(
    source: MakeSource, replica: Replica, mirror_folder: Path
) -> None:
    for mirror in (str(mirror_folder), replica.url):
        fetched = source("mirror", archive_mirror=mirror).fetch("toi")
        assert (fetched.source, fetched.rows) == ("absent", 0)
        assert fetched.attempts[0].error == "ArchiveTableAbsentError"


def test_a_web_mirror_without_any_table_is_no_mirror(source: MakeSource, replica: Replica) -> None:
    with pytest.raises(errors.ArchiveMirrorError, match="holds none"):
        source("mirror", archive_mirror=f"{replica.url}/elsewhere").fetch(TABLE)


def test_mirror_files_may_be_plain_and_begin_with_comments(source: MakeSource, tmp_path: Path) -> None:
    comments = (
        b'# This file was produced by the "archive", by hand, today\n#\n# COLUMN toi: TESS Object, "of" Interest\n#\n'
    )
    (tmp_path / "m" / "tap").mkdir(parents=True)
    (tmp_path / "m" / "tap" / "toi.csv").write_bytes(_toi(7, extra=comments))
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    fetched = archive.fetch("toi")
    assert (fetched.rows, fetched.as_of, fetched.frame.columns[0]) == (7, "2025-09-22", "toi")
    [kept] = snapshots(archive.lake, "toi")
    assert gzip.decompress(archive.lake.get(kept.key)).startswith(comments), "raw is verbatim"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a mirror in a bucket on a real S3 server on this machine."""
    with s3_bucket("nasa") as (client, query):
        folder = write_mirror(tmp_path_factory.mktemp("bucket"))
        client.upload_file(str(folder / "tap" / f"{TABLE}.csv.gz"), "nasa", f"mirror/tap/{TABLE}.csv.gz")
        client.put_object(Bucket="nasa", Key="mirror/tap/toi.csv.gz", Body=gzip.compress(_toi(50))[:-30])
        yield f"s3://nasa/mirror?{query}"


def test_a_mirror_in_a_bucket(source: MakeSource, bucket: str) -> None:
    archive = source("mirror", archive_mirror=bucket)
    fetched = archive.fetch(TABLE)
    assert (fetched.source, fetched.rows, fetched.url) == ("mirror", 8054, f"s3://nasa/mirror/tap/{TABLE}.csv.gz")
    assert archive.fingerprint(TABLE) == archive.fingerprint(TABLE) != ""
    assert [a.error for a in archive.fetch("toi").attempts] == ["ArchiveGzipError"]
    assert archive.fetch("k2pandc").source == "absent"
    assert [s.table for t in (TABLE, "toi") for s in snapshots(archive.lake, t)] == [TABLE]


def test_the_date_is_that_of_the_newest_row_or_else_of_the_file(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(3))
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    assert archive.fetch("toi").as_of == "2025-09-22"
    _put(tmp_path / "m", "toi", _toi(3, "soon"))
    assert archive.fetch("toi").as_of == "2017-07-14"


def test_equal_bytes_are_kept_once_with_their_first_record(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(3, "undated"), modified=1_500_000_000)
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    first = archive.fetch("toi")
    before = files_of(archive)
    _put(tmp_path / "m", "toi", _toi(3, "undated"), modified=1_600_000_000)
    again = archive.fetch("toi")
    assert again.notes == first.notes
    assert files_of(archive) == before
    _put(tmp_path / "m", "toi", _toi(4, "undated"), modified=1_600_000_000)
    archive.fetch("toi")
    history = snapshots(archive.lake, "toi")
    assert [(s.as_of, s.rows) for s in history] == [("2017-07-14", 3), ("2020-09-13", 4)]
    assert [read_snapshot(archive.lake, s).height for s in history] == [3, 4]


def _shuffled(data: bytes, seed: int) -> bytes:
    header, *lines = data.splitlines()
    return b"\n".join([header, *(lines[i] for i in np.random.default_rng(seed).permutation(len(lines)))]) + b"\n"


def test_an_order_of_rows_or_columns_is_no_news(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(30), modified=1_500_000_000)
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    first = archive.fetch("toi")
    before = files_of(archive)
    for seed in range(3):
        _put(tmp_path / "m", "toi", _shuffled(_toi(30), seed), modified=1_600_000_000)
        again = archive.fetch("toi")
        assert again.frame.equals(first.frame) and again.notes == first.notes
    _put(tmp_path / "m", "toi", to_csv(parse_csv(_toi(30)).select(pl.all().reverse())[:, ::-1]))
    assert archive.fetch("toi").notes == first.notes
    assert files_of(archive) == before


def test_a_record_of_old_is_compared_by_content_too(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(30))
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    first = archive.fetch("toi")
    record = first.key.replace(".csv.gz", ".json")
    old = json.loads(archive.lake.get(record))
    del old["content_sha256"]
    archive.lake.put(record, json.dumps(old).encode())
    _put(tmp_path / "m", "toi", _shuffled(_toi(30), 1))
    assert archive.fetch("toi").notes == first.notes
    assert snapshots(archive.lake, "toi")[0].content_sha256


def _nights(archive: ArchiveSource, folder: Path, days: range, table: str = "toi") -> None:
    for day in days:
        _put(folder, table, _toi(3 + day, f"2025-01-{day:02}") if table == "toi" else _planets(day))
        fetched = archive.fetch(table)
        archive.lake.write(f"raw_nea__{table}", fetched.frame, notes=fetched.notes)
        time.sleep(1.01)  # a copy is dated by the second


def _planets(day: int) -> bytes:
    names = [c.name for c in PSCOMPPARS.columns]
    return "\n".join([",".join(names), ",".join([f"b{day}", *["1"] * (len(names) - 1)])]).encode() + b"\n"


def test_older_copies_are_retired_and_the_labels_of_each_stay(source: MakeSource, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    archive = source("mirror", archive_mirror=str(folder), raw_snapshots_kept=2)
    _nights(archive, folder, range(1, 5))
    assert [s.as_of for s in snapshots(archive.lake, "toi")] == ["2025-01-03", "2025-01-04"]
    all_days = followed(archive.lake, "toi")
    assert [s.as_of for s in all_days] == [f"2025-01-0{day}" for day in range(1, 5)]
    for day, kept in enumerate(all_days, start=1):
        rows = read_followed(archive.lake, kept)
        assert rows.height == 3 + day and set(rows["tfopwg_disp"]) == {"PC"}
        assert set(rows.columns) <= set(TOI.followed)
    _nights(archive, folder, range(1, 3), "pscomppars")
    fewer = source("mirror", archive_mirror=str(folder), raw_snapshots_kept=1)
    fewer.fetch("pscomppars")
    assert [s.sha256 for s in snapshots(archive.lake, "pscomppars")] == [fewer.fetch("pscomppars").sha256]
    assert len(archive.lake.keys("raw/nea/pscomppars")) == 2, "one copy and its record"


def test_the_copy_in_use_and_the_newest_of_the_archive_outlive_every_retention(
    source: MakeSource, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    archive = source("mirror", archive_mirror=str(folder), raw_snapshots_kept=9)
    _nights(archive, folder, range(1, 4))
    in_use = snapshots(archive.lake, "toi")[0].key
    assert [s.as_of for s in retire(archive.lake, "toi", 1, [in_use])] == ["2025-01-02"]
    for kept in snapshots(archive.lake, "toi"):
        archive.lake.put(
            kept.key.replace(".csv.gz", ".json"), json.dumps(asdict(kept) | {"source": "snapshot"}).encode()
        )
    _put(folder, "toi", _toi(20, "2024-01-01"))
    good = archive.fetch("toi").key
    time.sleep(1.01)
    store_snapshot(
        archive.lake,
        "toi",
        _toi(9),
        parse_csv(_toi(9)),
        as_of="2026-01-01",
        source="snapshot",
        url="",
        retrieved_at="9",
    )
    retire(archive.lake, "toi", 1, [])
    assert good in [s.key for s in snapshots(archive.lake, "toi")]


def test_a_damaged_copy_of_labels_is_not_deleted(source: MakeSource, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    archive = source("mirror", archive_mirror=str(folder), raw_snapshots_kept=9)
    _nights(archive, folder, range(1, 3))
    old = snapshots(archive.lake, "toi")[0]
    archive.lake.put(old.key, gzip.compress(b"not what was stored"))
    assert retire(archive.lake, "toi", 1, []) == []
    assert archive.lake.has(old.key)


def test_a_copy_without_a_record_was_interrupted_and_does_not_exist(source: MakeSource) -> None:
    archive = source("live")
    fetched = archive.fetch(TABLE)
    record = fetched.key.replace(".csv.gz", ".json")
    Path(archive.lake.path(record)).unlink()
    assert snapshots(archive.lake, TABLE) == []
    assert archive.fetch(TABLE).key == fetched.key
    assert len(snapshots(archive.lake, TABLE)) == 1


def test_a_damaged_copy_is_named_and_passed_over(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(3, "2024-01-01"))
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    archive.fetch("toi")
    _put(tmp_path / "m", "toi", _toi(4, "2025-01-01"))
    newest = archive.fetch("toi")
    archive.lake.put(newest.key, gzip.compress(b"not what was stored"))
    record = snapshots(archive.lake, "toi")[-1]
    with pytest.raises(SnapshotCorruptError, match=r"2025-01-01_\w+\.csv\.gz"):
        read_snapshot(archive.lake, record)
    archive.lake.write(TOI.name, newest.frame, notes=newest.notes)
    kept = source("live", archive_url=NOWHERE).fetch("toi")
    assert (kept.source, kept.as_of, kept.rows) == ("last_good", "2024-01-01", 3)
    assert [a.error for a in kept.attempts] == ["ArchiveUnreachableError", "SnapshotCorruptError"]


def test_fingerprints_change_when_the_table_does(source: MakeSource, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    _put(folder, "toi", _toi(3))
    with Replica(folder) as live:
        sources = [
            source("live", archive_url=live.url),
            source("mirror", archive_mirror=str(folder)),
            source("mirror", archive_mirror=live.url),
        ]
        before = [s.fingerprint("toi") for s in sources]
        assert before == [s.fingerprint("toi") for s in sources]
        assert before[0] == "live:3,2025-09-22 12:04:50"
        _put(folder, "toi", _toi(3, "2025-10-01 00:00:00"), modified=1_600_000_000)
        after = [s.fingerprint("toi") for s in sources]
        assert all(a != b for a, b in zip(before, after, strict=True))
        assert not live.requests["toi"], "a fingerprint never downloads the table"


def test_a_fingerprint_is_the_count_where_rows_have_no_date(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path, "toi", _toi(3).replace(b"rowupdate", b"remark"))
    with Replica(tmp_path) as live:
        assert source("live", archive_url=live.url).fingerprint("toi") == "live:3"


def test_a_fingerprint_needs_a_source(source: MakeSource, replica: Replica, mirror_folder: Path) -> None:
    with pytest.raises(errors.ArchiveUnreachableError):
        source("auto", archive_url=NOWHERE).fingerprint(TABLE)
    assert (
        source("auto", archive_url=NOWHERE, archive_mirror=str(mirror_folder)).fingerprint(TABLE).startswith("mirror:")
    )
    with pytest.raises(errors.ArchiveTableAbsentError):
        source("mirror", archive_mirror=replica.url).fingerprint("toi")
    assert source("snapshot").fingerprint(TABLE) != source("snapshot").fingerprint("toi")


@pytest.mark.archive
def test_every_table_of_the_real_mirror(source: MakeSource, archive_mirror: Path) -> None:
    archive = source("mirror", archive_mirror=str(archive_mirror))
    rows = {c.archive_table: archive.fetch(c.archive_table).rows for c in CONTRACTS}
    assert rows == {"cumulative": 8642, "toi": 6943, "k2pandc": 3583, "pscomppars": 5766, TABLE: 7296, EVENTS: 27_603}
    dated = {c.archive_table: archive.fetch(c.archive_table).as_of for c in CONTRACTS if c.as_of_column}
    assert dated == {"toi": "2025-09-22", "k2pandc": "2025-09-25", TABLE: "2017-05-10"}


@pytest.mark.archive
def test_every_table_of_the_real_mirror_live(source: MakeSource, archive_mirror: Path) -> None:
    with Replica(archive_mirror) as live:
        archive = source("live", archive_url=live.url)
        for contract in (c for c in CONTRACTS if not c.stand_in):
            fetched = archive.fetch(contract.archive_table)
            assert fetched.source == "live"
            verbatim = gzip.decompress((archive_mirror / "tap" / f"{contract.archive_table}.csv.gz").read_bytes())
            assert gzip.decompress(archive.lake.get(fetched.key)) == verbatim
        assert archive.fingerprint(TABLE) == "live:7296,2017-05-10"


def _events() -> pl.DataFrame:
    """Three rows of the labelled file: numbers, the archive's values under `_original`, and a label."""
    names = {new: old for old, new in DR25_TCE.stand_in.renamed.items()} if DR25_TCE.stand_in else {}
    columns = {names.get(c.name, c.name): [0.1, 1e-34, 3.0] for c in DR25_TCE.columns}
    own = {"kepid": [1, 1, 2], "tce_plnt_num": [1, 2, 1], "tce_maxmes": [9.0, 9.0, 9.0], "label": ["PC", "NTP", "AFP"]}
    left = {name: [7.0] * 3 for name in names.values() if name.endswith("_original") or name == "transit_depth"}
    overwritten = {old: [5.0] * 3 for old, new in DR25_TCE.stand_in.renamed.items() if new.endswith("_overwritten")}  # type: ignore[union-attr]
    return pl.DataFrame({**columns, **left, **overwritten, **own})


@pytest.mark.parametrize("on_the_web", [False, True])
def test_a_mirror_may_hold_a_stand_in(source: MakeSource, tmp_path: Path, on_the_web: bool) -> None:
    path = tmp_path / "m" / DR25_TCE.stand_in.path  # type: ignore[union-attr]
    path.parent.mkdir(parents=True)
    _events().write_parquet(path)
    with Replica(tmp_path / "m") as web:
        archive = source("mirror", archive_mirror=web.url if on_the_web else str(tmp_path / "m"))
        before = archive.fingerprint(EVENTS)
        fetched = archive.fetch(EVENTS)
        assert (fetched.source, fetched.rows) == ("mirror", 3) and fetched.url.endswith(".parquet")
        assert fetched.frame["label"].to_list() == ["PC", "NTP", "AFP"]
        assert fetched.frame["tce_period"].cast(pl.Float64).to_list() == [0.1, 1e-34, 3.0]
        assert fetched.frame["tce_depth"].to_list() == ["7.0"] * 3, "under the archive's name"
        assert fetched.frame["tce_maxmes"].to_list() == ["7.0"] * 3, "the archive's value, not what was written over it"
        assert archive.fetch("toi").source == "absent", "it is a mirror, though of this table only"
        _events().head(2).write_parquet(path)
        assert archive.fingerprint(EVENTS) != before
        path.write_bytes(b"PAR1 and then nothing")
        assert archive.fetch(EVENTS).attempts[0].error == "ArchiveMalformedError"
        own = tmp_path / "m" / "tap" / f"{EVENTS}.csv"
        own.parent.mkdir()
        own.write_bytes(to_csv(fetched.frame.head(2)))
        assert archive.fetch(EVENTS).url.endswith(".csv"), "the archive's own format comes first"


def test_the_shipped_mirror_is_the_shipped_table(mirror_folder: Path) -> None:
    assert gzip.decompress((mirror_folder / "tap" / f"{TABLE}.csv.gz").read_bytes()) == shipped_csv(TABLE)


def test_a_column_that_is_read_does_not_vanish_in_silence(source: MakeSource, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    _put(folder, "toi", _toi(40))
    archive = source("mirror", archive_mirror=str(folder))
    fetched = archive.fetch("toi")
    archive.lake.write(TOI.name, fetched.frame, notes=fetched.notes)
    _put(folder, "toi", _toi(40).replace(b"rowupdate", b"row_updated"))
    kept = archive.fetch("toi")
    assert (kept.source, kept.frame.columns[-1]) == ("last_good", "rowupdate")
    assert kept.reason == (
        "mirror: ArchiveHeaderError: missing columns ['rowupdate'], which the copy in use has (new: ['row_updated'])"
    )
    assert "EXO_ARCHIVE_SHRINK=1" in kept.attempts[0].remedy
    assert source("mirror", archive_mirror=str(folder), archive_shrink=1.0).fetch("toi").source == "mirror"
    with Replica(folder) as live:
        assert source("live", archive_url=live.url).fetch("toi").source == "live", "another source may have others"


def test_the_table_itself_is_the_last_good_copy_where_no_snapshot_is_left(source: MakeSource, tmp_path: Path) -> None:
    _put(tmp_path / "m", "toi", _toi(40))
    archive = source("mirror", archive_mirror=str(tmp_path / "m"))
    fetched = archive.fetch("toi")
    archive.lake.write(TOI.name, fetched.frame, notes=fetched.notes)
    for key in archive.lake.keys("raw"):
        archive.lake.delete(key)
    (tmp_path / "m" / "tap" / "toi.csv.gz").write_bytes(b"")
    kept = archive.fetch("toi")
    assert (kept.source, kept.as_of, kept.sha256) == ("last_good", fetched.as_of, fetched.sha256)
    assert kept.frame.equals(fetched.frame)


def test_half_a_table_does_not_replace_the_whole(source: MakeSource, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    _put(whole, "toi", _toi(40))
    _put(half, "toi", _toi(20))
    first = source("mirror", archive_mirror=str(whole))
    fetched = first.fetch("toi")
    first.lake.write(TOI.name, fetched.frame, notes=fetched.notes)
    kept = source("mirror", archive_mirror=str(half)).fetch("toi")
    assert (kept.source, kept.rows) == ("last_good", 40)
    assert [a.error for a in kept.attempts] == ["ArchiveShrunkError"] and "50% fewer" in kept.reason
    allowed = source("mirror", archive_mirror=str(half), archive_shrink=0.6).fetch("toi")
    assert (allowed.source, allowed.rows) == ("mirror", 20)
