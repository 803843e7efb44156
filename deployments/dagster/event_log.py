"""The files of the embedded event log while a run writes to them.

Belongs here: how they are kept open. Does not belong here: which events there are (Dagster), and what is read of them.

Dagster opens a connection for each event and closes it. With the last connection SQLite closes the file: it puts the
log of changes into the database, waits for the disk, and deletes the log. A run of the lineage has some 1,800 events,
and most of them go to two files.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance


@contextmanager
def kept_open(instance: DagsterInstance, run_id: str) -> Iterator[None]:
    """Keep the files that events of the run go to open until the end; nothing to do for another storage.

    What is committed is on the disk as before.
    """
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage

    storage = instance.event_log_storage
    with ExitStack() as stack:
        if isinstance(storage, SqliteEventLogStorage):
            stores = {run_id: storage.run_connection(run_id), INDEX_SHARD_NAME: storage.index_connection()}
            for shard, connection in stores.items():
                with connection:  # it makes the file where there is none
                    held = stack.enter_context(closing(sqlite3.connect(storage.path_for_shard(shard))))
                held.execute("select count(*) from sqlite_master").fetchone()  # only then is the file open
        yield
