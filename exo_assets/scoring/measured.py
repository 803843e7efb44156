"""The quantities by which signals are judged.

Belongs here: which columns may be passed to the model, and which of them say something of a signal. Does not belong
here: their contracts (`catalogs/contracts.py`), or what is made of them.
"""

from __future__ import annotations

from exo_assets.catalogs.contracts import CORE_SIGNALS, MEASURED_COLUMNS

MEASURED = {c.name: c for c in CORE_SIGNALS.columns if c.name in MEASURED_COLUMNS}
"""Contract of every column that may be passed to the model: its unit and range are written there, once."""

POSITION = ("ra_deg", "dec_deg", "t0_bjd", "pm_ra_mas_yr", "pm_dec_mas_yr")
"""Columns that say where and when a signal is but nothing of what it is."""

TELLING = tuple(name for name in MEASURED if name not in POSITION and "_err" not in name)
"""Columns of which a signal must have at least one to be scored."""
