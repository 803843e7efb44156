"""The PostgreSQL database at EXO_PG_URL: whether Dagster's storage can live there.

Belongs here: looking before anything is switched, and saying what is missing. Does not belong here: which instance
file is in force (`instance.py`), and the storage itself, which is Dagster's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "EXO_PG_URL"
FORM = "postgresql://user:password@host:5432/database"
CONNECT_S = 10


class DatabaseError(RuntimeError):
    """The database cannot be used; the message names what is missing and the remedy, and never a password."""


def address() -> URL:
    """EXO_PG_URL, parsed. DatabaseError when it is not set or no address of a PostgreSQL database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        raise DatabaseError(f"{VARIABLE} is not set; set it to {FORM}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseError(f"{VARIABLE} is no address of a database; its form is {FORM}") from None
    if url.drivername not in ("postgresql", "postgresql+psycopg2"):
        raise DatabaseError(f"{VARIABLE} begins with {url.drivername}://; it must be {FORM}")
    absent = [name for name, value in (("host", url.host), ("database", url.database)) if not value]
    if absent and not url.query.get("host"):
        raise DatabaseError(f"{VARIABLE} names no {' and no '.join(absent)}; its form is {FORM}")
    return url


def check_database() -> None:
    """DatabaseError unless the database answers and its user may make tables there, and use those of Dagster's."""
    import psycopg2

    url = address()
    shown = url.render_as_string(hide_password=True)
    try:
        connection = psycopg2.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False), connect_timeout=CONNECT_S
        )
    except psycopg2.Error as error:
        reason = " ".join(str(error).split())[:300]
        raise DatabaseError(
            f"{VARIABLE} ({shown}) cannot be connected to: {reason}; check host, port, user, password and database"
        ) from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_RIGHTS)
            user, schema, may_create, foreign = cursor.fetchone() or ("", None, False, None)
    finally:
        connection.close()
    if schema is None or not may_create:
        where = f"schema {schema}" if schema else "any schema of its search path"
        raise DatabaseError(
            f"{VARIABLE} ({shown}): user {user} may not create tables in {where}; as its owner: "
            f"grant usage, create on schema {schema or 'public'} to {user}"
        )
    if foreign:
        raise DatabaseError(
            f"{VARIABLE} ({shown}): user {user} may not read and write the tables that are there ({foreign}); as their "
            f"owner: grant all on all tables in schema {schema} to {user}, or name another database"
        )


_RIGHTS = """
select current_user, current_schema(),
  coalesce(has_schema_privilege(current_schema(), 'create'), false),
  (select string_agg(tablename, ', ' order by tablename) from pg_tables
   where schemaname = current_schema() and tablename in ('runs', 'event_logs', 'asset_keys', 'job_ticks', 'instigators')
     and not (has_table_privilege(schemaname || '.' || tablename, 'select')
          and has_table_privilege(schemaname || '.' || tablename, 'insert')
          and has_table_privilege(schemaname || '.' || tablename, 'update')
          and has_table_privilege(schemaname || '.' || tablename, 'delete')))
"""
