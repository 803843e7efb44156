"""Scoring: from signals in physical units to the vetter's judgement, row for row.

Belongs here: the one path that batch scoring, `exo score` and the endpoint share: what is passed to the model, what
counts as unusable, which signals are judged beside one another. Does not belong here: what the catalogue knows of a
row (`known.py`), files (`read_file.py`), catalogue layouts in and text out (`files.py`), failures of the model
(`batch.py`), or the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.contradictions import CONTRADICTION, held_back, with_contradictions
from exo_assets.scoring.known import NOTHING, Known, family, placed
from exo_assets.scoring.measured import MEASURED, TELLING

STATED_COUNT = "n_signals_on_star"
"""Column of signals: how many the caller knows of on the star, this one included."""

JOINED = ("known_as", "unknown_because", "n_signals_known", "completed_from")
"""What is told of the join with the catalogue: which of its signals a row is, or why it is none; how many signals of
the star were counted, the row included; what the row was completed from."""

REMARKS = ("problems", "unusable", "remark", CONTRADICTION)
"""What is told of a row: values that count as unknown, why it has no score, what differs from the catalogue, what
contradicts itself: then the verdict is not a confident one."""

LEFT_OUT = "left_out"
"""Column of signals: why a row is not to be judged, null where it is."""

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
    """Signals made ready for the model. `rows`: of each input row, in order, what is passed on of it, `row`, REMARKS
    and JOINED; `features`: of the usable rows, with the row number (text) as `signal_id`, so that names cannot matter.
    """

    rows: pl.DataFrame
    features: pl.DataFrame

    def judged(self, scores: pl.DataFrame) -> pl.DataFrame:
        """JUDGEMENT, REMARKS and JOINED of every input row, in order, from the scores of `features`."""
        own = scores.select(pl.col("signal_id").alias("row"), *JUDGEMENT)
        joined = self.rows.join(own, on="row", how="left", maintain_order="left")
        return held_back(joined).select(*JUDGEMENT, *REMARKS, *JOINED)


def judge(signals: pl.DataFrame, vetter: Scorer, *, known: Known = NOTHING) -> pl.DataFrame:
    """The vetter's judgement of each row, rows in the order given: JUDGEMENT, REMARKS and JOINED.

    See `prepare` for what is passed to the model.
    """
    prepared = prepare(signals, vetter, known=known)
    return prepared.judged(vetter.score_features(prepared.features))


def prepare(
    signals: pl.DataFrame,
    vetter: Scorer,
    *,
    known: Known = NOTHING,
    checked: bool = False,
    apart: bool = False,
) -> Prepared:
    """Features of the rows that can be scored, and what is wrong with any row.

    `signals` has `mission`, any of MEASURED_COLUMNS in the contract's units, and any of CURVE_NAMES and VIEWS, passed
    on as they are; `signal_id` and `mission_star_id` are used to tell repeated rows and companions apart, and to find a
    row in the catalogue (`known`); STATED_COUNT may be there; every other column, labels included, is ignored. A value
    that its contract does not allow counts as unknown and is named in `problems`. A row that carries no measured
    quantity, or is LEFT_OUT, is not scored: `unusable` says why.

    A signal of the catalogue is judged beside the others that the catalogue has of its star, as it has them, whatever
    stands beside it here; any other signal beside those and the rows of its star that are no signals of the catalogue,
    unless the rows are judged `apart`. Rows with the same `signal_id` are judged each by itself, never as companions of
    one another. `checked` says that the caller has held every value against its contract
    already (the endpoint's requests): it is not done twice. Raises ValueError on an unknown mission.
    """
    rows = with_contradictions(placed(_passed_on(signals, checked), known))
    usable = rows.filter(pl.col("unusable").is_null())
    others = family(usable, known)
    usable = usable.drop(*REMARKS, "known_as", "unknown_because", "completed_from", "star_mission")
    together, counts = _kept_apart(usable, others, apart)
    features = vetter.features(together.with_columns(signal_id="row").drop("row", "companion", STATED_COUNT), counts)
    features = features.filter(~together["companion"])
    counted = _counted(together, counts)
    return Prepared(rows.join(counted, on="row", how="left", maintain_order="left"), features)


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
        (pl.col(STATED_COUNT) if STATED_COUNT in signals.columns else pl.lit(None, pl.Int64)).alias(STATED_COUNT),
        *(pl.col(name).cast(pl.Float64) for name in (*present, *(n for n in CURVE_NAMES if n in signals.columns))),
        *(name for name in (VIEWS,) if name in signals.columns),
    )
    if checked:
        frame = frame.with_columns(problems=pl.lit(None, pl.String))
    else:
        frame = frame.with_columns(rules.problems.alias("problems"), *rules.cleaned)
    left_out = signals[LEFT_OUT] if LEFT_OUT in signals.columns else pl.lit(None, pl.String)
    nothing = pl.when(~rules.usable).then(pl.lit(NOTHING_MEASURED))
    return frame.with_columns(unusable=pl.coalesce(left_out, nothing))


def _text(name: str, columns: list[str]) -> pl.Expr:
    return (pl.col(name).cast(pl.String) if name in columns else pl.lit(None, pl.String)).alias(name)


def _kept_apart(rows: pl.DataFrame, others: pl.DataFrame, apart: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rows` and the catalogue's signals of their stars (`others`), each repetition of a signal on a star of its own,
    beside copies of the star's other signals; and the counts of signals on all these stars that rows state.
    `companion` rows are there to be counted and compared with, not to be judged.

    What a signal is judged by includes the other signals on its star. A second row of the same signal is not another
    signal: it gets a star that only it and companions are on. So does a row of a signal that the catalogue has, with
    the catalogue's signals alone: it has one answer, whichever file it stands in.
    """
    name = pl.col("signal_id")
    # Which of them counts for the star's other signals is decided by content, not by the order of the rows.
    content = [column for column in rows.columns if column in MEASURED]
    closed = pl.lit(apart) | name.is_in(others["signal_id"].implode()).fill_null(False)
    again = name.is_not_null() & ~name.is_first_distinct()
    home = pl.format("{} (row {})", pl.col("mission_star_id").fill_null("?"), "row")
    rows = (
        rows.sort("signal_id", *content)
        .with_columns(companion=pl.lit(False), _closed=closed, _alone=closed | again)
        .sort(pl.col("row").cast(pl.Int64))
        .with_columns(_home=pl.when("_alone").then(home).otherwise("mission_star_id"))
    )
    counts = rows.select(mission_star_id="_home", n_signals=pl.col(STATED_COUNT).cast(pl.Int64)).drop_nulls()
    known = others.with_columns(companion=pl.lit(True), _home="mission_star_id")
    worlds = rows.filter("_alone").select("mission_star_id", "_home", "_closed", _name=name)
    rows = rows.drop("_closed")
    first = pl.concat([known, rows.filter(~pl.col("_alone")).drop("_alone")], how="diagonal_relaxed").drop("_home")
    needed = worlds.join(first.group_by("mission_star_id").len(), on="mission_star_id")["len"].sum()
    if needed > MOST_COMPANIONS:
        raise ValueError(
            f"{worlds.height} rows repeat the name of another on stars with so many signals that they cannot be judged "
            "together; remove the repetitions or split the input"
        )
    beside = first.join(worlds, on="mission_star_id").filter(
        name.ne_missing(pl.col("_name")), pl.col("companion") | ~pl.col("_closed")
    )
    beside = beside.with_columns(companion=pl.lit(True)).drop("_name", "_closed")
    together = pl.concat([rows.drop("_alone"), known, beside], how="diagonal_relaxed", rechunk=True)
    return together.with_columns(mission_star_id="_home").drop("_home"), counts


def _counted(together: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Of each `row` to be judged `n_signals_known`, as the features have it: itself and the others of its star."""
    named = pl.col("mission_star_id").is_not_null()
    here = pl.when(named).then(pl.len().over("mission_star_id")).otherwise(1).cast(pl.Int64)
    most = counts.group_by("mission_star_id").agg(pl.col("n_signals").max())
    rows = together.with_columns(_here=here).filter(~pl.col("companion")).join(most, on="mission_star_id", how="left")
    return rows.select("row", n_signals_known=pl.max_horizontal("_here", "n_signals"))
