"""What is known of an installation, gathered without changing anything.

Belongs here: sources, tables, champion, figures, release, candidates, endpoint, runs, each as plain values, null when
there is nothing yet. Does not belong here: how they are shown (`summary.py`).

The champion is read from the lake's table, not from the registry: importing MLflow would make `exo status` wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from deployments.cli.output import finite

if TYPE_CHECKING:
    from exo_resources.lake import Lake, TableVersion
    from exo_resources.settings import Settings

T = TypeVar("T")
ARCHIVE_PREFIX = "raw_nea__"
TOP = 10


def gather(settings: Settings) -> dict[str, Any]:
    """Everything that the closing summary of a run and `exo status` show, but the runs.

    A table that is damaged, or of before an upgrade, costs what is read from it and is named under `problems`.
    """
    from exo_resources.lake import DamagedTableError, Lake, OutdatedTableError

    lake = Lake(settings.lake)
    problems: list[str] = []

    def sound(part: Callable[[], T]) -> T | None:
        try:
            return part()
        except (DamagedTableError, OutdatedTableError) as unusable:
            if str(unusable) not in problems:
                problems.append(str(unusable))
            return None

    versions = [v for v in [sound(partial(lake.version, table)) for table in lake.tables()] if v is not None]
    return {
        "home": str(settings.home),
        "sources": sources(versions),
        "tables": {v.table: {"rows": v.rows, "written_at": v.written_at} for v in versions},
        "champion": sound(lambda: champion(lake)),
        "performance": sound(lambda: performance(lake)),
        "comparison": sound(lambda: comparison(lake)),
        "release": release(settings),
        "library": library(settings),
        "candidates": sound(lambda: candidates(lake)) or [],
        "found": sound(lambda: found(lake)),
        "endpoint": endpoint(settings),
        "alerts": alerts(settings),
        "problems": problems,
    }


def sources(versions: Iterable[TableVersion]) -> dict[str, dict[str, Any]]:
    """For each archive table: where it came from, as of when, how many rows."""
    return {
        v.table.removeprefix(ARCHIVE_PREFIX): {
            name: v.notes.get(name) for name in ("source", "as_of", "retrieved_at", "url", "reason")
        }
        | {"rows": v.rows}
        for v in versions
        if v.table.startswith(ARCHIVE_PREFIX)
    }


def alerts(settings: Settings) -> list[dict[str, Any]]:
    """What people were told of and is not over yet, the worst first."""
    from dataclasses import asdict

    from exo_resources.alert_book import AlertBook

    return [asdict(alert) for alert in AlertBook(settings.alert_book).alerts()]


def champion(lake: Lake, table: str = "ml_vetter_champion") -> dict[str, Any] | None:
    """The champion's row (of signals, or of what `table` says), or None before the first one."""
    if lake.version(table) is None:
        return None
    rows = lake.read(table).to_dicts()
    return finite(rows[0]) if rows else None  # type: ignore[no-any-return]


def release(settings: Settings) -> dict[str, Any] | None:
    """The release that is read, its file held against its digest, or None before the first one; `set_aside` are those
    that were changed after their publication."""
    from exo_resources.releases import ReleaseError, ReleaseStore

    store = ReleaseStore(settings.releases, settings.releases_kept)
    try:
        current = store.serving(fully=True)
    except ReleaseError as error:
        return {"id": None, "problem": str(error), "set_aside": [str(path) for path in store.set_aside()]}
    if current is None:
        return None
    return {
        "id": current.id,
        "file": str(current.database),
        "created_at": current.manifest.created_at,
        "tables": len(current.manifest.tables),
        "rows": sum(current.manifest.rows.values()),
        "bytes": current.manifest.bytes,
        "champion_digest": (current.manifest.info.get("champion") or {}).get("digest"),
        "set_aside": [str(path) for path in store.set_aside()],
    }


def library(settings: Settings) -> dict[str, Any]:
    """The corpus's released index and the one that waits, nulls before there is any; `next_model` embeds the corpus
    anew at the next refresh, `model_problem` is why none can."""
    from exo_assets.corpus.embedding import EmbeddingModelError
    from exo_resources.embedding_models import EmbeddingModels
    from exo_resources.lake import Lake
    from exo_resources.library_store import LibraryStore

    lake = Lake(settings.lake)
    found: dict[str, Any] = {**LibraryStore(lake, settings).status(), "next_model": None, "model_problem": None}
    try:
        model = EmbeddingModels(lake, settings).in_use()
    except EmbeddingModelError as error:
        return {**found, "model_problem": str(error)}
    is_another = found["model_digest"] not in (None, model.digest)
    return {**found, "next_model": model.name if is_another else None}


def last_runs(settings: Settings, limit: int = 5) -> list[dict[str, Any]] | None:
    """The last runs, newest first; None when there is no Dagster instance yet (none is made by asking)."""
    from deployments.dagster.instance import dagster_home, open_instance

    if not (dagster_home(settings) / "dagster.yaml").exists():
        return None
    with open_instance(settings) as instance:
        records = instance.get_run_records(limit=limit)
    return [
        {
            "run_id": record.dagster_run.run_id,
            "job": record.dagster_run.job_name,
            "status": record.dagster_run.status.value.lower(),
            "started": _time(record.start_time),
            "seconds": round(record.end_time - record.start_time, 1) if record.start_time and record.end_time else None,
        }
        for record in records
    ]


