"""arXiv's abstracts against a real HTTP server: harvests, faults, interruptions, mirrors and outages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS
from exo_resources.archive import transfer
from exo_resources.arxiv import Abstracts, ArxivSource
from exo_resources.arxiv.harvest import PARTS, SPAN_DAYS, spans
from exo_resources.arxiv.oai import set_of
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from tests.resources.oai_server import EP, OaiServer, Paper
from tests.s3_server import s3_bucket

TODAY = date(2026, 3, 18)
TABLE = RAW_ARXIV__ABSTRACTS.name


@pytest.fixture
def server() -> Iterator[OaiServer]:
    with OaiServer() as made:
        yield made


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_JITTER", lambda _: 0.0)


def settings(tmp_path: Path, server: OaiServer | None, **more: Any) -> Settings:
    url = server.url if server else "http://127.0.0.1:9/oai"
    given = {"archive": "live", "arxiv_url": url, "arxiv_pause_s": 0.0, "arxiv_days": 20, "archive_attempts": 3}
    return Settings(home=tmp_path, **(given | more))


def fetch(made: Settings, lake: Lake, today: date = TODAY) -> Abstracts:
    """A night: what the asset does, and its write."""
    found = ArxivSource(made, lake).fetch(today)
    RAW_ARXIV__ABSTRACTS.check(found.frame)
    lake.write(TABLE, found.frame, notes=found.notes)
    return found


def ids(found: Abstracts) -> list[str]:
    return [name.removeprefix("arXiv:") for name in found.frame["document_id"]]


def listed(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


def test_sets_are_written_as_arxiv_does() -> None:
    assert set_of("astro-ph.EP") == EP
    assert set_of("hep-th") == "physics:hep-th"
    assert set_of("cs.LG") == "cs:cs:LG"


@given(
    st.dates(date(2004, 1, 1), date(2030, 1, 1)),
    st.integers(0, 4000),
    st.integers(0, 400),
    st.integers(0, 400),
    st.booleans(),
)
def test_spans_cover_all_days_and_end_open(start: date, days: int, before: int, lag: int, known: bool) -> None:
    today = start + timedelta(days=days)
    newest = today - timedelta(days=lag)
    since = newest - timedelta(days=before)
    if today < date(2005, 9, 16) or since < date(2005, 9, 16):
        return
    found = spans(start, today, since, newest) if known else spans(start, today)
    closed = [s for s in found if s.last is not None]
    assert sum(s.last is None for s in found) == 1
    assert all(s.first <= s.last and (s.last - s.first).days < SPAN_DAYS for s in closed if s.last)
    covered = [s.first + timedelta(days=i) for s in found for i in range(((s.last or today) - s.first).days + 1)]
    assert len(covered) <= len(set(covered)) + 1 and today in covered  # the day that overlaps
    begin = max(start, date(2005, 9, 16))
    have = set(covered) | ({since + timedelta(days=i) for i in range((newest - since).days)} if known else set())
    assert all(begin + timedelta(days=i) in have for i in range((today - begin).days + 1))


def test_the_first_harvest_then_only_what_changed(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    made = settings(tmp_path, server)
    server.has(*(Paper(f"2603.0000{i}", listed(i)) for i in range(1, 8)), Paper("2601.00001", listed(60)))
    found = fetch(made, lake)
    assert (found.source, ids(found), found.reason) == ("live", [f"2603.0000{i}" for i in range(1, 8)], "")
    assert found.state.listed == listed(1) and found.notes["abstracts"] == 7 and found.asked["records"] == 7
    first = lake.version(TABLE)

    server.requests.clear()
    assert fetch(made, lake).asked["records"] == 2  # the last day and the one before it, listed again
    assert [r["from"] for r in server.requests] == [listed(2)] and "until" not in server.requests[0]
    again = lake.version(TABLE)
    assert first and again and (first.digest, first.written_at) == (again.digest, again.written_at)
    assert lake.keys(PARTS) == []

    server.has(
        Paper("2603.00003", listed(0), title="Nine planets"),
        Paper("2603.00005", listed(0), deleted=True),
        Paper("2603.00100", listed(0)),
    )
    found = fetch(made, lake)
    assert ids(found) == [
        "2603.00001",
        "2603.00002",
        "2603.00003",
        "2603.00004",
        "2603.00006",
        "2603.00007",
        "2603.00100",
    ]
    assert found.frame.filter(pl.col("document_id") == "arXiv:2603.00003")["title"].to_list() == ["Nine planets"]
    assert found.state.listed == listed(0)


def test_a_record_from_the_future_does_not_end_the_harvest(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    made = settings(tmp_path, server)
    server.has(Paper("2603.00001", listed(1)), Paper("2603.00099", listed(-1)), Paper("2603.00002", "2099-01-01"))
    found = fetch(made, lake)
    assert len(ids(found)) == 3 and found.state.listed == listed(-1) and found.state.as_of == listed(0)
    server.has(Paper("2603.00003", listed(-2)))
    found = fetch(made, lake, TODAY + timedelta(days=3))  # a night that was missed in between
    assert "2603.00003" in ids(found) and found.state.as_of == listed(-2)


def test_a_home_that_believed_the_future_heals(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    made = settings(tmp_path, server)
    server.has(Paper("2603.00001", listed(9)), Paper("2603.00002", "2099-01-01"))
    fetch(made, lake)
    poisoned = fetch(made, lake)  # the second night keeps no spans of the first
    lake.write(TABLE, poisoned.frame, notes={**poisoned.notes, "listed": "2099-01-01", "as_of": "2099-01-01"})
    server.always = "500"
    assert fetch(made, lake).state.as_of == listed(9)
    lake.write(TABLE, poisoned.frame, notes={**poisoned.notes, "listed": "2099-01-01", "as_of": "2099-01-01"})
    server.always = ""
    server.has(Paper("2603.00003", listed(3)))  # while nothing but the present day was asked for
    found = fetch(made, lake)
    assert "2603.00003" in ids(found) and (found.state.listed, found.state.as_of) == (listed(3), listed(3))


def test_a_longer_past_is_harvested_backwards_and_other_categories_from_the_start(
    tmp_path: Path, lake: Lake, server: OaiServer
) -> None:
    server.has(Paper("2603.00001", listed(1)), Paper("2601.00001", listed(60)))
    assert ids(fetch(settings(tmp_path, server), lake)) == ["2603.00001"]
    found = fetch(settings(tmp_path, server, arxiv_days=70), lake)
    assert ids(found) == ["2601.00001", "2603.00001"] and found.state.since <= listed(70)
    server.requests.clear()
    fetch(settings(tmp_path, server, arxiv_days=70), lake)
    assert len(server.requests) == 1
    refused = fetch(settings(tmp_path, server, arxiv_categories="astro-ph.EP,astro-ph.XX"), lake)
    assert refused.source == "last_good" and "Set does not exist" in refused.reason
    assert len(ids(refused)) == 2 and refused.state.categories == ("astro-ph.EP",)


def test_records_of_no_wanted_category_are_not_kept_and_go_when_they_lost_it(
    tmp_path: Path, lake: Lake, server: OaiServer
) -> None:
    made = settings(tmp_path, server)
    server.has(Paper("2603.00001", listed(1)), Paper("2603.00002", listed(1)))
    fetch(made, lake)
    server.has(Paper("2603.00001", listed(0), abstract=""), Paper("2603.00003", listed(0), abstract=" "))
    found = fetch(made, lake)
    assert found.frame.select("document_id", "status", "reason").rows() == [
        ("arXiv:2603.00001", "quarantined", "incomplete"),
        ("arXiv:2603.00002", "kept", None),
        ("arXiv:2603.00003", "quarantined", "incomplete"),
    ]
    assert found.notes["rejected"] == 2


@pytest.mark.parametrize("fault", ["503 0", "503", "429 Wed, 21 Oct 2015 07:28:00 GMT", "cut", "html"])
def test_what_passes_is_tried_again(tmp_path: Path, lake: Lake, server: OaiServer, fault: str) -> None:
    server.has(Paper("2603.00001", listed(1)))
    server.faults.extend([fault, "", fault])
    found = fetch(settings(tmp_path, server), lake)
    assert (found.source, found.reason, ids(found)) == ("live", "", ["2603.00001"])
    assert found.asked["requests"] == found.asked["spans"] + 2


def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(
    tmp_path: Path, lake: Lake, server: OaiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.has(Paper("2603.00001", listed(1)))
    waited = list[float]()
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    server.faults.append("503 17")
    assert fetch(settings(tmp_path, server), lake).source == "live"
    assert 17 in waited
    server.faults.append("503 4000")  # longer than all the time there is: an outage
    assert fetch(settings(tmp_path, server), lake).source == "last_good"


def test_requests_keep_their_distance(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    server.has(*(Paper(f"2603.0000{i}", listed(i)) for i in range(1, 6)))
    began = time.monotonic()
    found = fetch(settings(tmp_path, server, arxiv_pause_s=0.1, arxiv_days=1), lake)
    assert time.monotonic() - began >= 0.1 * (found.asked["requests"] - 1) > 0


def test_an_expired_token_has_its_span_asked_for_again(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    server.has(*(Paper(f"2603.0000{i}", listed(1)) for i in range(1, 6)))
    server.faults.extend(["", "expired"])
    found = fetch(settings(tmp_path, server, arxiv_days=1), lake)
    assert (found.reason, len(ids(found))) == ("", 5)
    tokens = [unquote(r.get("resumptionToken", "")).rpartition("=")[2] for r in server.requests]
    assert tokens == ["", "2", "", "2", "4"]
    server.always = "expired"
    assert "badResumptionToken" in fetch(settings(tmp_path, server, arxiv_days=1), lake).reason


def test_a_list_that_never_ends_is_refused(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    server.always = "same_token"
    found = fetch(settings(tmp_path, server), lake)
    assert found.source == "absent" and "same resumption token twice" in found.reason


@pytest.mark.parametrize(
    ("fault", "requests", "said"),
    [
        ("fresh_token", 4, "goes on after 3 parts without a new record"),
        ("fresh_record", 200, "more than 200 parts"),
        ("long_token", 1, "a resumption token has 200,000 characters"),
    ],
)
def test_a_list_with_ever_new_tokens_ends_its_span_alone(
    tmp_path: Path, lake: Lake, server: OaiServer, fault: str, requests: int, said: str
) -> None:
    server.has(*(Paper(f"2603.000{i:02}", listed(i)) for i in range(21)))
    server.page = 100
    server.faults.extend(["", ""])
    server.always = fault
    found = fetch(settings(tmp_path, server), lake)
    assert found.source == "live" and "2 of 4 spans came" in found.reason and said in found.reason
    assert 0 < len(ids(found)) < 21 and len(server.requests) == 2 + requests


def test_an_answer_without_end_is_not_read_to_its_end(
    tmp_path: Path, lake: Lake, server: OaiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exo_resources.arxiv.oai.LARGEST_BYTES", 3_000_000)
    server.always = "endless"
    found = fetch(settings(tmp_path, server), lake)
    assert found.source == "absent" and "the answer has over 3 MB" in found.reason
    assert len(server.requests) == 1 and server.megabytes < 100


def test_long_addresses_are_not_written_out(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    for address in (f"{server.url}?{'x' * 5_000}", f"{server.url}?{'x' * 5_000_000}"):
        server.always = "404"
        found = fetch(settings(tmp_path, server, arxiv_url=address), lake)
        assert found.source == "absent" and 0 < len(found.reason) < 1_000


def test_an_outage_keeps_what_there_was_and_what_came(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    made = settings(tmp_path, server)
    server.always = "500"
    none = fetch(made, lake)
    assert (none.source, none.frame.height) == ("absent", 0) and "HTTP status 500" in none.reason
    server.has(*(Paper(f"2603.000{i:02}", listed(i)) for i in range(21)))
    server.always, server.page = "", 100
    server.faults.extend(["", "", "404"])
    part = fetch(made, lake)
    assert part.source == "live" and "2 of 4 spans came" in part.reason and 0 < len(ids(part)) < 21
    server.requests.clear()
    whole = fetch(made, lake)
    assert whole.reason == "" and len(ids(whole)) == 21
    assert (
        min(r["from"] for r in server.requests)
        == (date.fromisoformat(part.state.listed) - timedelta(days=1)).isoformat()
    )
    server.always = "500"
    kept = fetch(made, lake)
    assert (kept.source, len(ids(kept)), kept.state.listed) == ("last_good", 21, whole.state.listed)
    assert fetch(settings(tmp_path, None), lake).source == "last_good"


HARVEST = """
import sys
from datetime import date
from pathlib import Path
from exo_resources.arxiv import ArxivSource
from exo_resources.lake import Lake
from exo_resources.settings import Settings
home, url, root, today = sys.argv[1:]
made = Settings(home=Path(home), archive="live", arxiv_url=url, arxiv_pause_s=0.0, arxiv_days=20, archive_attempts=3)
ArxivSource(made, Lake(root)).fetch(date.fromisoformat(today))
"""


def test_a_killed_harvest_goes_on_from_the_last_whole_span(tmp_path: Path, lake: Lake, server: OaiServer) -> None:
    server.has(*(Paper(f"2603.000{i:02}", listed(i)) for i in range(21)))
    server.page = 100
    server.faults.extend(["", "", "503 60"])  # the third request waits for a minute
    made = settings(tmp_path, server)
    child = subprocess.Popen([sys.executable, "-c", HARVEST, str(tmp_path), server.url, lake.root, TODAY.isoformat()])
    while len(server.requests) < 3 and child.poll() is None:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert len(lake.keys(PARTS)) == 2 and lake.tables() == []
    damaged = lake.keys(PARTS)[0]
    lake.put(damaged, b"PAR1 no more")  # a part that cannot be read is asked for again
    server.requests.clear()
    found = fetch(made, lake)
    assert (found.asked["spans"], found.asked["spans_resumed"], found.asked["requests"]) == (4, 1, 3)
    assert len(ids(found)) == 21
    fetch(made, lake)
    assert lake.keys(PARTS) == []


# -- mirrors -----------------------------------------------------------------------------------------------------------


def row(number: int, categories: str = "astro-ph.EP", updated: str = "2026-01-02", **more: Any) -> dict[str, Any]:
    return {
        "arxiv_id": f"2601.0000{number}",
        "title": f"Planet {number}",
        "abstract": "One more planet.",
        "categories": categories,
        "updated": updated,
        **more,
    }


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror" / "corpus"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("\n".join(json.dumps(row(i)) for i in (1, 2)) + "\n{broken\n")
    pl.DataFrame([row(2, updated="2026-01-05", title="Newer"), row(3, "cs.LG"), row(4)]).write_parquet(
        folder / "b.parquet"
    )
    (folder / "columns.jsonl").write_text('{"table": "toi", "column": "toi", "description": "TOI"}\n')
    (folder / "readme.txt").write_text("not abstracts")
    return folder.parent


@contextmanager
def on_the_web(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("kind", ["folder", "web", "bucket"])
def test_a_mirror_of_files(tmp_path: Path, lake: Lake, mirror: Path, kind: str) -> None:
    with ExitStack() as stack:
        where = str(mirror)
        if kind == "web":
            where = stack.enter_context(on_the_web(mirror))
        elif kind == "bucket":
            client, query = stack.enter_context(s3_bucket("mirror"))
            for path in (mirror / "corpus").iterdir():
                client.put_object(Bucket="mirror", Key=f"exo/corpus/{path.name}", Body=path.read_bytes())
            where = f"s3://mirror/exo?{query}"
        found = fetch(settings(tmp_path, None, archive="mirror", archive_mirror=where), lake)
    assert found.source == "mirror" and found.state.as_of == "2026-01-05"
    kept = found.frame.filter(pl.col("status") == "kept")
    assert kept.select("document_id", "title").rows() == [
        ("arXiv:2601.00001", "Planet 1"),
        ("arXiv:2601.00002", "Newer"),
        ("arXiv:2601.00004", "Planet 4"),
    ]
    assert found.frame.filter(pl.col("status") == "quarantined")["document_id"].to_list() == ["a.jsonl, line 3"]
    assert found.asked["other_files"] == ["columns.jsonl"] and found.asked["files"] == ["a.jsonl", "b.parquet"]


def test_a_mirror_is_all_there_is_unless_most_of_it_went(tmp_path: Path, lake: Lake, mirror: Path) -> None:
    made = settings(tmp_path, None, archive="mirror", archive_mirror=str(mirror), archive_shrink=0.5)
    assert fetch(made, lake).frame.height == 4
    (mirror / "corpus" / "a.jsonl").write_text("")
    found = fetch(made, lake)
    assert (found.source, ids(found)) == ("mirror", ["2601.00002", "2601.00004"])
    pl.DataFrame([row(3, "cs.LG")]).write_parquet(mirror / "corpus" / "b.parquet")
    found = fetch(made, lake)
    assert (found.source, ids(found)) == ("last_good", ["2601.00002", "2601.00004"]) and "100% fewer" in found.reason
    (mirror / "corpus" / "b.parquet").write_bytes(b"PAR1 cut")
    found = fetch(made, lake)
    assert found.source == "last_good" and "no Parquet file that can be read" in found.reason
    shutil.rmtree(mirror)
    found = fetch(made, lake)
    assert found.source == "last_good" and "holds no abstracts in corpus/" in found.reason


def test_a_mirror_stands_in_for_arxiv_and_takes_nothing_away(
    tmp_path: Path, lake: Lake, server: OaiServer, mirror: Path
) -> None:
    made = settings(tmp_path, server, archive="auto", archive_mirror=str(mirror))
    server.has(Paper("2603.00001", listed(1)), Paper("2601.00001", listed(2), title="Of arXiv"))
    live = fetch(made, lake)
    assert (live.source, ids(live)) == ("live", ["2601.00001", "2603.00001"])
    server.always = "500"
    found = fetch(made, lake)
    assert found.source == "mirror" and found.reason.startswith("live: ArchiveStatusError")
    assert [name for name in ids(found) if name[0] == "2"] == ["2601.00001", "2601.00002", "2601.00004", "2603.00001"]
    assert found.state.listed == live.state.listed and found.state.categories == ("astro-ph.EP",)
    server.always = ""
    server.has(Paper("2603.00002", listed(0)))
    server.requests.clear()
    found = fetch(made, lake)
    assert found.source == "live" and "2603.00002" in ids(found) and "2601.00004" in ids(found)
    assert len(server.requests) == 2  # it went on where it was


def test_a_mirror_from_the_future_is_as_of_its_newest_day_that_was(tmp_path: Path, lake: Lake, mirror: Path) -> None:
    (mirror / "corpus" / "c.jsonl").write_text(json.dumps(row(5, updated="2099-01-01")))
    made = settings(tmp_path, None, archive="mirror", archive_mirror=str(mirror))
    assert fetch(made, lake).state.as_of == "2026-01-05"


def test_nothing_ships(tmp_path: Path, lake: Lake) -> None:
    found = fetch(settings(tmp_path, None, archive="snapshot"), lake)
    assert (found.source, found.frame.height) == ("snapshot", 0) and "ships no abstracts" in found.notes["reason"]


@pytest.mark.archive
def test_the_real_mirror(tmp_path: Path, lake: Lake, archive_mirror: Path) -> None:
    made = settings(tmp_path, None, archive="mirror", archive_mirror=str(archive_mirror))
    found = fetch(made, lake, date.today())  # its newest abstract is younger than TODAY
    kept = found.frame.filter(pl.col("status") == "kept")
    assert kept.height > 900 and found.asked["other_files"] == ["archive_column_docs.jsonl"]
    assert kept["categories"].list.contains("astro-ph.EP").all()
    assert kept["updated"].null_count() == 0 and found.state.as_of == str(kept["updated"].max())
