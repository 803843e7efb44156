"""A night whose runs, events and ticks are in PostgreSQL, a real server: the same command, another instance file."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.e2e.conftest import Installation
from tests.postgres_server import programs, server

pytestmark = [pytest.mark.postgres, pytest.mark.ray]


@pytest.fixture(scope="module")
def on_postgres(offline: Installation) -> Iterator[Installation]:
    """The offline machine's installation, its Dagster on PostgreSQL; put back to files at the end."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian package postgresql)")
    with server(folder) as url:
        made = Installation(offline.home, offline.env | {"EXO_PG_URL": url})
        made.exo("instance", "setup", "--storage", "postgres")
        yield made
        made.exo("instance", "setup", "--storage", "embedded")


def test_the_night_runs_and_is_recorded_in_the_database(on_postgres: Installation) -> None:
    summary = on_postgres.json("run")
    assert summary["success"] is True
    [run_id] = summary["run_ids"]
    [last, *_] = on_postgres.json("status")["runs"]
    assert (last["run_id"], last["job"], last["status"]) == (run_id, "nightly_refresh", "success")
    asked = "select dagster_event_type, asset_key from event_logs where run_id = %s"
    events = rows(on_postgres.env["EXO_PG_URL"], asked, run_id)
    materialized = {json.loads(key)[0] for kind, key in events if kind == "ASSET_MATERIALIZATION"}
    assert {
        "raw_nea__q1_q17_dr25_koi",
        "core_signals",
        "ml_vetter_champion",
        "out_scores",
        "out_warehouse",
    } <= materialized
    assert "PIPELINE_SUCCESS" in {kind for kind, _ in events}  # the name under which Dagster stores a run's success


def test_the_pools_were_bootstrapped(on_postgres: Installation) -> None:
    limits = dict(rows(on_postgres.env["EXO_PG_URL"], 'select concurrency_key, "limit" from concurrency_limits'))
    assert limits == {"nea_archive": 2, "mast": 1, "release": 1}


def rows(url: str, sql: str, *values: Any) -> list[Any]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()
    finally:
        connection.close()
