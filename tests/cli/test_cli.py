"""The commands: what they print, pure JSON, exit codes, errors of one line, and nothing half-written."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from deployments.cli import score as score_command
from deployments.cli.main import app
from exo_assets.scoring.contracts import JUDGEMENT, REASONS
from exo_assets.scoring.score import JOINED
from exo_assets.training.model_ref import ModelRef
from exo_resources.lake import Lake
from exo_resources.releases import ReleaseStore, ReleaseTable
from exo_resources.settings import CHECKOUT, Settings

V3 = ModelRef("exo-vetter", "3", "run3", "c" * 64)


@pytest.fixture
def home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXO_SERVE_PORT", "9")  # nothing listens there
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return home


def exo(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("exo: "), text
    return lines[0]


# -- the boundary ----------------------------------------------------------------------------------------------------


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = {"dagster", "mlflow", "ray", "polars", "duckdb", "lightgbm", "pydantic", "httpx"}
    code = f"""if 1:
        import sys
        sys.argv = ["exo", "--help"]
        from deployments.cli.main import app
        try:
            app()
        except SystemExit as end:
            assert end.code == 0
        print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(command in done.stdout for command in ("run", "score", "query", "status", "serve", "ui", "rollback"))


def test_a_setting_that_cannot_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_ARCHIVE", "sometimes")
    done = exo("status")
    assert done.exit_code == 2 and "EXO_ARCHIVE" in one_line(done.stderr) and done.stdout == ""


def test_an_unexpected_error_is_one_line_and_a_traceback_only_on_request(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("deployments.cli.facts.gather", broken)
    done = exo("status")
    assert done.exit_code == 1 and "ZeroDivisionError: division by zero" in one_line(done.stderr)
    assert isinstance(exo("--debug", "status").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("query",), ("score", "--frobnicate"), ("instance", "setup", "--storage", "x")]
)
def test_bad_usage_is_exit_code_2(home: Path, arguments: tuple[str, ...]) -> None:
    assert exo(*arguments).exit_code == 2


# -- query -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def release(home: Path) -> ReleaseStore:
    store = ReleaseStore(home / "releases")
    signals = pa.table(
        {
            "signal_id": [f"K{n:05d}.01" for n in range(60)],
            "probability_planet": [n / 60 for n in range(59)] + [None],
            "reasons": [[{"feature": "depth", "value": 1.0, "contribution": -1.5}]] * 60,
        }
    )
    store.publish([ReleaseTable("out_scores", "d1", 60, lambda: signals)])
    return store


@pytest.mark.usefixtures("release")
def test_query_as_table_json_and_csv() -> None:
    table = exo("query", "select * from out_scores order by signal_id")
    assert table.exit_code == 0 and "K00049.01" in table.stdout and "K00050.01" not in table.stdout
    assert "depth -1.50" in table.stdout and "the first 50 rows" in table.stderr
    rows = json.loads(exo("query", "select * from out_scores order by signal_id", "--json").stdout)
    assert len(rows) == 60 and rows[59]["probability_planet"] is None
    assert rows[0]["reasons"][0] == {"feature": "depth", "value": 1.0, "contribution": -1.5}
    csv = exo("query", "select signal_id from out_scores order by 1", "--csv", "--limit", "2").stdout
    assert csv == "signal_id\nK00000.01\nK00001.01\n"
    assert json.loads(exo("query", "select 'nan'::double as x", "--json").stdout) == [{"x": None}]


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    ("sql", "said"),
    [("select * from out_score", "out_scores"), ("drop table out_scores", "SELECT"), ("selec 1", "selec"), ("", "")],
)
def test_a_question_that_has_no_answer_says_why(sql: str, said: str) -> None:
    done = exo("query", sql, "--json")
    assert done.exit_code == 2 and done.stdout == "" and said in done.stderr


def test_query_without_a_release_says_how_to_get_one(home: Path) -> None:
    done = exo("query", "select 1")
    assert done.exit_code == 1 and "exo run" in one_line(done.stderr)


