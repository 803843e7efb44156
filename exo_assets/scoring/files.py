"""Scoring of a catalogue file: the archive's own layouts in, the same rows with the judgement beside them out.

Belongs here: what `exo score` and the endpoint's batch door return. Does not belong here: reading bytes
(`read_file.py`) or scoring (`score.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from exo_assets.catalogs.harmonise import detect_layout, harmonise_k2, harmonise_koi, harmonise_toi
from exo_assets.catalogs.layouts import LAYOUTS, SIGNAL_COLUMN, misspelt
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.contradictions import CONTRADICTION
from exo_assets.scoring.dialects import NO_TRANSITS, from_exofop, harmonise_planets, is_exofop, is_planets
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.score import JOINED, LEFT_OUT, REMARKS, Scorer, judge
from exo_assets.text_csv import text

ADDED = (*JUDGEMENT, *JOINED, "model_version", "problems")
"""Columns that scoring a file adds, in order."""

OWN_NAME = "signal_name"
"""Column with a name for each row, before ADDED, where the table has no column that names its signals."""

REASONS_SHOWN = 5
"""Reasons per signal that fit a line of text."""

_HARMONISE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "koi": harmonise_koi,
    "toi": harmonise_toi,
    "k2": harmonise_k2,
}


def score_file_frame(raw: pl.DataFrame, vetter: Scorer, known: Known = NOTHING) -> pl.DataFrame:
    """`raw` (text columns of a table that is known here) with ADDED beside its own columns, rows in order.

    Nothing but measured quantities, mission and host decides a probability, those of the file and what the catalogue
    knows of the same signal and its star (`known`). `problems` says which fields could not be read or are not allowed
    by physics (they count as unknown), why a row has no score, or that the model learned from nothing of its mission.
    ValueError as for `file_signals`.
    """
    return with_judgement(raw, file_signals(raw), vetter, known)


def file_signals(raw: pl.DataFrame) -> pl.DataFrame:
    """The signals in the rows of `raw` (KOI, TOI or K2 layout, ExoFOP's TOI table, the archive's tables of planets),
    harmonised, in order; LEFT_OUT says which are not to be judged. A row without a name gets one of its own.

    ValueError when the layout is unknown or a column of `raw` has the name of one that scoring adds.
    """
    taken = [name for name in (OWN_NAME, *ADDED) if name in raw.columns]
    if taken:
        raise ValueError(
            f"the input already has columns named {', '.join(map(repr, taken))}, which scoring adds: "
            "rename or remove them (has the file been scored before?)"
        )
    raw = raw.rechunk()
    if is_exofop(raw.columns):
        raw = from_exofop(raw)
    for name, meant in misspelt(raw.columns).items():
        raise ValueError(f"the column {name!r} looks like {meant!r} but is not: rename it")
    if is_planets(raw.columns):
        return _named(harmonise_planets(raw))
    layout = detect_layout(raw.columns)
    own = SIGNAL_COLUMN[layout]
    signals = _HARMONISE[layout](raw if own in raw.columns else raw.with_columns(pl.lit(None, pl.String).alias(own)))
    return _named(signals.with_columns(raw.with_columns(_left_out(raw.columns, layout))[LEFT_OUT]))


def has_names(columns: list[str]) -> bool:
    """Whether a column names the signals."""
    return bool({name.strip().lower() for name in columns} & {*SIGNAL_COLUMN.values()})


def _named(signals: pl.DataFrame) -> pl.DataFrame:
    """`signals`, those without a name named after their star and period, or after their row."""
    signals = signals.with_columns(pl.coalesce("mission_star_id", pl.format("EPIC {}", "epic_id")))
    star, period = pl.col("mission_star_id"), pl.col("period_days").round_sig_figs(6)
    made = pl.coalesce(pl.format("{} P={} d", star, period), pl.format("row {}", pl.int_range(1, pl.len() + 1)))
    return signals.with_columns(signal_id=pl.coalesce("signal_id", made))


def with_judgement(raw: pl.DataFrame, signals: pl.DataFrame, vetter: Scorer, known: Known) -> pl.DataFrame:
    """`raw` with ADDED beside its own columns; `signals` is what `file_signals` made of it."""
    judged = judge(signals, vetter, known=known)
    mission = signals["mission"].cast(pl.String)
    cautions = {name: vetter.unfamiliar(name) for name in mission.drop_nulls().unique()}
    told = mission.replace_strict(cautions, default=None, return_dtype=pl.String)
    remarks = signals.select("unreadable", caution=told)
    names = [] if has_names(raw.columns) else [signals["signal_id"].alias(OWN_NAME)]
    return raw.rechunk().with_columns(
        *names,
        *judged.select(*JUDGEMENT, *JOINED).with_columns(reasons_text(), model_version=_where_scored(vetter.version)),
        problems=_problems(judged, remarks),
    )


def _left_out(columns: list[str], layout: str) -> pl.Expr:
    """Why a row is not judged: it is of another catalogue (named in that one's column and not in this one's), or a
    planet of K2's stars whose transits nobody saw (the release leaves those out too).

    Files put together from several catalogues have rows of others; under the columns that both share stand other units.
    """
    own, others = SIGNAL_COLUMN[layout], [c for n, c in SIGNAL_COLUMN.items() if n != layout and c in columns]
    foreign = pl.lit(False)
    if own in columns and others:
        foreign = pl.col(own).is_null() & pl.any_horizontal(pl.col(c).is_not_null() for c in others)
    method = text("discoverymethod", columns) if layout == "k2" else pl.lit(None, pl.String)
    return (
        pl.when(foreign)
        .then(pl.lit(f"this is no row of the {LAYOUTS[layout].title}: score each catalogue in a file of its own"))
        .when(method != "Transit")
        .then(pl.format(NO_TRANSITS, method))
        .alias(LEFT_OUT)
    )


def reasons_text(shown: int = REASONS_SHOWN) -> pl.Expr:
    """Expression: the column `reasons` as text, 'centroid_offset_kic_sig=12.3 (-1.84); ...', strongest first."""
    item = pl.element().struct
    value, contribution = item.field("value").round_sig_figs(4), item.field("contribution").round(2)
    number = pl.when(value.is_null()).then(pl.lit(" unknown")).otherwise(pl.format("={}", value))
    signed = pl.when(contribution < 0).then(pl.format("{}", contribution)).otherwise(pl.format("+{}", contribution))
    line = pl.format("{}{} ({})", item.field("feature"), number, signed)
    return pl.col("reasons").list.head(shown).list.eval(line).list.join("; ")


def _where_scored(version: str) -> pl.Expr:
    return pl.when(pl.col("probability_planet").is_not_null()).then(pl.lit(version))


def _problems(judged: pl.DataFrame, remarks: pl.DataFrame) -> pl.Series:
    """Not scored, unreadable fields and impossible values, in words; null when there is nothing to say."""
    frame = judged.select(REMARKS).hstack(remarks)
    text = pl.concat_str(
        pl.format("not scored: {}", "unusable"),
        pl.format("unreadable: {}", "unreadable"),
        pl.format("taken as unknown: {}", "problems"),
        pl.format("contradicting: {}", CONTRADICTION),
        "remark",
        pl.when(pl.col("unusable").is_null()).then("caution"),
        separator="; ",
        ignore_nulls=True,
    )
    return frame.select(problems=pl.when(text != "").then(text)).to_series()
