"""The raw tables as Dagster assets: materialised with the real client against the replica."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from exo_assets.archive.assets import ASSETS, POOL
from exo_assets.archive.checks import CHECKS
from exo_assets.archive.contracts import CONTRACTS, CUMULATIVE, DR25_KOI, DR25_TCE
from exo_assets.archive.parse import to_csv
from exo_assets.events.core import core_events
from exo_resources.archive import ArchiveSource
from tests.archive.conftest import ROWS, TABLE, MakeSource, files_of
from tests.archive.replica import Replica

RAW = DR25_KOI.name


def _run(archive: ArchiveSource, selection: list[str] | None = None) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [*ASSETS, *CHECKS],
        resources={"lake": archive.lake, "archive": archive},
        selection=dg.AssetSelection.assets(*selection) if selection else None,
        raise_on_error=False,
    )


def _checks(result: dg.ExecuteInProcessResult, name: str) -> dict[str, dg.AssetCheckEvaluation]:
    found = [e for e in result.get_asset_check_evaluations() if e.check_name == name]
    return {e.asset_key.to_user_string(): e for e in found}


def test_keys_pool_and_schema() -> None:
    assert [a.key.to_user_string() for a in ASSETS] == [
        "raw_nea__cumulative",
        "raw_nea__toi",
        "raw_nea__k2pandc",
        "raw_nea__pscomppars",
        "raw_nea__q1_q17_dr25_koi",
        "raw_nea__q1_q17_dr25_tce",
        "raw_archive__refused_copies",
    ]
    assert {a.op.pool for a in ASSETS[:-1]} == {POOL}
    assert {k.asset_key for c in CHECKS for k in c.check_keys} == {a.key for a in ASSETS[:-1]}


def test_live_tables_are_stored_as_text_with_their_provenance(source: MakeSource) -> None:
    archive = source("live")
    result = _run(archive, [RAW])
    assert result.success
    version = archive.lake.version(RAW)
    assert version is not None and version.rows == ROWS
    assert {k: version.notes[k] for k in ("source", "as_of", "rows", "reason")} == {
        "source": "live", "as_of": "2017-05-10", "rows": ROWS, "reason": "",
    }  # fmt: skip
    assert set(archive.lake.read(RAW).schema.values()) == {pl.String}
    fresh = _checks(result, "source_is_fresh")[RAW]
    assert fresh.passed and fresh.severity == dg.AssetCheckSeverity.WARN
    [event] = result.asset_materializations_for_node(RAW)
    assert event.metadata["as_of"].value == "2017-05-10" and "checked_at" in event.metadata


def test_unchanged_bytes_change_nothing_on_disk(source: MakeSource, replica: Replica) -> None:
    archive = source("live")
    _run(archive, [RAW])
    first, before = archive.lake.version(RAW), files_of(archive)
    assert _run(archive, [RAW]).success
    assert archive.lake.version(RAW) == first
    # What the UI shows of the table says when it was looked at last.
    shown = {file for file in before if "shown" in str(file)}
    after = files_of(archive)
    assert shown and after.keys() == before.keys()
    assert {file: after[file] for file in after.keys() - shown} == {
        file: before[file] for file in before.keys() - shown
    }
    assert replica.requests[TABLE] == 2


def test_an_outage_warns_keeps_the_data_version_and_does_not_fail(source: MakeSource, replica: Replica) -> None:
    archive = source("live", archive_attempts=1)
    first = _run(archive, [RAW])
    replica.fault(TABLE, "status_500")
    second = _run(archive, [RAW])
    assert second.success
    versions = [r.asset_materializations_for_node(RAW)[0].tags["dagster/data_version"] for r in (first, second)]  # type: ignore[index]
    assert versions[0] == versions[1]
    warned = _checks(second, "source_is_fresh")[RAW]
    assert not warned.passed and warned.severity == dg.AssetCheckSeverity.WARN
    assert "last good copy" in str(warned.description) and "status 500" in str(warned.description)


def test_offline_the_whole_stage_still_runs(source: MakeSource) -> None:
    archive = source("snapshot")
    result = _run(archive)
    assert result.success
    assert {c.name: archive.lake.version(c.name).rows for c in CONTRACTS} == {  # type: ignore[union-attr]
        **{c.name: 0 for c in CONTRACTS},
        RAW: 8054,
    }
    warned = _checks(result, "source_is_fresh")
    assert {name for name, check in warned.items() if not check.passed} == {c.name for c in CONTRACTS}
    assert "ship with the package" in str(warned[RAW].description)
    assert "EXO_ARCHIVE_MIRROR" in str(warned["raw_nea__toi"].description)


def test_a_table_that_appears_replaces_the_absent_one(source: MakeSource, mirror_folder: Path) -> None:
    _run(source("snapshot"), ["raw_nea__toi"])
    archive = source("mirror", archive_mirror=str(mirror_folder))
    assert _run(archive, [RAW]).success
    version = archive.lake.version(RAW)
    assert version is not None and (version.rows, version.notes["source"]) == (8054, "mirror")


@pytest.mark.parametrize("on_the_web", [False, True])
def test_a_mirror_without_events_is_told_which_files_it_lacks(
    source: MakeSource, mirror_folder: Path, on_the_web: bool
) -> None:
    with Replica(mirror_folder) as web:
        archive = source("mirror", archive_mirror=web.url if on_the_web else str(mirror_folder))
        result = _run(archive, [DR25_TCE.name])
    assert result.success, "the night goes on without them"
    told = str(_checks(result, "source_is_fresh")[DR25_TCE.name].description)
    raw = archive.lake.read(DR25_TCE.name)
    events, notes = core_events(raw, DR25_KOI.empty(), CUMULATIVE.empty())
    assert raw.is_empty() and events.is_empty() and DR25_TCE.name in notes["why_empty"]
    assert not _checks(result, "source_is_fresh")[DR25_TCE.name].passed
    assert (web.url if on_the_web else str(mirror_folder)) in told
    for path in ("tap/q1_q17_dr25_tce.csv.gz", "labels/q1_q17_dr25_tce_labelled.parquet"):
        assert path in told, "what is looked for"
        assert path in notes["why_empty"]


def test_a_live_table_of_events_with_other_names_is_refused_by_name(source: MakeSource, tmp_path: Path) -> None:
    """What the service calls a column was never read here: another name must not pass for an absent value."""
    frame = pl.DataFrame({c.name: ["1", "2"] for c in DR25_TCE.columns}).rename({"tce_depth": "tce_deepness"})
    (tmp_path / "live" / "tap").mkdir(parents=True)
    (tmp_path / "live" / "tap" / f"{DR25_TCE.archive_table}.csv").write_bytes(to_csv(frame))
    with Replica(tmp_path / "live") as live:
        result = _run(source("auto", archive_url=live.url), [DR25_TCE.name])
    assert result.success
    told = str(_checks(result, "source_is_fresh")[DR25_TCE.name].description)
    assert "missing columns ['tce_depth']" in told and "it is empty" in told
