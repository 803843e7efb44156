"""What the catalogue knows of a signal: values with units under the archive's names, and the signal in words.

Belongs here: which facts a dossier has, their wording, classes of planets and stars, and the search phrase made of
them. Does not belong here: what anybody thinks of the signal (`dossier_verdict.py`), or passages.

Classes are conventions: radii as Kepler's catalogues name them (Batalha et al. 2013, ApJS 204, 24) with the gap at two
Earth radii (Fulton et al. 2017, AJ 154, 109), spectral types by temperature (Pecaut & Mamajek 2013, ApJS 208, 9).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from exo_assets.catalogs.layouts import LAYOUTS

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fact:
    """A column of `core_signals` that a dossier has, and what it is called."""

    column: str
    label: str
    unit: str = ""


FACTS: tuple[Fact, ...] = (
    Fact("period_days", "Orbital period", "d"),
    Fact("t0_bjd", "Mid-transit (BJD, TDB)", "d"),
    Fact("duration_hours", "Transit duration", "h"),
    Fact("depth_ppm", "Transit depth", "ppm"),
    Fact("snr", "Signal to noise"),
    Fact("impact", "Impact parameter"),
    Fact("radius_earth", "Planet radius", "R_Earth"),
    Fact("insolation_earth", "Insolation", "S_Earth"),
    Fact("teq_k", "Equilibrium temperature", "K"),
    Fact("star_teff_k", "Star's effective temperature", "K"),
    Fact("star_radius_sun", "Star's radius", "R_Sun"),
    Fact("star_mass_sun", "Star's mass", "M_Sun"),
    Fact("star_logg_cgs", "Star's surface gravity, log10", "cm/s2"),
    Fact("star_metallicity_dex", "Star's metallicity", "dex"),
    Fact("distance_pc", "Distance", "pc"),
    Fact("magnitude", "Brightness in the mission's band", "mag"),
    Fact("ra_deg", "Right ascension (ICRS)", "deg"),
    Fact("dec_deg", "Declination (ICRS)", "deg"),
)
LABELS = {fact.column: fact for fact in FACTS}

MISSION_NAMES = {"kepler": "Kepler", "k2": "K2", "tess": "TESS"}
_LAYOUT = {"kepler": "koi", "k2": "k2", "tess": "toi"}
SEARCH = "core_found_signals"
"""Source of a signal that no catalogue has: Exo's own search found it."""
_DISPOSITION = {"kepler": "koi_disposition", "k2": "disposition", "tess": "tfopwg_disp"}


def facts(signal: Row) -> list[dict[str, Any]]:
    """The known facts of a row of `core_signals`: column, label, value, error (None where the archive has none), unit,
    and the archive's column with what was done to it (`koi_time0bk + 2454833`)."""
    found = []
    for fact in FACTS:
        value = signal.get(fact.column)
        if value is not None:
            archive, error = _archive_columns(signal["mission"]).get(fact.column, (None, None))
            archive = None if signal["source_table"] == SEARCH else archive
            found.append(
                {
                    "column": fact.column,
                    "label": fact.label,
                    "value": value,
                    "error": signal.get(error) if error else None,
                    "unit": fact.unit,
                    "archive_column": archive,
                }
            )
    return found


@cache
def _archive_columns(mission: str) -> dict[str, tuple[str, str | None]]:
    """Column -> the archive's column that it is made of, and the column of its uncertainty."""
    out = {}
    for q in LAYOUTS[_LAYOUT[mission]].quantities:
        scaled = f" x {q.scale:g}" if q.scale != 1 else ""
        moved = f" + {q.offset:.0f}" if q.offset else ""
        out[q.column] = (f"{q.source}{scaled}{moved}", q.error_column)
    return out


def catalogue(signal: Row) -> dict[str, Any]:
    """Where the signal is listed, and as what; a disposition has no column where no catalogue has the signal."""
    if signal["source_table"] == SEARCH:
        name, disposition = "tce_id", None
    else:
        name, disposition = LAYOUTS[_LAYOUT[signal["mission"]]].signal, _DISPOSITION[signal["mission"]]
    return {
        "mission": signal["mission"],
        "table": signal["source_table"],
        "name_column": name,
        "host": signal["mission_star_id"],
        "disposition": signal["disposition_archive"],
        "disposition_column": disposition,
    }


def names_of_signals(aliases: pl.DataFrame) -> dict[str, list[str]]:
    """`signal_id` -> its names in `identifiers.aliases`."""
    return _grouped(aliases.filter(pl.col("signal_id").is_not_null()), "signal_id")


def names_of_stars(aliases: pl.DataFrame) -> dict[str, list[str]]:
    """`star_id` -> names of the star itself."""
    return _grouped(aliases.filter(pl.col("signal_id").is_null()), "star_id")


def _grouped(table: pl.DataFrame, by: str) -> dict[str, list[str]]:
    together = table.group_by(by).agg(pl.col("alias").unique().sort())
    return dict(together.select(by, "alias").iter_rows())


# -- in words ----------------------------------------------------------------------------------------------------

