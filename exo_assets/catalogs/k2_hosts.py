"""`core_k2_hosts`: which hosts the K2 table ever had, each under a key that stays when the host is renamed.

Belongs here: recognising a host of the table among those of earlier nights, and giving new ones their key.
Does not belong here: which stars of different missions are the same (`stars.py`).

The key is 'EPIC n' when any column of the table said the number when the host was first seen, else the host's name of
then. The archive renames a host when a planet of it is confirmed (EPIC 201110617 becomes K2-156) and then, in the
table's default columns, tells the number no more. So a host of the table is looked for among the known ones

1. by its EPIC number, then by its TIC number;
2. by position: each the other's nearest within `SAME_HOST_ARCSEC`, unless both have EPIC numbers and they differ;
3. by its name, within `SAME_NAME_ARCSEC`: a position that was corrected, or moved on by proper motion.

`SAME_HOST_ARCSEC`: all positions of the table are at epoch 2015.5 and do not change from copy to copy; the closest two
hosts of the archive's table of September 2025 are 2.18 arcsec apart (EPIC 211432167 and 211432176), the next 4.97.
2 arcsec let a star with a proper motion of 130 mas/yr change from the EPIC's epoch (2000) to Gaia's.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs import sky
from exo_assets.catalogs.contracts import CORE_K2_HOSTS
from exo_assets.text_csv import number, text

SAME_HOST_ARCSEC = 2.0
SAME_NAME_ARCSEC = 60.0
"""How far a host of the same name may be from where it was: 3 arcsec/yr, faster than any star of K2, over 20 years."""
EPIC_COLUMNS = ("epic_hostname", "epic_candname", "epic_name", "hostname", "pl_name", "k2_name")

_MATCH = pl.Schema({"host_name": pl.String, "host_key": pl.String})


def epic_number(columns: list[str]) -> pl.Expr:
    """Expression: the EPIC number of a row in the K2 layout, from whichever column has it."""
    return pl.coalesce(
        text(c, columns).str.extract(r"(?i)EPIC[\s_-]*0*(\d{6,12})", 1).cast(pl.Int64, strict=False)
        for c in EPIC_COLUMNS
    )


def tic_number(columns: list[str]) -> pl.Expr:
    """Expression: the TIC number of a row in the K2 layout ('TIC 173103335')."""
    return text("tic_id", columns).str.extract(r"(\d{1,15})", 1).cast(pl.Int64, strict=False)


def host_name(columns: list[str]) -> pl.Expr:
    """Expression: the host's name of a row in the K2 layout; without one, the object's name without its last part."""
    name = pl.coalesce(text("hostname", columns), text("pl_name", columns).str.replace(r"(\.\d+|\s+[a-z])$", ""))
    return name.str.replace_all(",", " ", literal=True)


def hosts_of(raw: pl.DataFrame) -> pl.DataFrame:
    """What a copy of the K2 table says of each host name in it: host_name, epic_id, tic_id, ra_deg, dec_deg."""
    columns = raw.columns
    rows = raw.select(
        host_name=host_name(columns),
        epic_id=epic_number(columns),
        tic_id=tic_number(columns),
        ra_deg=number("ra", columns),
        dec_deg=number("dec", columns),
    )
    return (
        rows.drop_nulls("host_name")
        .sort("host_name", "ra_deg", "dec_deg", nulls_last=True)
        .group_by("host_name", maintain_order=True)
        .agg(pl.col("epic_id", "tic_id").min(), pl.col("ra_deg", "dec_deg").first())
    )


def with_hosts(known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`core_k2_hosts` after one more copy of the K2 table, of which `found` is `hosts_of`; `known` is the table before
    (maybe empty). Hosts that the copy lacks stay; a copy without any host changes nothing.
    """
    if found.is_empty():
        return CORE_K2_HOSTS.conform(known).sort("host_key")
    matched = _matched(found, known)
    old = found.join(matched, on="host_name")
    new = found.join(matched, on="host_name", how="anti")
    taken = pl.col("host_name").is_in(known["host_key"].implode())
    place = pl.format("{} at {} {}", "host_name", pl.col("ra_deg").round(4), pl.col("dec_deg").round(4))
    named = pl.when(taken).then(pl.coalesce(place, "host_name")).otherwise("host_name")
    new = new.with_columns(host_key=pl.coalesce(pl.format("EPIC {}", "epic_id"), named))
    seen = pl.concat([old, new]).with_columns(names="host_name", is_listed=pl.lit(True))
    before = known.with_columns(is_listed=pl.lit(False)).select(seen.columns)
    rows = pl.concat([before, seen]).sort("host_key", "is_listed", "host_name", descending=[False, True, False])
    value = [pl.col(name).drop_nulls().last() for name in ("epic_id", "tic_id")]
    where = [pl.col(name).filter(pl.col("ra_deg").is_not_null()).first() for name in ("ra_deg", "dec_deg")]
    names = pl.col("names").str.split(",").explode().drop_nulls().unique().sort().str.join(",")
    merged = rows.group_by("host_key", maintain_order=True).agg(
        pl.col("host_name", "is_listed").first(), *value, *where, names
    )
    return CORE_K2_HOSTS.conform(merged).sort("host_key")


