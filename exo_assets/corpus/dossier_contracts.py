"""Contract of the dossiers.

Belongs here: columns, ranges and the key. Does not belong here: what a dossier holds (`dossier.py`).
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract

I, S = pl.Int64, pl.String  # noqa: E741

BY_CATALOGUE, BY_SEARCH = "mart_candidates", "mart_found_signals"

OUT_DOSSIERS = TableContract(
    "out_dossiers",
    "Everything that is known of each ranked candidate, with the nearest planets and false positives, and cited passages; one row per row of mart_candidates, and per ranked row of mart_found_signals that is in no catalogue.",
    (
        Column("signal_id", S, "Candidate (key of mart_candidates or mart_found_signals)", nullable=False),
        Column(
            "star_id",
            S,
            "Host star across missions (key of core_stars); of a star that no catalogue has, its light curve's name",
            nullable=False,
        ),
        Column("mission", S, "Mission that the candidate comes from", nullable=False, allowed=MISSIONS),
        Column("rank", I, "Rank in that list; 1 is the most likely planet", nullable=False, low=1),
        Column("ranked_in", S, "List that ranks it", nullable=False, allowed=(BY_CATALOGUE, BY_SEARCH)),
        Column("title", S, "The candidate's name, one that people may know it by, and its host", nullable=False),
        Column("dossier", S, "The dossier, JSON as described in exo_assets/corpus/dossier.py; null where it failed"),
        Column("n_passages", I, "Passages in it", nullable=False, low=0),
        Column("n_about_star", I, "Passages that name its star", nullable=False, low=0),
        Column("input_digest", S, "SHA-256 of everything that the dossier was made from; null where it failed"),
        Column(
            "search_digest",
            S,
            "SHA-256 of the version of the corpus and of what was asked of it: while it stays, nothing is searched again; null where it failed",
        ),
        Column("corpus_version", S, "Version of the index that was searched; null when there was none"),
        Column("model_version", S, "First 12 digits of the SHA-256 of the model that judged it", nullable=False),
        Column(
            "made_at", S, "When the dossier was made last, ISO 8601 (UTC): when what is in it changed", nullable=False
        ),
        Column("reason", S, "Why there is no dossier; null where there is one"),
    ),
    key=("signal_id",),
)

CONTRACTS = (OUT_DOSSIERS,)
