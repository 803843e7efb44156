"""What a newcomer gets on a machine without network: a night on PostgreSQL, then `exo run` again, and each door.

One file, for all of it is about one installation: where processes share the tests, each takes whole files.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg2
import pytest

from tests.e2e.conftest import Installation
from tests.postgres_server import programs, server

# A night takes minutes, and many more where other work has the cores: what is tested is that it ends well.
pytestmark = [pytest.mark.ray, pytest.mark.timeout(2400)]


@pytest.fixture(scope="class")
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


@pytest.mark.postgres
class TestOnPostgres:
    """A night whose runs, events and ticks are in PostgreSQL, a real server: the same command, another instance."""

    def test_the_night_runs_and_is_recorded_in_the_database(self, on_postgres: Installation) -> None:
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

    def test_the_pools_were_bootstrapped(self, on_postgres: Installation) -> None:
        limits = dict(rows(on_postgres.env["EXO_PG_URL"], 'select concurrency_key, "limit" from concurrency_limits'))
        assert limits == {"nea_archive": 2, "mast": 1, "arxiv": 1, "release": 1}


@pytest.fixture(scope="module")
def nightly(offline: Installation) -> dict[str, object]:
    summary: dict[str, object] = offline.json("run")
    return summary


def test_the_first_night_builds_everything(offline: Installation, nightly: dict[str, object]) -> None:
    assert nightly["success"] is True
    status = offline.json("status")
    assert status["sources"]["q1_q17_dr25_koi"]["source"] == "snapshot"
    assert status["sources"]["toi"]["source"] == "absent"
    assert status["champion"]["version"]
    assert status["endpoint"]["healthy"] is True
    counted = offline.json("query", "select count(*) as n from core_signals")[0]["n"]
    assert 7_900 < counted <= 8_054


def test_a_second_night_with_nothing_new_recomputes_nothing(offline: Installation, nightly: dict[str, object]) -> None:
    release = (offline.home / "releases" / "current").readlink()
    again = offline.json("run")
    assert again["success"] is True
    assert again["recomputed"] == []
    assert (offline.home / "releases" / "current").readlink() == release


def test_score_and_endpoint_agree(offline: Installation, nightly: dict[str, object], tmp_path: Path) -> None:
    wanted = "signal_id, period_days, duration_hours, depth_ppm, star_radius_sun"
    rows = offline.json("query", f"select {wanted} from core_signals where depth_ppm is not null limit 3")
    catalogue = pl.DataFrame(
        {
            "kepoi_name": [r["signal_id"] for r in rows],
            "koi_period": [r["period_days"] for r in rows],
            "koi_duration": [r["duration_hours"] for r in rows],
            "koi_depth": [r["depth_ppm"] for r in rows],
            "koi_srad": [r["star_radius_sun"] for r in rows],
        }
    )
    source, target = tmp_path / "mine.csv", tmp_path / "scored.csv"
    catalogue.write_csv(source)
    offline.exo("score", str(source), "-o", str(target))
    scored = pl.read_csv(target)
    assert scored.columns[:5] == catalogue.columns and scored.height == 3
    endpoint = f"http://127.0.0.1:{offline.env['EXO_SERVE_PORT']}/v1/predict"
    for row, mine in zip(rows, scored.iter_rows(named=True), strict=True):
        # Named as in the file: either door joins it with what the catalogue knows.
        body = {"mission": "kepler"} | {k: v for k, v in row.items() if v is not None}
        request = urllib.request.Request(
            endpoint, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer = json.load(reply)
        assert answer["known_as"] == mine["known_as"] == row["signal_id"]
        assert answer["probability_planet"] == pytest.approx(mine["probability_planet"], abs=1e-5)
        assert str(answer["model_version"]) == str(mine["model_version"])


def test_labels_in_the_file_change_no_probability(
    offline: Installation, nightly: dict[str, object], tmp_path: Path
) -> None:
    shipped = pl.read_parquet("exo_assets/archive/snapshot/q1_q17_dr25_koi.parquet").head(50)
    honest, lying = tmp_path / "honest.csv", tmp_path / "lying.csv"
    shipped.write_csv(honest)
    flipped = {"koi_disposition": "FALSE POSITIVE", "koi_pdisposition": "FALSE POSITIVE", "kepler_name": "Kepler-0 x"}
    present = [pl.lit(v).alias(k) for k, v in flipped.items() if k in shipped.columns]
    shipped.with_columns(present).write_csv(lying)
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    offline.exo("score", str(honest), "-o", str(a))
    offline.exo("score", str(lying), "-o", str(b))
    columns = ["probability_planet", "disposition_confirmed", "disposition_candidate", "disposition_false_positive"]
    assert pl.read_csv(a).select(columns).equals(pl.read_csv(b).select(columns))


def rows(url: str, sql: str, *values: Any) -> list[Any]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()
    finally:
        connection.close()
