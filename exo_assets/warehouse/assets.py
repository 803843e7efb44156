"""The warehouse as assets: every SQL model, the tables that describe tables, and the release.

Belongs here: values to and from the lake and the releases. Does not belong here: what a model says (`dbt_like_sql/`),
how files become models (`models.py`), or how a release is published (`exo_resources.releases`).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from exo_assets.table_asset import TableConfig, fingerprint_of, input_versions, read_input, table_asset
from exo_assets.warehouse import contracts as own
from exo_assets.warehouse.catalogue import (
    column_lineage,
    dictionary,
    documentation,
    documentation_digest,
    layer,
    project,
    stored_columns,
    table_lineage,
    upstream,
)
from exo_assets.warehouse.checks import CHECKS, examine
from exo_assets.warehouse.models import Model
from exo_assets.warehouse.provenance import ARCHIVE_NOTES, RAW, baseline, out_of_date, snapshots

if TYPE_CHECKING:
    from exo_resources.duckdb_sql import Workbench
    from exo_resources.lake import Lake
    from exo_resources.releases import Publication, ReleaseStore

__all__ = ["ASSETS", "CHECKS"]

GROUP = "warehouse"
POOL = "release"
"""Concurrency pool of whoever publishes."""

_PROJECT = project()
_UPSTREAM = tuple(upstream())
_ARCHIVE = tuple(name for name in _UPSTREAM if name.startswith(RAW))


# -- tables that describe tables ---------------------------------------------------------------------------------


def _archive_notes(resources: Any) -> str:
    return json.dumps(_snapshots(resources.lake), sort_keys=True)


@table_asset(own.STG_LAKE_TABLES, group=GROUP, also_after=_UPSTREAM, salt=_archive_notes)
def stg_lake_tables(lake: Any) -> pl.DataFrame:
    """Rows, version and source of every stored table."""
    versions = [v for v in map(lake.version, _UPSTREAM) if v is not None]
    archive = [{key: v.notes.get(key) if v.table in _ARCHIVE else None for key in ARCHIVE_NOTES} for v in versions]
    return pl.DataFrame(
        [
            (v.table, layer(v.table), v.rows, v.digest, *(a[key] for key in ARCHIVE_NOTES))
            for v, a in zip(versions, archive, strict=True)
        ],
        schema=own.STG_LAKE_TABLES.schema,
        orient="row",
    )


@table_asset(own.STG_LAKE_COLUMNS, group=GROUP, also_after=_UPSTREAM)
def stg_lake_columns(lake: Any) -> pl.DataFrame:
    """Types and nulls of every stored column."""
    from exo_resources.duckdb_sql import table_types

    parts = []
    for name in _UPSTREAM:
        if lake.version(name) is not None:
            frame = lake.read(name)
            parts.append(stored_columns(name, frame, table_types(frame)))
    return pl.concat([own.STG_LAKE_COLUMNS.empty(), *parts])


def _baseline_salt(resources: Any) -> str:
    return _baseline(resources.lake, resources.releases) or "none"


@table_asset(own.STG_LAST_RELEASE, group=GROUP, also_after=_ARCHIVE, salt=_baseline_salt)
def stg_last_release(context: dg.AssetExecutionContext, lake: Any, releases: Any) -> pl.DataFrame:
    """Dispositions in the release that changes are counted from."""
    release_id, kept = _baseline(lake, releases), own.STG_LAST_RELEASE.empty()
    if not release_id:
        return kept
    found = _dispositions(releases, release_id)
    if found is not None:
        return own.STG_LAST_RELEASE.conform(found.with_columns(release_id=pl.lit(release_id)).sort("signal_id"))
    if lake.version(own.STG_LAST_RELEASE.name) is not None:
        kept = lake.read(own.STG_LAST_RELEASE.name).filter(release_id=release_id)
    if kept.is_empty():
        context.log.warning("release %s cannot be read; changes are counted from the first snapshots", release_id)
    return kept


def _dispositions(releases: "ReleaseStore", release_id: str) -> pl.DataFrame | None:
    """What a release said of every signal; None when it was pruned or is damaged."""
    from exo_resources.duckdb_sql import SqlError, select
    from exo_resources.releases import ReleaseError

    try:
        release = releases.find(release_id)
        connection = releases.open(release) if release else None
    except ReleaseError:
        return None
    if connection is None:
        return None
    try:
        return select(connection, "SELECT signal_id, mission, disposition, disposition_archive FROM core_signals")
    except SqlError:
        return None
    finally:
        connection.close()


def _documented(_resources: Any) -> str:
    return f"{_PROJECT.digest()} {documentation_digest(_PROJECT)}"


@table_asset(own.MART_DATA_DICTIONARY, group=GROUP, salt=_documented)
def mart_data_dictionary(stg_lake_columns: pl.DataFrame) -> pl.DataFrame:
    """Every column of the release."""
    from exo_resources.duckdb_sql import Workbench, table_types

    types: dict[str, Mapping[str, str]] = {
        str(table): dict(zip(columns["column_name"], columns["type"], strict=True))
        for (table,), columns in stg_lake_columns.sort("position").group_by("table_name", maintain_order=True)
    }
    python = {**upstream(), **{c.name: c for c in own.CONTRACTS}}
    types |= {c.name: table_types(c.empty()) for c in own.CONTRACTS}
    with Workbench({name: contract.empty() for name, contract in python.items()}) as bench:
        for model in _PROJECT.models:
            types[model.name] = bench.types(model.sql)
            bench.add(model.name, bench.select(model.sql))
    return dictionary(documentation(_PROJECT), types)


def _made_from(lake: "Lake") -> dict[str, list[str]]:
    """Inputs of every table that is made in Python; those of stored tables as the lake has them."""
    versions = [v for v in map(lake.version, _UPSTREAM) if v is not None]
    return {v.table: sorted(v.inputs) for v in versions} | {
        own.STG_LAKE_TABLES.name: [v.table for v in versions],
        own.STG_LAKE_COLUMNS.name: [v.table for v in versions],
        own.STG_LAST_RELEASE.name: list(_ARCHIVE),
        own.MART_DATA_DICTIONARY.name: [own.STG_LAKE_COLUMNS.name],
        own.MART_TABLE_LINEAGE.name: [v.table for v in versions],
    }


def _lineage_salt(resources: Any) -> str:
    return json.dumps([_made_from(resources.lake), _PROJECT.digest()])


@table_asset(own.MART_TABLE_LINEAGE, group=GROUP, also_after=_UPSTREAM, salt=_lineage_salt)
def mart_table_lineage(lake: Any) -> pl.DataFrame:
    """Table by table, what it is made from."""
    return table_lineage(_made_from(lake), _PROJECT)


@table_asset(own.MART_COLUMN_LINEAGE, group=GROUP, salt=lambda _resources: _PROJECT.digest())
def mart_column_lineage() -> pl.DataFrame:
    """Column by column of the SQL models, what it is computed from."""
    return column_lineage(_PROJECT)


# -- SQL models --------------------------------------------------------------------------------------------------


def model_asset(model: Model) -> dg.AssetsDefinition:
    """The asset of one SQL model: recomputed when the SELECT or an input changed, tested every time.

    Nothing is written when a test fails, so what is in the lake always passed.
    """

    @dg.asset(
        name=model.name,
        group_name=GROUP,
        description=model.description,
        deps=list(model.must_exist),
        kinds={"duckdb", "sql"},
        code_version=model.version,
        required_resource_keys={"lake"},
        check_specs=[
            dg.AssetCheckSpec("columns", asset=model.name, blocking=True, description="Columns are those declared."),
            *(
                dg.AssetCheckSpec(test.name, asset=model.name, blocking=True, description=test.description)
                for test in model.tests
            ),
        ],
        metadata={
            "dagster/column_schema": _schema(model, {c.name: c.type or "?" for c in model.columns}),
            "sql_file": model.path,
            "owner": model.owner,
        },
    )
    def asset(context: dg.AssetExecutionContext, config: TableConfig) -> Iterator[Any]:
        from exo_resources.duckdb_sql import SqlError, Workbench
        from exo_resources.lake import OutdatedTableError

        lake: Lake = context.resources.lake
        versions = input_versions(lake, model.depends_on)
        fingerprint = fingerprint_of(model.version, versions)
        present: Any = lake.version(model.name)
        kept = present is not None and present.fingerprint == fingerprint and not config.force
        try:
            read = model.tested_against if kept else model.must_exist
            with Workbench({name: read_input(context, name) for name in read}) as bench:
                if kept:
                    bench.add(model.name, lake.read(model.name))
                types = bench.types(f"FROM {model.name}" if kept else model.sql)
                misfits = model.misfits(types)
                yield dg.AssetCheckResult(check_name="columns", passed=not misfits, metadata={"problems": misfits})
                if misfits:
                    raise dg.Failure(f"{model.path}: {'; '.join(misfits)}", allow_retries=False)
                frame = None if kept else _rows(model, bench)
                results = [examine(bench.select, test) for test in model.tests]
        except SqlError as refused:
            raise dg.Failure(f"{model.path}: {refused}", allow_retries=False) from refused
        except OutdatedTableError as outdated:
            raise dg.Failure(str(outdated), allow_retries=False) from None
        yield from results
        failed = [result.check_name for result in results if not result.passed]
        if failed:
            raise dg.Failure(
                f"{model.name}: {len(failed)} of {len(results)} tests failed ({', '.join(map(str, failed))}); "
                "nothing was written",
                allow_retries=False,
            )
        if frame is None:
            context.log.info("%s: SELECT and inputs unchanged, kept as it is", model.name)
            version = present
        else:
            version = lake.write(
                model.name, frame, fingerprint=fingerprint, code_version=model.version, inputs=versions
            )
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(version.digest),
            metadata={
                "dagster/row_count": version.rows,
                "dagster/uri": lake.path(lake.table_key(model.name)),
                "dagster/column_schema": _schema(model, types),
                "dagster/column_lineage": _lineage(model),
                "recomputed": not kept,
                "written_at": version.written_at,
            },
        )

    return asset


def _rows(model: Model, bench: "Workbench") -> pl.DataFrame:
    """The model's rows in an order that does not depend on the machine; the bench then has them as a table."""
    found = bench.select(model.sql)
    frame = found if model.select.is_ordered else found.sort(model.key)
    bench.add(model.name, frame)
    return frame


