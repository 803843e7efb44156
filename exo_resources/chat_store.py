"""Chat histories, in a database that every replica of the library shares and that outlives them.

Belongs here: sessions and their turns, one turn at a time, limits and expiry. Does not belong here: what a turn says.

SQLite (with a write-ahead log) or PostgreSQL, by URL. The name of a session is all that is asked of whoever reads it.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

SESSION = re.compile(r"[A-Za-z0-9_-]{8,64}")
BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another one's transaction."""

_META = sa.MetaData()
_SESSIONS = sa.Table(
    "exo_chat_sessions",
    _META,
    sa.Column("session", sa.String(64), primary_key=True),
    sa.Column("last_used", sa.Float, nullable=False, index=True),
    sa.Column("turns", sa.Integer, nullable=False),
    sa.Column("claim", sa.String(32)),
    sa.Column("claimed_until", sa.Float, nullable=False),
)
_TURNS = sa.Table(
    "exo_chat_turns",
    _META,
    sa.Column("session", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("characters", sa.Integer, nullable=False),
)


class ChatStoreError(RuntimeError):
    """The database of histories cannot be used; the message says which and what to do."""


class ChatBusyError(RuntimeError):
    """The session is answering another question."""


class ChatNameError(ValueError):
    """A name that no session can have."""


class ChatUnknownError(LookupError):
    """There is no such session, or none any more."""


@dataclass(frozen=True)
class ChatLimits:
    """What is kept: of a session the last `turns` with at most `characters` together, of all the `sessions` used last,
    none longer than `days` after it was used."""

    turns: int = 20
    characters: int = 40_000
    sessions: int = 10_000
    days: float = 30.0


@dataclass(frozen=True)
class ChatTurn:
    """A question, its answer, and what is told of the answer (JSON values). `asked_at`: seconds since 1970, UTC."""

    number: int
    asked_at: float
    question: str
    answer: str
    details: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The turn as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Claim:
    """The right to answer in a session, and what was said there before, oldest first."""

    session: str
    token: str
    history: tuple[ChatTurn, ...]


class ChatStore:
    """The histories at one database URL. Connects when first used; safe to share between threads and processes."""

    def __init__(self, url: str, limits: ChatLimits = ChatLimits(), clock: Callable[[], float] = time.time) -> None:
        self._url, self.limits, self._clock = url, limits, clock
        self._made: sa.Engine | None = None
        self._making = threading.Lock()

    # -- one turn --------------------------------------------------------------------------------------------------

    def claim(self, session: str, lease_s: float) -> Claim:
        """Begin a turn; a session that is not there begins too. ChatBusyError while another turn has it.

        Whoever claims and then dies holds the session for `lease_s` seconds at most.
        """
        self._check(session)
        now, token = self._clock(), uuid.uuid4().hex
        claimed = {"claim": token, "claimed_until": now + lease_s, "last_used": now}
        with self._writing() as connection:
            self._expire(connection, now)
            free = sa.or_(_SESSIONS.c.claim.is_(None), _SESSIONS.c.claimed_until < now)
            mine = sa.update(_SESSIONS).where(_SESSIONS.c.session == session, free).values(claimed)
            if not connection.execute(mine).rowcount:
                try:
                    with connection.begin_nested():
                        connection.execute(sa.insert(_SESSIONS).values(session=session, turns=0, **claimed))
                except sa.exc.IntegrityError:
                    raise ChatBusyError(f"session {session!r} is answering another question") from None
                self._bound(connection, now)
            return Claim(session, token, tuple(self._turns(connection, session)))

    def finish(self, claim: Claim, question: str, answer: str, details: Mapping[str, Any]) -> int | None:
        """Keep a turn and give the session back: its number in the session, from 1.

        None, and nothing is kept, when the session was deleted or the claim ran out meanwhile.
        """
        now, told = self._clock(), json.dumps(details)
        with self._writing() as connection:
            ours = (_SESSIONS.c.session == claim.session, _SESSIONS.c.claim == claim.token)
            given_back = {"claim": None, "claimed_until": 0.0, "last_used": now, "turns": _SESSIONS.c.turns + 1}
            if not connection.execute(sa.update(_SESSIONS).where(*ours).values(given_back)).rowcount:
                return None
            one = sa.select(_SESSIONS.c.turns).where(_SESSIONS.c.session == claim.session)
            number = int(connection.execute(one).scalar_one())
            row = {"session": claim.session, "number": number, "asked_at": now, "question": question, "answer": answer}
            size = len(question) + len(answer)
            connection.execute(sa.insert(_TURNS).values(**row, details=told, characters=size))
            self._forget_old(connection, claim.session)
            return number

    def abandon(self, claim: Claim) -> None:
        """Give the session back without a turn; one that never had any is gone."""
        with self._writing() as connection:
            ours = (_SESSIONS.c.session == claim.session, _SESSIONS.c.claim == claim.token)
            connection.execute(sa.delete(_SESSIONS).where(*ours, _SESSIONS.c.turns == 0))
            connection.execute(sa.update(_SESSIONS).where(*ours).values(claim=None, claimed_until=0.0))

    # -- whole sessions --------------------------------------------------------------------------------------------

    def history(self, session: str) -> list[ChatTurn]:
        """What is kept of a session, oldest first; ChatUnknownError when there is none."""
        self._check(session)
        since = self._clock() - self.limits.days * 86_400
        with self._writing() as connection:
            known = sa.select(_SESSIONS.c.turns).where(_SESSIONS.c.session == session, _SESSIONS.c.last_used >= since)
            if connection.execute(known).first() is None:
                raise ChatUnknownError(f"there is no session {session!r}")
            return self._turns(connection, session)

    def forget(self, session: str) -> int:
        """Delete a session; how many turns were kept of it. A turn that is being answered is not kept either."""
        self._check(session)
        with self._writing() as connection:
            connection.execute(sa.delete(_SESSIONS).where(_SESSIONS.c.session == session))
            return int(connection.execute(sa.delete(_TURNS).where(_TURNS.c.session == session)).rowcount)

    def sessions(self) -> int:
        """How many sessions there are."""
        with self._writing() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(_SESSIONS)).scalar_one())

    # -- parts -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _check(session: str) -> None:
        if not SESSION.fullmatch(session):
            raise ChatNameError("the name of a session is 8 to 64 letters, digits, hyphens and underscores")

    @staticmethod
    def _turns(connection: sa.Connection, session: str) -> list[ChatTurn]:
        found = sa.select(_TURNS).where(_TURNS.c.session == session).order_by(_TURNS.c.number)
        return [
            ChatTurn(row.number, row.asked_at, row.question, row.answer, _details(row.details))
            for row in connection.execute(found)
        ]

    def _forget_old(self, connection: sa.Connection, session: str) -> None:
        """The newest turn stays, however long it is."""
        sizes = sa.select(_TURNS.c.number, _TURNS.c.characters).where(_TURNS.c.session == session)
        newest = connection.execute(sizes.order_by(_TURNS.c.number.desc())).all()
        total = 0
        for place, (number, size) in enumerate(newest):
            total += size
            if place and (place >= self.limits.turns or total > self.limits.characters):
                old = (_TURNS.c.session == session, _TURNS.c.number <= number)
                connection.execute(sa.delete(_TURNS).where(*old))
                return

    def _expire(self, connection: sa.Connection, now: float) -> None:
        self._drop(connection, _SESSIONS.c.last_used < now - self.limits.days * 86_400)

    def _bound(self, connection: sa.Connection, now: float) -> None:
        """Delete the sessions that were used longest ago, beyond the number that is kept."""
        count = int(connection.execute(sa.select(sa.func.count()).select_from(_SESSIONS)).scalar_one())
        if count > self.limits.sessions:
            idle = sa.or_(_SESSIONS.c.claim.is_(None), _SESSIONS.c.claimed_until < now)
            oldest = sa.select(_SESSIONS.c.session).where(idle).order_by(_SESSIONS.c.last_used)
            names = connection.execute(oldest.limit(count - self.limits.sessions)).scalars().all()
            self._drop(connection, _SESSIONS.c.session.in_(names))

    @staticmethod
    def _drop(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
        names = sa.select(_SESSIONS.c.session).where(which)
        connection.execute(sa.delete(_TURNS).where(_TURNS.c.session.in_(names)))
        connection.execute(sa.delete(_SESSIONS).where(which))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed when the block ends well."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> ChatStoreError:
        try:
            shown = sa.make_url(self._url).render_as_string(hide_password=True)
        except (sa.exc.ArgumentError, ValueError):  # whose text may be a part of the password
            return ChatStoreError("the URL of the chat histories cannot be read; see EXO_CHAT_URL")
        why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return ChatStoreError(f"the chat histories at {shown} cannot be used ({why}); see EXO_CHAT_URL")

    @property
    def _engine(self) -> sa.Engine:
        with self._making:
            if self._made is None:
                try:
                    self._made = _connect(self._url)
                except (ImportError, ValueError) as error:  # no driver; a URL, or options in it, that it cannot read
                    raise self._unusable(error) from error
            return self._made


def _details(told: str) -> dict[str, Any]:
    """What is told of an answer; nothing where it cannot be read, as the session goes on without it."""
    try:
        found = json.loads(told)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _connect(url: str) -> sa.Engine:
    """An engine whose tables are there."""
    parsed = sa.make_url(url)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
        if parsed.database and parsed.database != ":memory:":
            _private_file(Path(parsed.database))
    engine = sa.create_engine(url, **options)
    if parsed.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _on_connect)
        sa.event.listen(engine, "begin", _on_begin)
    for last in (False, True):
        try:
            _META.create_all(engine)
            break
        except (sa.exc.OperationalError, sa.exc.ProgrammingError, sa.exc.IntegrityError):
            if last:  # the first time another replica may have made the tables between the look and the making
                raise
    return engine


def _private_file(path: Path) -> None:
    """Histories are read by their owner alone; SQLite gives its log the rights of the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ChatStoreError(f"the chat histories at {path} cannot be used ({error}); see EXO_CHAT_URL") from error


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin as `_on_begin` says
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _on_begin(connection: sa.Connection) -> None:
    # A transaction that reads first and then writes fails at once when another has written in between; one that begins
    # as a writer waits for its turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