@pytest.mark.usefixtures("release")
def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m deployments.cli.main query 'select * from range(200000)' --csv | head -1"
    done = subprocess.run(command, shell=True, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "range\n" and "Traceback" not in done.stderr


# -- score -----------------------------------------------------------------------------------------------------------


class Stub:
    """A vetter whose answer is a function of the depth alone; the real one has its own tests."""

    version = "cccccccccccc"

    def unfamiliar(self, mission: str) -> str | None:
        return None

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        return signals.select("signal_id", "depth_ppm")

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        reasons = [[{"feature": "depth", "value": 1.0, "contribution": 0.5}]] * features.height
        return features.select(
            "signal_id",
            probability_planet=1 / (1 + pl.col("depth_ppm").fill_null(1.0) / 1000),
            disposition_confirmed=pl.lit(0.5),
            disposition_candidate=pl.lit(0.25),
            disposition_false_positive=pl.lit(0.25),
            verdict=pl.lit("candidate"),
            prediction_set=pl.lit("unsure"),
            reasons=pl.Series(reasons, dtype=REASONS),
        )


@pytest.fixture
def catalogue(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(score_command, "load_champion", lambda _: (V3, Stub()))
    path = tmp_path / "mine.csv"
    path.write_text(
        "# a comment\nkepoi_name,koi_disposition,koi_period,koi_depth,remark\n"
        'K00752.01,CONFIRMED,9.488,616,"first, and best"\nK00753.01,,19.899,10829,\n'
    )
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".json"])
def test_score_keeps_columns_and_rows_and_adds_the_judgement(catalogue: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"scored{ending}"
    done = exo("score", str(catalogue), "-o", str(target), "--json")
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["rows"], said["not_scored"], said["output"]) == (2, 0, str(target))
    assert (said["model"]["version"], said["model_version"]) == ("3", Stub.version)
    read = {".parquet": pl.read_parquet, ".json": pl.read_json}.get(ending, pl.read_csv)
    scored = read(target)
    assert scored.columns == [
        *("kepoi_name", "koi_disposition", "koi_period", "koi_depth", "remark"),
        *JUDGEMENT,
        *JOINED,
        *("model_version", "problems"),
    ]
    assert scored["kepoi_name"].to_list() == ["K00752.01", "K00753.01"] and scored["remark"][0] == "first, and best"
    assert scored["probability_planet"].to_list() == pytest.approx([1 / 1.616, 1 / 11.829])
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_score_to_stdout_is_the_table_alone(catalogue: Path) -> None:
    csv, rows = exo("score", str(catalogue)), exo("score", str(catalogue), "--json")
    assert csv.stdout.startswith("kepoi_name,") and len(csv.stdout.splitlines()) == 3
    assert "2 rows judged by exo-vetter v3" in csv.stderr
    assert [row["kepoi_name"] for row in json.loads(rows.stdout)] == ["K00752.01", "K00753.01"]


def test_score_refuses_what_would_destroy_or_cannot_be(catalogue: Path, tmp_path: Path) -> None:
    before = catalogue.read_bytes()
    (tmp_path / "link.csv").symlink_to(catalogue)
    for target, said in [
        (catalogue, "is the input itself"),
        (tmp_path / "link.csv", "is the input itself"),
        (tmp_path / "out.xlsx", ".parquet"),
        (tmp_path / "nowhere" / "out.csv", "no such folder"),
        (tmp_path, "kind of file"),
    ]:
        done = exo("score", str(catalogue), "-o", str(target))
        assert done.exit_code == 2 and said in one_line(done.stderr)
    assert catalogue.read_bytes() == before


