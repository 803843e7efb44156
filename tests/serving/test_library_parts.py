"""The library's side of the endpoint without an endpoint: slot, limits, cache, threads, dossiers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_parts import DOSSIERS, dossiers, opened, pinned, slot, small_lake
from small_library import KEPLER_90, alias_table

from deployments.serve.dossiers import LOOKED_AT_EVERY_S, Dossiers, DossierUnknownError, NoDossiersError
from deployments.serve.from_thread import FromThread, TooLongError
from deployments.serve.gate import BusyError, Gate
from deployments.serve.library_slot import LibraryPin, LibraryRejectedError
from deployments.serve.reply import as_event, as_json
from deployments.serve.reply_cache import ReplyCache
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from exo_resources.settings_file import SettingsFileError, read_settings, write_settings

# -- the slot --------------------------------------------------------------------------------------------------------


def test_a_bad_version_leaves_the_one_in_use(tmp_path: Path) -> None:
    library = slot(tmp_path)
    library.put(pinned("bad", "d0"))
    assert library.opened is None
    assert library.state()["status"] == "failed" and "on fire" in library.state()["rejected"]["reason"]
    library.put(pinned("one", "d1"))
    assert library.state()["status"] == "ok" and library.state()["rejected"] is None
    before = library.opened
    library.put(pinned("bad", "d2"))
    assert library.opened is before
    state = library.state()
    assert (state["status"], state["version"], state["deployment_id"]) == ("degraded", "one", "d2")
    assert state["rejected"] == {"version": "bad", "reason": "OSError: the lake is on fire"}
    library.put(pinned("two", "d3"))
    assert library.state() == {
        **{"status": "ok", "version": "two", "settings": "settings.json"},
        **{"rejected": None, "deployment_id": "d3"},
    }
    library.put(pinned(None, "d4"))
    assert library.opened is None and library.state()["status"] == "none"


def test_what_is_in_use_is_handed_to_whoever_opens_the_next(tmp_path: Path) -> None:
    from deployments.serve.library_slot import LibrarySlot

    handed = []

    def opener(pin: LibraryPin, before: object) -> object:
        handed.append(before)
        return opened(pin, tmp_path)

    library = LibrarySlot(opener)  # type: ignore[type-var,arg-type,var-annotated]
    library.put(pinned("one"))
    library.put(pinned("two"))
    assert handed[0] is None and handed[1].pin.version == "one"  # type: ignore[union-attr]


def test_a_pin_without_its_parts_is_refused() -> None:
    config = {"version": None, "settings": None, "deployment_id": "x"}
    assert LibraryPin.of(config) == LibraryPin(None, None, "x")
    for missing in config:
        with pytest.raises(LibraryRejectedError, match=missing):
            LibraryPin.of({k: v for k, v in config.items() if k != missing})


# -- settings for processes that live on -----------------------------------------------------------------------------


def test_settings_come_back_from_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        home=tmp_path / "home",
        lake_url="a-lake",
        fusion="rrf",
        generator="remote",
        llm_url="http://127.0.0.1:9/v1",
        llm_model="m",
        llm_api_key="sk-secret",  # type: ignore[arg-type]
        reranker=Path("model"),
    )
    file = write_settings(settings, tmp_path / "settings", "library")
    assert file.stat().st_mode & 0o077 == 0
    assert write_settings(settings, tmp_path / "settings", "library") == file
    monkeypatch.setenv("EXO_FUSION", "0.7/0.3")
    monkeypatch.setenv("EXO_QDRANT_URL", "http://elsewhere:6333")
    monkeypatch.chdir("/")
    back = read_settings(file)
    assert back.lake == str(tmp_path / "a-lake") and back.reranker == tmp_path / "model"
    assert back.fusion == "rrf" and back.qdrant_url is None
    assert back.llm_api_key is not None and back.llm_api_key.get_secret_value() == "sk-secret"
    assert write_settings(back, tmp_path / "settings", "library") == file
    other = write_settings(Settings(home=tmp_path / "home"), tmp_path / "settings", "library")
    assert other != file


@pytest.mark.parametrize("text", ["", "{", "[]", '{"llm_api_key": 3, "qdrant_url": "sk-secret"}'])
def test_a_damaged_file_of_settings_is_told_without_what_is_in_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsFileError, match=r"x\.json") as caught:
        read_settings(tmp_path / "x.json")
    assert "sk-secret" not in str(caught.value)


# -- the cache -------------------------------------------------------------------------------------------------------


def test_the_cache_is_bounded_by_number_and_by_size() -> None:
    cache = ReplyCache(3, 400)
    for name in "abc":
        cache.put(name, name.encode())
    assert cache.get("a") == b"a"
    cache.put("d", b"d")
    assert [cache.get(name) for name in "abcd"] == [b"a", None, b"c", b"d"]
    cache.put("large", b"x" * 101)
    assert cache.get("large") is None
    for name in "efgh":
        cache.put(name, name.encode() * 100)
    assert cache.figures()["bytes"] <= 400 and cache.get("h") == b"h" * 100
    cache.put("h", b"shorter")
    assert cache.get("h") == b"shorter" and cache.figures()["bytes"] == 200 + 7


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))))
def test_what_the_cache_counts_is_what_it_holds(puts: list[tuple[int, int]]) -> None:
    cache = ReplyCache(5, 200)
    for name, size in puts:
        cache.put(name, b"x" * size)
        figures = cache.figures()
        assert figures["entries"] <= 5 and figures["bytes"] <= 200
    held = [found for name in range(10) if (found := cache.get(name)) is not None]
    assert (len(held), sum(map(len, held))) == (cache.figures()["entries"], cache.figures()["bytes"])


# -- the gate --------------------------------------------------------------------------------------------------------


def test_the_gate_lets_in_lets_wait_and_turns_away() -> None:
    async def scene() -> None:
        gate, leave = Gate(2, 1), asyncio.Event()
        inside: list[int] = []

        async def guest(number: int) -> None:
            async with gate:
                inside.append(number)
                await leave.wait()

        guests = [asyncio.create_task(guest(n)) for n in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside == [0, 1] and gate.figures()["waiting"] == 1
        with pytest.raises(BusyError):
            async with gate:
                pass
        # Who waits and goes away leaves the place to another.
        guests[2].cancel()
        await asyncio.gather(guests[2], return_exceptions=True)
        guests.append(asyncio.create_task(guest(3)))
        await asyncio.sleep(0)
        guests[0].cancel()
        await asyncio.gather(guests[0], return_exceptions=True)
        leave.set()
        await asyncio.gather(guests[1], guests[3])
        assert inside == [0, 1, 3] and gate.figures()["inside"] == gate.figures()["waiting"] == 0

    asyncio.run(scene())


# -- work in threads -------------------------------------------------------------------------------------------------


class _Counting:
    """Numbers without end; knows when it was closed, and asks whether it should stop."""

    def __init__(self, pause: float = 0.0) -> None:
        self.closed, self.pause = threading.Event(), pause

    def __call__(self, stopped: Callable[[], bool]) -> Iterator[int]:
        number = 0
        try:
            while not stopped():
                yield number
                number += 1
                time.sleep(self.pause)
        finally:
            self.closed.set()


def test_items_cross_and_whoever_leaves_ends_the_work() -> None:
    counting = _Counting(0.001)

    async def scene() -> list[int | None]:
        with ThreadPoolExecutor(1) as pool:
            items = FromThread(counting, pool).items(60, 10)
            seen = []
            async for item in items:
                seen.append(item)
                if len(seen) == 5:
                    break
            await items.aclose()
            return seen

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]
    assert counting.closed.wait(10)


def test_silence_a_time_limit_and_errors() -> None:
    def silent(stopped: Callable[[], bool]) -> Iterator[str]:
        yield "first"
        while not stopped():
            time.sleep(0.01)

    def broken(_: Callable[[], bool]) -> Iterator[str]:
        yield "first"
        raise OSError("broke off")

    async def collect(make: Callable[[Callable[[], bool]], Iterator[str]], limit_s: float) -> tuple[list[object], str]:
        seen: list[object] = []
        with ThreadPoolExecutor(1) as pool:
            try:
                async for item in FromThread(make, pool).items(limit_s, 0.05):
                    seen.append(item)
            except (TooLongError, OSError) as error:
                return seen, str(error)
        return seen, ""

    seen, said = asyncio.run(collect(silent, 0.4))
    assert seen[:2] == ["first", None] and "0.4 s" in said
    assert asyncio.run(collect(broken, 60)) == (["first"], "broke off")
    assert asyncio.run(collect(lambda _: iter(()), 60)) == ([], "")


class _Later(ThreadPoolExecutor):
    """Work that is done when the test says so."""

    def submit(self, work: Callable[[], None]) -> None:  # type: ignore[override]
        self.work = work


@pytest.mark.parametrize("turns", range(6))
def test_whoever_leaves_as_an_item_arrives_has_left(turns: int) -> None:
    async def scene() -> None:
        async def client() -> None:
            async for _ in FromThread(lambda _: iter([1]), pool).items(60, 10):
                await asyncio.Event().wait()

        pool = _Later()
        leaving = asyncio.create_task(client())
        await asyncio.sleep(0.01)
        pool.work()
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving], timeout=1)
        assert leaving.cancelled()

    asyncio.run(scene())


# -- replies ---------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_an_event_is_one_line_of_data(content: dict[str, object]) -> None:
    import json

    event = as_event("sentence", content).decode()
    name, data, *rest = event.split("\n")
    assert name == "event: sentence" and rest == ["", ""] and json.loads(data.removeprefix("data: ")) == content
    assert "\r" not in event


def test_a_number_that_json_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_json({"score": float("nan")})


# -- dossiers --------------------------------------------------------------------------------------------------------

ALIASES = alias_table([KEPLER_90])


@pytest.mark.parametrize(
    "name", ["kepler:K00351.01", "K00351.01", "koi-351.01", "KOI 351.01", "Kepler-90 h", "kepler90h", "KEPLER-90H"]
)
def test_any_name_of_a_signal_leads_to_its_dossier(tmp_path: Path, name: str) -> None:
    found = Dossiers(small_lake(tmp_path)).find(name, ALIASES)
    assert (found["signal_id"], found["rank"], found["dossier"]) == ("kepler:K00351.01", 1, {"title": "Kepler-90 h"})


@pytest.mark.parametrize(
    ("name", "says", "near"),
    [
        ("Kepler-90", "2 candidates", "kepler:K00351.01"),
        ("KOI-351", "2 candidates", "kepler:K00351.02"),
        ("Kepler-90 i", "no name", "Kepler-90 h"),
        ("K00351.09", "no name", "K00351.01"),
        ("x", "no name", ""),
        ("", "no name", ""),
        ("\x00" * 5000, "no name", ""),
    ],
)
def test_other_names_are_answered_with_the_nearest(tmp_path: Path, name: str, says: str, near: str) -> None:
    with pytest.raises(DossierUnknownError, match=says) as caught:
        Dossiers(small_lake(tmp_path)).find(name, ALIASES)
    assert not near or near in caught.value.nearest
    assert len(str(caught.value)) < 2000


def test_a_dossier_that_could_not_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(NoDossiersError, match=r"K00351\.03 could not be made: broken"):
        Dossiers(small_lake(tmp_path)).find("kepler:K00351.03", ALIASES)


def test_the_next_nights_dossiers_are_seen(tmp_path: Path) -> None:
    now = [0.0]
    lake = Lake(str(tmp_path / "lake"))
    found = Dossiers(lake, lambda: now[0])
    with pytest.raises(NoDossiersError, match="no dossiers yet"):
        found.find("K00351.01", ALIASES)
    lake.write("out_dossiers", DOSSIERS)
    assert found.find("K00351.01", ALIASES)["dossier"]["title"] == "Kepler-90 h"
    lake.write("out_dossiers", dossiers(k01='{"title":"changed"}'))
    assert found.find("K00351.01", ALIASES)["dossier"]["title"] == "Kepler-90 h"
    now[0] += LOOKED_AT_EVERY_S + 1
    assert found.find("K00351.01", ALIASES)["dossier"]["title"] == "changed"
