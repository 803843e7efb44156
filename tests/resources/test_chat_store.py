"""Chat histories: one turn at a time, limits, expiry, across stores, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from exo_resources.chat_store import (
    ChatBusyError,
    ChatLimits,
    ChatNameError,
    ChatStore,
    ChatStoreError,
    ChatUnknownError,
)
from tests.postgres_server import programs, server

SESSION, OTHER = "session-0001", "session-0002"
DAY = 86_400.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian package postgresql)")
    with server(folder) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'serve' / 'chat.db'}"
    found: str = request.getfixturevalue("postgres_url")
    with sa.create_engine(found).begin() as connection:
        for table in ("exo_chat_sessions", "exo_chat_turns"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}"))
    return found


def _say(store: ChatStore, question: str, answer: str = "so", session: str = SESSION) -> int | None:
    return store.finish(store.claim(session, 60), question, answer, {"sources": [1]})


def test_a_history_is_there_for_another_store(url: str) -> None:
    assert _say(ChatStore(url), "first?", "yes ä “quoted”") == 1
    claim = ChatStore(url).claim(SESSION, 60)
    assert [(t.number, t.question, t.answer, t.details) for t in claim.history] == [
        (1, "first?", "yes ä “quoted”", {"sources": [1]})
    ]
    store = ChatStore(url)
    assert store.finish(claim, "second?", "no", {}) == 2
    assert [t.question for t in store.history(SESSION)] == ["first?", "second?"]
    with pytest.raises(ChatUnknownError):
        store.history(OTHER)


def test_one_turn_at_a_time_and_a_claim_that_runs_out(url: str) -> None:
    clock = Clock()
    one, two = ChatStore(url, clock=clock), ChatStore(url, clock=clock)
    claim = one.claim(SESSION, 60)
    with pytest.raises(ChatBusyError, match=SESSION):
        two.claim(SESSION, 60)
    two.abandon(two.claim(OTHER, 60))
    clock.now += 61
    later = two.claim(SESSION, 60)
    assert one.finish(claim, "late", "answer", {}) is None
    one.abandon(claim)
    assert two.finish(later, "in time", "answer", {}) == 1
    assert [t.question for t in one.history(SESSION)] == ["in time"]


def test_of_many_at_once_one_gets_the_session(url: str) -> None:
    stores = [ChatStore(url) for _ in range(8)]
    start, won, lost = threading.Barrier(8), [], []

    def claim(store: ChatStore) -> None:
        start.wait()
        try:
            won.append(store.claim(SESSION, 60))
        except ChatBusyError:
            lost.append(store)

    threads = [threading.Thread(target=claim, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


def test_an_abandoned_turn_leaves_nothing(url: str) -> None:
    store = ChatStore(url)
    store.abandon(store.claim(SESSION, 60))
    assert store.sessions() == 0
    _say(store, "kept")
    store.abandon(store.claim(SESSION, 60))
    assert [t.question for t in store.history(SESSION)] == ["kept"]


def test_turns_and_characters_are_bounded(url: str) -> None:
    store = ChatStore(url, ChatLimits(turns=3, characters=100))
    for number in range(5):
        _say(store, f"q{number}")
    assert [t.question for t in store.history(SESSION)] == ["q2", "q3", "q4"]
    _say(store, "long", "x" * 95)
    assert [t.question for t in store.history(SESSION)] == ["long"]
    assert _say(store, "longer than all", "x" * 500) == 7
    assert [t.question for t in store.history(SESSION)] == ["longer than all"]


def test_sessions_expire_and_are_bounded(url: str) -> None:
    clock = Clock()
    store = ChatStore(url, ChatLimits(sessions=3, days=30), clock)
    names = [f"session-{n:04}" for n in range(5)]
    held = store.claim(names[0], 10 * DAY)
    for name in names[1:]:
        clock.now += 1
        _say(store, "q", session=name)
    # The oldest is being answered: it stays, and the ones after it go.
    with pytest.raises(ChatUnknownError):
        store.history(names[1])
    assert store.sessions() == 3 and [t.question for t in store.history(names[4])] == ["q"]
    assert store.finish(held, "still mine", "a", {}) == 1
    clock.now += 31 * DAY
    with pytest.raises(ChatUnknownError):
        store.history(names[4])
    _say(store, "new", session=OTHER)
    assert store.sessions() == 1


def test_a_deleted_session_does_not_come_back(url: str) -> None:
    store = ChatStore(url)
    _say(store, "q")
    claim = store.claim(SESSION, 60)
    assert store.forget(SESSION) == 1 and store.forget(SESSION) == 0
    assert store.finish(claim, "q2", "a", {}) is None
    with pytest.raises(ChatUnknownError):
        store.history(SESSION)


@pytest.mark.parametrize(
    "name", ["", "short", "x" * 65, "has space", "../../etc", "sessio\u0308n1", "session0\n", "a;--aaaaa"]
)
def test_names_that_no_session_has(tmp_path: Path, name: str) -> None:
    store = ChatStore(f"sqlite:///{tmp_path / 'chat.db'}")
    for call in (store.history, store.forget, lambda n: store.claim(n, 1)):
        with pytest.raises(ChatNameError):
            call(name)
    assert not (tmp_path / "chat.db").exists()


def test_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "chat.db"
    _say(ChatStore(f"sqlite:///{path}"), "q")
    assert path.stat().st_mode & 0o077 == 0
    assert all(p.stat().st_mode & 0o077 == 0 for p in path.parent.iterdir())


def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ChatStoreError, match=r"EXO_CHAT_URL") as caught:
        ChatStore("postgresql://exo:secret-word@127.0.0.1:9/none").history(SESSION)
    assert "secret-word" not in str(caught.value)
    (tmp_path / "chat.db").write_bytes(b"no database at all, but some text of more than a page" * 100)
    with pytest.raises(ChatStoreError, match="not a database"):
        ChatStore(f"sqlite:///{tmp_path / 'chat.db'}").history(SESSION)
    (tmp_path / "file").write_text("")
    with pytest.raises(ChatStoreError, match="EXO_CHAT_URL"):
        ChatStore(f"sqlite:///{tmp_path / 'file' / 'chat.db'}").history(SESSION)


@pytest.mark.parametrize(
    "url",
    [
        "mssql://exo:secret-word@127.0.0.1/chat",
        "postgresql+psycopg://exo:secret-word@127.0.0.1/chat",
        "postgresql://exo:secret-word@127.0.0.1:notaport/chat",
        "sqlite:///{}/chat.db?timeout=soon",
    ],
)
def test_a_url_that_nobody_connects_to_is_an_error_of_the_store(tmp_path: Path, url: str) -> None:
    with pytest.raises(ChatStoreError, match="EXO_CHAT_URL") as caught:
        ChatStore(url.format(tmp_path)).claim(SESSION, 60)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("damaged", ["", "{", "[1]", "null"])
def test_a_session_goes_on_when_what_is_told_of_an_answer_is_damaged(url: str, damaged: str) -> None:
    store = ChatStore(url)
    _say(store, "one")
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text("UPDATE exo_chat_turns SET details = :damaged"), {"damaged": damaged})
    assert _say(store, "two") == 2
    assert [(t.question, t.details) for t in store.history(SESSION)] == [("one", {}), ("two", {"sources": [1]})]