_SIZES: tuple[tuple[float, str], ...] = (
    (1.25, "Earth-sized planet"),
    (2.0, "super-Earth"),
    (4.0, "sub-Neptune"),
    (6.0, "Neptune-sized planet"),
    (15.0, "giant planet"),
    (22.0, "inflated giant planet or brown dwarf"),
)
"""Radius below which, in Earth radii, a planet is called so. Beyond two Jupiter radii it is hardly one."""
_TOO_LARGE = "eclipsing binary or other companion too large for a planet"
_HOT_K, _ULTRA_SHORT_DAYS = 1000.0, 1.0
_TEMPERATE = (0.3, 1.8)
"""Insolation of the optimistic habitable zone, roughly (Kopparapu et al. 2013, ApJ 765, 131), Earth's being 1."""
_STARS: tuple[tuple[float, str], ...] = ((3900, "M"), (5300, "K"), (5950, "G"), (7300, "F"), (10_000, "A"))
_GIANT_LOGG, _SUBGIANT_LOGG = 3.5, 3.9
_PERIODS = (
    *(0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0),
    *(40.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 700.0, 1000.0),
)
"""Periods in search phrases: signals that differ by a tenth of a day have the same literature."""


def planet_class(signal: Row) -> str:
    """What the signal would be by its radius, as a planet; 'transit signal' where that is unknown."""
    radius = signal.get("radius_earth")
    if radius is None:
        return "transit signal"
    kind = next((name for below, name in _SIZES if radius < below), _TOO_LARGE)
    hot = (signal.get("teq_k") or 0.0) > _HOT_K
    return "hot Jupiter" if kind == "giant planet" and hot else kind


def star_class(signal: Row) -> str | None:
    """The host's class by temperature and gravity; None where the temperature is unknown."""
    teff, logg = signal.get("star_teff_k"), signal.get("star_logg_cgs")
    if teff is None:
        return None
    letter = next((name for below, name in _STARS if teff < below), None)
    if letter is None:
        return "hot star"
    if logg is not None and logg < _GIANT_LOGG:
        return f"{letter} giant"
    return f"{letter} subgiant" if logg is not None and logg < _SUBGIANT_LOGG else f"{letter} dwarf"


def like_phrase(signal: Row, signals_on_star: int) -> str:
    """A search phrase for signals like this: its class, host, period, and what else is special about it.

    Periods are those of a short list, so that many signals share a phrase and a search.
    """
    kind, star, period = planet_class(signal), star_class(signal), signal.get("period_days")
    words = [f"{kind} candidate" if kind not in ("transit signal", _TOO_LARGE) else kind]
    if period is not None and period < _ULTRA_SHORT_DAYS:
        words.insert(0, "ultra-short-period")
    if star:
        words.append(f"{'on' if kind == 'transit signal' else 'transiting'} {_article(star)} {star}")
    low, high = _TEMPERATE
    if low <= (signal.get("insolation_earth") or 0.0) <= high:
        words.append("in the habitable zone")
    if period is not None:
        words.append(f"with a period of {_period(period)}")
    if signals_on_star > 1:
        words.append("in a system of several transiting planets")
    return " ".join(words)


def _period(period: float) -> str:
    near = min(_PERIODS, key=lambda listed: abs(listed / period - 1.0))
    return "1 day" if near == 1.0 else f"{near:g} days"


def _article(word: str) -> str:
    """'an' before vowels and before the letters of spectral types that are spoken with one."""
    return "an" if word[0].lower() in "aei" or word[:2] in ("F ", "M ") else "a"


def description(signal: Row, signals_on_star: int) -> str:
    """The signal in one sentence, with its own numbers."""
    kind, star = planet_class(signal), star_class(signal)
    mission = MISSION_NAMES[signal["mission"]]
    what = (
        f"signal that Exo's search found in {mission} data"
        if signal["source_table"] == SEARCH
        else f"{mission} candidate"
    )
    if kind != "transit signal":
        what += f", by its radius of {signal['radius_earth']:.3g} R_Earth {_article(kind)} {kind},"
    words = [what, f"on {_article(star)} {star}" if star else "on a star of unknown type"]
    if signal.get("period_days") is not None:
        words.append(f"with a period of {signal['period_days']:.6g} d")
    others = signals_on_star - 1
    if others:
        words.append(f"beside {others} other signal{'s' * (others > 1)} of the star")
    return f"A {' '.join(words)}."


def number(value: float | int, digits: int = 4) -> str:
    """A value as people read it: to `digits` digits, none left out before the point, an exponent for tiny ones only."""
    if isinstance(value, int) or abs(value) >= 100_000:
        return f"{value:.10g}"
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.{digits}g}" if abs(rounded) < 10**digits else f"{rounded:.0f}"


def measured(value: float, error: float | None) -> str:
    """A value with its uncertainty to two digits, and as many digits of its own as that makes sense of."""
    if error is None or not error > 0 or not value:
        return number(value, 7)
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 2
    shown = float(f"{value:.{min(max(digits, 2), 14)}g}")
    return f"{shown:.14g} ± {number(error, 2)}"


def joined(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