def test_an_output_that_is_a_link_stays_one(catalogue: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "scored.csv", tmp_path / "scored.csv"
    link.symlink_to(target)
    assert exo("score", str(catalogue), "-o", str(link)).exit_code == 0
    assert link.is_symlink() and len(target.read_text().splitlines()) == 3


def test_an_output_keeps_its_permissions_and_may_have_a_long_name(catalogue: Path, tmp_path: Path) -> None:
    target = tmp_path / f"{'x' * 246}.csv"
    target.touch(0o600)
    assert exo("score", str(catalogue), "-o", str(target)).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o600 and len(target.read_text().splitlines()) == 3


def test_what_is_no_file_is_not_replaced_by_one(catalogue: Path, tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe.csv", tmp_path / "loop.csv"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for target, said in [(pipe, "a pipe"), (loop, "loop")]:
        done = exo("score", str(catalogue), "-o", str(target))
        assert done.exit_code == 2 and said in one_line(done.stderr)
    assert pipe.is_fifo() and loop.is_symlink()


def test_a_damaged_catalogue_is_not_blamed_on_the_file(catalogue: Path, home: Path) -> None:
    place = Path(Settings(home=home).lake) / "tables" / "core_signals.parquet"
    place.mkdir(parents=True)
    done = exo("score", str(catalogue))
    assert done.exit_code == 1 and done.stdout == "" and str(place) in one_line(done.stderr)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a,b\n1,2\n", "layout"), (b"", "empty"), (b"kepoi_name\n\xff\n", "UTF-8"), (b"PK\x03\x04", "zip")],
)
def test_score_names_what_is_wrong_with_a_file(catalogue: Path, tmp_path: Path, content: bytes, said: str) -> None:
    bad, target = tmp_path / "bad.csv", tmp_path / "out.csv"
    bad.write_bytes(content)
    target.write_text("precious")
    done = exo("score", str(bad), "-o", str(target))
    assert done.exit_code == 2 and "bad.csv" in one_line(done.stderr) and said in done.stderr
    assert target.read_text() == "precious"


def test_score_of_a_missing_file(catalogue: Path, tmp_path: Path) -> None:
    done = exo("score", str(tmp_path / "absent.csv"))
    assert done.exit_code == 2 and "no such file" in one_line(done.stderr)


# -- status, serve, instance -----------------------------------------------------------------------------------------


def test_status_of_nothing_says_what_to_do_and_makes_nothing(home: Path) -> None:
    found = json.loads(exo("status", "--json").stdout)
    assert (found["sources"], found["champion"], found["release"], found["runs"]) == ({}, None, None, None)
    assert found["endpoint"]["healthy"] is False
    assert "exo run" in exo("status").stdout
    assert not home.exists()


def test_status_names_a_damaged_table_and_shows_the_rest(home: Path) -> None:
    lake = Lake(Settings(home=home).lake)
    for table in ("raw_nea__toi", "ml_vetter_champion"):
        lake.write(table, pl.DataFrame({"toi": ["1", "2"]}), notes={"source": "live"})
    place = Path(lake.path(lake.table_key("ml_vetter_champion")))
    place.write_bytes(place.read_bytes()[:-9])
    done, found = exo("status"), json.loads(exo("status", "--json").stdout)
    assert done.exit_code == 0 and done.stdout.count(str(place)) == 1
    assert (list(found["sources"]), found["champion"], len(found["problems"])) == (["toi"], None, 1)


def test_status_is_loud_about_what_is_not_the_archive_of_today(home: Path) -> None:
    lake = Lake(Settings(home=home).lake)
    rows = pl.DataFrame({"kepid": ["1", "2"]})
    lake.write("raw_nea__q1_q17_dr25_koi", rows, notes={"source": "snapshot", "as_of": "2018-01-01"})
    lake.write("raw_nea__toi", rows.head(0), notes={"source": "absent"})
    lake.write("raw_nea__cumulative", rows, notes={"source": "live", "as_of": "2026-01-01"})
    found = json.loads(exo("status", "--json").stdout)["sources"]
    assert {name: (s["source"], s["rows"]) for name, s in found.items()} == {
        "cumulative": ("live", 2),
        "q1_q17_dr25_koi": ("snapshot", 2),
        "toi": ("absent", 0),
    }
    said = exo("status").stdout
    assert "! q1_q17_dr25_koi" in said and "! toi" in said and "! cumulative" not in said


def test_instance_setup_says_what_it_did_and_repeats_without_change(home: Path) -> None:
    first = json.loads(exo("instance", "setup", "--json").stdout)
    assert first["backend"] == "embedded" and first["changed"] and Path(first["dagster_home"]) == home / "dagster"
    again = json.loads(exo("instance", "setup", "--json").stdout)
    assert not again["changed"] and again["pools_changed"] == []
    done = exo("instance", "setup", "--storage", "postgres")
    assert done.exit_code == 1 and "EXO_PG_URL" in one_line(done.stderr)


def test_serve_without_a_champion_says_what_to_do(home: Path) -> None:
    done = exo("serve", "start")
    assert done.exit_code == 1 and "exo run" in one_line(done.stderr)
    status = exo("serve", "status", "--json")
    assert status.exit_code == 1 and json.loads(status.stdout)["running"] is False
    assert json.loads(exo("serve", "stop", "--json").stdout)["was_up"] is False


# -- run -------------------------------------------------------------------------------------------------------------


def lineage(home: Path, *, gate: bool = True, crash: bool = False, champion: bool = True) -> types.ModuleType:
    """A stand-in for `deployments.definitions` with the nightly job's turning points."""
    lake = Lake(Settings(home=home).lake)
    published: list[str] = []
    if champion:
        row = {**V3.as_row(), "promoted_at": "2026-01-01", "previous_version": "2", "previous_digest": "b" * 64}
        lake.write("ml_vetter_champion", pl.DataFrame(row))

    @dg.asset
    def core_signals() -> dg.MaterializeResult:  # type: ignore[type-arg]
        if crash:
            raise RuntimeError("the disk is full")
        lake.write("core_signals", pl.DataFrame({"signal_id": ["a"]}), fingerprint="f")
        return dg.MaterializeResult(metadata={"dagster/row_count": 1, "recomputed": True})

    @dg.asset(deps=[core_signals])
    def ml_vetter_gates() -> None: ...

    @dg.asset_check(asset=ml_vetter_gates, blocking=True)
    def floor_auc() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=gate)

    @dg.asset(deps=[ml_vetter_gates])
    def out_scores() -> None:
        published.append("out_scores")

    jobs = [
        dg.define_asset_job("nightly_refresh", executor_def=dg.in_process_executor),
        dg.define_asset_job("publish_release", selection=[out_scores], executor_def=dg.in_process_executor),
    ]
    module = types.ModuleType("deployments.definitions")
    module.published = published  # type: ignore[attr-defined]
    module.build_defs = lambda settings: dg.Definitions(  # type: ignore[attr-defined]
        assets=[core_signals, ml_vetter_gates, out_scores], asset_checks=[floor_auc], jobs=jobs
    )
    return module


