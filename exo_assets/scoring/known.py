"""What the catalogue knows beside a row: which signal it is, the other signals of its star, what completes it.

Belongs here: the join that every door makes (`exo score`, the endpoint), as a pure function of rows and the catalogue.
Does not belong here: where the catalogue is read from (`exo_resources.known_signals`), or judging (`score.py`).

A row is a signal of the catalogue when it names it, and its star if it names one; or when it names its star and has the
period of one of the star's signals. A confirmed planet's name means the signal that `core_planet_identity` knows it by:
one of the row's own mission, else another's. Of another mission's only the star's signals count. Names are compared as
people write them (`corpus.designators.key`: 'koi-41.01' is K00041.01), a bare number is one of the mission's own
catalogue, and a planet's or signal's name names its star. What the release knows of that signal then counts for the row
too: of a KOI what the DR25 table supplies (`harmonise.DR25_SUPPLIES`), of any signal what was measured in its light
curve. Values of the row always win, and nothing is taken where the periods differ: the two then describe different
signals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import polars as pl

from exo_assets.catalogs.harmonise import DR25_SUPPLIES, SAME_PERIOD
from exo_assets.corpus.designators import key, key_column
from exo_assets.features.from_light_curves import CURVE_NAMES, PREFIX, with_diagnostics
from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.measured import TELLING

T = TypeVar("T")

DR25, LIGHT_CURVE = "DR25", "light curve"
"""What a row can be completed from, as `completed_from` names it."""

_NUMBERS = {"kic_id": "KIC", "epic_id": "EPIC", "tic_id": "TIC"}
"""Columns of numbers in the input catalogues, and what the catalogue is called: a star goes by each of them."""
CONFIRMED = "confirmed_name"
"""Column of the planet of the archive's composite table that a signal is, however its own catalogue names it."""
IDENTITY = ("signal_id", "mission", "mission_star_id", "planet_name", CONFIRMED, *_NUMBERS)
_FAMILY = ("period_days", "depth_ppm")
"""What a signal is judged by beside the others of its star: their periods and depths."""

KNOWN = (*IDENTITY, *_FAMILY, *DR25_SUPPLIES, *CURVE_NAMES)
"""Columns of what is known, and VIEWS where there are some."""

READ_OF_SIGNALS = (*(name for name in IDENTITY if name != CONFIRMED), *_FAMILY, *DR25_SUPPLIES, *TELLING)
READ_OF_IDENTITY = ("signal_id", "planet_name")
READ_OF_DIAGNOSTICS = ("signal_id", *(name.removeprefix(PREFIX) for name in CURVE_NAMES))
"""Columns of the tables that `Known.of` reads."""

_CATALOGUES = {"kepler": ("KIC", "KOI"), "tess": ("TIC", "TOI"), "k2": ("EPIC", "EPIC")}
"""What a bare number means, of a star and of a signal."""
_OF_STAR = r"(?:\.\d+|([0-9])[b-z])$"
"""The end of a signal's or planet's key, after which the star's is left."""
_NUMBER_ON_STAR = r"(?:\.\d+|\s+[b-z])$"
"""The same of a name as catalogues write it: 'Kepler-410 A b' is on Kepler-410 A."""
_COMPONENT = r"\s+[A-Z]$"
"""The letter of a star in a multiple, with which the archive names some hosts."""
NAMELESS = "it names no star and no signal of the catalogue: judged alone"


