"""One candidate's dossier.

Belongs here: what a dossier holds, in which shape, and what it says is not known. Does not belong here: how its parts
are found (`dossier_facts.py`, `dossier_verdict.py`, `neighbours.py`, `dossier_passages.py`), shown
(`dossier_markdown.py`) and kept up to date (`dossier_refresh.py`).

A dossier is JSON (`SCHEMA_VERSION` 1):

    schema           1
    signal_id, star_id, title, description
    other_names      {"signal": [...], "star": [...]}: every other name that the catalogues know
    catalogue        mission, table, name_column, host, disposition, disposition_column
    facts            [{column, label, value, error, unit, archive_column}]: error null where the archive has none
    verdict          verdict, probability_planet, prediction_set, dispositions {confirmed, candidate, false_positive},
                     statement, reasons [{feature, value, contribution, text}], model_version
    diagnostics      light_curve (bool), statement, notable [{column, value, unit, label, why}]
    as_found         tce_id, flags [sentences], period_alternatives_days: what the search has of the signal and what is
                     to be known of that, as the release says it; null where it found none
    neighbours       {"confirmed": [...], "false_positives": [...]}, the nearest first: signal_id, planet_name, mission,
                     disposition, distance, shared, facts {column: value}, differences [{column, candidate, neighbour,
                     sigmas}]; distances are robust standard deviations (neighbours.py)
    passages         [{about_star, document_id, chunk_id, source, title, url, year, section, page, start, end, text,
                     names}]: characters [start, end) of the document's text; those on the star first
    search_phrase    what was searched for where nothing names the star
    unknown          sentences: what is not known, or was not looked for

Its rank and the version of the corpus are columns of `out_dossiers`, not in it: a rank moves with every other
candidate's probability, and a corpus that says the same of a star makes no new dossier.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exo_assets.corpus.dossier_facts import Row, catalogue, description, facts, joined
from exo_assets.corpus.dossier_passages import LITERATURE, Quotation
from exo_assets.corpus.dossier_verdict import verdict
from exo_assets.corpus.neighbours import SPACE, Neighbour

SCHEMA_VERSION = 1

NO_INDEX = "No index of the corpus has been released, so no document was searched."
NO_LITERATURE = "The corpus holds no literature: no abstract and no file."
NOBODY_NAMES_IT = "No document of the corpus names this star."
NOTHING_LIKE_IT = "No passage of the corpus is close to a signal like this."
EXPLAINED = "What stands under the literature explains how such signals are vetted; no paper is there."
_FOUR = ("period_days", "depth_ppm", "radius_earth", "star_teff_k")
"""Facts of neighbours that are shown."""


@dataclass(frozen=True)
class Found:
    """What the corpus gave: `passages`, whether an index was there (`searched`) and whether it holds `literature`."""

    passages: Sequence[Quotation]
    searched: bool
    literature: bool


@dataclass(frozen=True)
class Inputs:
    """Everything that one dossier is made from, as plain values.

    `signal`: its row of `core_signals`; `score`: of `out_scores`; `diagnosed`: what `dossier_verdict.diagnostics`
    says; `as_found`: what `dossier_found.as_found` has of the signal; `neighbours`: label -> what `shown` makes of
    each; `phrase`: what is searched for where nothing names the star.
    """

    signal: Row
    score: Row
    signals_on_star: int
    signal_names: Sequence[str]
    star_names: Sequence[str]
    diagnosed: Mapping[str, Any]
    as_found: Mapping[str, Any] | None
    neighbours: Mapping[str, Sequence[Mapping[str, Any]]]
    phrase: str
    found: Found

    def digest(self, code: str) -> str:
        """SHA-256 of it all, and of the version of the code that makes dossiers."""
        found = {**vars(self.found), "passages": [passage.as_json() for passage in self.found.passages]}
        said = {"schema": SCHEMA_VERSION, "code": code, **vars(self), "found": found}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def dossier(inputs: Inputs) -> dict[str, Any]:
    """The dossier of one candidate, in the shape described above."""
    signal, passages = inputs.signal, inputs.found.passages
    on_star = any(passage.about_star for passage in passages)
    return {
        "schema": SCHEMA_VERSION,
        "signal_id": signal["signal_id"],
        "star_id": signal["star_id"],
        "title": title(signal, inputs.signal_names),
        "description": description(signal, inputs.signals_on_star),
        "other_names": {
            "signal": [name for name in inputs.signal_names if name != signal["signal_id"]],
            "star": list(inputs.star_names),
        },
        "catalogue": catalogue(signal),
        "facts": facts(signal),
        "verdict": verdict(inputs.score),
        "diagnostics": dict(inputs.diagnosed),
        "as_found": dict(inputs.as_found) if inputs.as_found else None,
        "neighbours": {
            "confirmed": list(inputs.neighbours.get("CONFIRMED", ())),
            "false_positives": list(inputs.neighbours.get("FALSE POSITIVE", ())),
        },
        "passages": [passage.as_json() for passage in passages],
        "search_phrase": None if on_star or not inputs.found.searched else inputs.phrase,
        "unknown": unknown(inputs),
    }


def title(signal: Row, names: Sequence[str]) -> str:
    """The signal's name, with one that people may know it by."""
    others = [name for name in names if name != signal["signal_id"]]
    known = f"{signal['signal_id']} ({others[0]})" if others else str(signal["signal_id"])
    return f"{known} on {signal['mission_star_id']}"


def unknown(inputs: Inputs) -> list[str]:
    """What is not known of the candidate, in sentences."""
    signal, said = inputs.signal, []
    missing = [column for column in SPACE if signal.get(column) is None]
    if missing:
        said.append(f"The catalogue does not give {joined([_WORDS[column] for column in missing])}.")
    if not any(inputs.neighbours.values()):
        said.append("Too little is known of it to compare it with other signals.")
    if not inputs.diagnosed["light_curve"]:
        said.append("No light curve of it was read: its shape, secondary eclipses and centroid were not looked at.")
    return [*said, *_of_literature(inputs.found)]


def _of_literature(found: Found) -> list[str]:
    if not found.searched:
        return [NO_INDEX]
    if any(passage.about_star for passage in found.passages):
        return []
    said = [NOBODY_NAMES_IT if found.literature else NO_LITERATURE]
    if not found.passages:
        said.append(NOTHING_LIKE_IT)
    elif all(passage.source not in LITERATURE for passage in found.passages):
        said.append(EXPLAINED)
    return said


_WORDS = {
    "period_days": "its period",
    "duration_hours": "the duration of its transits",
    "depth_ppm": "the depth of its transits",
    "radius_earth": "its radius",
    "snr": "a signal to noise",
    "star_teff_k": "the star's temperature",
    "star_radius_sun": "the star's radius",
    "impact": "an impact parameter",
    "star_logg_cgs": "the star's surface gravity",
}


def shown(neighbour: Neighbour, row: Row) -> dict[str, Any]:
    """A neighbour as dossiers show it, with its planet's name and some facts of its row of `core_signals`."""
    known = {column: row[column] for column in _FOUR if row[column] is not None}
    return {**neighbour.as_json(), "planet_name": row["planet_name"], "facts": known}
