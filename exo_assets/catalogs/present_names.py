"""Names of then as names of now.

Belongs here: looking a name up. Does not belong here: which name is whose (`renames.py`): models lean on this module,
and what is computed from it must not change with the rules by which signals are followed.
"""

from __future__ import annotations

import polars as pl


def by_present_name(names: pl.Series, history: pl.DataFrame | None) -> pl.Series:
    """Names of signals, each as the archive calls the signal now; `history` is `core_disposition_history`, None where
    nothing was ever renamed."""
    if history is None:
        return names
    renamed = history.filter(pl.col("archive_name") != pl.col("signal_id")).unique("archive_name", keep="any")
    return names.replace(renamed["archive_name"], renamed["signal_id"])