def night(home: Path, monkeypatch: pytest.MonkeyPatch, **how: bool) -> tuple[Any, Any]:
    module = lineage(home, **how)
    monkeypatch.setitem(sys.modules, "deployments.definitions", module)
    done = exo("run", "--json")
    return done, module


def test_a_night_twice_recomputes_what_changed_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = night(home, monkeypatch)
    assert first.exit_code == 0, first.stderr
    summary = json.loads(first.stdout)
    assert summary["success"] and summary["recomputed"] == ["core_signals"]
    assert summary["champion"]["version"] == "3" and summary["tables"]["core_signals"]["rows"] == 1
    assert any("core_signals" in line and line.rstrip().endswith("recomputed") for line in first.stderr.splitlines())
    second, _ = night(home, monkeypatch)
    assert json.loads(second.stdout)["recomputed"] == []
    [last, *_] = json.loads(exo("status", "--json").stdout)["runs"]
    assert (last["job"], last["status"]) == ("nightly_refresh", "success")
    people = exo("run").stdout
    assert "nightly_refresh done" in people and "exo serve start" in people and "exo ui" in people


def test_a_failed_night_names_the_asset_the_cause_and_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, module = night(home, monkeypatch, crash=True)
    assert done.exit_code == 1 and module.published == []
    last = done.stderr.strip().splitlines()[-1]
    assert "nightly_refresh failed in core_signals: RuntimeError: the disk is full" in last and "exo run" in last
    summary = json.loads(done.stdout)
    assert not summary["success"] and summary["failed"] == {"core_signals": "RuntimeError: the disk is full"}


def test_a_refused_candidate_is_published_around_with_the_standing_champion(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, module = night(home, monkeypatch, gate=False)
    assert done.exit_code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["published_with_standing_champion"] and summary["candidate_refused_by"] == ["floor_auc"]
    assert module.published == ["out_scores"] and len(summary["run_ids"]) == 2
    assert "publishing with the champion that stands, v3" in done.stderr


def test_a_refused_first_candidate_is_a_failed_night(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, module = night(home, monkeypatch, gate=False, champion=False)
    assert done.exit_code == 1 and module.published == []
    assert "refused the first candidate (floor_auc)" in done.stderr.strip().splitlines()[-1]


def test_an_unknown_job_is_bad_usage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deployments.definitions", lineage(home))
    done = exo("run", "--job", "nightly")
    assert done.exit_code == 2 and "nightly_refresh, publish_release" in one_line(done.stderr)
