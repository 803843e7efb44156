"""`@table_asset`: a function from tables to a table, as a Dagster asset.

Belongs here: the policy that all tables share: inputs read from the lake, nothing recomputed that did not change, the
contract held before anything is written, metadata the same everywhere.
Does not belong here: anything about one table.

No postponed annotations here: Dagster reads those of the asset function at definition time.
"""

import hashlib
import inspect
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from exo_assets import shown
from exo_assets.code_version import code_of, code_version
from exo_assets.contracts import ContractError, TableContract
from exo_assets.retries import WAIT_S, tried_again

if TYPE_CHECKING:
    from exo_resources.lake import Lake, TableVersion

RETRY_WAIT_S = WAIT_S


@dataclass(frozen=True)
class Table:
    """What a table function may return instead of a bare frame.

    `metadata` is shown in the UI; `notes` (JSON values) travel with the table in the lake. A frame that `stays` is the
    one of before, which the function left as it is: what was shown and noted of it stays too.
    """

    frame: pl.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    stays: bool = False


class TableConfig(dg.Config):
    """Run-time settings that every table asset takes."""

    force: bool = False


def table_asset(
    contract: TableContract,
    *,
    group: str,
    code: Sequence[Any] = (),
    kinds: Sequence[str] = ("polars", "parquet"),
    always: bool = False,
    also_after: Sequence[str] = (),
    pool: str | None = None,
    salt: Callable[[Any], str] | None = None,
) -> Callable[[Callable[..., pl.DataFrame | Table]], dg.AssetsDefinition]:
    """Make an asset named as its contract from a function.

    Parameters of the function annotated `pl.DataFrame` are read from the lake tables of the same name and become
    upstream assets; `context` is Dagster's; every other parameter is a resource key (or, when its annotation is a
    `TableConfig`, the run config). The table's code is what the function uses (`code_version.py`) and `code`: functions
    or classes that it is given otherwise. A resource that hands out science is annotated with its class, so that the
    science counts. `always` runs the function each time (the outside world may have changed); otherwise it runs only
    when an input, the code or the `salt` differs: `salt` is given Dagster's resources and says what else the table is
    made from (it may read the lake). `also_after` adds lineage without reading the table.
    """

    def decorate(function: Callable[..., pl.DataFrame | Table]) -> dg.AssetsDefinition:
        signature = inspect.signature(function, eval_str=True)
        inputs = [n for n, p in signature.parameters.items() if p.annotation is pl.DataFrame]
        takes_context = "context" in signature.parameters
        configured = [n for n, p in signature.parameters.items() if p.annotation is TableConfig]
        resources = [n for n in signature.parameters if n not in (*inputs, *configured, "context")]
        upstream = [*inputs, *also_after]

        @dg.asset(
            name=contract.name,
            group_name=group,
            description=contract.description,
            deps=upstream,
            kinds=set(kinds),
            required_resource_keys={"lake", *resources},
            check_specs=[
                dg.AssetCheckSpec(
                    "contract", asset=contract.name, blocking=True, description="Columns, types, ranges and key."
                )
            ],
            code_version=version_of(contract, function, *code),
            metadata={
                "dagster/column_schema": column_schema(contract),
                "exo/code": shown_code(contract, function, *code),
            },
            pool=pool,
        )
        @tried_again(lambda: RETRY_WAIT_S)
        def asset(context: dg.AssetExecutionContext, config: TableConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
            lake: Lake = context.resources.lake
            versions = input_versions(lake, upstream)
            code_digest = version_of(contract, function, *code)
            fingerprint = fingerprint_of(code_digest, versions, salt(context.resources) if salt else "")
            present = lake.version(contract.name)
            if present and present.fingerprint == fingerprint and not (always or config.force):
                context.log.info("%s: inputs and code unchanged, kept as it is", contract.name)
                uri, before = lake.path(lake.table_key(contract.name)), shown.kept(lake, present)
                return _result(present, contract, recomputed=False, uri=uri, extra=before)
            started = time.perf_counter()
            arguments: dict[str, Any] = {name: read_input(context, name) for name in inputs}
            arguments |= {name: getattr(context.resources, name) for name in resources}
            arguments |= dict.fromkeys(configured, config)
            if takes_context:
                arguments["context"] = context
            made = function(**arguments)
            table = made if isinstance(made, Table) else Table(made)
            if table.stays and present:
                seen = {**shown.kept(lake, present), **table.metadata}
                table = Table(table.frame, seen, {**present.notes, **table.notes})
            try:
                contract.check(table.frame)
            except ContractError as broken:
                raise dg.Failure(str(broken), metadata={"problems": broken.problems}, allow_retries=False) from broken
            version = lake.write(
                contract.name,
                table.frame,
                fingerprint=fingerprint,
                code_version=code_digest,
                inputs=versions,
                notes=table.notes,
            )
            shown.keep(lake, version, table.metadata)
            changed = present is None or present.digest != version.digest
            context.log.info(
                "%s: %d rows in %.1f s (%s)",
                contract.name,
                version.rows,
                time.perf_counter() - started,
                "new content" if changed else "same content as before",
            )
            uri = lake.path(lake.table_key(contract.name))
            return _result(version, contract, recomputed=True, uri=uri, extra=table.metadata)

        return asset

    return decorate


def version_of(contract: TableContract, *tasks: Any) -> str:
    """Code version of a table: its contract, and the code of the tasks that make it."""
    return hashlib.sha256(f"{code_version(contract, *tasks)} {contract}".encode()).hexdigest()[:16]


def shown_code(contract: TableContract, *tasks: Any) -> dg.JsonMetadataValue:
    """What makes a table, for the UI: its tasks, and the modules that count."""
    code = code_of(contract, *tasks)
    return dg.MetadataValue.json({"tasks": [".".join(task) for task in code.tasks], "modules": list(code.modules)})


def column_schema(contract: TableContract) -> dg.TableSchema:
    """Dagster's column schema of a contract, units in the descriptions."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                c.name,
                type=str(c.dtype),
                description=f"{c.description}{f' [{c.unit}]' if c.unit else ''}",
                constraints=dg.TableColumnConstraints(nullable=c.nullable, unique=contract.key == (c.name,)),
            )
            for c in contract.columns
        ]
    )


def _shown(value: Any) -> Any:
    """A note as Dagster metadata: JSON for lists and mappings, plain otherwise."""
    return dg.MetadataValue.json(value) if isinstance(value, dict | list | tuple) else value


def read_input(context: dg.AssetExecutionContext, table: str) -> pl.DataFrame:
    """The stored `table`, which has all columns that its asset declares; OutdatedTableError when it lacks one: it was
    written before an upgrade, and the run does not make it anew."""
    graph, key = context.op_execution_context.job_def.asset_layer.asset_graph, dg.AssetKey(table)
    declared = graph.get(key).metadata.get("dagster/column_schema") if graph.has(key) else None
    needed = [column.name for column in declared.columns] if isinstance(declared, dg.TableSchema) else []
    frame: pl.DataFrame = context.resources.lake.read(table, needed)
    return frame


def input_versions(lake: "Lake", tables: Iterable[str]) -> dict[str, str]:
    """Content digest of each table, `absent` for one that was never written."""
    versions = {name: lake.version(name) for name in tables}
    return {name: version.digest if version else "absent" for name, version in versions.items()}


def fingerprint_of(code_digest: str, versions: Mapping[str, str], salt: str = "") -> str:
    """What a table is computed from, as one digest: equal fingerprints need no recomputation."""
    parts = [code_digest, dict(versions), *([salt] if salt else [])]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _result(
    version: "TableVersion",
    contract: TableContract,
    *,
    recomputed: bool,
    uri: str,
    extra: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.digest),
        metadata={
            "dagster/row_count": version.rows,
            "dagster/uri": uri,
            "recomputed": recomputed,
            "written_at": version.written_at,
            **{name: _shown(value) for name, value in version.notes.items() if value is not None},
            **(extra or {}),
        },
        check_results=[
            dg.AssetCheckResult(check_name="contract", passed=True, metadata={"columns": len(contract.columns)})
        ],
    )
