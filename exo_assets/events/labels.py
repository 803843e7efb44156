"""What an event is: the published label where the copy of the table has it, and the documented join to the KOI table.

Belongs here: the rules that turn catalogue columns into PC (planet candidate), AFP (astrophysical false positive) and
NTP (not transit-like). Does not belong here: features, or which events may be learned from.

The join. An event's KOI has its star and its number (`koi_tce_plnt_num` of the DR25 KOI table). CONFIRMED or CANDIDATE
makes it PC; FALSE POSITIVE makes it NTP when the not-transit-like flag is set, else AFP; without a KOI it is NTP
(Thompson et al. 2018, ApJS 235, 38; the labels of Shallue and Vanderburg 2018, AJ 155, 94, are of this kind).

The published label (Valizadegan et al. 2022, ApJ 926, 120). Without a KOI: NTP. CONFIRMED in the cumulative table: PC.
Else what the certified false-positive table says: CERTIFIED FP is AFP, CERTIFIED FA is NTP. KOIs that are neither
confirmed nor certified have no label. `published_rule` states this over the columns that the labelled file carries, and
reproduces its labels; where it can be had the published label is used, because published figures rest on it.
"""

from __future__ import annotations

import polars as pl

LABELS = ("PC", "AFP", "NTP")
SOURCES = ("published", "join")


def join_rule(disposition: pl.Expr, not_transit_like: pl.Expr) -> pl.Expr:
    """Expression: the label by the join, from the KOI's DR25 disposition (null: no KOI) and its flag; null when the
    disposition is neither."""
    false = pl.when(not_transit_like == 1).then(pl.lit("NTP")).otherwise(pl.lit("AFP"))
    return (
        pl.when(disposition.is_null())
        .then(pl.lit("NTP"))
        .when(disposition.is_in(["CONFIRMED", "CANDIDATE"]))
        .then(pl.lit("PC"))
        .when(disposition == "FALSE POSITIVE")
        .then(false)
    )


def published_rule(koi: pl.Expr, disposition: pl.Expr, certified: pl.Expr) -> pl.Expr:
    """Expression: the published label from the KOI's name, its cumulative disposition and the certified status."""
    return (
        pl.when(koi.is_null())
        .then(pl.lit("NTP"))
        .when(disposition == "CONFIRMED")
        .then(pl.lit("PC"))
        .when(certified == "CERTIFIED FP")
        .then(pl.lit("AFP"))
        .when(certified == "CERTIFIED FA")
        .then(pl.lit("NTP"))
    )


def agreement(first: pl.Series, second: pl.Series) -> tuple[int, float | None]:
    """Rows that both label, and the share of them on which they agree; None when there are none."""
    both = first.is_not_null() & second.is_not_null()
    rows = int(both.sum())
    return rows, float((first == second).filter(both).mean()) if rows else None  # type: ignore[arg-type]