@dataclass(frozen=True)
class Known:
    """The catalogue's signals: `signals` has the columns KNOWN, and VIEWS or not; a name stands once."""

    signals: pl.DataFrame

    @classmethod
    def of(
        cls, core_signals: pl.DataFrame, diagnostics: pl.DataFrame | None = None, identity: pl.DataFrame | None = None
    ) -> Known:
        """What `core_signals` and rows of `feat_signal_diagnostics` and `core_planet_identity` say."""
        if diagnostics is None:
            signals = core_signals.with_columns(pl.lit(None, pl.Float64).alias(name) for name in CURVE_NAMES)
        else:
            signals = with_diagnostics(core_signals, diagnostics)
        # A signal of which nothing is measured is not judged, nor does it count for others.
        measured = pl.any_horizontal(pl.col(name).is_not_null() for name in TELLING)
        planets = identity if identity is not None else core_signals.clear()
        names = planets.select("signal_id", pl.col("planet_name").alias(CONFIRMED))
        signals = signals.filter(measured).join(names, on="signal_id", how="left", validate="m:1")
        return cls(signals.select(KNOWN).sort("signal_id"))

    @classmethod
    def of_file(cls, signals: pl.DataFrame) -> Known:
        """What was kept of `signals`, by an older version of Exo perhaps: a column that it lacks says nothing."""
        absent = [name for name in KNOWN if name not in signals.columns]
        kinds = NOTHING.signals.schema
        return cls(signals.with_columns(pl.lit(None, kinds[name]).alias(name) for name in absent))

    def about(self, rows: pl.DataFrame) -> Known:
        """What is known of the stars and signals that `rows` name (columns as for `places`)."""
        wanted = sorted({at for found in self.places(rows) for at in self._on_star.get(found.star_key, ())})
        return Known(self.signals[wanted])

    def places(self, rows: pl.DataFrame) -> list[Place]:
        """Of each row [mission, signal_id, mission_star_id, period_days] its star, and which signal it is."""
        named = rows.select("mission", "signal_id", "mission_star_id", "period_days")
        return [self._place(*row) for row in named.iter_rows()]

    def of_stars(self, stars: set[tuple[str, str]]) -> pl.DataFrame:
        """The known signals of stars (mission, name): `signal_id`, `mission`, `mission_star_id`, period and depth."""
        at = [place for star in sorted(stars) for place in self._on_star.get(star, ())]
        return self.signals[at].select("signal_id", "mission", "mission_star_id", *_FAMILY)

    def _place(self, mission: str, name: str | None, star: str | None, period: float | None) -> Place:
        """Where a row belongs: in its own mission's catalogue, or else in that of another that knows the planet."""
        own = self._in_mission(mission, name, star, period)
        at = self._planets.get(key(name)) if mission and name and own.star is None else None
        if at is None:
            return own
        other, host = self._missions[at], self._hosts[at]
        if star and host not in (_meant(self._stars, other, one) for one in (star, re.sub(_COMPONENT, "", star))):
            return own
        return self._found(mission, at, period)

    def _in_mission(self, mission: str, name: str | None, star: str | None, period: float | None) -> Place:
        host = _meant(self._stars, mission, star)
        at = _meant(self._named, mission, name)
        if star is None:
            host = self._hosts[at] if at is not None else self._star_in(mission, name)
        if at is None or self._hosts[at] != host:
            at = self._near(mission, host, period)
        if at is not None:
            return self._found(mission, at, period)
        return Place(mission, host, why=_why(star or host, host, len(self._on_star.get((mission, host or ""), ()))))

    def _found(self, mission: str, at: int, period: float | None) -> Place:
        """A row of `mission` that is the signal at `at`."""
        theirs, other = self._periods[at], self._missions[at]
        same = period == theirs or bool(period and theirs and abs(period / theirs - 1) < SAME_PERIOD)
        foreign = other != mission
        return Place(other, self._hosts[at], at, self._names[at], same and not foreign, theirs, of_another=foreign)

    def _star_in(self, mission: str, name: str | None) -> str | None:
        """The star in the name of a signal or planet that the catalogue does not know."""
        of_star, found = re.subn(_OF_STAR, r"\1", _key(mission, name)) if name else ("", 0)
        return self._stars.get((mission, of_star)) if found else None

    def _near(self, mission: str, host: str | None, period: float | None) -> int | None:
        """The signal of the star that has this period."""
        if host is None or not period:
            return None
        apart = [(abs(period / known - 1), at) for at in self._on_star[mission, host] if (known := self._periods[at])]
        nearest = min(apart, default=(1.0, 0))
        return nearest[1] if nearest[0] < SAME_PERIOD else None

    @cached_property
    def _names(self) -> list[str]:
        return self.signals["signal_id"].to_list()

    @cached_property
    def _missions(self) -> list[str]:
        return self.signals["mission"].to_list()

    @cached_property
    def _planets(self) -> dict[str, int]:
        """Where the signal of each planet stands, by the planet's name as key; of several the first by name."""
        columns = [key_column(pl.col(column)).alias(column) for column in ("planet_name", CONFIRMED)]
        rows = [*enumerate(self.signals.select(columns).iter_rows())]
        return {name: at for at, names in reversed(rows) for name in names if name}

    @cached_property
    def _hosts(self) -> list[str]:
        return self.signals["mission_star_id"].to_list()

    @cached_property
    def _periods(self) -> list[float | None]:
        return self.signals["period_days"].to_list()

    @cached_property
    def _named(self) -> dict[tuple[str, str], int]:
        """Where each signal stands, by mission and name: the catalogue's or the planet's, as it is and as key."""
        found: dict[tuple[str, str], int] = {}
        for column in (CONFIRMED, "planet_name", "signal_id"):
            names = self.signals.select("mission", column, key_column(pl.col(column)).alias("key"))
            rows = list(enumerate(names.iter_rows()))
            found |= {(mission, spelt): at for at, (mission, _, spelt) in rows if spelt}
            found |= {(mission, name): at for at, (mission, name, _) in rows if name is not None}
        return found

    @cached_property
    def _stars(self) -> dict[tuple[str, str], str]:
        """The catalogue's name of each star, by mission and any name that it goes by, as key; its own as it is too."""
        own = pl.col("mission_star_id")
        named = (CONFIRMED, "planet_name", "signal_id")
        of_star = [key_column(pl.col(name).str.replace(_NUMBER_ON_STAR, "")) for name in named]
        numbers = [key_column(pl.format(f"{name} {{}}", column)) for column, name in _NUMBERS.items()]
        found: dict[tuple[str, str], str] = {}
        for alias in (*of_star, *numbers, key_column(own), own):
            hosts = self.signals.select("mission", alias.alias("alias"), host=own)
            found |= {(mission, name): host for mission, name, host in hosts.iter_rows() if name}
        return found

    @cached_property
    def _on_star(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for at, star in enumerate(self.signals.select("mission", "mission_star_id").iter_rows()):
            found.setdefault(star, []).append(at)
        return found


@dataclass(frozen=True)
class Place:
    """Where a row belongs in the catalogue. `at`: which signal it is, None when it is none, and then `why`; `same`: it
    has the catalogue's period; `of_another`: the signal is another mission's than the row, and nothing is taken."""

    mission: str
    star: str | None
    at: int | None = None
    name: str | None = None
    same: bool = False
    period: float | None = None
    why: str | None = None
    of_another: bool = False

    @property
    def star_key(self) -> tuple[str, str]:
        """Mission and name of its star."""
        return self.mission, self.star or ""

    @property
    def remark(self) -> str | None:
        """What is to be told of a signal from which nothing is taken: its period, or its mission, is another."""
        if self.of_another:
            return f"{self.name} is a signal of {self.mission}: its star's signals count, nothing is taken from there"
        if self.at is None or self.same or self.period is None:
            return None
        return f"{self.name} has a period of {self.period:.6g} d in the catalogue: nothing is taken from there"


NOTHING = Known(pl.DataFrame(schema={name: pl.String if name in IDENTITY else pl.Float64 for name in KNOWN}))
"""A catalogue without signals."""


def placed(rows: pl.DataFrame, known: Known) -> pl.DataFrame:
    """`rows` [row, signal_id, mission, mission_star_id, unusable, what is measured], as the catalogue knows them.

    Signal and star go by the catalogue's names where it has them, and what it knows of the signal fills what the row
    lacks. Added: `known_as`, `unknown_because`, `completed_from`, `remark` and `star_mission`, in whose catalogue the
    star is.
    """
    places = known.places(rows.with_columns(period_days=_or_null("period_days", rows.columns)))
    frame = rows.with_columns(
        signal_id=pl.coalesce(_texts([p.name for p in places]), "signal_id"),
        mission_star_id=pl.coalesce(_texts([p.star for p in places]), "mission_star_id"),
        known_as=_texts([p.name for p in places]),
        unknown_because=pl.when(pl.col("unusable").is_null()).then(_texts([p.why for p in places])),
        remark=_texts([p.remark for p in places]),
        star_mission=_texts([p.mission for p in places]),
    )
    return _completed(frame, known, {n: p.at for n, p in enumerate(places) if p.at is not None and p.same})


def family(rows: pl.DataFrame, known: Known) -> pl.DataFrame:
    """The catalogue's signals on the stars of `placed` rows, in the columns of `rows` that they have."""
    named = rows.filter(pl.col("mission_star_id").is_not_null())
    stars = set(named.select("star_mission", "mission_star_id").iter_rows())
    found = known.of_stars(stars)
    return found.select(name for name in found.columns if name in rows.columns)


def _completed(rows: pl.DataFrame, known: Known, places: dict[int, int]) -> pl.DataFrame:
    """`rows` with `completed_from`; `places`: by number of the row which known signal completes it."""
    if not places:
        return rows.with_columns(completed_from=pl.lit(None, pl.String))
    have = {VIEWS} & set(known.signals.columns)
    beside = known.signals[list(places.values())].select("mission", *DR25_SUPPLIES, *CURVE_NAMES, *have)
    beside = beside.with_columns(_at=pl.Series(list(places), dtype=pl.UInt32)).rename(
        {name: f"_known_{name}" for name in beside.columns}
    )
    koi = pl.col("_known_mission") == "kepler"
    curve = (*CURVE_NAMES, *have)
    own = [pl.col(name).is_not_null() for name in (*CURVE_NAMES, VIEWS) if name in rows.columns]
    bare = ~pl.any_horizontal(own) if own else pl.lit(True)
    fills = dict.fromkeys(DR25_SUPPLIES, koi) | dict.fromkeys(curve, bare)
    joined = rows.with_row_index("_at").join(beside, on="_at", how="left", maintain_order="left")
    # All of a light curve or nothing: what was measured in two different ones is not mixed.
    joined = joined.with_columns(
        (fill & _or_null(name, rows.columns).is_null() & pl.col(f"_known_{name}").is_not_null())
        .fill_null(False)
        .alias(f"_fill_{name}")
        for name, fill in fills.items()
    )
    taken = {DR25: DR25_SUPPLIES, LIGHT_CURVE: curve}
    named = [
        pl.when(pl.any_horizontal(f"_fill_{name}" for name in names)).then(pl.lit(source))
        for source, names in taken.items()
    ]
    filled = [
        pl.when(f"_fill_{name}").then(f"_known_{name}").otherwise(_or_null(name, rows.columns)).alias(name)
        for name in fills
    ]
    text = pl.concat_str(named, separator=", ", ignore_nulls=True)
    joined = joined.with_columns(*filled, completed_from=pl.when(text != "").then(text))
    return joined.select(pl.exclude(r"^_.*$"))


def _or_null(name: str, columns: list[str]) -> pl.Expr:
    return pl.col(name) if name in columns else pl.lit(None)


def _texts(values: list[str | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def _meant(table: Mapping[tuple[str, str], T], mission: str, name: str | None) -> T | None:
    """What a name means: as the catalogue writes it, or as people do."""
    if not name:
        return None
    exact = table.get((mission, name))
    return exact if exact is not None else table.get((mission, _key(mission, name)))


def _key(mission: str, name: str) -> str:
    """The key of a name; a bare number, of a star or of a signal, is one of the mission's own catalogue."""
    bare = name.strip()
    star, signal = _CATALOGUES.get(mission, ("", ""))
    if re.fullmatch(r"\d+", bare):
        return key(f"{star} {bare}")
    return key(f"{signal} {bare}") if re.fullmatch(r"\d+\.\d\d", bare) else key(bare)


def _why(star: str | None, host: str | None, signals: int) -> str:
    if star is None:
        return NAMELESS
    if host is None:
        return f"the catalogue has no signals of {star}"
    return f"the catalogue knows {signals} signals of {host}, none of this name or period"
