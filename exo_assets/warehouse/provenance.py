"""What a release says about where it comes from.

Belongs here: archive snapshots, the baseline that "since the last release" refers to, and which tables are out of date;
all computed from values. Does not belong here: reading the lake or the releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

RAW = "raw_nea__"
ARCHIVE_NOTES = ("source", "as_of", "sha256", "url", "reason")
"""What is kept of an archive table's notes; when it was fetched is left out, as it changes though nothing else does."""

Snapshots = Mapping[str, Mapping[str, Any]]
"""Archive snapshots by archive table: source, as_of, sha256, url, and why an earlier source was not used."""


def snapshots(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Archive snapshots from the notes of the raw tables; of a table that no source had the reason."""
    return {
        table.removeprefix(RAW): {key: note.get(key) for key in ARCHIVE_NOTES}
        for table, note in sorted(notes.items())
        if table.startswith(RAW) and note.get("source") is not None
    }


def baseline(present: Snapshots, live: str, info: Mapping[str, Any]) -> str:
    """Id of the last release made from other archive snapshots than `present`; empty before there is one.

    `live` is the id of the live release (empty when there is none) and `info` what it says of itself. Publishing
    twice from the same snapshots (a new model, say) does not move the baseline.
    """
    if live and _bytes(info.get("archive", {})) == _bytes(present):
        return str(info.get("baseline", ""))
    return live


def out_of_date(inputs: Mapping[str, Mapping[str, str]], digests: Mapping[str, str]) -> list[str]:
    """In words, every table made from another version of an input than the present one."""
    return [
        f"{table} was made from an older {', '.join(old)}"
        for table, made_from in sorted(inputs.items())
        if (old := [name for name, digest in made_from.items() if digests.get(name, digest) != digest])
    ]


def failing_rows(sample: pl.DataFrame, limit: int) -> str:
    """Up to `limit` rows as a Markdown table, long values cut."""
    shown = sample.head(limit)
    lines: Iterable[Iterable[str]] = [
        shown.columns,
        ["---"] * shown.width,
        *([_cell(value) for value in row] for row in shown.iter_rows()),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, width: int = 60) -> str:
    text = "NULL" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= width else text[: width - 1] + "…"


def _bytes(found: Snapshots) -> dict[str, Any]:
    there = {table: snapshot for table, snapshot in found.items() if snapshot.get("source") != "absent"}
    return {table: (snapshot.get("sha256"), snapshot.get("as_of")) for table, snapshot in there.items()}
