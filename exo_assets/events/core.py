"""`core_events`: the archive's table of threshold-crossing events, harmonised and labelled.

Belongs here: text to numbers, names, the join to the KOI tables. Does not belong here: the rules of labels (labels.py).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from exo_assets.archive.contracts import DR25_TCE
from exo_assets.catalogs.parsing import integer
from exo_assets.events.columns import MEASURED, POSITION, Measured
from exo_assets.events.contracts import CORE_EVENTS
from exo_assets.events.labels import LABELS, agreement, join_rule, published_rule
from exo_assets.text_csv import number, text

ABSENT = (
    f"no source has the archive's table {DR25_TCE.archive_table}, and nothing stands in for it: let Exo reach the "
    f"archive, or set EXO_ARCHIVE_MIRROR to a mirror that holds tap/{DR25_TCE.archive_table}.csv.gz or "
    f"{DR25_TCE.stand_in.path if DR25_TCE.stand_in else ''}; {DR25_TCE.name} says what was asked and what it answered"
)
PERIOD_DIGITS = 6
"""Significant digits of a period in the archive's table."""
MULTIPLES = (1 / 3, 0.5, 2.0, 3.0)
MULTIPLE_TOLERANCE = 0.03
YEAR_DAYS = 365.25
NO_KOI = "the DR25 KOI table is empty, so no event has a label by the join"


def core_events(raw: pl.DataFrame, dr25: pl.DataFrame, cumulative: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The events of `raw`, labelled by `dr25` and `cumulative` (raw KOI tables), and notes on how the labels agree."""
    if raw.is_empty():
        return CORE_EVENTS.empty(), {"why_empty": ABSENT}
    names = raw.columns
    listed = raw.select(
        integer("kepid", names).alias("kepid"),
        integer("tce_plnt_num", names).alias("planet_number"),
        (number("tce_rogue_flag", names).fill_null(0) == 1).alias("is_rogue"),
        *(_known(c, names).alias(c.name) for c in (*MEASURED, *POSITION)),
        text("label", names).alias("published"),
        published_rule(
            text("kepoi_name", names), text("koi_disposition", names), text("fpwg_disp_status", names)
        ).alias("by_rule"),
        number("cv_fold", names).cast(pl.Int64, strict=False).alias("published_fold"),
    )
    # A row without its number cannot be named, and of rows of one event the first counts.
    whole = listed.drop_nulls(["kepid", "planet_number"])
    distinct = whole.unique(["kepid", "planet_number"], keep="first", maintain_order=True)
    events = distinct.with_columns(
        event=pl.format(
            "{}-{}", pl.col("kepid").cast(pl.String).str.zfill(9), pl.col("planet_number").cast(pl.String).str.zfill(2)
        ),
        star_id=pl.format("KIC {}", "kepid"),
        published=pl.when(pl.col("published").is_in(LABELS)).then("published"),
        period_days=period_of_pipeline(),
    )
    kois = _kois(dr25, cumulative)
    events = events.join(kois, on=["kepid", "planet_number"], how="left", maintain_order="left")
    joined = (
        join_rule(pl.col("koi_disposition"), pl.col("not_transit_like")) if kois.height else pl.lit(None, pl.String)
    )
    events = events.with_columns(label_join=joined).with_columns(
        # A copy that labels events labels those it wants labelled: no other rule fills in what it leaves out.
        source=pl.lit("published" if events["published"].null_count() < events.height else "join")
    )
    label = pl.when(pl.col("source") == "published").then("published").otherwise("label_join")
    events = events.with_columns(label=label, label_source=pl.when(label.is_not_null()).then("source"))
    return CORE_EVENTS.conform(events).sort("event"), {
        **_notes(events, kois),
        "rows_without_number": listed.height - whole.height,
        "rows_repeated": whole.height - distinct.height,
    }


def period_of_pipeline() -> pl.Expr:
    """Expression: the period as the pipeline gave it, whatever a later hand wrote into the column.

    In the labelled file the period of every planet candidate, and of no other event, is that of the KOI table: it has
    more digits than the pipeline writes (six), and in a few rows it is the multiple of the pipeline's that turned out
    to be right. Either would give the label away. So all periods get six digits, and where Kepler's third law says of
    the pipeline's own semi-major axis and stellar mass that the period was a simple multiple, that multiple is taken.
    """
    period = pl.col("period_days")
    implied = (pl.col("semi_major_axis_au").pow(3) / pl.col("star_mass_sun")).sqrt() * YEAR_DAYS / period
    factor = pl.lit(1.0)
    for multiple in MULTIPLES:
        factor = pl.when((implied / multiple - 1).abs() < MULTIPLE_TOLERANCE).then(multiple).otherwise(factor)
    return (period * factor).round_sig_figs(PERIOD_DIGITS)


def _known(column: Measured, names: list[str]) -> pl.Expr:
    """The column as a number, null where the pipeline wrote a placeholder."""
    value = number(column.raw, names)
    match column.unknown:
        case "minus_one":
            return pl.when(value != -1).then(value)
        case "zero":
            return pl.when(value != 0).then(value)
        case "not_positive":
            return pl.when(value > 0).then(value)
        case _:
            return value


def _kois(dr25: pl.DataFrame, cumulative: pl.DataFrame) -> pl.DataFrame:
    """One row per event that is a KOI of DR25: its name, disposition and flag of then, and its disposition of now."""
    names = dr25.columns
    then = dr25.select(
        number("kepid", names).cast(pl.Int64).alias("kepid"),
        number("koi_tce_plnt_num", names).cast(pl.Int64).alias("planet_number"),
        text("kepoi_name", names).alias("koi"),
        text("koi_disposition", names).alias("koi_disposition"),
        number("koi_fpflag_nt", names).alias("not_transit_like"),
    ).drop_nulls(["kepid", "planet_number"])
    now = cumulative.select(
        text("kepoi_name", cumulative.columns).alias("koi"),
        text("koi_disposition", cumulative.columns).alias("disposition_now"),
    )
    return then.unique(["kepid", "planet_number"], keep="first", maintain_order=True).join(
        now.unique("koi", keep="first", maintain_order=True), on="koi", how="left", maintain_order="left"
    )


def _notes(events: pl.DataFrame, kois: pl.DataFrame) -> dict[str, Any]:
    """Counts, and how far the rules agree with the published labels."""
    by_join, by_rule = (agreement(events["published"], events[c]) for c in ("label_join", "by_rule"))
    counted = events["label"].drop_nulls().value_counts().sort("label")
    return {
        "labels": dict(counted.iter_rows()),
        "rogue": int(events["is_rogue"].sum()),
        "published_labels": by_join[0],
        "join_agrees": by_join[1],
        "rule_reproduces": by_rule[1],
        "changed_since": int(((events["label"] == "PC") & (events["disposition_now"] == "FALSE POSITIVE")).sum()),
        **({} if kois.height else {"why_unlabelled": NO_KOI}),
    }
