"""Contracts of what light curves tell of each signal: diagnostics and views.

Belongs here: columns, units and keys. Does not belong here: formulas (`diagnostics.py`, `views.py`).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.simulated import KINDS
from exo_assets.features.views import GLOBAL_BINS, LOCAL_BINS, STACK_BINS, STACK_TRANSITS
from exo_assets.lightcurves.star_contracts import EPHEMERIS, MISSION, SCATTERED_LIGHT, STAR_ID

F, S = pl.Float64, pl.String
ORIGINS = ("catalogue", "search")

_SIGNAL = (
    Column(
        "signal_id",
        S,
        "Name of the catalogued signal; of the threshold-crossing event where it is none, or a harmonic of one",
        nullable=False,
    ),
    STAR_ID,
    MISSION,
    Column("tce_id", S, "Threshold-crossing event that it was found as; null when the search did not find it"),
    Column("origin", S, "Where its ephemeris was taken from before it was fitted", nullable=False, allowed=ORIGINS),
    *EPHEMERIS,
)
_REASON = Column("reason", S, "Why nothing could be measured of it; null when something could")

FEAT_DIAGNOSTICS = TableContract(
    "feat_diagnostics",
    "Vetting diagnostics of every signal that has a light curve; null where one cannot be measured.",
    (*_SIGNAL, SCATTERED_LIGHT, _REASON, *COLUMNS),
    key=("signal_id",),
)

FEAT_SIGNAL_DIAGNOSTICS = TableContract(
    "feat_signal_diagnostics",
    "feat_diagnostics of all stars in one table.",
    FEAT_DIAGNOSTICS.columns,
    key=FEAT_DIAGNOSTICS.key,
)


FEAT_VIEW_INDEX = TableContract(
    "feat_view_index",
    "Which row of the arrays views/<digest>/<view>.npy in the lake is which signal's: feat_views for memory-mapped training.",
    (
        Column("signal_id", S, "Signal", nullable=False),
        STAR_ID,
        MISSION,
        Column("row", pl.Int64, "Row of the arrays", nullable=False, low=0),
        Column("digest", S, "Folder of the arrays", nullable=False),
    ),
    key=("signal_id",),
)


def _view(name: str, size: int, description: str) -> Column:
    return Column(name, pl.Array(pl.Float32, size), description)


_SEEN = (
    _view("global_view", GLOBAL_BINS, "The whole orbit (Shallue & Vanderburg 2018)"),
    _view("local_view", LOCAL_BINS, "Four durations on either side of mid-transit (Shallue & Vanderburg 2018)"),
    _view("odd_view", LOCAL_BINS, "As the local view, transits of odd number, on its scale"),
    _view("even_view", LOCAL_BINS, "As the local view, transits of even number, on its scale"),
    _view("secondary_view", LOCAL_BINS, "As the local view, around the secondary phase, on its scale"),
)
_DEPTH = Column("depth", F, "Relative flux that -1 stands for in all views but the global one", low=0)
_PHASE = Column("secondary_phase", F, "Phase that the secondary view is centred on", low=0, high=1)

FEAT_VIEWS = TableContract(
    "feat_views",
    "Folded views of every signal that has a light curve, fixed-size arrays in single precision; null where there are none.",
    (
        *_SIGNAL,
        _REASON,
        _DEPTH,
        _PHASE,
        *_SEEN,
        _view(
            "stack_view",
            STACK_TRANSITS * STACK_BINS,
            f"{STACK_TRANSITS} single transits of {STACK_BINS} bins, row by row; NaN where there are no data (ExoMiner++)",
        ),
    ),
    key=("signal_id",),
)

_SIMULATED = (
    Column("simulated_id", S, "Name of the simulated signal", nullable=False),
    STAR_ID,
    MISSION,
    Column("host_id", S, "The catalogue's name of the star: a star of the training set", nullable=False),
    Column("kind", S, "What was simulated", nullable=False, allowed=KINDS),
)

FEAT_SIMULATED_VIEWS = TableContract(
    "feat_simulated_views",
    "SIMULATED planets and eclipsing binaries in the real noise of labelled training stars, folded as measured signals "
    "are: the network's branches learn from them too. Never in a test set, never scored, in no release.",
    (
        *_SIMULATED,
        *(replace(column, nullable=True) for column in EPHEMERIS),
        Column("snr", F, "Depth over its uncertainty, as fitted"),
        _REASON,
        _DEPTH,
        _PHASE,
        *_SEEN,
    ),
    key=("simulated_id",),
)

FEAT_SIMULATED_INDEX = TableContract(
    "feat_simulated_index",
    "Which row of the arrays simulated_views/<digest>/<view>.npy in the lake is which simulated signal's.",
    (
        *_SIMULATED,
        Column("row", pl.Int64, "Row of the arrays", nullable=False, low=0),
        Column("digest", S, "Folder of the arrays", nullable=False),
    ),
    key=("simulated_id",),
)
