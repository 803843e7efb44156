"""The archive's column definitions as documents, one for each column.

Belongs here: definitions from the raw tables' contracts and `archive_columns.yaml`, and their wording. Does not belong
here: the pipeline's own tables (`own_documents.py`).

A column that several tables have is one document, with its uncertainties in it: passages that say the same five times
would crowd out every other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from exo_assets.archive.contracts import CONTRACTS, RAW_CONTRACTS
from exo_assets.corpus.document import Document

NOTES = Path(__file__).with_name("archive_columns.yaml")

_DOCS = "https://exoplanetarchive.ipac.caltech.edu/docs"
_PAGES = {
    "cumulative": f"{_DOCS}/API_kepcandidate_columns.html",
    "q1_q17_dr25_koi": f"{_DOCS}/API_kepcandidate_columns.html",
    "toi": f"{_DOCS}/API_TOI_columns.html",
    "k2pandc": f"{_DOCS}/API_k2pandc_columns.html",
    "pscomppars": f"{_DOCS}/API_PS_columns.html",
    "q1_q17_dr25_tce": f"{_DOCS}/API_tce_columns.html",
    "q1_q17_dr24_tce": f"{_DOCS}/API_tce_columns.html",
}
"""The archive's documentation of each table."""
_KINDS = {
    "cumulative": "Kepler Objects of Interest",
    "q1_q17_dr25_koi": "Kepler Objects of Interest",
    "toi": "TESS Objects of Interest",
    "k2pandc": "K2 planets and candidates",
    "pscomppars": "confirmed planets",
    "q1_q17_dr25_tce": "Kepler's threshold-crossing events",
    "q1_q17_dr24_tce": "Kepler's threshold-crossing events",
}
_NO_ARTICLE = ("1", "Where", "What", "The", "A", "An")
_UNITS = {
    "d": "days",
    "h": "hours",
    "ppm": "parts per million",
    "K": "kelvin",
    "R_Earth": "Earth radii",
    "M_Earth": "Earth masses",
    "R_Jup": "Jupiter radii",
    "M_Jup": "Jupiter masses",
    "R_Sun": "solar radii",
    "M_Sun": "solar masses",
    "S_Earth": "times the flux on Earth",
    "g/cm3": "grams per cubic centimetre",
    "cm/s2": "centimetres per second squared, as a logarithm",
    "deg": "degrees",
    "mag": "magnitudes",
    "dex": "logarithm to base 10",
    "pc": "parsecs",
    "au": "astronomical units",
    "arcsec": "arc seconds",
    "mas/yr": "milliarcseconds a year",
}
_ERROR = re.compile(r"(.+?)_?err([12]?)")
_SIDES = {"1": " (upper)", "2": " (lower)", "": ""}


@dataclass(frozen=True)
class Meaning:
    """What a column is in some of the tables that have it."""

    tables: tuple[str, ...]
    description: str
    unit: str


@dataclass(frozen=True)
class Definition:
    """A column of the archive: one meaning, or several where tables differ; columns of its uncertainties; a note."""

    column: str
    meanings: tuple[Meaning, ...]
    uncertainties: tuple[str, ...]
    note: str


class DefinitionError(ValueError):
    """`archive_columns.yaml` does not fit the contracts; the message names the column."""


@cache
def definitions() -> tuple[Definition, ...]:
    """Every column that is documented, in the order of the contracts, then of the file; DefinitionError."""
    meanings, uncertainties = dict[str, list[Meaning]](), dict[str, list[str]]()
    for table, column, description, unit in _of_contracts():
        base = _measured_by(column, table)
        if base is not None:
            known = uncertainties.setdefault(base, [])
            known += [column] if column not in known else []
            continue
        _add(meanings.setdefault(column, []), table, description, unit)
    notes = dict[str, str]()
    for entry in yaml.safe_load(NOTES.read_text(encoding="utf-8")):
        column = entry["column"]
        if column in notes:
            raise DefinitionError(f"{NOTES.name} has {column} twice")
        if ("tables" in entry) == (column in meanings):
            raise DefinitionError(
                f"{NOTES.name}, {column}: tables belong to columns that no contract has, and only to them"
            )
        for table in entry.get("tables", ()):
            if table not in _PAGES:
                raise DefinitionError(f"{NOTES.name}, {column}: {table} is no table of the archive")
            _add(meanings.setdefault(column, []), table, entry["description"], entry.get("unit", ""))
        notes[column] = " ".join(entry.get("note", "").split())
    return tuple(
        Definition(column, tuple(said), tuple(uncertainties.get(column, ())), notes.get(column, ""))
        for column, said in meanings.items()
    )


def column_documents() -> list[Document]:
    """A Markdown document for each column; its id is `archive:<column>`."""
    return [_document(definition) for definition in definitions()]


def _of_contracts() -> Iterator[tuple[str, str, str, str]]:
    for contract in CONTRACTS:
        for column in contract.columns:
            yield contract.archive_table, column.name, column.description, column.unit


def _measured_by(column: str, table: str) -> str | None:
    """The quantity whose uncertainty `column` is; None when it is none."""
    match = _ERROR.fullmatch(column)
    names = {c.name for c in RAW_CONTRACTS[table].columns}
    return match[1] if match and match[1] in names else None


def _add(meanings: list[Meaning], table: str, description: str, unit: str) -> None:
    for i, known in enumerate(meanings):
        if (known.description, known.unit) == (description, unit):
            meanings[i] = Meaning((*known.tables, table), description, unit)
            return
    meanings.append(Meaning((table,), description, unit))


def _document(definition: Definition) -> Document:
    column, first = definition.column, definition.meanings[0]
    title = f"{column}: {first.description}" + (f" [{first.unit}]" if first.unit else "")
    said = [_sentence(column, meaning) for meaning in definition.meanings]
    if definition.note:
        said.append(definition.note)
    if definition.uncertainties:
        names = [name + _SIDES[_ERROR.fullmatch(name)[2]] for name in definition.uncertainties]  # type: ignore[index]
        said.append(f"Its uncertainty is in {_listed(names)}.")
    return Document(
        document_id=f"archive:{column}",
        source="archive_columns",
        media="markdown",
        title=title,
        text=f"# {title}\n\n" + "\n".join(said),
        url=_PAGES[first.tables[0]],
    )


def _sentence(column: str, meaning: Meaning) -> str:
    unit = f", in {_UNITS.get(meaning.unit, meaning.unit)}" if meaning.unit else ""
    article = "" if meaning.description.split(" ", 1)[0] in _NO_ARTICLE else "the "
    kinds = dict[str, list[str]]()
    for table in meaning.tables:
        kinds.setdefault(_KINDS[table], []).append(table)
    tables = _listed([f"{kind} ({', '.join(names)})" for kind, names in kinds.items()])
    return (
        f"The column {column} holds {article}{_lowered(meaning.description)}{unit}; "
        f"it is in the NASA Exoplanet Archive's tables of {tables}."
    )


def _lowered(text: str) -> str:
    """`text` to go on a sentence with: its first letter small unless the word is a name or an acronym."""
    word = text.split(" ", 1)[0]
    return text if word[1:2].isupper() or word in ("Gaia", "Kepler", "Kepler-band") else text[:1].lower() + text[1:]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
