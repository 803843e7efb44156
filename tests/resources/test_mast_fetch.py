"""Fetching over real HTTP from a server that misbehaves: whole files in the lake, others in quarantine or failed."""

from __future__ import annotations

import hashlib
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
from dagster import AssetCheckSeverity

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.lightcurves.account import lost_files
from exo_assets.lightcurves.assets import sources_listed
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.mast_names import archive_path, parse_name
from exo_assets.lightcurves.records import Record, records_frame, records_of
from exo_resources.archive.errors import ArchiveHtmlError, Attempt
from exo_resources.lake import Lake
from exo_resources.mast import Available, LightCurveSource, Listing
from exo_resources.mast.crew import MISSES_IN_A_ROW, side_by_side
from exo_resources.mast.fetch import FEW_STARS
from exo_resources.mast.files import chosen, passed_over
from exo_resources.mast.night import nightly_records
from exo_resources.settings import CHECKOUT, Settings
from tests.resources.mast_files import at_archive, contents, kepler_name
from tests.resources.mast_server import MastServer

NAMES = [kepler_name(11442793, quarter) for quarter in range(8)]
NAME = NAMES[0]
MakeSource = Callable[..., LightCurveSource]


@pytest.fixture
def server() -> Iterator[MastServer]:
    with MastServer(at_archive(*NAMES)) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path, server: MastServer) -> MakeSource:
    def make(mode: str = "live", **settings: object) -> LightCurveSource:
        values = {"mast_url": server.url, "mast_api_url": server.url, "archive_attempts": 2, "archive_timeout_s": 30}
        return LightCurveSource(Settings(home=tmp_path / "home", archive=mode, **values | settings))  # type: ignore[arg-type]

    return make


def listed(server: MastServer, names: Sequence[str] = NAMES) -> list[Available]:
    files = [parse_name(name) for name in names]
    return [Available(f, f"{server.url}/{archive_path(f)}", "2014-01-01 17K", "live") for f in files if f is not None]


def fetched(
    source: LightCurveSource, files: Sequence[Available], kept: dict[str, Record] | None = None
) -> pl.DataFrame:
    frame = records_frame(source.fetch(files, kept or {}))
    assert RAW_MAST__LIGHT_CURVES.problems(frame) == []
    return frame


