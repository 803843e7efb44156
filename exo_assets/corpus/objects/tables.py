"""The release's tables of objects, in memory, and the names in them.

Belongs here: which tables and columns are read, rows by their keys, and what a name names. Does not belong here:
reading a release (`exo_resources/release_objects.py`), wording (`statements.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import polars as pl

from exo_assets.corpus.designators import Designator, designators, key, key_column
from exo_assets.corpus.identifiers import ALIAS_SCHEMA, aliases, numbered
from exo_assets.corpus.objects.quantities import PLANETS, SIGNALS, STARS
from exo_assets.corpus.objects.statements import DOSSIERS, FOUND, KNOWN, RANKED, SCORES

IDENTITIES = "core_planet_identity"
READ: Mapping[str, str] = {
    SIGNALS: "*",
    STARS: "*",
    IDENTITIES: "signal_id, star_id, planet_name, planet_group_id",
    PLANETS: "*",
    SCORES: "signal_id, probability_planet, verdict, prediction_set, reasons, reason",
    RANKED: "signal_id, rank",
    KNOWN: "signal_id, planet_name, also_known_as, confirmed_by",
    FOUND: "*",
    DOSSIERS: "signal_id, made_at",
}
"""Tables that are read, and their columns."""
NEAR, _LOOKED_AT = 5, 400
_FOUND_NAME = re.compile(r"(?<![\w.])(?:KIC|EPIC|TIC)[ _-]?\d+-\d{2,}(?![\w.])", re.IGNORECASE)

_PLANET_NAMES = ("pl_name", "hostname", "planet", "host", "letter", "in_name")
_OTHER_LETTER = re.compile(r"\s?[j-z](?![\w'’.])")
"""A letter behind a star's name that no planet has as yet."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Object:
    """What a question names: characters [start, end) of it. `signals` (of core_signals), `planets` (pl_name of the
    archive's composite table) and `found` (of mart_found_signals) are it; of a star, `is_star`, those on it, and
    `stars` and `hosts` (hostname) itself. Nothing of all that for a name that no table has; `near` is then on the same
    star."""

    name: str
    start: int
    end: int
    is_star: bool = False
    signals: tuple[str, ...] = ()
    planets: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    stars: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    near: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a table has it."""
        return bool(self.signals or self.planets or self.found or self.stars or self.hosts)


@dataclass(frozen=True)
class Tables:
    """Tables of one release. `made_on` is its day, `as_of` the day of each table of the archive, ISO 8601."""

    release: str
    made_on: str
    as_of: Mapping[str, str]
    frames: Mapping[str, pl.DataFrame] = field(repr=False)

    def has(self, table: str) -> bool:
        """Whether the release has the table, with rows."""
        return table in self.frames and self.frames[table].height > 0

    def rows(self, table: str, column: str, values: Collection[str]) -> list[dict[str, Any]]:
        """Rows of `table` whose `column` is one of `values`, in the table's order; none where there is no such
        table."""
        if not values or not self.has(table):
            return []
        return self.frames[table].filter(pl.col(column).is_in(list(values))).to_dicts()

    @cached_property
    def names(self) -> pl.DataFrame:
        """Every name of the catalogue (`identifiers.aliases`), and of its signals those by the star's number."""
        if not (self.has(SIGNALS) and self.has(STARS)):
            return pl.DataFrame(schema=ALIAS_SCHEMA)
        signals = self.frames[SIGNALS]
        return pl.concat([aliases(signals, self.frames[STARS], self.frames.get(IDENTITIES)), numbered(signals)])

    @cached_property
    def planets(self) -> pl.DataFrame:
        """pl_name and hostname of the archive's composite table, with their keys, the planet's letter and the key of
        the star's name in the planet's: Kepler-90 i is of KOI-351."""
        if not self.has(PLANETS):
            return pl.DataFrame(schema=dict.fromkeys(_PLANET_NAMES, pl.String))
        return self.frames[PLANETS].select(
            "pl_name",
            "hostname",
            planet=key_column(pl.col("pl_name")),
            host=key_column(pl.col("hostname")),
            letter=pl.col("pl_name").str.extract(r"\s([a-z])$"),
            in_name=key_column(pl.col("pl_name").str.replace(r"\s[a-z]$", "")),
        )

    def objects(self, text: str) -> list[Object]:
        """What `text` names, in order; a name that may be none counts only where a table knows it."""
        taken = [Object(m[0], m.start(), m.end(), found=self._found(m[0])) for m in _FOUND_NAME.finditer(text)]
        out = [each for each in taken if each.found]
        star = ""
        for d in designators(text):
            if any(each.start < d.end and d.start < each.end for each in out if each.found):
                continue
            written = text[d.start : d.end].strip()
            name = f"{star} {written}" if len(written) == 1 and star else written
            star = name if d.key == d.host else name[:-1].strip()
            named = self._named(d, name)
            if named.is_star and (more := _OTHER_LETTER.match(text, d.end)):
                named = Object(f"{name}{more[0]}", d.start, more.end(), near=(*named.signals, *named.planets))
            if named.is_known or d.sure:
                out.append(named)
        if not any(each.is_known for each in out):
            out = self._spelt_out(text) or out
        return sorted(out, key=lambda each: each.start)

    def also(self, signal: str) -> list[str]:
        """Other names of a signal, as they are written."""
        rows = self.names.filter(pl.col("signal_id") == signal)
        return sorted(set(rows["alias"]) - {signal})

    def group(self, signal: str) -> str:
        """What is one name for all signals of a planet: that of its group, or the signal's own."""
        same = self.rows(IDENTITIES, "signal_id", [signal])
        return str(same[0]["planet_group_id"]) if same else signal

    def near(self, name: str) -> list[str]:
        """Names of signals, planets and stars, as they are written, that are spelt much like `name`."""
        wanted = key(name)
        known = self.names.select("alias_key", "alias")
        more = self.planets.select(alias_key="planet", alias="pl_name")
        known = pl.concat([known, more]).unique("alias_key", maintain_order=True)
        alike = known.clear()
        for length in range(len(wanted), 1, -1):
            alike = known.filter(pl.col("alias_key").str.starts_with(wanted[:length]))
            if alike.height >= NEAR:
                break
        written = dict(alike.head(_LOOKED_AT).iter_rows())
        return [written[k] for k in get_close_matches(wanted, list(written), n=NEAR, cutoff=0.5)]

    @cached_property
    def _unread(self) -> dict[str, str]:
        """Names of the archive's planets and hosts, in small letters, that do not look like names, and their keys."""
        names = pl.concat([self.planets["pl_name"], self.planets["hostname"]]).drop_nulls().unique()
        return {n.lower(): key(n) for n in names if not any(d.key == key(n) for d in designators(n))}

    def _spelt_out(self, text: str) -> list[Object]:
        """What `text` names as the archive writes it, where it looks like no name: PSR B1257+12 b."""
        low = text.lower()
        found = sorted((name for name in self._unread if name in low), key=len)
        if not found:
            return []
        start = low.index(found[-1])
        end = start + len(found[-1])
        if any(c.isalnum() for c in (low[start - 1 : start] + low[end : end + 1])):
            return []
        whole = self._unread[found[-1]]
        return [self._named(Designator(whole, whole, start, end), text[start:end])]

    def _named(self, d: Designator, name: str) -> Object:
        rows = self.names.filter(pl.col("alias_key") == d.key)
        signals = rows["signal_id"].drop_nulls().unique(maintain_order=True).to_list()
        planets = self.planets_of(signals) | set(self.planets.filter(planet=d.key)["pl_name"])
        if d.key != d.host and not signals:
            letter, stars = d.key.removeprefix(d.host), self._keys_of_star(d.host)
            planets = planets or self._by_letter(stars, letter)
            signals = self._signals_by_letter(stars, letter)
        if signals or planets:
            return Object(name, d.start, d.end, signals=tuple(signals), planets=tuple(sorted(planets)))
        stars = rows.filter(pl.col("signal_id").is_null())["star_id"].unique(maintain_order=True).to_list()
        hosts = self.planets.filter(pl.any_horizontal(pl.col("host", "in_name") == d.key))
        if stars or hosts.height:
            return self._star(d, name, stars, hosts)
        near = self._named(Designator(d.host, d.host, d.start, d.end), name) if d.host != d.key else None
        return Object(name, d.start, d.end, near=(*near.signals, *near.planets) if near is not None else ())

    def _by_letter(self, stars: Collection[str], letter: str) -> set[str]:
        """The planet of that letter of the star with one of the keys `stars`, by any of its planets' names: Kepler-90 h
        is KOI-351 h, for Kepler-90 i is of KOI-351 (letters are given once a star, Hessman et al. 2010)."""
        hosts = self.planets.filter(pl.any_horizontal(pl.col("host", "in_name").is_in(list(stars))))["hostname"]
        of_host = self.planets.filter(pl.col("hostname").is_in(hosts.to_list()), letter=letter)
        return set(of_host["pl_name"]) if of_host.height == 1 else set()

    def _signals_by_letter(self, stars: Collection[str], letter: str) -> list[str]:
        """Signals on the star with one of the keys `stars` that are its planet of that letter."""
        hosts = self.names.filter(pl.col("alias_key").is_in(list(stars)) & pl.col("signal_id").is_null())["star_id"]
        lettered = self.names.filter(
            pl.col("star_id").is_in(hosts.to_list())
            & pl.col("signal_id").is_not_null()
            & (pl.col("alias").str.extract(r"\s([a-z])$") == letter)
        )
        return lettered["signal_id"].unique(maintain_order=True).to_list()

    def _keys_of_star(self, host: str) -> list[str]:
        """Keys of all names of the star with the key `host`, by the catalogue and by the archive's planets."""
        of_planets = self.planets.filter(pl.any_horizontal(pl.col("host", "in_name") == host))["hostname"]
        same = self.planets.filter(pl.col("hostname").is_in(of_planets.to_list()))
        keys = [host, *same["host"], *same["in_name"]]
        stars = self.names.filter(pl.col("signal_id").is_null())
        ids = stars.filter(pl.col("alias_key").is_in(keys))["star_id"]
        return list(dict.fromkeys([*keys, *stars.filter(pl.col("star_id").is_in(ids.to_list()))["alias_key"]]))

    def _star(self, d: Designator, name: str, stars: list[str], hosts: pl.DataFrame) -> Object:
        on_star = self.names.filter(pl.col("star_id").is_in(stars) & pl.col("signal_id").is_not_null())
        signals = on_star["signal_id"].unique().sort().to_list()
        of_signals = self.planets_of(signals)
        known = self.planets.filter(pl.col("pl_name").is_in(sorted(of_signals)))
        all_of_host = self.planets.filter(pl.col("hostname").is_in([*known["hostname"], *hosts["hostname"]]))
        return Object(
            name, d.start, d.end, True, tuple(signals), tuple(sorted({*of_signals, *all_of_host["pl_name"]})),
            stars=tuple(stars), hosts=tuple(sorted(set(all_of_host["hostname"]))),
        )  # fmt: skip

    def planets_of(self, signals: Collection[str]) -> set[str]:
        """Planets of the archive's composite table that signals are, by name, else by star and letter."""
        out = set[str]()
        for signal in signals:
            rows = self.names.filter(pl.col("signal_id") == signal)
            same = self.planets.filter(pl.col("planet").is_in(rows["alias_key"].to_list()))["pl_name"].to_list()
            letters = rows["alias"].str.extract(r"\s([a-z])$").drop_nulls().unique().to_list()
            if not same and len(letters) == 1:
                star = self.names.filter(pl.col("star_id").is_in(rows["star_id"].to_list()))
                same = list(
                    self._by_letter(star.filter(pl.col("signal_id").is_null())["alias_key"].to_list(), letters[0])
                )
            out |= set(same)
        return out

    def _found(self, name: str) -> tuple[str, ...]:
        if not self.has(FOUND):
            return ()
        wanted = key(name)
        return tuple(t for t in self.frames[FOUND]["tce_id"] if key(t) == wanted)
