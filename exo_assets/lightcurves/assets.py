"""Light curves as assets: files, clean curves, the search, and what was lost on the way.

Belongs here: which tables and resources the stage takes. Does not belong here: what is done with a star
(`star_tasks.py`), and how it is spread over machines (`star_asset.py`).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS, MISSIONS
from exo_assets.features.curves_wanted import curves_wanted
from exo_assets.lightcurves.account import lost_files, lost_stars, searched_stars, unused_files
from exo_assets.lightcurves.buckets import BUCKET
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES, RAW_USER__LIGHT_CURVES
from exo_assets.lightcurves.download import outcomes
from exo_assets.lightcurves.page_tasks import draw_star, page_quanta
from exo_assets.lightcurves.partitions import BUCKETS, buckets_of, one_run
from exo_assets.lightcurves.planning import KnownStar, known_stars
from exo_assets.lightcurves.plans import clean_quanta, search_quanta
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_asset import Tally, few_lost, star_asset
from exo_assets.lightcurves.star_contracts import (
    CORE_FOUND_SIGNALS,
    CORE_LIGHT_CURVES,
    CORE_LIGHT_CURVES_ATTRITION,
    CORE_PAGES,
    CORE_SEARCH,
    CORE_SEARCHED_STARS,
    CORE_SINGLE_SEARCH,
    CORE_SINGLE_TRANSITS,
    CURVE_FACTS,
)
from exo_assets.lightcurves.star_tasks import clean_star, search_one, single_one
from exo_assets.pictures import image
from exo_assets.retries import tried_again
from exo_assets.table_asset import Table, column_schema, table_asset
from exo_resources.archive.errors import Attempt
from exo_resources.mast.growth import GB, Growth, spent_on, tonight
from exo_resources.mast.ledger import TABLE, Ledger
from exo_resources.mast.night import nightly_records
from exo_resources.star_tables import StarTables
from exo_resources.user_curves import user_files

GROUP = "lightcurves"

POOL = "mast"
"""Concurrency pool of everything that asks MAST."""


@dg.asset(
    name=RAW_MAST__LIGHT_CURVES.name,
    group_name=GROUP,
    description=RAW_MAST__LIGHT_CURVES.description,
    deps=["core_signals"],
    kinds={"fits", "parquet"},
    partitions_def=BUCKETS,
    backfill_policy=one_run(),
    pool=POOL,
    required_resource_keys={"lake", "star_tables", "light_curves"},
    check_specs=[
        few_lost(RAW_MAST__LIGHT_CURVES.name),
        dg.AssetCheckSpec(
            "sources_listed",
            asset=RAW_MAST__LIGHT_CURVES.name,
            description="The sources of light curves could be asked which files there are.",
        ),
    ],
    metadata={"dagster/column_schema": column_schema(RAW_MAST__LIGHT_CURVES)},
)
@tried_again()
def raw_mast__light_curves(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Fetch what is new or changed, and more stars within the night's budget; what is whole is kept, what is not goes
    to quarantine with the reason. Records are written as they come."""
    source, tables = context.resources.light_curves, context.resources.star_tables
    signals, night = context.resources.lake.read("core_signals", CORE_SIGNALS.schema), tonight()
    ledger, tally, trouble = Ledger(tables, buckets_of(context)), Tally(TABLE), list[Attempt]()
    ledger.replace(nightly_records(source, signals, ledger.before(), context.log, trouble))
    growth = Growth(source, ledger.buckets, night, spent_on(ledger.records, night))
    for records in growth.records(signals, tables.processed(TABLE), context.log, trouble):
        ledger.add(records)
    for bucket in ledger.buckets:
        written = bucket in ledger.written
        tally.add(context, bucket, ledger.index(bucket), worked_on=ledger.made[bucket], written=written)
    seen = {"files": dg.MetadataValue.json(outcomes(ledger.records)), **grown(signals, tables, growth)}
    return tally.result(seen, [sources_listed(trouble)])


def grown(signals: pl.DataFrame, tables: StarTables, growth: Growth) -> dict[str, Any]:
    """How far the light curves of each mission are on their way into the vetter, for people."""
    have = tables.processed(TABLE)
    states = [curves_wanted(signals, mission, have) for mission in MISSIONS]
    return {
        "light curves in the vetter": dg.MetadataValue.md("\n".join(f"- {state}" for state in states)),
        "fetched tonight (GB)": growth.spent / GB,
        "budget of a night (GB)": growth.budget / GB,
    }


