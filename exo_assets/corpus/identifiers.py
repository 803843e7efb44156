"""Exact identifier search: which star a name means, whatever catalogue it is from.

Belongs here: the table of aliases, and names in texts resolved through it. Does not belong here: what a name looks like
(`designators.py`), or which catalogue entries are one star (`exo_assets/catalogs/stars.py`).

A star known only under a name that no catalogue table carries (the EPIC number of a K2 planet that the archive lists
under its planet's name) cannot be resolved: it then has no row, never a guessed one.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from exo_assets.corpus.designators import designators, key_column

ALIAS_SCHEMA = pl.Schema({"alias_key": pl.String, "alias": pl.String, "star_id": pl.String, "signal_id": pl.String})
"""An alias is of a star (`signal_id` null) or of one of its signals."""

MENTION_SCHEMA = pl.Schema(
    {
        "row": pl.Int64,
        "start": pl.Int64,
        "end": pl.Int64,
        "alias_key": pl.String,
        "star_id": pl.String,
        "signal_id": pl.String,
    }
)

_NAMES = pl.Schema(
    {
        "row": pl.Int64,
        "start": pl.Int64,
        "end": pl.Int64,
        "alias_key": pl.String,
        "host_key": pl.String,
        "sure": pl.Boolean,
    }
)

_IDS = {"kic_id": "KIC", "epic_id": "EPIC", "tic_id": "TIC"}
_LETTER = r"\s[b-z]$"
_COMPONENT = r"\s\(?[AB]+\)?$"


NAMED_IN = {
    "core_signals": ("signal_id", "mission_star_id", "planet_name", "star_id", *_IDS),
    "core_stars": ("star_id", "k2_host", *_IDS),
    "core_planet_identity": ("signal_id", "star_id", "planet_name"),
}
"""Tables that have the names, and the columns that are read, in the order of the parameters of `aliases`."""


def aliases(
    core_signals: pl.DataFrame, core_stars: pl.DataFrame, core_planet_identity: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Every name of every host and signal of the catalogue: ALIAS_SCHEMA, sorted, each once.

    The tables have the columns of NAMED_IN; `core_planet_identity` names confirmed planets that the signal's own
    catalogue does not name. The star's name in a planet's or signal's name
    (Kepler-90, KOI-351, TOI-700) is an alias of the star, with and without its component (HATS-48 A).
    """
    planets = [core_signals] if core_planet_identity is None else [core_signals, core_planet_identity]
    parts = [_named(core_signals, pl.col("signal_id")), *(_named(p, pl.col("planet_name")) for p in planets)]
    of_stars = [core_signals.select("star_id", alias="mission_star_id"), core_stars.select("star_id", alias="star_id")]
    of_stars.append(core_stars.select("star_id", alias="k2_host"))
    for frame in (core_signals, core_stars):
        of_stars += [frame.select("star_id", alias=pl.format(f"{name} {{}}", column)) for column, name in _IDS.items()]
    hosts = [p.select("star_id", alias=_host(pl.col("alias"))) for p in parts]
    hosts += [h.select("star_id", alias=pl.col("alias").str.replace(_COMPONENT, "")) for h in hosts]
    table = pl.concat([*parts, *(_as_stars(h) for h in (*of_stars, *hosts))])
    return (
        table.filter(pl.col("alias").is_not_null() & (pl.col("alias").str.contains(r"\d") | _is_name(table["alias"])))
        .with_columns(alias_key=key_column(pl.col("alias")))
        .select(ALIAS_SCHEMA.names())
        .sort("alias_key", "star_id", "signal_id", "alias")
        .unique(["alias_key", "star_id", "signal_id"], keep="first", maintain_order=True)
    )


def numbered(core_signals: pl.DataFrame) -> pl.DataFrame:
    """Names of signals by their star's number, TIC 150428135.02, where the signal's own name ends with such a part:
    ALIAS_SCHEMA. Nobody publishes under them, but people ask by them."""
    part = pl.col("signal_id").str.extract(r"(\.\d{2})$")
    each = [_named(core_signals, pl.format(f"{name} {{}}{{}}", column, part)) for column, name in _IDS.items()]
    table = pl.concat(each).filter(pl.col("alias").is_not_null() & (pl.col("alias") != pl.col("signal_id")))
    return table.with_columns(alias_key=key_column(pl.col("alias"))).select(ALIAS_SCHEMA.names())


def read_names(texts: Sequence[str]) -> pl.DataFrame:
    """Names in `texts` whether a table knows them or not: `row` (from 0), `start`, `end`, `alias_key`, `host_key` (of
    the star in the name), `sure`."""
    found = [(row, d.start, d.end, d.key, d.host, d.sure) for row, text in enumerate(texts) for d in designators(text)]
    return pl.DataFrame(found, schema=_NAMES, orient="row")


def resolved(read: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The names of `read_names` that the table of `aliases` knows: MENTION_SCHEMA, in order of row and place.

    A planet or signal that the table does not know (Kepler-90 z) still finds its star, then without a `signal_id`,
    unless what was read may be no name at all.
    """
    known = table.select("alias_key", "star_id", "signal_id")
    exact = read.join(known, on="alias_key")
    rest = read.join(known, on="alias_key", how="anti")
    rest = rest.filter(pl.col("sure") & (pl.col("host_key") != pl.col("alias_key")))
    stars = known.filter(pl.col("signal_id").is_null()).select("star_id", "signal_id", host_key="alias_key")
    by_host = rest.join(stars, on="host_key").with_columns(alias_key="host_key")
    both = pl.concat([exact.select(MENTION_SCHEMA.names()), by_host.select(MENTION_SCHEMA.names())])
    return both.unique(maintain_order=True).sort("row", "start", "end", "star_id", "signal_id")


def mentions(texts: Sequence[str], table: pl.DataFrame) -> pl.DataFrame:
    """`resolved` of the names in `texts`."""
    return resolved(read_names(texts), table)


def resolve(text: str, table: pl.DataFrame) -> list[str]:
    """`star_id` of every star named in `text`, in order of first mention; empty where no name is known."""
    return mentions([text], table)["star_id"].unique(maintain_order=True).to_list()


def synonyms(alias_key: str, table: pl.DataFrame) -> frozenset[str]:
    """Keys of all names of what `alias_key` names: of a signal its other names, of a star all of the star's.

    The key alone when the table does not know it.
    """
    rows = table.filter(pl.col("alias_key") == alias_key)
    same = table.join(rows.select("star_id", "signal_id"), on=["star_id", "signal_id"], how="semi", nulls_equal=True)
    return frozenset(same["alias_key"].to_list()) | {alias_key}


def _named(frame: pl.DataFrame, name: pl.Expr) -> pl.DataFrame:
    return frame.select(name.alias("alias"), "star_id", "signal_id")


def _is_name(names: pl.Series) -> pl.Series:
    """Which of `names` without a digit are those of stars and planets all the same (pi Men c, Proxima Cen)."""
    each = names.drop_nulls().unique()
    read = [
        name
        for name in each.filter(~each.str.contains(r"\d"))
        if any((d.start, d.end) == (0, len(name)) for d in designators(name))
    ]
    return names.is_in(read)


def _as_stars(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("alias", "star_id", signal_id=pl.lit(None, dtype=pl.String))


def _host(name: pl.Expr) -> pl.Expr:
    """The star's name in a planet's or signal's; null where there is none in it."""
    signal, planet = name.str.contains(r"\.\d+$"), name.str.contains(_LETTER)
    return pl.when(signal).then(name.str.replace(r"\.\d+$", "")).when(planet).then(name.str.replace(_LETTER, ""))
