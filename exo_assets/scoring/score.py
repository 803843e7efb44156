"""Scoring: from signals in physical units to the vetter's judgement, row for row.

Belongs here: the one path that batch scoring, `exo score` and the endpoint share: what is passed to the model, what
counts as unusable, how repeated rows are kept apart. Does not belong here: files (`read_file.py`), catalogue layouts in
and text out (`files.py`), failures of the model (`batch.py`), or the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import polars as pl

from exo_assets.catalogs.contracts import CORE_SIGNALS, MEASURED_COLUMNS, MISSIONS
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.contracts import JUDGEMENT

MEASURED = {c.name: c for c in CORE_SIGNALS.columns if c.name in MEASURED_COLUMNS}
"""Contract of every column that may be passed to the model: its unit and range are written there, once."""

POSITION = ("ra_deg", "dec_deg", "t0_bjd", "pm_ra_mas_yr", "pm_dec_mas_yr")
"""Columns that say where and when a signal is but nothing of what it is."""

TELLING = tuple(name for name in MEASURED if name not in POSITION and "_err" not in name)
"""Columns of which a signal must have at least one to be scored."""

NOTHING_MEASURED = "no measured quantity"
"""The reason for which a row has no score before the model sees it."""

MOST_COMPANIONS = 2_000_000
"""Copies of companion rows that repetitions may need before the input is refused (memory: about 1 GB)."""


class Scorer(Protocol):
    """The part of `exo_assets.training.vetter.Vetter` that scoring uses."""

    @property
    def version(self) -> str:
        """Name of the model version."""

    def unfamiliar(self, mission: str) -> str | None:
        """Why verdicts on a mission are reserved; None when it was learned from."""

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """Features of signals; afterwards rows can be scored apart from each other."""

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        """`signal_id` and JUDGEMENT of each row, in order."""


@dataclass(frozen=True)
class Prepared:
    """Signals made ready for the model. `rows`: per input row `row`, `problems` and `unusable`; `features`: of the
    usable rows, with the row number (text) as `signal_id`, so that names cannot matter."""

    rows: pl.DataFrame
    features: pl.DataFrame

    def judged(self, scores: pl.DataFrame) -> pl.DataFrame:
        """JUDGEMENT, `problems` and `unusable` of every input row, in order, from the scores of `features`."""
        return (
            self.rows.join(scores.select(pl.col("signal_id").alias("row"), *JUDGEMENT), on="row", how="left")
            .sort(pl.col("row").cast(pl.Int64))
            .select(*JUDGEMENT, "problems", "unusable")
        )


def judge(signals: pl.DataFrame, vetter: Scorer, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
    """The vetter's judgement of each row, rows in the order given: JUDGEMENT, `problems` and `unusable`.

    See `prepare` for what is passed to the model.
    """
    prepared = prepare(signals, vetter, star_counts)
    return prepared.judged(vetter.score_features(prepared.features))


def prepare(
    signals: pl.DataFrame, vetter: Scorer, star_counts: pl.DataFrame | None = None, *, checked: bool = False
) -> Prepared:
    """Features of the rows that can be scored, and what is wrong with any row.

    `signals` has `mission`, any of MEASURED_COLUMNS in the contract's units, and any of CURVE_NAMES and VIEWS, passed
    on as they are; `signal_id` and `mission_star_id` are used to tell repeated rows and companions apart; every other
    column, labels included, is ignored. A value that its contract does not allow counts as unknown and is named in
    `problems`. A row that carries no measured quantity is not scored: `unusable` says why. Rows with the same
    `signal_id` are judged each by itself, never as companions of one another. `checked` says that the caller has held
    every value against its contract already (the endpoint's requests): it is not done twice. Raises ValueError on an
    unknown mission.
    """
    rows = _passed_on(signals, checked)
    usable = rows.filter(pl.col("unusable").is_null()).drop("problems", "unusable")
    together, counts = _kept_apart(usable, star_counts)
    features = vetter.features(together.with_columns(signal_id="row").drop("row", "companion"), counts)
    return Prepared(rows.select("row", "problems", "unusable"), features.filter(~together["companion"]))


@dataclass(frozen=True)
class _Rules:
    """Expressions over the measured columns that are there, built once per set of columns."""

    problems: pl.Expr
    cleaned: tuple[pl.Expr, ...]
    usable: pl.Expr


@lru_cache(maxsize=64)
def _rules(present: tuple[str, ...]) -> _Rules:
    broken = {
        name: [(reason, expr) for reason, expr in MEASURED[name].broken() if not reason.endswith("_missing")]
        for name in present
    }
    hits = [pl.when(expr).then(pl.lit(reason)) for rules in broken.values() for reason, expr in rules]
    problems = pl.concat_str(hits, separator="; ", ignore_nulls=True) if hits else pl.lit("")
    telling = [pl.col(name).is_not_null() for name in present if name in TELLING]
    return _Rules(
        problems=pl.when(problems != "").then(problems),
        cleaned=tuple(
            pl.when(~pl.any_horizontal(expr for _, expr in rules)).then(pl.col(name)).alias(name)
            for name, rules in broken.items()
        ),
        usable=pl.any_horizontal(telling) if telling else pl.lit(False),
    )


def _passed_on(signals: pl.DataFrame, checked: bool) -> pl.DataFrame:
    """Row number, identity, usable measured values, `problems` and `unusable`."""
    if "mission" not in signals.columns:
        raise ValueError(f"signals need a column 'mission' (one of {', '.join(MISSIONS)})")
    present = tuple(name for name in MEASURED if name in signals.columns)
    rules = _rules(present)
    # One chunk: polars 2.1 panics on text put together from filtered chunks of which one is empty.
    frame = signals.rechunk().select(
        pl.row_index("row").cast(pl.String),
        *(_text(name, signals.columns) for name in ("signal_id", "mission", "mission_star_id")),
        *(pl.col(name).cast(pl.Float64) for name in (*present, *(n for n in CURVE_NAMES if n in signals.columns))),
        *(name for name in (VIEWS,) if name in signals.columns),
    )
    if checked:
        frame = frame.with_columns(problems=pl.lit(None, pl.String))
    else:
        frame = frame.with_columns(rules.problems.alias("problems"), *rules.cleaned)
    return frame.with_columns(unusable=pl.when(~rules.usable).then(pl.lit(NOTHING_MEASURED)))


def _text(name: str, columns: list[str]) -> pl.Expr:
    return (pl.col(name).cast(pl.String) if name in columns else pl.lit(None, pl.String)).alias(name)


def _kept_apart(rows: pl.DataFrame, star_counts: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """`rows` with each repetition of a signal on a star of its own, beside copies of the star's other signals.

    What a signal is judged by includes the other signals on its star. A second row of the same signal is not another
    signal: it gets a star that only it and `companion` copies (to be dropped) are on.
    """
    name = pl.col("signal_id")
    # Which of them counts for the star's other signals is decided by content, not by the order of the rows.
    content = [column for column in rows.columns if column in MEASURED]
    rows = (
        rows.sort("signal_id", *content)
        .with_columns(_again=name.is_not_null() & ~name.is_first_distinct(), companion=pl.lit(False))
        .sort(pl.col("row").cast(pl.Int64))
    )
    repeated, first = rows.filter("_again").drop("_again"), rows.filter(~pl.col("_again")).drop("_again")
    if repeated.is_empty():
        return first, star_counts
    home = pl.format("{} (row {})", pl.col("mission_star_id").fill_null("?"), "row")
    worlds = repeated.select("mission_star_id", _home=home, _name=name)
    needed = worlds.join(first.group_by("mission_star_id").len(), on="mission_star_id")["len"].sum()
    if needed > MOST_COMPANIONS:
        raise ValueError(
            f"{repeated.height} rows repeat the name of an earlier row on stars with so many signals that they cannot "
            "be judged together; remove the repetitions or split the input"
        )
    companions = first.join(worlds, on="mission_star_id").filter(name.ne_missing(pl.col("_name")))
    parts = [
        first,
        repeated.with_columns(mission_star_id=home),
        companions.with_columns(mission_star_id="_home", companion=pl.lit(True)).select(first.columns),
    ]
    if star_counts is not None:
        copied = worlds.join(star_counts, on="mission_star_id").select(mission_star_id="_home", n_signals="n_signals")
        star_counts = pl.concat([star_counts.select("mission_star_id", "n_signals"), copied])
    return pl.concat(parts), star_counts