def sources_listed(trouble: Sequence[Attempt]) -> dg.AssetCheckResult:
    """Whether every source of files could be asked which ones there are; what there was stays where one could not."""
    said = "; ".join(f"{one.source}: {one.error}: {one.message}" for one in trouble)
    remedy = "; or ".join(dict.fromkeys(one.remedy for one in trouble if one.remedy))
    return dg.AssetCheckResult(
        check_name="sources_listed",
        passed=not trouble,
        severity=dg.AssetCheckSeverity.ERROR if any(one.refused for one in trouble) else dg.AssetCheckSeverity.WARN,
        description=f"{said}. Remedy: {remedy}" if trouble else None,
    )


@table_asset(RAW_USER__LIGHT_CURVES, group=GROUP, kinds=("parquet",), always=True)
def raw_user__light_curves(lake: Any) -> pl.DataFrame:
    """The light curves that `exo import` put into the lake."""
    return user_files(lake)


Planned = Callable[[str], Iterable[Quantum]]


def known_of(resources: Any) -> Callable[[str], dict[str, KnownStar]]:
    """What the catalogue says of the stars in a bucket; it is read once."""
    return partial(known_stars, resources.lake.read("core_signals", CORE_SIGNALS.schema))


def curves_of(resources: Any, bucket: str) -> dict[str, str]:
    """Stars of a bucket that have a clean curve, and the digests of their rows."""
    index = resources.star_tables.index(CORE_LIGHT_CURVES.name, bucket)
    return {star: entry.digest for star, entry in index.items() if entry.rows}


def _clean_plan(resources: Any) -> Planned:
    known, table = known_of(resources), RAW_MAST__LIGHT_CURVES
    own = resources.lake.read(RAW_USER__LIGHT_CURVES.name, RAW_USER__LIGHT_CURVES.schema)
    own = own.with_columns(bucket=BUCKET)

    def plan(bucket: str) -> Iterable[Quantum]:
        files = resources.star_tables.partition(table.name, bucket, table.empty())
        return clean_quanta(pl.concat([files, own.filter(bucket=bucket).drop("bucket")]), known(bucket))

    return plan


core_light_curves = star_asset(
    CORE_LIGHT_CURVES,
    clean_star,
    group=GROUP,
    deps=[RAW_MAST__LIGHT_CURVES.name, RAW_USER__LIGHT_CURVES.name, "core_signals"],
    plan=_clean_plan,
    reader="lake",
)


def _search_plan(resources: Any) -> Planned:
    known = known_of(resources)
    return lambda bucket: search_quanta(bucket, curves_of(resources, bucket), known(bucket))


core_search = star_asset(
    CORE_SEARCH,
    search_one,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, "core_signals"],
    plan=_search_plan,
    reader="star_tables",
)


def _single_plan(resources: Any) -> Planned:
    known = known_of(resources)

    def plan(bucket: str) -> Iterable[Quantum]:
        found = {star: entry.digest for star, entry in resources.star_tables.index(CORE_SEARCH.name, bucket).items()}
        curves = {
            star: f"{digest} {found[star]}" for star, digest in curves_of(resources, bucket).items() if star in found
        }
        return search_quanta(bucket, curves, known(bucket))

    return plan


core_single_search = star_asset(
    CORE_SINGLE_SEARCH,
    single_one,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, CORE_SEARCH.name, "core_signals"],
    plan=_single_plan,
    reader="star_tables",
)


def _page_plan(resources: Any) -> Planned:
    def plan(bucket: str) -> Iterable[Quantum]:
        index = resources.star_tables.index(CORE_SEARCH.name, bucket)
        found = {star: entry.digest for star, entry in index.items() if entry.rows}
        return page_quanta(bucket, curves_of(resources, bucket), found)

    return plan


PAGES_SHOWN = 3


def _pages_shown(tables: StarTables, bucket: str) -> dict[str, Any]:
    """The pages of the most significant signals of a bucket."""
    pages = tables.partition(CORE_PAGES.name, bucket, CORE_PAGES.empty()).sort("sde", descending=True).head(PAGES_SHOWN)
    return {row["tce_id"]: dg.MetadataValue.md(image(row["png"], row["title"])) for row in pages.iter_rows(named=True)}


