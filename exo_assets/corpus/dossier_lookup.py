"""Which dossiers a name means.

Belongs here: from any spelling of a signal, planet or star to signals, and names that are near one that is none. Does
not belong here: what a name looks like (`designators.py`), reading the table.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from exo_assets.corpus.designators import designators, key

NEAR, _LOOKED_AT = 5, 50
_FOUND = re.compile(r"((?:KIC|EPIC|TIC) \d+)-\d{2,}")
LONGEST_NAME = 200


@dataclass(frozen=True)
class Named:
    """What a name means: `signals` that have a dossier, `others` on the same star or of that name that have none."""

    signals: tuple[str, ...]
    others: tuple[str, ...]


def find(name: str, aliases: pl.DataFrame, with_dossier: Collection[str]) -> Named:
    """The signals that `name` names (`identifiers.aliases`): one, or all of a star. Empty for a name of nothing.

    A planet or signal that no table knows is not taken for its star's others.
    """
    name = name.strip()
    found = found_signals(with_dossier)
    wanted = {key(name)} | {d.key for d in designators(name) if (d.start, d.end) == (0, len(name))}
    rows = aliases.filter(pl.col("alias_key").is_in(list(wanted)))
    exact = set(rows["signal_id"].drop_nulls()) | {signal for signal in found if key(signal) in wanted}
    stars = rows.filter(pl.col("signal_id").is_null())["star_id"]
    of_stars = aliases.filter(pl.col("star_id").is_in(stars.to_list()))
    named = wanted | set(of_stars.filter(pl.col("signal_id").is_null())["alias_key"])
    on_stars = {signal for signal, star in found.items() if key(star) in named}
    meant = exact or on_stars | set(of_stars["signal_id"].drop_nulls())
    having = set(with_dossier)
    return Named(tuple(sorted(meant & having)), tuple(sorted(meant - having)))


def found_signals(names: Collection[str]) -> dict[str, str]:
    """Of `names` those of signals that only the search found ('KIC 11442793-02'), and the star in each: no table of
    names has them."""
    matched = ((name, _FOUND.fullmatch(name)) for name in names)
    return {name: match[1] for name, match in matched if match}


def near(name: str, aliases: pl.DataFrame, with_dossier: Collection[str]) -> list[str]:
    """Names, as they are written, of signals that have a dossier and are spelt much like `name`."""
    known = aliases.filter(pl.col("signal_id").is_in(list(with_dossier))).select("alias_key", "alias")
    written = dict(known.iter_rows()) | {key(found): found for found in found_signals(with_dossier)}
    wanted = key(name[:LONGEST_NAME])
    alike = get_close_matches(wanted, list(written), n=_LOOKED_AT, cutoff=0.6)
    alike.sort(key=lambda other: -_begins_alike(other, wanted))  # stable: then as they are alike
    return [written[other] for other in alike[:NEAR]]


def _begins_alike(a: str, b: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