def test_whole_files_are_kept_under_their_keys(source: MakeSource, server: MastServer) -> None:
    one = source()
    frame = fetched(one, listed(server))
    assert frame["file_name"].to_list() == NAMES and set(frame["status"]) == {"kept"}
    for row in frame.iter_rows(named=True):
        data = one.lake.get(row["key"])
        assert row["key"] == f"raw/mast/kepler/011442793/{row['file_name']}" and data == contents(row["file_name"])
        assert (row["size_bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (row["source"], row["reason"], row["message"]) == ("live", None, None)
    assert one.lake.keys("quarantine") == []
    assert not list((one.settings.home / "tmp").rglob("*.part"))


def test_what_is_there_is_not_asked_for_again(source: MakeSource, server: MastServer) -> None:
    first = fetched(source(), listed(server))
    server.asked.clear()
    again = fetched(source(), listed(server), records_of(first))
    assert again.equals(first) and not server.asked


def test_whole_files_without_records_are_found_in_the_lake(source: MakeSource, server: MastServer) -> None:
    first = fetched(source(), listed(server))
    Path(source().lake.path(first["key"][2])).write_bytes(b"damaged since")
    server.asked.clear()
    again = fetched(source(), listed(server))
    assert again.drop("retrieved_at").equals(first.drop("retrieved_at"))
    assert dict(server.asked) == {NAMES[2]: 1}


def test_of_a_few_stars_only_their_folders_are_listed(
    source: MakeSource, server: MastServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetched(source(), listed(server))
    asked_for: list[str] = []
    sizes = Lake.sizes
    monkeypatch.setattr(Lake, "sizes", lambda lake, prefix: (asked_for.append(prefix), sizes(lake, prefix))[1])
    for most, folder in ((FEW_STARS, "raw/mast/kepler/011442793"), (0, "raw/mast/kepler")):
        monkeypatch.setattr("exo_resources.mast.fetch.FEW_STARS", most)
        asked_for.clear()
        assert fetched(source(), listed(server), records_of(first)).equals(first)
        assert asked_for == [folder]


SPOILED = {
    "broken": ("truncated", "the connection broke after"),
    "cut": ("truncated", "where its units need"),
    "flipped": ("checksum", "is wrong"),
    "page": ("not_fits", "it begins with b'<!DOCTYPE ht'"),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_what_stays_spoiled_goes_to_quarantine_with_its_reason(
    source: MakeSource, server: MastServer, fault: str
) -> None:
    server.fault(NAME, always=fault)
    one = source()
    frame = fetched(one, listed(server, NAMES[:3]))
    row = frame.row(by_predicate=pl.col("file_name") == NAME, named=True)
    reason, says = SPOILED[fault]
    assert (row["status"], row["reason"], row["key"]) == ("quarantined", reason, f"quarantine/mast/{NAME}")
    assert says in row["message"] and NAME in row["message"] and "Remedy:" in row["message"]
    data = one.lake.get(row["key"])
    assert (row["size_bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert data != contents(NAME) and len(one.lake.keys("raw")) == 2
    assert server.asked[NAME] == 2, "it may be the way's fault: it is tried again"
    assert frame["status"].value_counts().sort("count").rows() == [("quarantined", 1), ("kept", 2)]
    server.fault(NAME)
    healed = fetched(one, listed(server, NAMES[:3]), records_of(frame))
    assert set(healed["status"]) == {"kept"}


@pytest.mark.parametrize("fault", [*SPOILED, "429", "503"])
def test_what_passes_is_recovered(source: MakeSource, server: MastServer, fault: str) -> None:
    server.fault(NAME, fault)
    frame = fetched(source(), listed(server, [NAME]))
    assert frame["status"].to_list() == ["kept"] and server.asked[NAME] == 2


def test_another_star_is_quarantined_at_once(source: MakeSource, server: MastServer) -> None:
    other = kepler_name(8006161, 0)
    server.files[listed(server)[0].url.removeprefix(f"{server.url}/")] = contents(other)
    first = fetched(source(), listed(server, [NAME]))
    row = first.row(0, named=True)
    assert (row["status"], row["reason"]) == ("quarantined", "wrong_target")
    assert "holds KIC 8006161, not KIC 11442793" in row["message"] and server.asked[NAME] == 1
    assert fetched(source(), listed(server, [NAME]), records_of(first)).equals(first)
    assert server.asked[NAME] == 1, "nor again while the source says that it is the same file"


@pytest.mark.parametrize(("fault", "tries"), [("404", 1), ("503", 2)])
def test_a_status_that_stays_is_a_failure(source: MakeSource, server: MastServer, fault: str, tries: int) -> None:
    server.fault(NAME, always=fault)
    one = source()
    frame = fetched(one, listed(server, NAMES[:2]))
    assert frame["status"].to_list() == ["failed", "kept"]
    row = frame.row(0, named=True)
    assert (row["reason"], row["key"], row["sha256"]) == (f"status_{fault}", None, None)
    assert "EXO_ARCHIVE_URL" not in row["message"] and server.asked[NAME] == tries
    assert one.lake.keys("quarantine") == []


def test_a_slow_answer_ends_at_the_deadline(source: MakeSource, server: MastServer) -> None:
    server.fault(NAME, always="drip")
    (row,) = fetched(source(archive_timeout_s=0.5), listed(server, [NAME])).to_dicts()
    assert (row["status"], row["reason"]) == ("failed", "timeout")
    assert f"light curve '{NAME}'" in row["message"] and "EXO_ARCHIVE_TIMEOUT_S" in row["message"]


def test_a_redirect_is_followed(source: MakeSource, server: MastServer) -> None:
    server.fault(NAME, "redirect")
    server.files[f"elsewhere/{NAME}"] = contents(NAME)
    assert fetched(source(), listed(server, [NAME]))["status"].to_list() == ["kept"]


def test_no_more_are_fetched_at_once_than_allowed(source: MakeSource, server: MastServer) -> None:
    server.delay_s = 0.1
    fetched(source(mast_at_once=3), listed(server))
    assert server.most_at_once == 3


def test_nothing_listening_is_found_early(source: MakeSource, server: MastServer) -> None:
    """A night of 20,000 files must not knock 20,000 times."""
    names = [kepler_name(star, 1) for star in range(1, 2001)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        files = listed(server, names)
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
        frame = fetched(source(), [Available(f.file, f.url.replace(server.url, dead), "", "live") for f in files])
    assert set(frame.select("status", "reason").iter_rows()) == {("failed", "unreachable")} and frame.height == 2000
    assert frame["message"].str.contains("the source went down").sum() > 1900
    assert frame["message"].str.contains("EXO_MAST_URL").all()


def test_an_outage_in_the_middle_keeps_what_came(source: MakeSource, server: MastServer) -> None:
    names = NAMES + [kepler_name(star, 1) for star in range(1, 200)]
    server.files |= at_archive(*NAMES)
    for name in names[len(NAMES) :]:
        server.fault(name, always="503")
    frame = fetched(source(mast_at_once=2), listed(server, names))
    assert frame.filter(status="kept")["file_name"].to_list() == NAMES
    knocked = sum(1 for name in names[len(NAMES) :] if server.asked[name])
    assert MISSES_IN_A_ROW <= knocked <= MISSES_IN_A_ROW + 2
    reasons = dict(frame.filter(status="failed")["reason"].value_counts().iter_rows())
    assert reasons["unreachable"] == 199 - reasons["status_503"] and reasons["status_503"] == knocked


def test_an_outage_of_one_source_is_none_of_another(source: MakeSource, server: MastServer) -> None:
    names = [kepler_name(star, 1) for star in range(1, 30)]
    server.fault("", always="503")
    one = source(mast_at_once=1)
    shipped = list(source("snapshot").available("k2", None))
    frame = fetched(one, [*listed(server, names), *shipped])
    assert dict(frame["status"].value_counts().iter_rows()) == {"failed": 29, "kept": len(shipped)}


def test_bad_files_are_no_outage(source: MakeSource, server: MastServer) -> None:
    names = [kepler_name(star, 1) for star in range(1, 31)]
    other = contents(NAME)
    server.files |= {one.url.removeprefix(f"{server.url}/"): other for one in listed(server, names)}
    frame = fetched(source(), listed(server, [*names, NAME]))
    assert dict(frame["reason"].value_counts().iter_rows()) == {"wrong_target": 30, None: 1}


def test_a_good_copy_outlives_a_bad_new_one(source: MakeSource, server: MastServer, tmp_path: Path) -> None:
    place = tmp_path / "mirror" / "mast" / NAME
    place.parent.mkdir(parents=True)
    place.write_bytes(contents(NAME))
    one = source("mirror", archive_mirror=str(tmp_path / "mirror"))
    first = fetched(one, one.available("kepler", None))
    place.write_bytes(contents(NAME)[:-2880])
    again = fetched(one, one.available("kepler", None), records_of(first))
    assert again.equals(first) and one.lake.get(first["key"][0]) == contents(NAME)
    assert one.lake.get(f"quarantine/mast/{NAME}") == contents(NAME)[:-2880]


RESUME = """
import signal
import sys
# A shell's background job, and what it starts, ignores interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
from exo_resources.mast import LightCurveSource
from exo_resources.settings import Settings
source = LightCurveSource(Settings())
for record in source.fetch(source.available("kepler", ["KIC 11442793"]), {}):
    print(record.status, record.file_name, flush=True)
"""


def _night(home: Path, server: MastServer) -> subprocess.Popen[str]:
    import os

    environment = {
        **os.environ,
        "EXO_HOME": str(home),
        "EXO_ARCHIVE": "live",
        "EXO_MAST_URL": server.url,
        "EXO_MAST_AT_ONCE": "1",
        "PYTHONPATH": str(CHECKOUT),
    }
    return subprocess.Popen([sys.executable, "-c", RESUME], env=environment, stdout=subprocess.PIPE, text=True)


def _stopped(tmp_path: Path, server: MastServer, how: signal.Signals) -> None:
    """A night that is stopped while it fetches the fifth of eight files."""
    server.fault(NAMES[4], "drip")
    night = _night(tmp_path, server)
    assert night.stdout is not None
    done = [night.stdout.readline().split()[1] for _ in range(4)]
    while not server.asked[NAMES[4]]:
        time.sleep(0.01)
    night.send_signal(how)
    assert night.wait(timeout=20) == -how, "it does not wait for a transfer"
    assert done == NAMES[:4]
    assert [k.rpartition("/")[2] for k in Lake(str(tmp_path / "lake")).keys("raw")] == NAMES[:4]


def test_a_killed_night_is_resumed_with_the_missing_files_only(tmp_path: Path, server: MastServer) -> None:
    _stopped(tmp_path, server, signal.SIGKILL)
    server.asked.clear()
    said, _ = _night(tmp_path, server).communicate(timeout=60)
    assert sorted(said.split()[1::2]) == NAMES and said.split()[::2] == ["kept"] * 8
    assert {name: n for name, n in server.asked.items() if name in NAMES} == dict.fromkeys(NAMES[4:], 1)


def test_an_interrupt_ends_a_night_at_once(tmp_path: Path, server: MastServer) -> None:
    _stopped(tmp_path, server, signal.SIGINT)


def test_the_crew_hands_on_errors_and_stops_with_its_caller() -> None:
    started: list[int] = []
    go_on = threading.Event()

    def work(item: int) -> int:
        started.append(item)
        if item == 1:
            raise OSError("disk full")
        if item > 1:
            go_on.wait(10)
        return item

    results = side_by_side(work, range(100), 2)
    assert next(results) == 0
    with pytest.raises(OSError, match="disk full"):
        list(results)
    go_on.set()
    time.sleep(0.05)
    assert len(started) < 6
    assert list(side_by_side(work, [], 2)) == []


def test_a_file_that_was_damaged_in_the_lake_is_fetched_again(source: MakeSource, server: MastServer) -> None:
    one = source()
    kept = records_of(fetched(one, listed(server)))
    key = str(next(iter(kept.values())).key)
    whole = one.lake.get(key)
    one.lake.put(key, whole[:-100])
    again = fetched(one, listed(server), kept)
    assert one.lake.get(key) == whole and set(again["status"]) == {"kept"}


class Emptied:
    """A source whose disk is not mounted tonight."""

    def __init__(self, source: LightCurveSource) -> None:
        self.settings = source.settings

    def available(self, mission: str, stars: object) -> Listing:
        return Listing("mirror", ())

    def fetch(self, files: Sequence[Available], kept: object) -> Iterator[Record]:
        assert not files
        return iter(())


def test_a_mirror_that_is_empty_tonight_loses_nothing(source: MakeSource, server: MastServer) -> None:
    frame = fetched(source(), listed(server))
    before = {bucket_of(frame["star_id"][0]): frame}
    empty = Emptied(source("mirror"))
    log = logging.getLogger("test")
    trouble: list[Attempt] = []
    found = nightly_records(empty, CORE_SIGNALS.empty(), before, log, trouble)  # type: ignore[arg-type]
    assert records_frame(found).equals(frame) and trouble == []


class Refused(Emptied):
    """A source that sends a page instead of its index."""

    def available(self, mission: str, stars: object) -> Listing:
        raise ArchiveHtmlError(mission, "a web page came instead of a list: maintenance")


def test_an_index_that_is_a_page_loses_nothing_and_is_told(source: MakeSource, server: MastServer) -> None:
    frame = fetched(source(), listed(server))
    before = {bucket_of(frame["star_id"][0]): frame}
    trouble: list[Attempt] = []
    log = logging.getLogger("test")
    refused = Refused(source("mirror"))
    found = nightly_records(refused, CORE_SIGNALS.empty(), before, log, trouble)  # type: ignore[arg-type]
    assert records_frame(found).equals(frame)
    assert [(one.error, one.refused) for one in trouble] == [("ArchiveHtmlError", True)]
    check = sources_listed(trouble)
    assert not check.passed and check.severity == AssetCheckSeverity.ERROR
    assert "maintenance" in str(check.description) and "Remedy: open the address" in str(check.description)
    assert sources_listed([]).passed


class WithFaster(Emptied):
    """A source that has two minutes and 20 seconds of one sector."""

    def __init__(self, source: LightCurveSource, slow: Available, fast: Available) -> None:
        super().__init__(source)
        self.of = slow, fast
        self.asked: list[str] = []

    def available(self, mission: str, stars: object) -> Listing:
        return Listing("mirror", chosen(self.of), passed_over=passed_over(self.of))

    def fetch(self, files: Sequence[Available], kept: object) -> Iterator[Record]:
        self.asked += [one.file.name for one in files]
        return iter(())


def test_a_faster_file_of_the_same_photons_is_not_fetched_and_is_recorded_with_the_reason(source: MakeSource) -> None:
    names = [f"tess2020186164531-s0027-0000000149603524-0189-{end}.fits" for end in ("s_lc", "a_fast-lc")]
    slow, fast = (Available(file, name, "", "mirror") for name in names if (file := parse_name(name)))
    both = WithFaster(source("mirror"), slow, fast)
    bucket, log = bucket_of("TIC 149603524"), logging.getLogger("test")
    before = {bucket: RAW_MAST__LIGHT_CURVES.empty()}
    first = records_frame(nightly_records(both, CORE_SIGNALS.empty(), before, log, []))  # type: ignore[arg-type]
    (row,) = first.to_dicts()
    assert both.asked == [slow.file.name] and row["file_name"] == fast.file.name
    assert (row["status"], row["reason"], row["key"]) == ("unused", "other_product", None)
    assert "20 s between points" in row["message"] and "segment 27 has the same photons" in row["message"]
    again = records_frame(nightly_records(both, CORE_SIGNALS.empty(), {bucket: first}, log, []))  # type: ignore[arg-type]
    assert again.equals(first), "nothing is new the night after"
    lost = lost_files("raw_mast__light_curves", first)
    assert lost["reason"].to_list() == ["unused: other_product"]
