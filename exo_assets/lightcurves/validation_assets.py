"""Assets that say how good the search is: injection and recovery, false alarms, known planets.

Belongs here: which tables the validation takes, and where its trials run (Ray). Does not belong here: a trial.

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.lightcurves.assets import GROUP, digests
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.completeness import completeness, heat_map
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.false_alarms import false_alarm_table
from exo_assets.lightcurves.planet_grid import GRIDS
from exo_assets.lightcurves.planning import NAMED, with_star_names
from exo_assets.lightcurves.plans import counting
from exo_assets.lightcurves.search_rows import place_of
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES
from exo_assets.lightcurves.validation import (
    PLANS,
    CompareWork,
    QuietStar,
    TrialWork,
    alarms,
    compare_star,
    make_trial,
    quiet_stars,
    trials,
)
from exo_assets.lightcurves.validation_contracts import (
    CORE_COMPLETENESS,
    CORE_FALSE_ALARMS,
    CORE_INJECTIONS,
    CORE_SEARCH_VALIDATION,
)
from exo_assets.pictures import image, rows_shown
from exo_assets.table_asset import Table, table_asset
from exo_resources.ray_runtime import WorkerLost


def _salt(resources: Any) -> str:
    return f"{resources.settings.profile} {resources.settings.seed} {digests(RAW_MAST__LIGHT_CURVES.name)(resources)}"


@table_asset(CORE_INJECTIONS, group=GROUP, kinds=("ray", "parquet"), salt=_salt)
def core_injections(
    context: dg.AssetExecutionContext,
    *,
    core_signals: pl.DataFrame,
    core_searched_stars: pl.DataFrame,
    core_found_signals: pl.DataFrame,
    raw_user__light_curves: pl.DataFrame,
    lake: Any,
    star_tables: Any,
    ray_runtime: Any,
    settings: Any,
) -> Table:
    """Put simulated transits into the raw light curves of quiet stars without signals, and search them."""
    plan = PLANS[settings.profile]
    quiet = quiet_stars(core_searched_stars, with_star_names(core_signals), plan, with_signals=False)
    stars = _stars(star_tables, raw_user__light_curves, core_found_signals, quiet["star_id"].to_list())
    rows = _made(context, trials(quiet, stars, plan, settings.seed), ray_runtime, lake)
    frame = pl.DataFrame(rows, schema=CORE_INJECTIONS.schema)
    hosts = frame.group_by("mission", "star_source").agg(stars=pl.col("target").n_unique()).sort("mission")
    return Table(
        frame,
        metadata={
            "note": "simulated transits in real light curves",
            "stars": ", ".join(quiet["star_id"]) or "no star without a signal is quiet",
            "hosts": dg.MetadataValue.md(rows_shown(hosts)),
        },
    )


@table_asset(CORE_FALSE_ALARMS, group=GROUP, kinds=("ray", "parquet"), salt=_salt)
def core_false_alarms(
    context: dg.AssetExecutionContext,
    *,
    core_signals: pl.DataFrame,
    core_searched_stars: pl.DataFrame,
    core_found_signals: pl.DataFrame,
    raw_user__light_curves: pl.DataFrame,
    lake: Any,
    star_tables: Any,
    ray_runtime: Any,
    settings: Any,
) -> Table:
    """Search the light curves of quiet stars upside down and out of order."""
    plan = PLANS[settings.profile]
    quiet = quiet_stars(core_searched_stars, with_star_names(core_signals), plan)
    stars = _stars(star_tables, raw_user__light_curves, core_found_signals, quiet["star_id"].to_list())
    rows = _made(context, alarms(quiet, stars, plan, settings.seed), ray_runtime, lake)
    frame = pl.DataFrame(rows, schema=CORE_FALSE_ALARMS.schema)
    return Table(frame, metadata={"false_alarms": dg.MetadataValue.md(rows_shown(false_alarm_table(frame)))})


@table_asset(CORE_COMPLETENESS, group=GROUP)
def core_completeness(core_injections: pl.DataFrame) -> Table:
    """The share of simulated planets that was found, over period and radius."""
    parts = {
        str(mission): completeness(rows, GRIDS[str(mission)])
        for (mission,), rows in core_injections.sort("mission").group_by("mission", maintain_order=True)
    }
    maps = {
        name: dg.MetadataValue.md(image(heat_map(cells, f"{name}: recovered"), f"{name}: simulated planets recovered"))
        for name, cells in parts.items()
    }
    return Table(pl.concat([CORE_COMPLETENESS.empty(), *parts.values()]), metadata=maps)


@table_asset(
    CORE_SEARCH_VALIDATION,
    group=GROUP,
    kinds=("ray", "parquet"),
    salt=digests(CORE_LIGHT_CURVES.name),
)
def core_search_validation(
    core_signals: pl.DataFrame,
    core_found_signals: pl.DataFrame,
    core_searched_stars: pl.DataFrame,
    star_tables: Any,
    ray_runtime: Any,
) -> Table:
    """What the search recovered of every catalogued signal whose star it searched."""
    searched = core_searched_stars.filter("is_searched")["star_id"].to_list()
    known = with_star_names(core_signals).filter(pl.col(NAMED).is_in(searched)).sort(NAMED, "signal_id")
    found = {str(s): tuple(rows.to_dicts()) for (s,), rows in core_found_signals.group_by("star_id")}
    work = [
        CompareWork(str(star), bucket_of(str(star)), found.get(str(star), ()), rows)
        for (star,), rows in known.group_by(NAMED, maintain_order=True)
    ]
    made = ray_runtime.stream(compare_star, star_tables, work)
    parts = [part for part in made if not isinstance(part, WorkerLost)]
    frame = pl.concat([CORE_SEARCH_VALIDATION.empty(), *parts])
    recovered = frame.filter("is_recovered").height
    return Table(frame, metadata={"recovered": f"{recovered} of {frame.height} catalogued signals"})


def _stars(star_tables: Any, own: pl.DataFrame, found: pl.DataFrame, stars: Sequence[str]) -> dict[str, QuietStar]:
    """The files that the curves of stars were made from, the archive's and (`own`) users', and their found signals."""
    raw = RAW_MAST__LIGHT_CURVES
    buckets = sorted({bucket_of(star) for star in stars})
    rows = pl.concat([own, *(star_tables.partition(raw.name, bucket, raw.empty()) for bucket in buckets)])
    kept = counting(rows.filter(pl.col("star_id").is_in(list(stars))))
    return {
        str(star): QuietStar(
            tuple(part.select("key", "file_name", "sha256").iter_rows()),
            tuple(map(place_of, found.filter(star_id=star).iter_rows(named=True))),
        )
        for (star,), part in kept.group_by("star_id")
    }


def _made(
    context: dg.AssetExecutionContext, work: Sequence[TrialWork], ray_runtime: Any, lake: Any
) -> list[dict[str, object]]:
    """The trials' rows, with progress told; a trial whose workers died is left out, and said so."""
    rows, lost = [], 0
    for done, row in enumerate(ray_runtime.stream(make_trial, lake, work), start=1):
        if isinstance(row, WorkerLost):
            lost += 1
            context.log.warning("trial %d was lost: %s", done, row.message)
        else:
            rows.append(row)
        if done % 50 == 0 or done == len(work):
            context.log.info("%d of %d trials, %d lost", done, len(work), lost)
    return rows


ASSETS: list[dg.AssetsDefinition] = [core_injections, core_false_alarms, core_completeness, core_search_validation]
