"""What the other events say of an event: those of its star, those with its ephemeris elsewhere, those of its kind.

Belongs here: comparisons between rows of the table of events, without any label. Does not belong here: formulas over
one row (features.py).

Coughlin et al. (2014, AJ 147, 119) matched ephemerides between stars: an eclipsing binary or a column of bad pixels
contaminates others, which then show its period and epoch. Thompson et al. (2018, ApJS 235, 38) reject events at periods
of known artefacts (372 d), events whose transits fall where many others' do (Skye), and events that follow a stronger
one at its period ("same period", "is secondary"). The same questions are asked here as numbers for a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.columns import SPAN_DAYS

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3, 1.5, 2 / 3)
"""Period ratios at which an event may be another's alias."""
SIBLING = (
    "log_mes",
    "log_depth",
    "log_period",
    "log_duration",
    "log_radius",
    "log_snr_over_mes",
    "impact",
    "log_secondary_over_mes",
    "offset_kic_sigma",
    "offset_oot_sigma",
    "log_ses_over_mean",
)
"""What is told of the strongest other event of the star."""
MATCH_PERIOD = 1e-3
"""Largest relative difference of periods at which events of different stars are compared."""
MATCH_EPOCH_DAYS = 0.5
MATCHES_COMPARED = 400
"""Events on each side, in the order of periods, that one is compared with."""
RARE_TRANSITS = 20
"""Events with at most so many transits count where transits pile up."""
PILE_DAYS = 1.0
SHARES = float(math.lcm(*range(1, RARE_TRANSITS + 1)))
"""What an event counts where transits pile up: a number of which each share of its transits is a whole one, so that
sums do not depend on their order."""


