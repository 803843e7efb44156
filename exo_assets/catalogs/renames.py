"""Signals that the archive renamed: which name of one copy is which of the copy before.

Belongs here: following a signal over the copies of a table, by its star and its period. Does not belong here: labels
(`history.py`), hosts (`k2_hosts.py`).

A K2 candidate gets another name when it is confirmed (EPIC 201110617.01 becomes K2-156 b), and every signal of a host
when the host does; a TOI may be renumbered. Between two copies of one table a name that is gone and one that is new
are the same signal when the table says so (`epic_candname`), or when they are on the same star and their periods agree
within `SAME_PERIOD`. Of what is left on a star, when as many are gone as are new, those of unknown period are the same
in the order of their names (.01 and .02 become b and c), and a single one is when its period was corrected (by up to
`REVISED_PERIOD`, or to its half or double). Each name is used once, the closest periods first. Names that were ever in
one copy together are two signals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from exo_assets.catalogs import sky
from exo_assets.catalogs.contracts import CORE_K2_HOSTS
from exo_assets.catalogs.identity import ALIASES, SAME_PERIOD
from exo_assets.catalogs.k2_hosts import host_keys, with_hosts

REVISED_PERIOD = 1e-2
"""Relative difference that a better fit may make to a period when nothing else can be meant."""
_WHO = ["mission", "archive_name"]


def present_names(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """mission, archive_name, signal_id: for every name in `parts` (labels of copies, oldest first), the name that the
    signal has in the newest copy that has it."""
    by_table = defaultdict[str, list[pl.DataFrame]](list)
    for part in sorted((p for p in parts if p.height), key=lambda p: p["as_of"][0]):
        by_table[part["source_table"][0]].append(part)
    seen = list[pl.DataFrame]()
    pairs = list[tuple[str, str, str]]()
    for copies in by_table.values():
        followed = _under_keys(copies) if copies[0]["mission"][0] == "k2" else copies
        for n, copy in enumerate(followed):
            seen.append(copy.select(*_WHO, "as_of", _copy=pl.format("{} {}", "source_table", pl.lit(n))))
            if n:
                pairs += _renamed(followed[n - 1], copy)
    if not seen:
        return pl.DataFrame(schema={"mission": pl.String, "archive_name": pl.String, "signal_id": pl.String})
    rows = pl.concat(seen)
    names = rows.group_by(_WHO).agg(first=pl.col("as_of").min(), last=pl.col("as_of").max()).sort(_WHO)
    group = _groups(names, pairs)
    ambiguous = (
        rows.join(names.with_columns(_group=group), on=_WHO)
        .group_by("_copy", "_group")
        .agg(pl.col("archive_name").n_unique())
        .filter(pl.col("archive_name") > 1)["_group"]
    )
    alone = pl.col("_group").is_in(ambiguous.implode())
    grouped = names.with_columns(_group=group).with_columns(
        _group=pl.when(alone).then(-1 - pl.int_range(pl.len())).otherwise("_group")
    )
    newest = (
        grouped.sort("last", "first", "archive_name").group_by("_group").agg(signal_id=pl.col("archive_name").last())
    )
    return grouped.join(newest, on="_group").select(*_WHO, "signal_id").sort(_WHO)


def _under_keys(copies: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Copies of the K2 table with the stars' keys, which no renaming changes, in place of their names."""
    hosts, out = CORE_K2_HOSTS.empty(), list[pl.DataFrame]()
    for copy in copies:
        found = (
            copy.filter(pl.col("star").is_not_null())
            .group_by("star")
            .agg(pl.col("epic_id", "tic_id", "ra_deg", "dec_deg").min())
        )
        hosts = with_hosts(hosts, found.rename({"star": "host_name"}).sort("host_name"))
        keys = host_keys(hosts).select(star="host_name", _key="host_key")
        keyed = copy.join(keys, on="star", how="left", maintain_order="left")
        out.append(keyed.with_columns(star=pl.coalesce("_key", "star")).drop("_key"))
    return out


def _renamed(before: pl.DataFrame, after: pl.DataFrame) -> list[tuple[str, str, str]]:
    """mission, name before, name after of the signals that have another name in the later copy."""
    gone = before.join(after, on="archive_name", how="anti")
    new = after.join(before, on="archive_name", how="anti")
    out = list[tuple[str, str, str]]()
    for rule in (_told, _same_period, _left):
        pairs = gone.join(new, on="star", suffix="_new").with_columns(
            _ratio=pl.col("period_days") / pl.col("period_days_new")
        )
        if pairs.is_empty():
            break
        ranked = pairs.filter(rule()).with_columns(_apart=(pl.col("_ratio") - 1).abs())
        ranked = ranked.sort("_apart", "archive_name", "archive_name_new", nulls_last=True)
        taken = set[str]()
        for mission, old, name in ranked.select("mission", "archive_name", "archive_name_new").iter_rows():
            if old not in taken and name not in taken:
                taken |= {old, name}
                out.append((mission, old, name))
        left = ~pl.col("archive_name").is_in(list(taken))
        gone, new = gone.filter(left), new.filter(left)
    return out


def _told() -> pl.Expr:
    return pl.col("candidate_name_new") == pl.col("archive_name")


def _same_period() -> pl.Expr:
    return (pl.col("_ratio") - 1).abs() < SAME_PERIOD


def _left() -> pl.Expr:
    """Of what is left: the only one of its star, with a period that was corrected; or as many as are new, in the order
    of their names, with a period that is not known on one side."""
    old, new = (pl.col(name) for name in ("archive_name", "archive_name_new"))
    as_many = old.n_unique().over("star") == new.n_unique().over("star")
    in_order = old.rank("dense").over("star") == new.rank("dense").over("star")
    sole = old.n_unique().over("star") == 1
    revised = (pl.col("_ratio") - 1).abs() < REVISED_PERIOD
    halved = pl.any_horizontal((pl.col("_ratio") / alias - 1).abs() < SAME_PERIOD for alias in ALIASES)
    return as_many & in_order & (pl.col("_ratio").is_null() | (sole & (revised | halved)))


def _groups(names: pl.DataFrame, pairs: Sequence[tuple[str, str, str]]) -> pl.Series:
    """A number per row of `names`, equal for names of one signal."""
    at = {key: n for n, key in enumerate(names.select(_WHO).iter_rows())}
    one = np.array([at[mission, old] for mission, old, _ in pairs], dtype=np.int64)
    other = np.array([at[mission, new] for mission, _, new in pairs], dtype=np.int64)
    return pl.Series("_group", sky.components(names.height, one, other), dtype=pl.Int64)
