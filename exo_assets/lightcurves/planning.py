"""What the catalogue says of the stars in a bucket.

Belongs here: stars, their density and their catalogued signals, from `core_signals`. Does not belong here: what is
done with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from exo_assets.lightcurves.buckets import BUCKETS, parts
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.mast_names import CATALOGUES
from exo_assets.lightcurves.star_tasks import Catalogued

NAMES = {mission: name for name, mission in CATALOGUES.items()}
ID_COLUMNS = {mission: f"{name.lower()}_id" for mission, name in NAMES.items()}
"""Column of the catalogue tables that holds the number of a star in each mission's input catalogue."""
SUN_LOGG_CGS = 4.438
"""Surface gravity of the Sun, log10 of cm/s2 (IAU 2015 nominal values)."""


@dataclass(frozen=True)
class KnownStar:
    """A star of the catalogue: density over the Sun's (nan where unknown) and its signals, by name."""

    density_sun: float
    signals: tuple[Catalogued, ...]


UNKNOWN = KnownStar(float("nan"), ())


def known_stars(core_signals: pl.DataFrame, bucket: str) -> dict[str, KnownStar]:
    """Stars of a bucket that the catalogue names, by name.

    The density is that of mass and radius, or else of surface gravity and radius.
    """
    mission, which = parts(bucket)
    number = pl.col(ID_COLUMNS[mission])
    rows = core_signals.filter(number.is_not_null() & (number % BUCKETS[mission] == which))
    radius = pl.when(pl.col("star_radius_sun") > 0).then(pl.col("star_radius_sun"))
    mass = pl.when(pl.col("star_mass_sun") > 0).then(pl.col("star_mass_sun"))
    gravity = 10 ** (pl.col("star_logg_cgs") - SUN_LOGG_CGS)
    rows = rows.select(
        "signal_id",
        star_id=pl.format(f"{NAMES[mission]} {{}}", number),
        period=pl.col("period_days"),
        t0=pl.col("t0_bjd"),
        duration=pl.col("duration_hours") / 24,
        density=pl.coalesce(mass / radius**3, gravity / radius),
    ).sort("star_id", "signal_id")
    return {
        str(star): KnownStar(_number(group["density"].drop_nulls().first()), _signals(group))
        for (star,), group in rows.group_by("star_id", maintain_order=True)
    }


def _signals(rows: pl.DataFrame) -> tuple[Catalogued, ...]:
    return tuple(
        Catalogued(name, Ephemeris(_number(period), _number(t0), _number(duration)))
        for name, period, t0, duration in rows.select("signal_id", "period", "t0", "duration").iter_rows()
        if period is not None
    )


def _number(value: object) -> float:
    return float("nan") if value is None else float(value)  # type: ignore[arg-type]


def star_names(core_signals: pl.DataFrame, mission: str) -> Sequence[str]:
    """Every star of a mission that the catalogue names, sorted."""
    numbers = core_signals[ID_COLUMNS[mission]].drop_nulls().unique().sort()
    return [f"{NAMES[mission]} {number}" for number in numbers]
