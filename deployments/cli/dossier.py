"""`exo dossier`: all that is known of a candidate.

Belongs here: reading the table, and showing dossiers as text, Markdown or JSON. Does not belong here: what a dossier
holds, and which signals a name means (`exo_assets.corpus`).
"""

from __future__ import annotations

import json as json_text
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import USAGE, CliError, out, print_json, read_settings

if TYPE_CHECKING:
    import polars as pl

    from exo_resources.lake import Lake


def dossier(
    signal: Annotated[
        str, typer.Argument(metavar="SIGNAL", help="A candidate, or a star with candidates: K00351.08, TIC 150428135.")
    ],
    json: Annotated[bool, typer.Option("--json", help="A JSON list of dossiers, with rank and version.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The text as Markdown.")] = False,
) -> None:
    """Show everything that is known of a candidate: the catalogue's facts, the vetter's verdict and reasons, the
    nearest planets and false positives, and what the literature says of its star or of its like.

    Any spelling and any name of the signal, the planet or the star will do; a star gives each of its candidates.
    """
    from exo_assets.corpus.dossier_markdown import as_markdown
    from exo_resources.lake import Lake

    if json and markdown:
        raise CliError("--json and --markdown exclude each other", "choose one", USAGE)
    lake = Lake(read_settings().lake)
    rows, ranked = _found(lake, signal)
    if json:
        print_json([_as_json(row) for row in rows])
        return
    lost = [row for row in rows if row["dossier"] is None]
    if lost:
        raise CliError(
            f"the dossier of {lost[0]['signal_id']} could not be made: {lost[0]['reason']}", "exo run tries again"
        )
    texts = [
        as_markdown(json_text.loads(row["dossier"]), rank=row["rank"], of=ranked, corpus_version=row["corpus_version"])
        for row in rows
    ]
    if markdown:
        sys.stdout.write("\n".join(texts))
        return
    from rich.markdown import Markdown

    for text in texts:
        out().print(Markdown(text))


def _found(lake: Lake, name: str) -> tuple[list[dict[str, Any]], int]:
    """Rows of the dossiers that `name` means, by rank, and how many candidates there are; CliError when none is."""
    from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
    from exo_assets.corpus.dossier_lookup import find, near
    from exo_assets.corpus.identifiers import aliases
    from exo_resources.lake import DamagedTableError, TableMissingError

    try:
        signals = lake.read("core_signals")
        names = aliases(signals, lake.read("core_stars"), lake.read("core_planet_identity"))
        table = lake.read(OUT_DOSSIERS.name)
    except (TableMissingError, DamagedTableError) as unreadable:
        raise CliError(str(unreadable)) from unreadable
    having = table["signal_id"].to_list()
    meant = find(name, names, having)
    if meant.signals:
        rows = table.sort("rank").rows_by_key("signal_id", named=True, include_key=True, unique=True)
        return [row for key, row in rows.items() if key in meant.signals], table.height
    if meant.others:
        raise CliError(_why_none(signals, meant.others), "dossiers are made of candidates that mart_candidates ranks")
    alike = near(name, names, having)
    raise CliError(
        f"{name!r} is no name of a signal, planet or star of the catalogue",
        f"near it: {', '.join(alike)}" if alike else "exo query 'SELECT signal_id FROM mart_candidates' lists them",
        USAGE,
    )


def _why_none(signals: pl.DataFrame, names: tuple[str, ...]) -> str:
    """Why signals that the catalogue has are without a dossier."""
    import polars as pl

    rows = signals.filter(pl.col("signal_id").is_in(list(names))).select("signal_id", "disposition_archive").rows()
    said = ", ".join(f"{signal} ({label or 'without a disposition'})" for signal, label in sorted(rows)[:5])
    return f"there is no dossier of {said}"


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its dossier as JSON, not as text in it."""
    made = json_text.loads(row["dossier"]) if row["dossier"] is not None else None
    kept = ("signal_id", "rank", "corpus_version", "model_version", "made_at", "reason")
    return {**{name: row[name] for name in kept}, "dossier": made}
