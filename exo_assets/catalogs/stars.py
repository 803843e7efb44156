"""Host stars across missions: which entries are the same star, and its best parameters.

Belongs here: cross-identification by position, proper motion and brightness, and the table core_stars.
Does not belong here: planets (`identity.py`).

How stars are joined, and what it was measured on (archive tables of September 2025):

- KIC positions are at epoch 2000.0; TOI and K2 positions at 2015.5 (Gaia): the offset between Kepler and TESS positions
  of one star grows with its proper motion by 15.5 years' worth, and vanishes when that is taken off (median separation
  0.20 arcsec before, 0.07 after). K2 and TOI positions of one star agree within 0.003 arcsec.
- Entries of two missions are one star when each is the other's nearest within 1.5 arcsec, with magnitudes that one
  star can have: Kepler minus TESS and Gaia G minus TESS are 0.2 to 1.4 for dwarfs, -0.4 for the bluest.
- Entries of one mission are one star only when they share an identifier or lie within 0.1 arcsec (the TIC lists a
  few stars twice). Resolved companions of 2 to 5 arcsec stay apart.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl

from exo_assets.catalogs import sky
from exo_assets.catalogs.contracts import CORE_STARS, MISSIONS

POSITION_EPOCH = {"kepler": 2000.0, "k2": 2015.5, "tess": 2015.5}
"""Epoch of each mission's published positions, Julian years."""

CROSS_MISSION_ARCSEC = 1.5
SAME_MISSION_ARCSEC = 0.1
MAGNITUDE_DIFFERENCE = (-1.0, 2.5)
"""Allowed Kepler or Gaia magnitude minus TESS magnitude."""

_IDS = ("kic_id", "epic_id", "tic_id")
_PARAMETERS = ("star_teff", "star_logg", "star_radius", "star_mass", "star_metallicity")
_UNITS = {"star_teff": "k", "star_logg": "cgs", "star_radius": "sun", "star_mass": "sun", "star_metallicity": "dex"}


def identify_hosts(signals: pl.DataFrame, displaced_arcsec: float = 0.0) -> pl.DataFrame:
    """One row per host entry: mission, mission_star_id, star_id, match_arcsec.

    `star_id` depends only on the identifiers joined, never on the order of rows. `match_arcsec` is the largest
    separation joined across missions. `displaced_arcsec` moves the positions of TESS north before matching: with
    a large value every positional match left is one by chance.
    """
    hosts = _hosts(signals)
    i, j, separation = _edges(hosts, displaced_arcsec)
    part = sky.components(hosts.height, i, j)
    joined = hosts.with_columns(_part=pl.Series(part, dtype=pl.Int64))
    largest = (
        pl.DataFrame({"_part": part[i], "match_arcsec": separation}).group_by("_part").agg(pl.col("match_arcsec").max())
    )
    k2_key = pl.when(pl.col("mission") == "k2").then("mission_star_id")
    names = joined.group_by("_part").agg(
        pl.coalesce(
            pl.format("KIC {}", pl.col("kic_id").min()),
            k2_key.min(),
            pl.format("TIC {}", pl.col("tic_id").min()),
            pl.col("mission_star_id").min(),
        ).alias("star_id")
    )
    return (
        joined.join(names, on="_part")
        .join(largest, on="_part", how="left")
        .select("mission", "mission_star_id", "star_id", "match_arcsec")
        .sort("mission", "mission_star_id")
    )


def chance_matches(signals: pl.DataFrame, displaced_arcsec: float = 60.0) -> tuple[int, int]:
    """(stars joined across missions, stars joined after displacing TESS: an estimate of how many are by chance)."""

    def joined(frame: pl.DataFrame) -> int:
        return frame.group_by("star_id").agg(n=pl.col("mission").n_unique()).filter(pl.col("n") > 1).height

    return joined(identify_hosts(signals)), joined(identify_hosts(signals, displaced_arcsec))


