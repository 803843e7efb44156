"""Answers about stars, planets and signals from one release.

Belongs here: which rows answer what is asked of which object, and what is said where no table has it. Does not belong
here: how a question is read (`asking.py`), names (`tables.py`), wording of rows (`statements.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from exo_assets.corpus.objects import statements as words
from exo_assets.corpus.objects.asking import Asked, asked, of_star
from exo_assets.corpus.objects.quantities import BY_NAME, PLANETS, SIGNALS, STARS, Quantity
from exo_assets.corpus.objects.statements import DISPOSITION, IDENTITY, Says, Values
from exo_assets.corpus.objects.tables import Object, Tables
from exo_assets.corpus.objects.told import Row, Said, Told

MOST = 20
"""Signals of one star that are told of."""
LONGEST_QUESTION = 500
"""Characters: what is longer is no question about an object."""
_JUDGES = r"planet|candidate|false (?:positive|alarm)|confirm|validat|refut|binar|dwarf"
"""What a sentence has in it that says what a signal is."""
_SUMMARY = ("orbital period", "planet radius", "transit depth")
_LISTED = {"planets": "CONFIRMED", "candidates": "CANDIDATE", "false positives": "FALSE POSITIVE"}
_SINGULAR = {
    "planets": "confirmed planet",
    "candidates": "candidate",
    "false positives": "false positive",
    "signals": "signal",
}


@dataclass(frozen=True)
class Catalogue:
    """What one release says of objects."""

    tables: Tables

    def told(self, question: str) -> Told | None:
        """What the tables say to `question`; None when it names nothing, or asks for nothing that a table could
        have."""
        objects = self.tables.objects(question) if len(question) <= LONGEST_QUESTION else []
        if not objects:
            return None
        what = asked(question, [(each.start, each.end) for each in objects])
        if not what.anything:
            return None
        sentences, missing, lacking = list[Said](), list[str](), list[Quantity]()
        for each in objects:
            if not each.is_known:
                missing.append(self._unknown(each))
                lacking += what.quantities
                continue
            found, absent = self._about(each, what)
            sentences += found
            lacking += absent
            missing += [f"no table of the release has the {quantity.name} of {each.name}" for quantity in absent]
            if not (found or absent):
                lacks = f"mart_candidates does not rank {each.name}"
                missing.append(lacks if what.rank else f"no table of the release has that of {each.name}")
        evidence = tuple(dict.fromkeys(q.asked for q in lacking)) or ((_JUDGES,) if what.disposition else ())
        return Told(
            tuple(dict.fromkeys(sentences)), "; ".join(dict.fromkeys(missing)) or None, evidence, bool(what.quantities)
        )

    def _unknown(self, named: Object) -> str:
        """That no table has an object, with names that are near."""
        if named.near:
            return f"no table of the release has {named.name}; on its star there are {', '.join(named.near[:MOST])}"
        near = self.tables.near(named.name)
        return f"no table of the release has {named.name}" + (f"; near it: {', '.join(near)}" if near else "")

    def _about(self, named: Object, what: Asked) -> tuple[list[Said], list[Quantity]]:
        """Sentences on one object, and the quantities that no table has of it."""
        out, absent = list[Said](), list[Quantity]()
        listed = bool(what.listed) and (named.is_star or what.counted or what.around)
        listed = listed and (what.counted or not what.quantities)
        summary = what.summary or (
            bool(what.listed) and not (listed or what.disposition or what.quantities or what.names)
        )
        if listed:
            out += self._list(named, what.listed or "signals")
        if what.disposition or (summary and not named.is_star):
            out += [said for row, topic in self._judged(named) if (said := _said(row, topic))]
        if what.reasons:
            out += [said for row in self._scores(named) if (said := _said(row, words.REASONS))]
        if what.rank:
            out += self._ranks(named)
        if (what.names and not listed) or (summary and named.is_star):
            out += [said for row in self._selves(named) if (said := _said(row, IDENTITY))]
        if summary:
            out += self._summary(named)
        for quantity in self._meant(named, what):
            found = list(self._quantity(named, quantity))
            out += found
            absent += [] if found else [quantity]
        return out, absent

    # -- what is asked ------------------------------------------------------------------------------------------

    @staticmethod
    def _meant(named: Object, what: Asked) -> Sequence[Quantity]:
        """Quantities that are asked for; of a star those of the star, where the planets on it are not named."""
        quantities = of_star(what.quantities) if named.is_star and not what.listed else what.quantities
        same = {"temperature": "equilibrium temperature"}
        return [BY_NAME[same.get(q.name, q.name)] for q in quantities]

    def _quantity(self, named: Object, quantity: Quantity) -> Iterator[Said]:
        """Of each signal or planet, or of the star, the first table's value that there is."""
        tables = dict.fromkeys(source.table for source in quantity.sources)
        if quantity.of == "star":
            for table in tables:
                for row in self._of_star(named, table):
                    if said := _said(row, quantity.name):
                        yield said
                        return
            return
        told = set[str]()
        for table in tables:
            rows = self._of_planets(named, table)
            for row, planets in rows:
                if not told & planets and (said := _said(row, quantity.name)):
                    yield said
            told |= {planet for row, planets in rows if row.sentence(quantity.name) for planet in planets}

    def _of_star(self, named: Object, table: str) -> list[Row]:
        if table == STARS:
            return [self._star_row(values) for values in self.tables.rows(STARS, "star_id", self._stars(named))]
        if table == SIGNALS:
            return [self._signal_row(values) for values in self.tables.rows(SIGNALS, "signal_id", named.signals)]
        return [self._planet_row(values) for values in self.tables.rows(PLANETS, "pl_name", named.planets)]

    def _of_planets(self, named: Object, table: str) -> list[tuple[Row, frozenset[str]]]:
        """Rows of the object's planets, each with the planets that it is about."""
        if table == SIGNALS:
            rows = [
                (self._signal_row(v), frozenset((v["signal_id"], *self._planets(v["signal_id"]))))
                for v in self.tables.rows(SIGNALS, "signal_id", named.signals[:MOST])
            ]
            found = self.tables.rows(words.FOUND, "tce_id", named.found)
            return rows + [(self._found_row(values), frozenset((values["tce_id"],))) for values in found]
        planets = self.tables.rows(PLANETS, "pl_name", named.planets[:MOST])
        return [(self._planet_row(values), frozenset((values["pl_name"],))) for values in planets]

    def _list(self, named: Object, kind: str) -> list[Said]:
        """How many planets, candidates or false positives a star has, then each; a planet that two missions found, or
        whose catalogue does not confirm it yet, is counted once."""
        signals = named.signals if named.is_star else self._on_stars(self._stars(named))
        values = self.tables.rows(SIGNALS, "signal_id", signals)
        rows = [self._signal_row(v) for v in values]
        of_kind = [
            row for row, v in zip(rows, values, strict=True) if kind == "signals" or v["disposition"] == _LISTED[kind]
        ]
        if kind == "planets":
            known = {planet for row in of_kind for planet in self._planets(row.name)}
            planets = set(named.planets) if named.is_star else self.tables.planets_of(signals)
            of_kind += [self._planet_row(v) for v in self.tables.rows(PLANETS, "pl_name", planets - known)]
        if not (rows or of_kind):
            return []
        each = {row.name if kind == "signals" else self.tables.group(row.name) for row in of_kind}
        whose = named.name if named.is_star else f"The star of {named.name}"
        count = f"{len(each) or 'no'} {_SINGULAR[kind]}{'' if len(each) == 1 else 's'}"
        among = kind != "signals" and rows and all(row.table == SIGNALS for row in of_kind)
        of = f" among its {len(rows)} signal{'' if len(rows) == 1 else 's'}" if among else ""
        shown = (of_kind or rows)[:MOST]
        total = Said(f"{whose} has {count}{of} in the release's tables.", tuple((row, DISPOSITION) for row in shown))
        return [total, *(said for row in shown if (said := _said(row, DISPOSITION)))]

    def _summary(self, named: Object) -> list[Said]:
        out = [said for name in _SUMMARY for said in self._quantity(named, BY_NAME[name])] if not named.is_star else []
        if named.is_star:
            out = self._list(named, "signals")
        dossiers = self.tables.rows(words.DOSSIERS, "signal_id", named.signals)
        out += [
            Said(s, ((row, words.DOSSIER),))
            for row in map(self._dossier_row, dossiers)
            if (s := row.sentence(words.DOSSIER))
        ]
        return out

    def _judged(self, named: Object) -> Iterator[tuple[Row, str]]:
        """Of each signal its disposition, what else confirms it, and the vetter's verdict."""
        scores = {row.key: row for row in self._scores(named)}
        others = {v["signal_id"]: v for v in self.tables.rows(words.KNOWN, "signal_id", named.signals)}
        for values in self.tables.rows(SIGNALS, "signal_id", named.signals[:MOST]):
            row = self._signal_row(values)
            yield row, DISPOSITION
            other = others.get(values["signal_id"])
            if other is not None and other["confirmed_by"] == "other name":
                yield self._known_row(other), DISPOSITION
            if row.key in scores:
                yield scores[row.key], words.VERDICT
        linked = {p for signal in named.signals for p in self._planets(signal)}
        for values in self.tables.rows(PLANETS, "pl_name", named.planets[:MOST]):
            if values["pl_name"] not in linked:
                yield self._planet_row(values), DISPOSITION
        for values in self.tables.rows(words.FOUND, "tce_id", named.found):
            row = self._found_row(values)
            yield row, DISPOSITION
            yield row, words.VERDICT

    def _scores(self, named: Object) -> list[Row]:
        return [self._score_row(v) for v in self.tables.rows(words.SCORES, "signal_id", named.signals[:MOST])]

    def _ranks(self, named: Object) -> list[Said]:
        rows = [self._rank_row(v) for v in self.tables.rows(words.RANKED, "signal_id", named.signals)]
        return [said for row in rows if (said := _said(row, words.RANK))]

    def _selves(self, named: Object) -> list[Row]:
        """Rows of the object itself, which have its names."""
        if named.is_star:
            return self._of_star(named, STARS) or self._of_star(named, PLANETS)[:1]
        rows = [row for row, _ in self._of_planets(named, SIGNALS)]
        return rows or self._of_star(named, PLANETS)

    # -- rows ---------------------------------------------------------------------------------------------------

    @cached_property
    def _candidates(self) -> int:
        return self.tables.frames[words.RANKED].height if self.tables.has(words.RANKED) else 0

    def _stars(self, named: Object) -> tuple[str, ...]:
        """Stars of the object, itself if it is one."""
        if named.stars:
            return named.stars
        values = self.tables.rows(SIGNALS, "signal_id", named.signals)
        return tuple(dict.fromkeys(v["star_id"] for v in values))

    def _on_stars(self, stars: Sequence[str]) -> tuple[str, ...]:
        return tuple(v["signal_id"] for v in self.tables.rows(SIGNALS, "star_id", stars))

    def _planets(self, signal: str) -> set[str]:
        return self.tables.planets_of([signal])

    def _label(self, signal: str, planet: str | None) -> str:
        """A signal's name with its planet's: K00841.03 (Kepler-27 d)."""
        planet = planet or next((n for n in self.tables.also(signal) if n[-1:].isalpha() and n[-2:-1] == " "), None)
        return f"{signal} ({planet})" if planet and planet != signal else signal

    def _signal_row(self, values: Values) -> Row:
        signal = values["signal_id"]
        label = self._label(signal, values["planet_name"])
        others = [name for name in self.tables.also(signal) if name not in label]
        also = f", also called {', '.join(others)}" if others else ""
        as_of = self.tables.as_of.get(values["source_table"], "")
        return self._row(SIGNALS, "signal_id", signal, words.signal_says(values, label, also, as_of), as_of)

    def _star_row(self, values: Values) -> Row:
        star = values["star_id"]
        names = self.tables.names
        own = names.filter((names["star_id"] == star) & names["signal_id"].is_null())["alias"].to_list()
        others = [name for name in own if name != star]
        known_as = next((name for name in others if not name.startswith(("KIC ", "EPIC ", "TIC "))), None)
        label = f"{star} ({known_as})" if known_as else star
        others = [name for name in others if name != known_as]
        also = f", also called {', '.join(others)}" if others else ""
        return self._row(STARS, "star_id", star, words.star_says(values, label, also))

    def _planet_row(self, values: Values) -> Row:
        as_of = self.tables.as_of.get("pscomppars", "")
        name = values["pl_name"]
        return self._row(PLANETS, "pl_name", name, words.planet_says(values, name, as_of), as_of)

    def _score_row(self, values: Values) -> Row:
        return self._of_signal(words.SCORES, values, words.score_says)

    def _known_row(self, values: Values) -> Row:
        return self._of_signal(words.KNOWN, values, words.known_says)

    def _rank_row(self, values: Values) -> Row:
        return self._of_signal(words.RANKED, values, lambda row, label: words.rank_says(row, label, self._candidates))

    def _dossier_row(self, values: Values) -> Row:
        row = self._of_signal(words.DOSSIERS, values, words.dossier_says)
        return replace(row, as_of=values["made_at"][:10])

    def _of_signal(self, table: str, values: Values, says: Callable[[Values, str], Says]) -> Row:
        signal = values["signal_id"]
        return self._row(table, "signal_id", signal, says(values, self._label(signal, None)))

    def _found_row(self, values: Values) -> Row:
        return self._row(words.FOUND, "tce_id", values["tce_id"], words.found_says(values, values["tce_id"]))

    def _row(self, table: str, column: str, value: str, says: Says, as_of: str = "") -> Row:
        return Row(self.tables.release, table, column, value, as_of or self.tables.made_on, says)


def _said(row: Row, topic: str) -> Said | None:
    """The row's sentence on a topic; None where it has none."""
    sentence = row.sentence(topic)
    return Said(sentence, ((row, topic),)) if sentence else None