def star_context(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per event: how it stands among the events of its star.

    `frame` [event, star_id, period_days, t0_bkjd, log_mes, log_depth, log_duration, and SIBLING].
    """
    own = frame.with_row_index("row")
    other = own.select("star_id", "row", "period_days", "t0_bkjd", *SIBLING).rename(lambda c: f"{c}_o")
    pairs = own.join(other, left_on="star_id", right_on="star_id_o", maintain_order="left_right").filter(
        pl.col("row") != pl.col("row_o")
    )
    ratio = pl.col("period_days_o") / pl.col("period_days")
    distances = [(ratio / r - 1).abs() for r in RATIOS]
    same = (ratio - 1).abs() < 0.005
    # Phase of the other's transit in this event's period, -0.5 to 0.5.
    turns = (pl.col("t0_bkjd_o") - pl.col("t0_bkjd")) / pl.col("period_days")
    phase = turns - turns.round()
    pairs = pairs.with_columns(
        stronger=pl.col("log_mes_o") > pl.col("log_mes"),
        same=same,
        log_ratio=ratio.log10(),
        alias=pl.min_horizontal(distances),
        phase=phase.abs(),
        depth_ratio=pl.col("log_depth") - pl.col("log_depth_o"),
        mes_ratio=pl.col("log_mes") - pl.col("log_mes_o"),
        duration_ratio=pl.col("log_duration") - pl.col("log_duration_o"),
    )
    nearest = pl.col("log_ratio").abs().arg_min()
    twin = pl.col("log_mes_o").filter("same").arg_max()
    strongest = pl.col("log_mes_o").arg_max()
    told = pairs.group_by("row").agg(
        (pl.len() + 1).alias("star_events"),
        pl.col("stronger").sum().alias("star_stronger"),
        (pl.col("period_days_o") > 200).sum().alias("star_long_others"),
        ((pl.col("log_ratio").abs() < 0.05) & ~pl.col("same")).sum().alias("star_near_periods"),
        pl.col("same").sum().alias("star_same_period"),
        pl.col("alias").min().log10().alias("star_alias"),
        pl.col("alias").filter("stronger").min().log10().alias("star_alias_of_stronger"),
        pl.col("log_ratio").get(nearest).alias("star_nearest_ratio"),
        pl.col("depth_ratio").get(nearest).alias("star_nearest_depth"),
        *(
            pl.col(c).filter("same").get(twin).alias(f"star_twin_{c}")
            for c in ("phase", "depth_ratio", "mes_ratio", "duration_ratio")
        ),
        pl.col("mes_ratio").min().alias("star_mes_over_strongest"),
        pl.col("log_ratio").get(strongest).alias("star_strongest_ratio"),
        pl.col("duration_ratio").get(strongest).alias("star_strongest_duration"),
        pl.col("phase").get(strongest).alias("star_strongest_phase"),
        *(pl.col(f"{c}_o").get(strongest).alias(f"star_strongest_{c}") for c in SIBLING),
        pl.col("log_snr_over_mes_o").mean().alias("star_others_snr_over_mes"),
        pl.col("log_mes_o").mean().alias("star_others_mes"),
        pl.col("log_period_o").std().alias("star_others_period_scatter"),
    )
    out = own.select("row", "event").join(told, on="row", how="left", maintain_order="left").drop("row")
    alone = pl.col("star_events").is_null()
    counts = ("star_stronger", "star_long_others", "star_near_periods", "star_same_period")
    return out.with_columns(
        pl.col("star_events").fill_null(1), *(pl.when(alone).then(0).otherwise(pl.col(c)).alias(c) for c in counts)
    ).with_columns(pl.exclude("event").cast(pl.Float64))


def ephemeris_matches(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per event: the best match of period and epoch among events of other stars.

    `frame` [event, star_id, period_days, t0_bkjd, duration_hours, log_mes, log_depth, ra_deg, dec_deg].
    """
    star = frame["star_id"].rank("dense").to_numpy().astype(np.int64)
    period, epoch = (frame[c].to_numpy().astype(float) for c in ("period_days", "t0_bkjd"))
    width = np.maximum(frame["duration_hours"].fill_null(4.0).to_numpy().astype(float) / 24, 0.02)
    mes, depth = (frame[c].to_numpy().astype(float) for c in ("log_mes", "log_depth"))
    sky = _unit_vectors(*(frame[c].to_numpy().astype(float) for c in ("ra_deg", "dec_deg")))
    n = len(period)
    order = np.argsort(period, kind="stable")
    best = np.full(n, np.inf)
    near = np.full(n, np.inf)
    mate, near_mate = np.full(n, -1), np.full(n, -1)
    count, close_count = np.zeros(n), np.zeros(n)
    for step in range(1, min(MATCHES_COMPARED, n - 1) + 1 if n > 1 else 1):
        a, b = order[:-step], order[step:]
        rel = np.abs(period[b] - period[a]) / period[a]
        keep = (rel < MATCH_PERIOD) & (star[a] != star[b])
        if not (rel < MATCH_PERIOD).any():
            break
        a, b, rel = a[keep], b[keep], rel[keep]
        score = _mismatch(period[a], epoch[b] - epoch[a], rel, np.minimum(width[a], width[b]))
        apart = np.degrees(np.sqrt(((sky[a] - sky[b]) ** 2).sum(axis=1))) * 60
        for i, j in ((a, b), (b, a)):
            np.add.at(count, i, score < 1)
            np.add.at(close_count, i, (score < 1) & (apart < 60))
            _improve(best, mate, i, j, score)
            _improve(near, near_mate, i, j, np.where(apart < 20, score, np.inf))
    has, has_near = mate >= 0, near_mate >= 0
    other, close = np.maximum(mate, 0), np.maximum(near_mate, 0)
    arcmin = np.degrees(np.sqrt(((sky - sky[other]) ** 2).sum(axis=1))) * 60

    def told(values: Array, known: npt.NDArray[np.bool_]) -> pl.Series:
        return pl.Series(np.where(known, values, np.nan)).fill_nan(None)

    with np.errstate(divide="ignore", invalid="ignore"):
        return pl.DataFrame(
            {
                "event": frame["event"],
                "match_score": told(np.log10(best + 1e-6), has),
                "match_depth": told(depth - depth[other], has),
                "match_mes": told(mes - mes[other], has),
                "match_arcmin": told(np.log10(arcmin + 0.01), has),
                "match_count": np.log10(count + 1),
                "match_close_count": np.log10(close_count + 1),
                "match_near_score": told(np.log10(near + 1e-6), has_near),
                "match_near_depth": told(depth - depth[close], has_near),
                "match_near_mes": told(mes - mes[close], has_near),
            }
        )


def _mismatch(period: Array, apart: Array, rel: Array, width: Array) -> Array:
    """0 for one ephemeris; below 1 when the transits of both overlap all through the mission."""
    turns = apart / period
    shift = np.abs(turns - np.round(turns)) * period
    drift = rel * SPAN_DAYS
    return np.maximum(shift, drift / 2) / width


def _improve(best: Array, mate: Ints, i: Ints, j: Ints, score: Array) -> None:
    """Where `score` is lower than the best of event `i`, it and event `j` take its place; `i` has each event once."""
    better = score < best[i]
    best[i[better]] = score[better]
    mate[i[better]] = j[better]


def _unit_vectors(ra: Array, dec: Array) -> Array:
    """Directions on the unit sphere (rows, 3); nan where a position is unknown."""
    a, d = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


@dataclass(frozen=True)
class Crowd:
    """Counts over events: their log-periods in order, and for each day of the mission how many transits of events of
    few transits fall there, each event counting once, in units of 1/SHARES. They do not depend on the order of events.
    """

    log_periods: Array
    piled: Array

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Crowd:
        """The counts over `frame` [period_days, t0_bkjd]."""
        log_periods = _log_periods(frame)
        return cls(np.sort(log_periods[np.isfinite(log_periods)]), _piled(frame))

    def exchanged(self, gone: pl.DataFrame, come: pl.DataFrame) -> Crowd:
        """The counts without the events `gone`, which were counted, and with those that have `come`."""
        left = self.log_periods
        if gone.height:
            out = Crowd.of(gone).log_periods
            # Of equal ones the first, the second, ...: where each stands among those that are gone.
            left = np.delete(left, np.searchsorted(left, out) + np.arange(len(out)) - np.searchsorted(out, out))
        more = Crowd.of(come)
        piled = np.zeros(max(len(self.piled), len(more.piled)))
        piled[: len(self.piled)] += self.piled
        piled[: len(more.piled)] += more.piled
        less = _piled(gone)
        piled[: len(less)] -= less
        return Crowd(np.sort(np.concatenate([left, more.log_periods])), piled)

    def crowding(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One row per event of `frame` [event, period_days, t0_bkjd], which are among those counted: how many others
        have its period, and how its transits pile up with others'.

        The density of periods is that of events within 1 % and 5 % of this one's, over that within 20 %, as
        logarithms: artefacts stand out as peaks.
        """
        own = _log_periods(frame)

        def within(share: float) -> Array:
            low, high = (np.searchsorted(self.log_periods, own + s * share) for s in (-1, 1))
            return (high - low).astype(float)

        wide = within(0.2)
        with np.errstate(divide="ignore", invalid="ignore"):  # an event without a period has no neighbours either
            near, around = np.log10(within(0.01) * 20 / wide), np.log10(within(0.05) * 4 / wide)
        told = {"event": frame["event"], "period_crowding": near, "period_crowding_wide": around, **self._excess(frame)}
        return pl.DataFrame(told).with_columns(pl.exclude("event").fill_nan(None))

    def _excess(self, frame: pl.DataFrame) -> dict[str, Array]:
        """Mean and largest excess of other events' transits where an event of few transits has its own."""
        rows, days, share = _rare_transits(frame)
        mean, most = np.full(frame.height, np.nan), np.full(frame.height, np.nan)
        if len(rows):
            # What an event adds itself does not count.
            excess = (self.piled[days] - share) / max(float(np.median(self.piled[self.piled > 0])), 1e-9)
            n = np.bincount(rows, minlength=frame.height)
            rare = n > 0
            mean[rare] = np.log10(np.bincount(rows, excess, frame.height)[rare] / n[rare] + 0.01)
            top = np.full(frame.height, -np.inf)
            np.maximum.at(top, rows, excess)
            most[rare] = np.log10(top[rare] + 0.01)
        return {"pile_mean": mean, "pile_most": most}


def _log_periods(frame: pl.DataFrame) -> Array:
    return np.log(frame["period_days"].cast(pl.Float64).fill_null(np.nan).to_numpy())


def _piled(frame: pl.DataFrame) -> Array:
    """How many transits fall on each day, each event of few counting SHARES in all."""
    _, days, share = _rare_transits(frame)
    return np.bincount(days, share).astype(float)


def _rare_transits(frame: pl.DataFrame) -> tuple[Ints, Ints, Array]:
    """The transits of events with few: the event's row, the day, and the event's share in it (SHARES over their number,
    a whole number)."""
    columns = (frame[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("period_days", "t0_bkjd"))
    period, epoch = columns
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.clip(np.floor((SPAN_DAYS + 131.5 - epoch) / period) + 1, 0, None)
    rare = np.flatnonzero((n <= RARE_TRANSITS) & (n >= 1))
    many = n[rare].astype(np.int64)
    row = np.repeat(rare, many)
    which = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    day = np.floor((epoch[row] + which * period[row]) / PILE_DAYS).astype(np.int64)
    seen = day >= 0  # an epoch before the mission's zero has transits that nobody saw
    return row[seen], day[seen], SHARES / n[row[seen]]