def host_keys(hosts: pl.DataFrame) -> pl.DataFrame:
    """host_name, host_key, epic_id, tic_id for every name that a host ever had; who has it now wins."""
    each = hosts.select(
        "host_key", "epic_id", "tic_id", "is_listed", _now="host_name", host_name=pl.col("names").str.split(",")
    )
    named = each.explode("host_name").with_columns(_is=pl.col("host_name") == pl.col("_now"))
    one = named.sort("_is", "is_listed", "host_key", descending=[True, True, False]).unique(
        "host_name", keep="first", maintain_order=True
    )
    return one.select("host_name", "host_key", "epic_id", "tic_id").sort("host_name")


def _matched(found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """host_name, host_key of the hosts that are known."""
    matched = pl.DataFrame(schema=_MATCH)
    for pairs in (_by_number(found, known, "epic_id"), _by_number(found, known, "tic_id"), _near(found, known)):
        matched = _joined(matched, pairs)
    return _joined(matched, _by_name(found, known))


def _joined(matched: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """`matched` and those `pairs` of which neither side is matched yet, and whose EPIC numbers do not differ.

    Two names of a copy that have one EPIC number are one host; otherwise a key goes to one name.
    """
    agree = (pl.col("epic_id") == pl.col("epic_id_known")).fill_null(True)
    free = pairs.filter(agree).join(matched, on="host_name", how="anti").sort("host_name", "host_key")
    free = free.unique("host_name", keep="first", maintain_order=True)
    certain = (free["epic_id"] == free["epic_id_known"]).fill_null(False)
    others = free.filter(~certain).join(matched, on="host_key", how="anti")
    others = others.unique("host_key", keep="first", maintain_order=True)
    return pl.concat([matched, *(part.select(_MATCH.names()) for part in (free.filter(certain), others))])


def _by_number(found: pl.DataFrame, known: pl.DataFrame, number_of: str) -> pl.DataFrame:
    theirs = known.select("host_key", number_of, epic_id_known="epic_id")
    return found.join(theirs, on=number_of)


def _near(found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Mutual nearest of all hosts and all known ones: a companion does not take the place of a host that is there."""
    ours, theirs = (frame.drop_nulls(["ra_deg", "dec_deg"]) for frame in (found, known))
    a, b = (sky.unit_vectors(f["ra_deg"].to_numpy(), f["dec_deg"].to_numpy()) for f in (ours, theirs))
    i, j, _ = sky.mutual_nearest(a, b, SAME_HOST_ARCSEC)
    return ours[i].hstack(theirs[j].select("host_key", epic_id_known="epic_id"))


def _by_name(found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    each = known.select(
        "host_key", epic_id_known="epic_id", ra="ra_deg", dec="dec_deg", host_name=pl.col("names").str.split(",")
    ).explode("host_name")
    pairs = found.join(each, on="host_name")
    a, b = (
        sky.unit_vectors(*(pairs[name].fill_null(float("nan")).to_numpy() for name in names))
        for names in (("ra_deg", "dec_deg"), ("ra", "dec"))
    )
    apart = pl.Series("_apart", sky.separation_arcsec(a, b)).fill_nan(0.0)
    return pairs.with_columns(apart).filter(pl.col("_apart") <= SAME_NAME_ARCSEC)
