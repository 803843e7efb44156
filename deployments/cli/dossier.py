"""`exo dossier`: all that is known of a candidate.

Belongs here: reading the table, and showing dossiers as text, Markdown or JSON. Does not belong here: what a dossier
holds, and which signals a name means (`exo_assets.corpus`).
"""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import USAGE, CliError, out, print_json, read_settings, write_whole

if TYPE_CHECKING:
    import polars as pl

    from exo_resources.lake import Lake


def dossier(
    signal: Annotated[
        str,
        typer.Argument(
            metavar="SIGNAL",
            help="A candidate, a found signal, or a star with candidates: K00351.08, KIC 11442793-02, TIC 150428135.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="A JSON list of dossiers, with rank and version.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The text as Markdown.")] = False,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Write the page of plots of its light curve (PNG) there, too."),
    ] = None,
) -> None:
    """Show everything that is known of a candidate, the catalogue's or one that only the search found: facts, the
    vetter's verdict and reasons, the nearest planets and false positives, and what the literature says of its star or
    of its like.

    Any spelling and any name of the signal, the planet or the star will do; a star gives each of its candidates.
    """
    from exo_assets.corpus.dossier_markdown import as_markdown
    from exo_resources.lake import Lake

    if json and markdown:
        raise CliError("--json and --markdown exclude each other", "choose one", USAGE)
    lake = Lake(read_settings().lake)
    rows, ranked = _found(lake, signal)
    if page is not None:
        _write_page(lake, [row["signal_id"] for row in rows], page)
    if json:
        print_json([_as_json(row) for row in rows])
        return
    lost = [row for row in rows if row["dossier"] is None]
    if lost:
        raise CliError(
            f"the dossier of {lost[0]['signal_id']} could not be made: {lost[0]['reason']}", "exo run tries again"
        )
    texts = [
        as_markdown(
            json_text.loads(row["dossier"]),
            rank=row["rank"],
            of=ranked[row["ranked_in"]],
            corpus_version=row["corpus_version"],
        )
        for row in rows
    ]
    if markdown:
        sys.stdout.write("\n".join(texts))
        return
    from rich.markdown import Markdown

    for text in texts:
        out().print(Markdown(text))


def _found(lake: Lake, name: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows of the dossiers that `name` means, by rank, and how many candidates each list has; CliError when none is."""
    from exo_assets.catalogs.contracts import CORE_SIGNALS
    from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
    from exo_assets.corpus.dossier_lookup import find, near
    from exo_assets.corpus.identifiers import NAMED_IN, aliases

    signals = lake.read(CORE_SIGNALS.name, CORE_SIGNALS.schema)
    names = aliases(*(lake.read(name, columns) for name, columns in NAMED_IN.items()))
    table = lake.read(OUT_DOSSIERS.name, OUT_DOSSIERS.schema)
    having = table["signal_id"].to_list()
    meant = find(name, names, having)
    if meant.signals:
        rows = table.sort("ranked_in", "rank").filter(table["signal_id"].is_in(meant.signals)).to_dicts()
        return rows, dict(table.group_by("ranked_in").len().iter_rows())
    if meant.others:
        raise CliError(_why_none(signals, meant.others), "dossiers are made of candidates that mart_candidates ranks")
    if why := _why_no_dossier_of_found(lake, name):
        raise CliError(*why)
    alike = near(name, names, having)
    raise CliError(
        f"{name!r} is no name of a signal, planet or star of the catalogue",
        f"near it: {', '.join(alike)}" if alike else "exo query 'SELECT signal_id FROM mart_candidates' lists them",
        USAGE,
    )


def _write_page(lake: Lake, signals: list[str], target: Path) -> None:
    """Write the page of the one of `signals` that the search found; CliError when it found none or several of them."""
    import polars as pl

    from exo_assets.lightcurves.buckets import bucket_of
    from exo_assets.lightcurves.star_contracts import CORE_FOUND_SIGNALS
    from exo_resources.star_tables import StarTables

    found = lake.stored(CORE_FOUND_SIGNALS.name, CORE_FOUND_SIGNALS.schema)
    same = pl.col("tce_id").is_in(signals) | (pl.col("signal_id").is_in(signals) & (pl.col("match") == "same"))
    rows = [] if found is None else found.filter(same).select("tce_id", "star_id").rows()
    if len(rows) != 1:
        many = f"{len(rows)} pages: name one signal" if rows else "no page: the search found none of it"
        raise CliError(f"{', '.join(signals)}: {many}", "mart_found_signals lists what the search found", USAGE)
    ((event, star),) = rows
    try:
        pages = StarTables(lake).star("core_pages", bucket_of(star), star).filter(pl.col("tce_id") == event)
    except KeyError:
        pages = pl.DataFrame()
    if pages.is_empty():
        raise CliError(f"there is no page of {event} yet", "exo run draws it")
    try:
        write_whole(target, lambda temporary: temporary.write_bytes(pages["png"][0]))
    except OSError as error:
        raise CliError(f"{target}: cannot be written ({error.strerror or error})", "name another file") from error


def _why_none(signals: pl.DataFrame, names: tuple[str, ...]) -> str:
    """Why signals that the catalogue has are without a dossier."""
    import polars as pl

    rows = signals.filter(pl.col("signal_id").is_in(list(names))).select("signal_id", "disposition_archive").rows()
    said = ", ".join(f"{signal} ({label or 'without a disposition'})" for signal, label in sorted(rows)[:5])
    return f"there is no dossier of {said}"


def _why_no_dossier_of_found(lake: Lake, name: str) -> tuple[str, str] | None:
    """Why a signal that the search found has no dossier of that name, and the remedy; None when it found no such."""
    import polars as pl

    from exo_assets.corpus.designators import key, key_column
    from exo_assets.scoring.contracts import OUT_FOUND_SCORES

    scores = lake.stored(OUT_FOUND_SCORES.name, OUT_FOUND_SCORES.schema)
    if scores is None:
        return None
    rows = scores.filter(key_column(pl.col("tce_id")) == key(name))
    for row in rows.iter_rows(named=True):
        if row["signal_id"] is not None:
            remedy = f"exo dossier {row['signal_id']}; mart_found_signals has both judgements"
            return f"{row['tce_id']} is {row['signal_id']} of the catalogue ({row['match']})", remedy
        why = row["reason"] or "it is below the thresholds of the search, and not ranked"
        return f"there is no dossier of {row['tce_id']}: {why}", "mart_found_signals has what is known of it"
    return None


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its dossier as JSON, not as text in it."""
    made = json_text.loads(row["dossier"]) if row["dossier"] is not None else None
    kept = ("signal_id", "rank", "ranked_in", "corpus_version", "model_version", "made_at", "reason")
    return {**{name: row[name] for name in kept}, "dossier": made}
