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
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.measured import MEASURED
from exo_assets.scoring.score import JOINED, REMARKS, Scorer, judge

ADDED = (*JUDGEMENT, *JOINED, "model_version", "problems")
"""Columns that scoring a file adds, in order."""

REASONS_SHOWN = 5
"""Reasons per signal that fit a line of text."""

_HARMONISE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "koi": harmonise_koi,
    "toi": harmonise_toi,
    "k2": harmonise_k2,
}


def score_file_frame(raw: pl.DataFrame, vetter: Scorer, known: Known = NOTHING) -> pl.DataFrame:
    """`raw` (text columns in the KOI, TOI or K2 layout) with ADDED beside its own columns, rows in order.

    Nothing but measured quantities, mission and host decides a probability, those of the file and what the catalogue
    knows of the same signal and its star (`known`). `problems` says which fields could not be read or are not allowed
    by physics (they count as unknown), why a row has no score, or that the model learned from nothing of its mission.
    ValueError as for `file_signals`.
    """
    return with_judgement(raw, file_signals(raw), vetter, known)


def file_signals(raw: pl.DataFrame) -> pl.DataFrame:
    """The signals in the rows of `raw`, harmonised, in order.

    ValueError when the layout is unknown or a column of `raw` has the name of one that scoring adds.
    """
    taken = [name for name in ADDED if name in raw.columns]
    if taken:
        raise ValueError(
            f"the input already has columns named {', '.join(map(repr, taken))}, which scoring adds: "
            "rename or remove them (has the file been scored before?)"
        )
    for name, meant in misspelt(raw.columns).items():
        raise ValueError(f"the column {name!r} looks like {meant!r} but is not: rename it")
    raw = raw.rechunk()
    layout = detect_layout(raw.columns)
    return _without_foreign_rows(_HARMONISE[layout](raw), raw, layout)


def with_judgement(raw: pl.DataFrame, signals: pl.DataFrame, vetter: Scorer, known: Known) -> pl.DataFrame:
    """`raw` with ADDED beside its own columns; `signals` is what `file_signals` made of it."""
    judged = judge(signals, vetter, known=known)
    mission = signals["mission"].cast(pl.String)
    cautions = {name: vetter.unfamiliar(name) for name in mission.unique()}
    remarks = signals.select("unreadable", caution=mission.replace_strict(cautions, return_dtype=pl.String))
    return raw.rechunk().with_columns(
        judged.select(*JUDGEMENT, *JOINED).with_columns(reasons_text(), model_version=_where_scored(vetter.version)),
        problems=_problems(judged, remarks),
    )


def _without_foreign_rows(signals: pl.DataFrame, raw: pl.DataFrame, layout: str) -> pl.DataFrame:
    """`signals` with nothing measured in rows of another layout: named in that layout's column and not in this one's.

    Files put together from several catalogues have such rows; under the columns that both share stand other units.
    """
    own, others = SIGNAL_COLUMN[layout], [c for n, c in SIGNAL_COLUMN.items() if n != layout and c in raw.columns]
    if own not in raw.columns or not others:
        return signals
    foreign = raw.select(pl.col(own).is_null() & pl.any_horizontal(pl.col(c).is_not_null() for c in others)).to_series()
    measured = [name for name in MEASURED if name in signals.columns]
    remark = pl.lit(f"this is no row of the {LAYOUTS[layout].title}: score each catalogue in a file of its own")
    return signals.with_columns(
        *(pl.when(~foreign).then(name).alias(name) for name in measured),
        unreadable=pl.when(foreign).then(remark).otherwise("unreadable"),
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
        "remark",
        pl.when(pl.col("unusable").is_null()).then("caution"),
        separator="; ",
        ignore_nulls=True,
    )
    return frame.select(problems=pl.when(text != "").then(text)).to_series()