def host_stars(signals: pl.DataFrame, k2_hosts: pl.DataFrame | None = None) -> pl.DataFrame:
    """`core_stars` of the rows of core_signals; `k2_hosts` is `core_k2_hosts`, which knows the present names of hosts.

    Within a mission the entry with the most stellar parameters speaks for the star; among missions the one with the
    most, then Kepler, K2, TESS; gaps are filled from the others in that order, a value always with its own error.
    Positions come from TESS, then K2 (Gaia), then the KIC.
    """
    if signals.is_empty():
        return CORE_STARS.empty()
    values = [f"{p}_{_UNITS[p]}" for p in _PARAMETERS]
    rank = {mission: n for n, mission in enumerate(MISSIONS)}
    filled = pl.sum_horizontal(pl.col(v).is_not_null().cast(pl.Int64) for v in values)
    entries = (
        signals.with_columns(_filled=filled, _rank=pl.col("mission").replace_strict(rank, return_dtype=pl.Int64))
        .sort("star_id", "_filled", "_rank", "signal_id", descending=[False, True, False, False])
        .group_by("star_id", "mission", maintain_order=True)
        .first()
    )
    best = pl.col("mission").first().alias("parameters_from")
    pairs = [(f"{p}_{_UNITS[p]}", f"{p}_err_{_UNITS[p]}") for p in _PARAMETERS]
    parameters = [
        pl.col(column).filter(pl.col(value).is_not_null()).first().alias(column)
        for value, error in pairs
        for column in (value, error)
    ]
    stars = entries.group_by("star_id", maintain_order=True).agg(
        best,
        *parameters,
        *(
            pl.col("magnitude").filter(pl.col("mission") == mission).first().alias(name)
            for mission, name in (("kepler", "kepler_mag"), ("k2", "gaia_mag"), ("tess", "tess_mag"))
        ),
        *(pl.col(name).drop_nulls().first() for name in ("pm_ra_mas_yr", "pm_dec_mas_yr", "distance_pc")),
    )
    position = (
        entries.sort("star_id", "_rank", descending=[False, True])
        .group_by("star_id", maintain_order=True)
        .agg(pl.col("ra_deg", "dec_deg").first(), _mission=pl.col("mission").first())
        .with_columns(position_epoch=pl.col("_mission").replace_strict(POSITION_EPOCH, return_dtype=pl.Float64))
    )
    present = pl.col("mission").unique().sort_by(pl.col("mission").unique().replace_strict(rank))
    called = pl.col("mission_star_id")
    if k2_hosts is not None and k2_hosts.height:
        called = called.replace(k2_hosts["host_key"], k2_hosts["host_name"])
    counts = signals.group_by("star_id").agg(
        *(pl.col(name).min() for name in _IDS),
        k2_host=called.filter(pl.col("mission") == "k2").min(),
        missions=present.str.join(","),
        n_missions=pl.col("mission").n_unique(),
        n_signals=pl.len(),
    )
    matches = identify_hosts(signals).group_by("star_id").agg(pl.col("match_arcsec").max())
    table = counts.join(stars, on="star_id").join(position, on="star_id").join(matches, on="star_id", how="left")
    return CORE_STARS.conform(table.sort("star_id"))


def _hosts(signals: pl.DataFrame) -> pl.DataFrame:
    first = ("ra_deg", "dec_deg", "pm_ra_mas_yr", "pm_dec_mas_yr", "magnitude")
    placed = pl.col("ra_deg").is_between(0, 360) & pl.col("dec_deg").is_between(-90, 90)
    return (
        signals.filter(pl.col("mission_star_id").is_not_null())
        .with_columns(pl.when(placed).then(pl.col(name)).alias(name) for name in first)
        .sort("mission", "mission_star_id", "signal_id", maintain_order=True)
        .group_by("mission", "mission_star_id", maintain_order=True)
        .agg(*(pl.col(name).min() for name in _IDS), *(pl.col(name).drop_nulls().first() for name in first))
    )


def _edges(hosts: pl.DataFrame, displaced_arcsec: float) -> tuple[sky.Ints, sky.Ints, sky.Floats]:
    left, right, apart = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    placed = hosts.with_row_index("_row").filter(pl.col("ra_deg").is_not_null() & pl.col("dec_deg").is_not_null())
    by_mission = {m: placed.filter(pl.col("mission") == m) for m in MISSIONS}
    for mission, group in by_mission.items():
        at = _vectors(group, mission, POSITION_EPOCH[mission], 0.0)
        i, j, separation = sky.pairs_within(at, at, SAME_MISSION_ARCSEC)
        rows = group["_row"].to_numpy().astype(np.int64)
        left.append(rows[i[i < j]])
        right.append(rows[j[i < j]])
        apart.append(separation[i < j])
    for one, other in combinations(MISSIONS, 2):
        epoch = min(POSITION_EPOCH[one], POSITION_EPOCH[other])
        a = _vectors(by_mission[one], one, epoch, 0.0)
        b = _vectors(by_mission[other], other, epoch, displaced_arcsec if other == "tess" else 0.0)
        i, j, separation = sky.mutual_nearest(a, b, CROSS_MISSION_ARCSEC)
        difference = by_mission[one]["magnitude"].to_numpy()[i] - by_mission[other]["magnitude"].to_numpy()[j]
        low, high = MAGNITUDE_DIFFERENCE if other == "tess" else (-max(MAGNITUDE_DIFFERENCE), max(MAGNITUDE_DIFFERENCE))
        plausible = ~((difference < low) | (difference > high))  # an unknown magnitude contradicts nothing
        left.append(by_mission[one]["_row"].to_numpy().astype(np.int64)[i[plausible]])
        right.append(by_mission[other]["_row"].to_numpy().astype(np.int64)[j[plausible]])
        apart.append(separation[plausible])
    for name in _IDS:
        shared = (
            hosts.with_row_index("_row")
            .filter(pl.col(name).is_not_null())
            .with_columns(_first=pl.col("_row").first().over(name))
            .filter(pl.col("_first") != pl.col("_row"))
        )
        left.append(shared["_first"].to_numpy().astype(np.int64))
        right.append(shared["_row"].to_numpy().astype(np.int64))
        apart.append(np.zeros(shared.height))
    return np.concatenate(left), np.concatenate(right), np.concatenate(apart)


def _vectors(hosts: pl.DataFrame, mission: str, epoch: float, north_arcsec: float) -> sky.Floats:
    def column(name: str) -> sky.Floats:
        return hosts[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()

    dec = np.clip(column("dec_deg") + north_arcsec / 3600, -90, 90)
    years = np.full(hosts.height, epoch - POSITION_EPOCH[mission])
    return sky.moved(column("ra_deg"), dec, column("pm_ra_mas_yr"), column("pm_dec_mas_yr"), years)
