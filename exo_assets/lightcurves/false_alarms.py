"""How often the chain finds a signal where there can be none: light curves turned upside down, and out of order.

Belongs here: making such curves from real ones, one trial of searching them, and their table. Does not belong here:
planets that are put in (`injection.py`).

Both are Kepler's own tests of reliability (Coughlin 2017, KSCI-19114; Thompson et al. 2018, ApJS 235, 38, section 2.3):
they keep a star's noise and take its transits away. Neither is perfect. Inverted curves turn flares into dips, and dips
into bumps that cleaning clips: where noise is not symmetric they overstate false alarms. Scrambled ones keep what is
periodic within a block, and their seams give the trend more ends than the real curve has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.clean import CleanError, stitched
from exo_assets.lightcurves.curve import LightCurve, usable
from exo_assets.lightcurves.detrend import pieces
from exo_assets.lightcurves.injection import generator
from exo_assets.lightcurves.intervals import wilson
from exo_assets.lightcurves.search import SearchError, SearchSettings
from exo_assets.lightcurves.validation_contracts import FALSE_ALARM_KINDS

Array = NDArray[np.float64]

BLOCK_DAYS = 3.0
"""About the length of a block of a star with few segments: two windows of the trend, longer than any transit that is
searched for, and nine of them in a TESS sector."""
SEGMENT_BLOCKS_MIN = 4
"""A star with so many segments is scrambled by segment, as Kepler was by quarter."""
SEASON_BLOCKS_MIN = 8
"""A Kepler star with so many quarters keeps its seasons: every quarter goes to one in which the star fell on the same
detector, whose systematics repeat (Thompson et al. 2018)."""
SEASONS = 4


class ScrambleError(ValueError):
    """The light curve has no blocks whose order could change."""


def inverted(segments: Sequence[LightCurve]) -> list[LightCurve]:
    """The segments upside down: dips are bumps and bumps are dips.

    Each is mirrored about the median of its usable points, flux -> 2 median - flux. The trend that cleaning finds
    follows (a sliding biweight of mirrored data is the mirrored biweight), so that the flat curve is mirrored about its
    local trend. Twice is the original again.
    """
    out = []
    for segment in segments:
        good = usable(segment)
        level = float(np.median(segment.flux[good])) if good.any() else float("nan")
        out.append(replace(segment, flux=2 * level - segment.flux, flux_kind=_labelled(segment.flux_kind, "inverted")))
    return out


def scrambled(segments: Sequence[LightCurve], random: np.random.Generator) -> list[LightCurve]:
    """The star's blocks in another order, one light curve each; within a block nothing changes but the date.

    Blocks are segments when there are four or more, and else pieces of about three days, none with a gap inside. They
    are laid into the same stretch of time with the same gaps between them. Noise that is correlated keeps being so
    inside a block; a signal whose period is longer than a block is torn apart. Every block has a segment number of its
    own, because the star's brightness jumps at the seams: no trend crosses them. CleanError as `stitched`;
    ScrambleError when there are fewer than two blocks.
    """
    whole = stitched(segments)
    blocks = _blocks(whole)
    if len(blocks) < 2:
        raise ScrambleError(f"{whole.target or 'the star'}: {len(blocks)} block has no other order")
    start = np.array([whole.time_bjd[b.start] for b in blocks])
    length = np.array([whole.time_bjd[b.stop - 1] for b in blocks]) - start
    gaps = np.append(start[1:] - (start + length)[:-1], 0.0)
    order = _order(_seasons(whole, blocks), random)
    begins = start[0] + np.concatenate([[0.0], np.cumsum(length[order] + gaps)[:-1]])
    out = []
    for slot, (block, begin) in enumerate(zip(order, begins, strict=True)):
        one = whole.where(np.arange(blocks[block].start, blocks[block].stop))
        out.append(
            replace(
                one,
                time_bjd=one.time_bjd - start[block] + begin,
                segment=np.full(len(one), slot, np.int32),
                flux_kind=_labelled(one.flux_kind, "scrambled"),
            )
        )
    return out


def _blocks(whole: LightCurve) -> list[slice]:
    borders = np.flatnonzero(np.diff(whole.segment)) + 1
    if borders.size + 1 >= SEGMENT_BLOCKS_MIN:
        ends = [0, *borders, len(whole)]
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]
    out = []
    for piece in pieces(whole.time_bjd, whole.segment):
        t = whole.time_bjd[piece]
        count = max(int(np.rint((t[-1] - t[0]) / BLOCK_DAYS)), 1)
        cuts = np.searchsorted(t, np.linspace(t[0], t[-1], count + 1)[1:-1])
        ends = [piece.start, *(piece.start + cuts), piece.stop]
        out += [slice(int(a), int(b)) for a, b in pairwise(ends) if b > a]
    return out


def _seasons(whole: LightCurve, blocks: Sequence[slice]) -> NDArray[np.int64]:
    """Blocks of one number may change places."""
    quarter = np.array([whole.segment[b.start] for b in blocks], dtype=np.int64)
    in_quarters = whole.mission == "kepler" and np.unique(quarter).size == len(blocks) >= SEASON_BLOCKS_MIN
    return quarter % SEASONS if in_quarters else np.zeros(len(blocks), np.int64)


def _order(season: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """A random order that keeps seasons and is not the one that is there."""
    there = np.arange(season.size)
    order = there.copy()
    while (order == there).all():
        for number in np.unique(season):
            order[season == number] = random.permutation(there[season == number])
    return order


def _labelled(flux_kind: str, what: str) -> str:
    """The flux kind with what was done to the curve; inverted twice is the original."""
    label = f" ({what})"
    return flux_kind.removesuffix(label) if flux_kind.endswith(label) else flux_kind + label


def false_alarm_trial(
    segments: Sequence[LightCurve], kind: str, number: int, *, seed: int, settings: SearchSettings | None = None
) -> dict[str, object]:
    """One row of `core_false_alarms`: the star inverted or scrambled, searched, and what was above the thresholds.

    It never raises on account of the data; ValueError for an unknown `kind`. It depends on nothing but its arguments.
    """
    if kind not in FALSE_ALARM_KINDS:
        raise ValueError(f"{kind!r} is not one of {', '.join(FALSE_ALARM_KINDS)}")
    settings = settings or SearchSettings()
    first = segments[0] if segments else None
    row: dict[str, object] = {
        "target": first.target if first else "",
        "mission": first.mission if first else None,
        "kind": kind,
        "number": number,
        "sde_min": settings.sde_min,
        "snr_min": settings.snr_min,
    }
    try:
        random = generator(seed, str(row["target"]), number)
        curves = inverted(segments) if kind == "inverted" else scrambled(segments, random)
        # What is below the thresholds is not ranked: it is no alarm.
        signals = [signal for signal in search_star(curves, settings).signals if signal.doubt is None]
    except (CleanError, SearchError, ScrambleError) as error:
        return row | {"reason": "no_curve", "failure": f"{type(error).__name__}: {error}"}
    except Exception as error:  # one trial of thousands must not take the others with it; a check bounds their number
        return row | {"reason": "failed", "failure": f"{type(error).__name__}: {error}"}
    row["n_alarms"] = len(signals)
    if signals:
        worst = max(signals, key=lambda s: s.sde)
        row |= {
            "sde_highest": worst.sde,
            "snr_of_highest": worst.snr,
            "period_days": worst.transit.ephemeris.period_days,
            "duration_hours": worst.transit.ephemeris.duration_days * 24,
            "depth_ppm": worst.transit.depth * 1e6,
            "n_transits": worst.n_transits,
        }
    return row


def false_alarm_table(trials: pl.DataFrame) -> pl.DataFrame:
    """Per mission and kind: trials, those with an alarm, their share with a 95 % interval, alarms, and their SDE.

    Trials that could not be searched are counted apart.
    """
    searched = pl.col("n_alarms").is_not_null()
    table = (
        trials.group_by("mission", "kind")
        .agg(
            n=searched.sum().cast(pl.Int64),
            n_unsearched=(~searched).sum().cast(pl.Int64),
            with_alarm=(pl.col("n_alarms") > 0).sum().cast(pl.Int64),
            alarms=pl.col("n_alarms").sum().cast(pl.Int64),
            sde_median=pl.col("sde_highest").median(),
            sde_highest=pl.col("sde_highest").max(),
        )
        .sort("mission", "kind")
    )
    low, high = wilson(table["with_alarm"].to_numpy(), table["n"].to_numpy())
    return table.with_columns(
        share=pl.when(pl.col("n") > 0).then(pl.col("with_alarm") / pl.col("n")),
        low=pl.Series(low).fill_nan(None),
        high=pl.Series(high).fill_nan(None),
    )
