"""What an older version wrote, read before the night has made it anew."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.definitions import build_defs
from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_resources.known_signals import KnownSignals
from exo_resources.lake import Lake, OutdatedTableError
from exo_resources.settings import Settings
from jobs.selections import RELEASE

REMEDY = "an older version of Exo wrote it; `exo run` makes it again, and what follows from it"
KEPT = ("ml_vetter_champion", "ml_event_champion")
"""Written by the rollback itself, in the form of today."""


def _before_the_upgrade(defs: dg.Definitions, lake: Lake) -> dict[str, str]:
    """Tables of before, in a lake that has nothing else, each without the last column that it has today: its name."""
    lost = {}
    for spec in defs.resolve_all_asset_specs():
        declared, name = spec.metadata.get("dagster/column_schema"), spec.key.to_user_string()
        if isinstance(declared, dg.TableSchema) and name not in KEPT:
            *kept, last = [column.name for column in declared.columns]
            lake.write(name, pl.DataFrame(schema=dict.fromkeys(kept, pl.String)))
            lost[name] = last
    return lost


def test_the_champion_s_job_names_table_column_and_remedy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    defs = build_defs(settings)
    lost = _before_the_upgrade(defs, Lake(settings.lake))
    job = defs.resolve_job_def("deploy_champion")
    # What has every table that it reads from within the job is skipped, and the endpoint needs a model.
    chosen = [key for key in RELEASE.resolve(defs.resolve_asset_graph()) if key.path[-1] != "out_warehouse"]
    result = job.execute_in_process(asset_selection=chosen, raise_on_error=False)
    said = {event.step_key: _why(event) for event in result.filter_events(lambda event: event.is_step_failure)}
    assert {"out_scores_all", "out_found_scores", "out_event_scores", "stg_signals"} <= {*said}
    for step, why in said.items():
        table = why.split("'")[1]
        assert why == f"table {table!r} lacks the column {lost[table]}: {REMEDY}", step
        assert dg.AssetKey(table) not in chosen, "it is made in the job itself"


def _why(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data.user_failure_data
    assert failure is not None, f"{event.step_key} failed with a traceback: {event.step_failure_data.error}"
    return str(failure.description)


def test_the_command_line_names_them_too(home: Path, tmp_path: Path) -> None:
    lake = Lake(Settings(home=home).lake)
    lake.write("core_signals", pl.DataFrame({"signal_id": ["K00001.01"]}))
    lake.write("mart_candidates", pl.DataFrame({"rank": [1]}))
    done = CliRunner().invoke(app, ["dossier", "K00001.01"])
    assert done.exit_code == 1 and REMEDY in done.stderr.replace("\n", " ")
    assert done.stderr.startswith("exo: table 'core_signals' lacks columns ")
    status = CliRunner().invoke(app, ["status", "--json"])
    assert status.exit_code == 0
    (problem,) = json.loads(status.stdout)["problems"]
    assert problem.startswith("table 'mart_candidates' lacks columns signal_id, ") and problem.endswith(REMEDY)


def test_columns_that_are_not_read_are_not_asked_for(lake: Lake) -> None:
    signals = CORE_SIGNALS.empty()
    lake.write("core_signals", signals.drop("has_diagnostics"))
    assert KnownSignals(lake).read().signals.is_empty()
    lake.write("core_signals", signals.drop("epic_id"))
    with pytest.raises(OutdatedTableError, match="lacks the column epic_id"):
        KnownSignals(lake).read()