def _time(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


SHOWN_METRICS = (
    "roc_auc",
    "average_precision",
    "precision_at_recall_90",
    "recall_at_precision_99",
    "log_loss",
    "brier",
    "ece",
)


def performance(lake: Lake) -> dict[str, Any] | None:
    """The champion's figures on test stars beside those of the model before it; None before the first champion.

    Each figure is the newest recorded for that model: {population: {metric: {value, low, high, previous}}}. `previous`
    is null where the model before was judged on other data: such figures cannot be compared.
    """
    import polars as pl

    crowned = champion(lake)
    if crowned is None or lake.version("ml_performance_history") is None:
        return None
    history = (
        lake.read("ml_performance_history")
        .filter((pl.col("head") == "planet") & (pl.col("split") == "test") & pl.col("metric").is_in(SHOWN_METRICS))
        .sort("recorded_at")
    )
    figure = ("candidate_digest", "population", "metric")
    before = {
        (row["population"], row["metric"], row["data_digest"]): row["value"]
        for row in history.filter(pl.col("candidate_digest").eq_missing(crowned["previous_digest"])).iter_rows(
            named=True
        )
    }
    figures: dict[str, dict[str, Any]] = {}
    newest = history.unique(figure, keep="last", maintain_order=True)
    for row in newest.filter(pl.col("candidate_digest") == crowned["digest"]).iter_rows(named=True):
        figures.setdefault(row["population"], {})[row["metric"]] = finite(
            {
                "value": row["value"],
                "low": row["low"],
                "high": row["high"],
                "previous": before.get((row["population"], row["metric"], row["data_digest"])),
            }
        )
    return {
        "version": crowned["version"],
        "previous_version": crowned["previous_version"],
        "split": "test stars, never trained on",
        "figures": figures,
    }


def comparison(lake: Lake) -> str | None:
    """The champion against the one before on the same test signals, in the words of the gate that asked; or None."""
    import polars as pl

    crowned = champion(lake)
    if crowned is None or lake.version("ml_vetter_gates") is None:
        return None
    asked = lake.read("ml_vetter_gates").filter(
        pl.col("candidate_digest") == crowned["digest"],
        pl.col("compared_with_digest").eq_missing(crowned["previous_digest"]),
        pl.col("gate") == "not_worse_than_champion",
        pl.col("value").is_not_null(),
    )
    return str(asked["explanation"][0]) if asked.height else None


def endpoint(settings: Settings) -> dict[str, Any]:
    """How the endpoint is, which model it answers with, and how its library is."""
    from exo_resources.serve_client import ServeClient

    found = ServeClient(settings).status()
    return {
        "url": found.url,
        "healthy": found.healthy,
        "running": found.running,
        "model_version": found.model.version if found.model else None,
        "model_digest": found.model.digest if found.model else None,
        "message": found.message,
        "library": found.library,
    }


CANDIDATE_COLUMNS = (
    "rank",
    "signal_id",
    "mission",
    "probability_planet",
    "verdict",
    "period_days",
    "radius_earth",
    "reasons",
)


def candidates(lake: Lake, top: int = TOP) -> list[dict[str, Any]]:
    """The best unconfirmed candidates, the most probable planet first."""
    if lake.version("mart_candidates") is None:
        return []
    found = lake.read("mart_candidates", CANDIDATE_COLUMNS)
    shown: list[dict[str, Any]] = finite(found.sort("rank").head(top).select(CANDIDATE_COLUMNS).to_dicts())
    return shown


FOUND_COLUMNS = (
    *("rank", "tce_id", "mission", "probability_planet", "verdict", "period_days", "depth_ppm", "snr"),
    *("flags", "reasons"),
)
FOUND_READ = (*FOUND_COLUMNS, "is_in_catalogue", "below_threshold", "not_judged")


def found(lake: Lake, top: int = TOP) -> dict[str, Any] | None:
    """What the search found, and the best of it that is in no catalogue; None before anything was judged."""
    import polars as pl

    if lake.version("mart_found_signals") is None:
        return None
    rows = lake.read("mart_found_signals", FOUND_READ).sort("rank", nulls_last=True)
    new = rows.filter(~pl.col("is_in_catalogue"))
    ranked = new.filter(pl.col("rank").is_not_null())
    scored = lake.version("out_found_scores")
    return {
        "signals": rows.height,
        "in_catalogue": rows.height - new.height,
        "in_no_catalogue": new.height,
        "ranked_in_no_catalogue": ranked.height,
        "new_when_judged": scored.notes["new_in_no_catalogue"] if scored else 0,
        "below_threshold": int(new["below_threshold"].sum()),
        "not_judged": new["not_judged"].count(),
        "best": finite(ranked.head(top).select(FOUND_COLUMNS).to_dicts()),
    }
