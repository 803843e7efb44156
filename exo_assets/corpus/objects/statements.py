"""Rows of the release in words.

Belongs here: the sentences of a row, one for each quantity that it has, numbers as the table has them. Does not belong
here: which rows are asked for (`catalogue.py`), columns (`quantities.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from exo_assets.corpus.objects.quantities import PLANETS, QUANTITIES, SIGNALS, STARS, UNITS, Quantity, Source

SCORES, RANKED, KNOWN, FOUND, DOSSIERS = (
    "out_scores_all", "mart_candidates", "mart_known_planets", "mart_found_signals", "out_dossiers",
)  # fmt: skip
IDENTITY, DISPOSITION, VERDICT, REASONS, RANK, DOSSIER = "names", "disposition", "verdict", "reasons", "rank", "dossier"
"""Topics of sentences that are no quantity's."""

_MISSIONS = {"kepler": "Kepler", "k2": "K2", "tess": "TESS"}
_IS = {
    "CONFIRMED": "is a confirmed planet",
    "CANDIDATE": "is a candidate, neither confirmed nor refuted by its own catalogue",
    "FALSE POSITIVE": "is a false positive",
}
_PROVENANCE = {"Msini": "mass times the sine of the inclination", "M-R relationship": "estimated from its radius"}

Values = Mapping[str, Any]
Says = tuple[tuple[str, str], ...]


def number(value: float) -> str:
    """The shortest decimals that are this number, without an exponent."""
    return str(np.format_float_positional(value, trim="-"))


def probability(value: float) -> str:
    """Four decimals; never a certainty."""
    if value > 0.99995:
        return "over 0.9999"
    return "under 0.0001" if value < 0.00005 else f"{value:.4f}"


def signal_says(row: Values, label: str, others: str, archive_date: str) -> Says:
    """A row of core_signals: names, disposition, quantities."""
    mission = _MISSIONS[row["mission"]]
    archive = f"the archive's table {row['source_table']}" + (f" of {archive_date}" if archive_date else "")
    listed = f"{archive} lists it as {row['disposition_archive']}" if row["disposition_archive"] else ""
    state = _IS.get(row["disposition"] or "", "has no disposition")
    host = f"{label} is a signal of {mission} on the star {row['mission_star_id']}{others}."
    disposition = f"{label} {state}{'; ' + listed if listed else ''}."
    return ((IDENTITY, host), (DISPOSITION, disposition), *_quantities(row, SIGNALS, label))


def star_says(row: Values, label: str, others: str) -> Says:
    """A row of core_stars: names, signals, quantities."""
    missions = " and ".join(_MISSIONS[m] for m in row["missions"].split(","))
    count = f"{row['n_signals']} signal{'s' if row['n_signals'] != 1 else ''}"
    host = f"The star {label} has {count} in the catalogue of {missions}{others}."
    return ((IDENTITY, host), *_quantities(row, STARS, label))


def planet_says(row: Values, label: str, archive_date: str) -> Says:
    """A row of the archive's composite table of confirmed planets."""
    when = f" of {archive_date}" if archive_date else ""
    state = f"{label} is a confirmed planet of the star {row['hostname']} by the archive's table pscomppars{when}."
    return ((IDENTITY, state), (DISPOSITION, state), *_quantities(row, PLANETS, label))


def score_says(row: Values, label: str) -> Says:
    """A row of out_scores_all: the vetter's judgement and its reasons, or why there is none."""
    if row["probability_planet"] is None:
        return ((VERDICT, f"Exo's vetter did not judge {label}: {row['reason'] or 'it has no score'}."),)
    said = (
        f"Exo's vetter gives {label} a probability of {probability(row['probability_planet'])} of being a planet; "
        f"its verdict is {row['verdict']}, its prediction set {row['prediction_set']}."
    )
    reasons = "; ".join(map(_reason, row["reasons"] or ()))
    if not reasons:
        return ((VERDICT, said),)
    return (
        (VERDICT, said),
        (REASONS, f"Its strongest reasons, in log-odds towards planet, are for {label} {reasons}."),
    )