core_pages = star_asset(
    CORE_PAGES,
    draw_star,
    group=GROUP,
    deps=[CORE_LIGHT_CURVES.name, CORE_SEARCH.name],
    plan=_page_plan,
    reader="star_tables",
    pages=_pages_shown,
)


def digests(*tables: str) -> Callable[[Any], str]:
    """The content of partitioned tables, for what is made from all of their buckets."""
    return lambda resources: " ".join(map(resources.star_tables.digest, tables))


@table_asset(
    CORE_FOUND_SIGNALS,
    group=GROUP,
    also_after=[CORE_SEARCH.name],
    salt=digests(CORE_SEARCH.name),
)
def core_found_signals(star_tables: Any) -> pl.DataFrame:
    """All buckets of core_search."""
    return CORE_FOUND_SIGNALS.conform(star_tables.read(CORE_SEARCH.name, empty=CORE_SEARCH.empty())).sort("tce_id")


@table_asset(
    CORE_SINGLE_TRANSITS,
    group=GROUP,
    also_after=[CORE_SINGLE_SEARCH.name],
    salt=digests(CORE_SINGLE_SEARCH.name),
)
def core_single_transits(star_tables: Any) -> pl.DataFrame:
    """All buckets of core_single_search."""
    found = star_tables.read(CORE_SINGLE_SEARCH.name, empty=CORE_SINGLE_SEARCH.empty())
    return CORE_SINGLE_TRANSITS.conform(found).sort("event_id")


@table_asset(
    CORE_SEARCHED_STARS,
    group=GROUP,
    also_after=[CORE_LIGHT_CURVES.name],
    salt=digests(CORE_LIGHT_CURVES.name, CORE_SEARCH.name),
)
def core_searched_stars(core_found_signals: pl.DataFrame, star_tables: Any) -> pl.DataFrame:
    """Facts of every clean curve, and what was found in it."""
    names = [column.name for column in CURVE_FACTS]
    curves = star_tables.read(CORE_LIGHT_CURVES.name, names, CORE_LIGHT_CURVES.empty().select(names))
    return searched_stars(curves, core_found_signals, star_tables.processed(CORE_SEARCH.name))


LOSSES = (
    *(CORE_LIGHT_CURVES.name, CORE_SEARCH.name, CORE_SINGLE_SEARCH.name, CORE_PAGES.name),
    *("feat_diagnostics", "feat_views"),
)
"""Tables of stars whose losses are accounted for; those of files are in the raw tables."""


UNUSED = ("star_id", "unused_files")


@table_asset(
    CORE_LIGHT_CURVES_ATTRITION,
    group=GROUP,
    also_after=[RAW_MAST__LIGHT_CURVES.name, *LOSSES],
    salt=digests(RAW_MAST__LIGHT_CURVES.name, *LOSSES),
)
def core_light_curves_attrition(raw_user__light_curves: pl.DataFrame, star_tables: Any) -> Table:
    """Files and stars that were lost, stage by stage."""
    raw = star_tables.read(RAW_MAST__LIGHT_CURVES.name, empty=RAW_MAST__LIGHT_CURVES.empty())
    stars = [lost_stars(stage, bucket, lost) for stage in LOSSES for bucket, lost in star_tables.lost(stage).items()]
    files = [(RAW_MAST__LIGHT_CURVES, raw), (RAW_USER__LIGHT_CURVES, raw_user__light_curves)]
    unused = star_tables.read(CORE_LIGHT_CURVES.name, UNUSED, CORE_LIGHT_CURVES.empty().select(UNUSED))
    of_files = [
        *(lost_files(table.name, frame) for table, frame in files),
        unused_files(CORE_LIGHT_CURVES.name, unused),
    ]
    rows = pl.concat([*of_files, *stars])
    counts = rows.group_by("stage", "reason").len().sort("stage", "reason")
    return Table(rows, metadata={"losses": dg.MetadataValue.json(counts.to_dicts())})


ASSETS: list[dg.AssetsDefinition] = [
    raw_mast__light_curves,
    raw_user__light_curves,
    core_light_curves,
    core_search,
    core_single_search,
    core_pages,
    core_found_signals,
    core_single_transits,
    core_searched_stars,
    core_light_curves_attrition,
]
