"""Planets under several names: one planet seen by two missions, or listed as confirmed by the archive.

Belongs here: joining signals with signals and with the composite table of confirmed planets.
Does not belong here: which stars are the same (`stars.py`).

Two signals of one star from different missions are one planet when their periods agree within 1 part in 1000 (TESS
and K2 periods of known planets differ from others by up to 6 in 10,000), or are 1:2 of each other (a mission that saw
every other transit) when neither has a partner with the same period. A signal is a confirmed planet when its own
catalogue names that planet, or by position and period. Positions are compared as published.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from exo_assets.catalogs import sky
from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, MISSIONS
from exo_assets.text_csv import number, text

SAME_PERIOD = 1e-3
"""Relative difference of periods below which they are the same."""

ALIASES = (1.0, 0.5, 2.0)
HOST_ARCSEC = 1.5

_KIND_ORDER = {"name": 0, "period": 1, "period_alias": 2}


def planet_identity(signals: pl.DataFrame, pscomppars: pl.DataFrame) -> pl.DataFrame:
    """`core_planet_identity`: rows of core_signals that share a planet with another signal or a confirmed planet.

    A group is named after the planet of the composite table, else the planet that a catalogue names, else its first
    signal (Kepler before K2 before TESS).
    """
    ordered = signals.with_columns(
        _order=pl.col("mission").replace_strict({m: n for n, m in enumerate(MISSIONS)}, return_dtype=pl.Int64)
    ).sort("_order", "signal_id")
    nodes = pl.concat(
        [
            ordered.select("signal_id", "mission", "star_id", "planet_name", "period_days", "ra_deg", "dec_deg"),
            _planets(pscomppars),
        ],
        how="diagonal",
    ).with_row_index("_node")
    edges = pl.concat([_named(nodes), _across_missions(nodes), _by_position(nodes)])
    edges = _strongest(edges)
    if edges.is_empty():
        return CORE_PLANET_IDENTITY.empty()
    part = sky.components(nodes.height, edges["a"].to_numpy(), edges["b"].to_numpy())
    nodes = nodes.with_columns(_part=pl.Series(part, dtype=pl.Int64))
    is_planet = pl.col("signal_id").is_null()
    groups = nodes.group_by("_part").agg(
        planet=pl.coalesce(
            pl.col("planet_name").filter(is_planet).sort().first(), pl.col("planet_name").drop_nulls().sort().first()
        ),
        first=pl.col("signal_id").drop_nulls().first(),
    )
    both = pl.concat([edges, edges.select(pl.col("b").alias("a"), pl.col("a").alias("b"), "kind", "apart")])
    label = pl.coalesce("signal_id", "planet_name")
    links = (
        both.join(nodes.select(b="_node", other=label, other_period="period_days"), on="b")
        .with_columns(_rank=pl.col("kind").replace_strict(_KIND_ORDER, return_dtype=pl.Int64))
        .sort("a", "_rank", "apart", "other", nulls_last=True)
        .group_by("a", maintain_order=True)
        .agg(
            match_kind=pl.col("kind").first(),
            counterparts=pl.col("other").unique().sort().str.join(","),
            _other_period=pl.col("other_period").first(),
            separation_arcsec=pl.col("apart").first(),
        )
    )
    table = (
        nodes.filter(~is_planet)
        .join(links, left_on="_node", right_on="a")
        .join(groups, on="_part")
        .join(signals.select("signal_id", "disposition"), on="signal_id")
        .with_columns(
            planet_group_id=pl.coalesce("planet", "first"),
            planet_name=pl.col("planet"),
            period_ratio=pl.col("period_days") / pl.col("_other_period"),
        )
        .sort("planet_group_id", "_node")
    )
    return CORE_PLANET_IDENTITY.conform(table)


def contradictions(identity: pl.DataFrame) -> pl.DataFrame:
    """Groups that hold both a confirmed and a false-positive signal: planet_group_id, signals."""
    labels = identity.group_by("planet_group_id").agg(
        pl.col("disposition").unique(), signals=pl.col("signal_id").sort().str.join(",")
    )
    both = pl.col("disposition").list.contains("CONFIRMED") & pl.col("disposition").list.contains("FALSE POSITIVE")
    return labels.filter(both).select("planet_group_id", "signals").sort("planet_group_id")


def _planets(pscomppars: pl.DataFrame) -> pl.DataFrame:
    columns = pscomppars.columns
    return (
        pscomppars.select(
            planet_name=text("pl_name", columns),
            period_days=number("pl_orbper", columns),
            ra_deg=number("ra", columns),
            dec_deg=number("dec", columns),
        )
        .filter(pl.col("planet_name").is_not_null())
        .sort(pl.all())
        .unique("planet_name", keep="first", maintain_order=True)
    )


def _named(nodes: pl.DataFrame) -> pl.DataFrame:
    named = pl.col("planet_name").is_not_null()
    signals = nodes.filter(pl.col("signal_id").is_not_null() & named)
    planets = nodes.filter(pl.col("signal_id").is_null())
    pairs = signals.join(planets, on="planet_name", suffix="_b")
    a = sky.unit_vectors(pairs["ra_deg"].to_numpy(), pairs["dec_deg"].to_numpy())
    b = sky.unit_vectors(*(pairs[c].fill_null(float("nan")).to_numpy() for c in ("ra_deg_b", "dec_deg_b")))
    apart = pl.Series("apart", sky.separation_arcsec(a, b)).fill_nan(None)
    return _edges(pairs.with_columns(apart, kind=pl.lit("name")))


def _across_missions(nodes: pl.DataFrame) -> pl.DataFrame:
    signals = nodes.filter(pl.col("signal_id").is_not_null() & pl.col("period_days").is_not_null())
    pairs = signals.join(signals, on="star_id", suffix="_b").filter(
        (pl.col("_node") < pl.col("_node_b")) & (pl.col("mission") != pl.col("mission_b"))
    )
    a = sky.unit_vectors(pairs["ra_deg"].to_numpy(), pairs["dec_deg"].to_numpy())
    b = sky.unit_vectors(pairs["ra_deg_b"].to_numpy(), pairs["dec_deg_b"].to_numpy())
    return _edges(_period_kind(pairs.with_columns(pl.Series("apart", sky.separation_arcsec(a, b)))))


def _by_position(nodes: pl.DataFrame) -> pl.DataFrame:
    usable = nodes.filter(pl.all_horizontal(pl.col("ra_deg", "dec_deg", "period_days").is_not_null()))
    signals, planets = (usable.filter(pl.col("signal_id").is_null() == flag) for flag in (False, True))
    a, b = (sky.unit_vectors(f["ra_deg"].to_numpy(), f["dec_deg"].to_numpy()) for f in (signals, planets))
    i, j, separation = sky.pairs_within(a, b, HOST_ARCSEC)
    pairs = pl.concat(
        [signals[i], planets[j].rename(lambda name: f"{name}_b"), pl.DataFrame({"apart": separation})],
        how="horizontal",
    )
    return _edges(_period_kind(pairs))


def _period_kind(pairs: pl.DataFrame) -> pl.DataFrame:
    ratio = pl.col("period_days") / pl.col("period_days_b")
    close = [((ratio / alias - 1).abs() < SAME_PERIOD) for alias in ALIASES]
    kind = pl.when(close[0]).then(pl.lit("period")).when(close[1] | close[2]).then(pl.lit("period_alias"))
    return pairs.with_columns(kind=kind).filter(pl.col("kind").is_not_null())


def _edges(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(
        a=pl.col("_node").cast(pl.Int64),
        b=pl.col("_node_b").cast(pl.Int64),
        kind=pl.col("kind").cast(pl.String),
        apart=pl.col("apart").cast(pl.Float64),
    )


def _strongest(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges without repetition; an alias counts only when neither end is matched by name or by the period itself."""
    ranked = (
        edges.with_columns(_rank=pl.col("kind").replace_strict(_KIND_ORDER, return_dtype=pl.Int64))
        .sort("_rank", "a", "b")
        .unique(["a", "b"], keep="first", maintain_order=True)
    )
    sure = ranked.filter(pl.col("kind") != "period_alias")
    taken = np.union1d(sure["a"].to_numpy(), sure["b"].to_numpy())
    free = ~pl.col("a").is_in(taken.tolist()) & ~pl.col("b").is_in(taken.tolist())
    return pl.concat([sure, ranked.filter((pl.col("kind") == "period_alias") & free)]).drop("_rank")