def _reason(reason: Values) -> str:
    value = "unknown" if reason["value"] is None else f"{reason['value']:.6g}"
    return f"{reason['feature']} = {value} ({reason['contribution']:+.2f})"


def rank_says(row: Values, label: str, of: int) -> Says:
    """A row of mart_candidates."""
    return ((RANK, f"{label} has rank {row['rank']} of the {of} candidates, the most likely planet first."),)


def known_says(row: Values, label: str) -> Says:
    """A row of mart_known_planets of a signal that another catalogue confirms."""
    name = row["planet_name"] or row["also_known_as"]
    return ((DISPOSITION, f"{label} is the confirmed planet {name} under another name."),)


def found_says(row: Values, label: str) -> Says:
    """A row of mart_found_signals: what Exo's own search found."""
    match = "the same as" if row["match"] == "same" else "a harmonic of"
    known = f"{match} {row['signal_id']}" if row["signal_id"] else "in no catalogue"
    host = f"{label} is a signal that Exo's search found on {row['star_id']}, {known}."
    judged = row["probability_planet"] is not None
    verdict = (
        f"Exo's vetter gives {label} a probability of {probability(row['probability_planet'])} of being a planet; its "
        f"verdict is {row['verdict']}."
        if judged
        else f"Exo's vetter did not judge {label}: {row['not_judged'] or 'no reason is given'}."
    )
    return ((IDENTITY, host), (DISPOSITION, host), (VERDICT, verdict), *_quantities(row, SIGNALS, label))


def dossier_says(row: Values, label: str) -> Says:
    """A row of out_dossiers."""
    return ((DOSSIER, f"The dossier of {label} was made on {row['made_at'][:10]}: `exo dossier {row['signal_id']}`."),)


def _quantities(row: Values, table: str, label: str) -> Iterator[tuple[str, str]]:
    """The sentence of each quantity that the row has a value of, once."""
    told = set[str]()
    for quantity in QUANTITIES:
        for source in quantity.sources:
            if source.table == table and quantity.name not in told and (said := _said(quantity, source, row, label)):
                told.add(quantity.name)
                yield quantity.name, said


def _said(quantity: Quantity, source: Source, row: Values, label: str) -> str | None:
    """'The orbital period of K00841.03 is 6.54626149 ± 0.00002668 days.'; None where there is no value."""
    value = row.get(source.column)
    if value is None or value == "":
        return None
    what = _of_whom(quantity, source.table, label)
    measured = _float(value)
    if measured is None or source.column in ("disc_year",):
        return f"The {what} is {value}."
    error = _error(row, source)
    limit = {1: "at most ", -1: "at least "}.get(int(_float(row.get(source.limit)) or 0) if source.limit else 0, "")
    spread = f" ± {number(error)}" if error and not limit else ""
    unit = f" {UNITS[quantity.unit]}" if UNITS[quantity.unit] else ""
    how = _PROVENANCE.get(str(row.get("pl_bmassprov") or "")) if source.column == "pl_bmasse" else None
    return f"The {what} is {limit}{number(measured)}{spread}{unit}{f' ({how})' if how else ''}."


def _of_whom(quantity: Quantity, table: str, label: str) -> str:
    """'orbital period of K00841.03', 'mass of the star of K00841.03', 'mass of the star KIC 5792202'."""
    name = quantity.name.removesuffix(" of the star")
    if quantity.of == "planet":
        return f"{name} of {label}"
    return f"{name} of the star {label}" if table == STARS else f"{name} of the star of {label}"


def _error(row: Values, source: Source) -> float | None:
    """The uncertainty, the mean of upper and lower where both are given."""
    values = [abs(v) for c in source.errors if (v := _float(row.get(c))) is not None]
    if not values or len(values) != len(source.errors):
        return None
    return float(f"{sum(values) / len(values):.10g}")


def _float(value: object) -> float | None:
    try:
        out = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return out if math.isfinite(out) else None
