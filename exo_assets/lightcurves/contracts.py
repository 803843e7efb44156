"""Contracts of the light-curve tables.

Belongs here: columns, units, ranges and keys of this stage's tables. Does not belong here: how they are made.
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract
from exo_assets.lightcurves.star_contracts import (
    CORE_FOUND_SIGNALS,
    CORE_LIGHT_CURVES_ATTRITION,
    CORE_SEARCHED_STARS,
    CORE_SINGLE_TRANSITS,
)
from exo_assets.lightcurves.validation_contracts import CONTRACTS as VALIDATION

S, F, I = pl.String, pl.Float64, pl.Int64  # noqa: E741

FILE_STATES = ("kept", "quarantined", "failed", "unused")
FILE_SOURCES = ("live", "mirror", "last_good", "snapshot", "user")

RAW_MAST__LIGHT_CURVES = TableContract(
    name="raw_mast__light_curves",
    description="Light-curve files that were asked for: where each came from and lies, or why it does not count.",
    columns=(
        Column("file_name", S, "Name of the file: the archive's own, or that of a table", nullable=False),
        Column("mission", S, "Mission that observed the star", nullable=False, allowed=MISSIONS),
        Column("star_id", S, "Star as the mission's catalogue writes it, e.g. KIC 11442793", nullable=False),
        Column("segment", I, "Kepler quarter, K2 campaign or TESS sector; null when a file holds several", low=0),
        Column("cadence_s", F, "Nominal time between points", "s", low=0, low_open=True),
        Column("source", S, "Where it was asked for", nullable=False, allowed=FILE_SOURCES),
        Column("url", S, "Address it was asked from", nullable=False),
        Column(
            "fingerprint",
            S,
            "What the source says of the file's version (size, date or tag); empty: nothing",
            nullable=False,
        ),
        Column("size_bytes", I, "Size of what arrived", "byte", low=0),
        Column("sha256", S, "SHA-256 of what arrived; null when nothing did"),
        Column("key", S, "Place in the lake, of a kept file below raw/, of a refused one below quarantine/"),
        Column("retrieved_at", S, "When it was asked for, ISO 8601, UTC", nullable=False),
        Column(
            "status",
            S,
            "kept: whole and right; quarantined: arrived and does not count; failed: did not arrive; unused: not asked for, another file has the same photons",
            nullable=False,
            allowed=FILE_STATES,
        ),
        Column("reason", S, "Code of what is wrong; null for a kept file"),
        Column("message", S, "What is wrong, in words; null for a kept file"),
    ),
    key=("file_name",),
)

RAW_USER__LIGHT_CURVES = TableContract(
    name="raw_user__light_curves",
    description="Light curves that users imported, in the form of raw_mast__light_curves.",
    columns=RAW_MAST__LIGHT_CURVES.columns,
    key=("key",),
)

CONTRACTS: tuple[TableContract, ...] = (
    RAW_USER__LIGHT_CURVES,
    CORE_SEARCHED_STARS,
    CORE_FOUND_SIGNALS,
    CORE_SINGLE_TRANSITS,
    CORE_LIGHT_CURVES_ATTRITION,
    *VALIDATION,
)
"""Of the tables that are not partitioned; analysts have them in the release."""
