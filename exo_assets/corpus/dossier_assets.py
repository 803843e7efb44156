"""The dossiers as an asset.

Belongs here: which tables and resources they take, what is shown of them, and the check that few fail. Does not belong
here: dossiers (`dossier.py`) and which of them are made again (`dossier_refresh.py`).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.code_version import code_version
from exo_assets.corpus.dossier_contracts import BY_CATALOGUE, OUT_DOSSIERS
from exo_assets.pictures import rows_shown
from exo_assets.table_asset import Table, table_asset
from exo_resources.library_store import LibraryStore

GROUP = "dossiers"
MOST_THREADS = 8
"""Searches at once: each holds its own scores of all passages."""
SHOWN = 3
"""Dossiers that the UI shows in full, the highest ranks."""
MOST_LOST = 0.01
"""Largest share of candidates without a dossier before something is called broken."""


def _released(resources: Any) -> str:
    """The version of the corpus that would be searched: it moves outside the lineage too, by a rollback."""
    return resources.library_store.status()["version"] or "none"


@table_asset(OUT_DOSSIERS, group=GROUP, also_after=("corpus_release",), salt=_released)
def out_dossiers(
    *,
    context: dg.AssetExecutionContext,
    mart_candidates: pl.DataFrame,
    core_signals: pl.DataFrame,
    core_stars: pl.DataFrame,
    core_planet_identity: pl.DataFrame,
    out_scores: pl.DataFrame,
    core_found_signals: pl.DataFrame,
    out_found_scores: pl.DataFrame,
    feat_signal_diagnostics: pl.DataFrame,
    lake: Any,
    library_store: LibraryStore,
) -> Table:
    """A dossier of every ranked candidate, of the catalogue or found; those of which nothing changed are kept."""
    from exo_assets.corpus.dossier_passages import Literature
    from exo_assets.corpus.dossier_refresh import Tables, refresh

    library = _library(context, library_store)
    done = refresh(
        Tables(
            *(mart_candidates, core_signals, core_stars, core_planet_identity, out_scores),
            *(core_found_signals, out_found_scores, feat_signal_diagnostics),
        ),
        lake.stored(OUT_DOSSIERS.name),
        Literature(library) if library else None,
        code=code_version(refresh, LibraryStore),
        now=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=min(MOST_THREADS, os.cpu_count() or 1),
        tell=context.log.info,
    )
    if done.frame.height and done.failed == done.frame.height:
        raise dg.Failure(
            f"not one of {done.failed} dossiers could be made; the first reason: {done.frame['reason'][0]}"
        )
    return Table(
        done.frame,
        metadata={
            "made": done.made,
            "searched": done.searched,
            "first": dg.MetadataValue.md(first_dossiers(done.frame)),
            "counts": dg.MetadataValue.md(rows_shown(counts(done.frame))),
        },
        notes={
            "corpus_version": library.version if library else None,
            "failed": done.failed,
            "share_with_passages": _share(done.frame, "n_passages"),
            "share_naming_the_star": _share(done.frame, "n_about_star"),
        },
    )


def _library(context: dg.AssetExecutionContext, library_store: Any) -> Any:
    """The released library; None, with a warning, when there is none."""
    try:
        return library_store.open()
    except LookupError as missing:
        context.log.warning("dossiers without passages: %s", missing)
        return None


def _share(frame: pl.DataFrame, column: str) -> float | None:
    return round(float((frame[column] > 0).mean()), 4) if frame.height else None  # type: ignore[arg-type]


def counts(frame: pl.DataFrame) -> pl.DataFrame:
    """Dossiers, those with passages, those whose star is named, and failures, by mission."""
    return (
        frame.group_by("mission")
        .agg(
            dossiers=pl.col("dossier").count(),
            with_passages=(pl.col("n_passages") > 0).sum(),
            star_named=(pl.col("n_about_star") > 0).sum(),
            failed=pl.col("reason").count(),
        )
        .sort("mission")
    )


def first_dossiers(frame: pl.DataFrame) -> str:
    """The dossiers of the highest ranks in the catalogue's list in Markdown, below headings of their own."""
    from exo_assets.corpus.dossier_markdown import as_markdown

    listed = frame.filter(ranked_in=BY_CATALOGUE)
    rows = listed.drop_nulls("dossier").sort("rank").head(SHOWN).iter_rows(named=True)
    shown = [as_markdown(json.loads(r["dossier"]), rank=r["rank"], of=listed.height, depth=2) for r in rows]
    return "\n".join(shown) or "There is no candidate."


@dg.asset_check(
    asset=OUT_DOSSIERS.name,
    required_resource_keys={"lake"},
    description="Every ranked candidate, of the catalogue or found by the search and in no catalogue, has a row, and "
    f"at most {MOST_LOST:.0%} of them are without a dossier.",
    additional_deps=["mart_candidates", "out_found_scores"],
)
def every_candidate_has_a_dossier(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compare with both lists, and bound the failures."""
    from exo_assets.scoring.found import in_no_catalogue

    lake: Any = context.resources.lake
    found = in_no_catalogue(lake.read("out_found_scores")).select(signal_id="tce_id")
    ranked = pl.concat([lake.read("mart_candidates").select("signal_id"), found])
    rows = lake.read(OUT_DOSSIERS.name)
    missing = ranked.join(rows, on="signal_id", how="anti")
    lost = rows["reason"].count()
    return dg.AssetCheckResult(
        passed=missing.is_empty() and lost <= MOST_LOST * rows.height,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "missing": missing.height,
            "failed": lost,
            "reasons": rows["reason"].drop_nulls().unique().sort().head(5).to_list(),
        },
    )


ASSETS: list[dg.AssetsDefinition] = [out_dossiers]
CHECKS: list[dg.AssetChecksDefinition] = [every_candidate_has_a_dossier]
