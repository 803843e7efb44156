"""Dispositions: what each mission's label means in the common vocabulary.

Belongs here: the one table of the mapping. Does not belong here: which signals are trained on (the training stage).

| archive table | label | harmonised | meaning |
| --- | --- | --- | --- |
| KOI | CONFIRMED | CONFIRMED | confirmed or statistically validated planet |
| KOI | CANDIDATE | CANDIDATE | passed the vetting, not confirmed |
| KOI | FALSE POSITIVE | FALSE POSITIVE | failed the vetting or disproved |
| KOI | NOT DISPOSITIONED | none | not vetted yet |
| TOI | KP | CONFIRMED | planet known before TESS |
| TOI | CP | CONFIRMED | planet confirmed with TESS |
| TOI | PC | CANDIDATE | planet candidate |
| TOI | APC | CANDIDATE | ambiguous planet candidate |
| TOI | FP | FALSE POSITIVE | false positive |
| TOI | FA | FALSE POSITIVE | false alarm: instrumental, no astrophysical signal |
| K2 | CONFIRMED | CONFIRMED | confirmed or validated planet |
| K2 | CANDIDATE | CANDIDATE | published candidate |
| K2 | FALSE POSITIVE | FALSE POSITIVE | disproved candidate |
| K2 | REFUTED | FALSE POSITIVE | planet once confirmed, disproved since |

A label that is not in the table is not guessed: the harmonised disposition is null and the row is quarantined.
"""

from __future__ import annotations

import polars as pl

UNDISPOSITIONED = "NOT DISPOSITIONED"
"""KOI label of a signal that nobody has vetted yet; legal, and the same as no label."""

DISPOSITION_OF: dict[str, dict[str, str]] = {
    "kepler": {"CONFIRMED": "CONFIRMED", "CANDIDATE": "CANDIDATE", "FALSE POSITIVE": "FALSE POSITIVE"},
    "tess": {
        "KP": "CONFIRMED",
        "CP": "CONFIRMED",
        "PC": "CANDIDATE",
        "APC": "CANDIDATE",
        "FP": "FALSE POSITIVE",
        "FA": "FALSE POSITIVE",
    },
    "k2": {
        "CONFIRMED": "CONFIRMED",
        "CANDIDATE": "CANDIDATE",
        "FALSE POSITIVE": "FALSE POSITIVE",
        "REFUTED": "FALSE POSITIVE",
    },
}
"""Mission -> archive label -> harmonised disposition: the table above."""


def harmonised(label: pl.Expr, mission: str) -> pl.Expr:
    """Expression: the harmonised disposition of an archive label; null when it is absent or unknown."""
    return (
        label.str.strip_chars()
        .str.to_uppercase()
        .replace_strict(DISPOSITION_OF[mission], default=None, return_dtype=pl.String)
    )


def unknown_label() -> pl.Expr:
    """Expression over harmonised rows: the archive gave a label that the mapping does not know."""
    label = pl.col("disposition_archive")
    undecided = (pl.col("mission") == "kepler") & (label.str.strip_chars().str.to_uppercase() == UNDISPOSITIONED)
    return label.is_not_null() & pl.col("disposition").is_null() & ~undecided
