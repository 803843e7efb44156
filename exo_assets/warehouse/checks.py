"""The checks of the warehouse: tests in files of their own, and whether the release can be read.

Belongs here: running a data test and showing what failed. Does not belong here: what a test demands (`data_tests.py`,
`dbt_like_sql/tests/`). The tests in a model's front matter run inside its asset, before anything is written.

No postponed annotations here: Dagster reads those of the check functions at definition time.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.warehouse.catalogue import project
from exo_assets.warehouse.data_tests import DataTest
from exo_assets.warehouse.provenance import failing_rows

SHOWN = 10
"""How many failing rows are shown."""


def examine(select: Callable[[str], pl.DataFrame], test: DataTest) -> dg.AssetCheckResult:
    """Run one test; the failing rows are counted and the first of them shown."""
    failing = select(test.sql)
    metadata: dict[str, Any] = {"failing_rows": failing.height, "where": f"{test.path}:{test.line}", "sql": test.sql}
    if failing.height:
        metadata["sample"] = dg.MetadataValue.md(failing_rows(failing, SHOWN))
    return dg.AssetCheckResult(
        check_name=test.name,
        passed=failing.is_empty(),
        description=f"{failing.height} rows fail: {test.description}" if failing.height else test.description,
        metadata=metadata,
    )


def file_check(test: DataTest) -> dg.AssetChecksDefinition:
    """The blocking check of one file in `dbt_like_sql/tests`."""

    @dg.asset_check(
        asset=test.table,
        name=test.name,
        description=test.description,
        additional_deps=list(test.depends_on),
        blocking=True,
        required_resource_keys={"lake"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from exo_resources.duckdb_sql import Workbench

        lake = context.resources.lake
        with Workbench({name: lake.read(name) for name in (test.table, *test.depends_on)}) as bench:
            return examine(bench.select, test)

    return check


@dg.asset_check(
    asset="out_warehouse",
    description="The live release opens read-only and holds what its manifest says, byte for byte and row for row.",
    blocking=True,
    required_resource_keys={"releases"},
)
def release_readable(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Verify the live release as an analyst would find it."""
    from exo_resources.releases import ReleaseError

    try:
        release = context.resources.releases.verify()
    except ReleaseError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(
        passed=True,
        metadata={"release": release.id, "tables": len(release.manifest.tables), "sha256": release.manifest.sha256},
    )


CHECKS: list[dg.AssetChecksDefinition] = [*(file_check(test) for test in project().tests), release_readable]