def _schema(model: Model, types: Mapping[str, str]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                type=types[column.name],
                description=f"{column.description}{f' [{column.unit}]' if column.unit else ''}",
                constraints=dg.TableColumnConstraints(
                    nullable=f"not_null_{column.name}" not in {t.name for t in model.tests},
                    unique=f"unique_{column.name}" in {t.name for t in model.tests},
                ),
            )
            for column in model.columns
        ]
    )


def _lineage(model: Model) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=source) for table, source in sources]
            for column, sources in _PROJECT.lineage(model.name).items()
        }
    )


# -- the release -------------------------------------------------------------------------------------------------

_RELEASED = (*_UPSTREAM, *(c.name for c in own.CONTRACTS), *_PROJECT.names)
_INDISPENSABLE = frozenset(name for name in _RELEASED if layer(name) in ("core", "out", "stg", "mart"))


@dg.asset(
    group_name=GROUP,
    description="The DuckDB release: every table in one read-only file, checked, then switched to by one rename.",
    deps=list(_RELEASED),
    kinds={"duckdb"},
    required_resource_keys={"lake", "releases"},
    pool=POOL,
)
def out_warehouse(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish what is in the lake."""
    from exo_resources.releases import ReleaseError, ReleaseTable

    lake, releases = context.resources.lake, context.resources.releases
    versions = {name: lake.version(name) for name in _RELEASED}
    absent = [name for name, version in versions.items() if version is None]
    if missing := [name for name in absent if name in _INDISPENSABLE]:
        raise dg.Failure(f"not in the lake: {', '.join(missing)}; materialise them first", allow_retries=False)
    stored = {name: version for name, version in versions.items() if version is not None}
    digests = {name: version.digest for name, version in stored.items()}
    stale = out_of_date({name: v.inputs for name, v in stored.items()}, digests)
    if mixed := [line for line in stale if line.startswith(("stg_", "mart_"))]:
        raise dg.Failure(
            f"the warehouse is not of one piece: {'; '.join(mixed)}; materialise those tables first",
            allow_retries=False,
        )
    documented = documentation(_PROJECT)
    tables = [
        ReleaseTable.from_parquet(
            name,
            version.digest,
            version.rows,
            partial(lake.table_bytes, name),
            description=documented[name].description,
            columns={column: documented[name].comment(column) for column in documented[name].columns},
        )
        for name, version in stored.items()
    ]
    info = _info(lake, releases) | {"absent": absent, "older_inputs": stale}
    try:
        done = releases.publish(tables, info, validate=_failing_tests)
    except ReleaseError as error:
        raise dg.Failure(str(error)) from error
    for line in (*stale, *done.set_aside):
        context.log.warning("%s", line)
    context.log.info("release %s: %s", done.release.id, "published" if done.is_new else "unchanged, still current")
    return _published(done)


def _info(lake: "Lake", releases: "ReleaseStore") -> dict[str, Any]:
    """What the manifest says beyond tables and digests."""
    from exo_resources.git_commit import git_commit

    champion = lake.read("ml_vetter_champion").to_dicts() if lake.version("ml_vetter_champion") else []
    code = {name: version.code_version for name in _RELEASED if (version := lake.version(name))}
    return {
        "archive": _snapshots(lake),
        "baseline": _baseline(lake, releases),
        "champion": champion[0] if champion else None,
        "code_version": hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:16],
        "git_commit": git_commit(),
    }


def _snapshots(lake: "Lake") -> dict[str, dict[str, Any]]:
    return snapshots({v.table: v.notes for v in map(lake.version, _ARCHIVE) if v is not None})


def _baseline(lake: "Lake", releases: "ReleaseStore") -> str:
    from exo_resources.releases import ReleaseError

    try:
        live = releases.current()
    except ReleaseError:  # damaged: publishing replaces it, and must not be kept from it by asking what it said
        live = None
    return baseline(_snapshots(lake), live.id if live else "", live.manifest.info if live else {})


def _failing_tests(connection: Any) -> list[str]:
    """Tests that fail on a finished release; all have passed on the lake, so this guards what came after."""
    from exo_resources.duckdb_sql import select

    found = ((test, select(connection, test.sql).height) for test in _PROJECT.all_tests)
    return [f"{test.table}: {test.name} ({rows} rows)" for test, rows in found if rows]


def _published(done: "Publication") -> dg.MaterializeResult:  # type: ignore[type-arg]
    manifest = done.release.manifest
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest.content),
        metadata={
            "dagster/uri": str(done.release.database),
            "dagster/row_count": sum(manifest.rows.values()),
            "release": done.release.id,
            "recomputed": done.is_new,
            "sha256": manifest.sha256,
            "bytes": manifest.bytes,
            "rows": dg.MetadataValue.json(manifest.rows),
            "manifest": dg.MetadataValue.json(dict(manifest.info)),
            "pruned": dg.MetadataValue.json(list(done.pruned)),
            "swept": dg.MetadataValue.json(list(done.swept)),
            "set_aside": dg.MetadataValue.json(list(done.set_aside)),
        },
    )


ASSETS: list[dg.AssetsDefinition] = [
    stg_lake_tables,
    stg_lake_columns,
    stg_last_release,
    mart_data_dictionary,
    mart_table_lineage,
    mart_column_lineage,
    *(model_asset(model) for model in _PROJECT.models),
    out_warehouse,
]
