"""Golden answers: what the endpoint must say of a few fixed signals.

Belongs here: the signals, the answers that a model gives to them without an endpoint, and the comparison.
Does not belong here: deploying, or asking the endpoint (rollout.py).

The signals are real ones of the Q1-Q17 DR25 KOI table (NASA Exoplanet Archive), in golden_signals.yaml; `choose` made
that file, and a test holds it against the table that ships with the package. Every other one carries folded views, so
that the network answers with and without them: they are simulated, a trapezoid of the signal's duration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import yaml

from exo_assets.catalogs.contracts import DIAGNOSTIC_COLUMNS, MEASURED_COLUMNS, MISSIONS
from exo_assets.features.seen_views import SEEN_VIEWS, VIEWS, stated_views
from exo_assets.features.views import GLOBAL_BINS, LOCAL_BINS, LOCAL_DURATIONS
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.score import JOINED, STATED_COUNT, Scorer, prepare

Request = dict[str, Any]

TOLERANCE = 1e-5
"""The network answers in float32: its last digits depend on how many signals are judged together."""
FILE = Path(__file__).with_name("golden_signals.yaml")
PER_DISPOSITION = 7
WITH_VIEWS = 2
"""Of so many golden signals one carries views."""


def golden_signals() -> list[Request]:
    """The fixed requests, in the endpoint's fields."""
    loaded: list[Request] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        {**r, VIEWS: simulated_views(r["period_days"], r["duration_hours"])} if number % WITH_VIEWS == 0 else r
        for number, r in enumerate(loaded)
    ]


def simulated_views(period_days: float, duration_hours: float) -> dict[str, list[float]]:
    """Views of a simulated transit without noise, by name: a trapezoid that is flat over half of its duration, in
    units of its depth; nothing at the secondary."""
    share = duration_hours / 24 / period_days
    local = _trapezoid(np.linspace(-LOCAL_DURATIONS, LOCAL_DURATIONS, LOCAL_BINS))
    whole = _trapezoid(np.linspace(-0.5, 0.5, GLOBAL_BINS) / share)
    drawn = {"global_view": whole, "secondary_view": np.zeros(LOCAL_BINS)}
    return {name: drawn.get(name, local).tolist() for name in SEEN_VIEWS}


def _trapezoid(durations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Flux about one over depth at `durations` from mid-transit; the deepest bin is -1."""
    return -np.clip(2 - 4 * np.abs(durations), 0, 1)


def choose(signals: pl.DataFrame) -> list[Request]:
    """PER_DISPOSITION signals of each disposition, spread over the table, as requests.

    Of each disposition the first keep everything, two come without pipeline diagnostics and without their name (the
    catalogue would complete them), one is passed off as seen by each other mission: every branch of the model answers.
    `signals` has the columns of `core_signals`.
    """
    counts = signals.group_by("mission_star_id").agg(pl.len().alias(STATED_COUNT))
    named = signals.join(counts, on="mission_star_id", how="left").sort("signal_id")
    chosen: list[Request] = []
    for disposition in ("CONFIRMED", "CANDIDATE", "FALSE POSITIVE"):
        rows = named.filter(pl.col("disposition") == disposition)
        rows = rows.gather_every(max(rows.height // PER_DISPOSITION, 1)).head(PER_DISPOSITION)
        for number, row in enumerate(rows.iter_rows(named=True)):
            left = PER_DISPOSITION - number
            hidden = DIAGNOSTIC_COLUMNS if left <= 4 else ()
            mission = MISSIONS[left] if left < len(MISSIONS) else "kepler"
            values = {c: row[c] for c in MEASURED_COLUMNS if row[c] is not None and c not in hidden}
            name = {} if hidden else {"signal_id": row["signal_id"]}
            chosen.append({**name, "mission": mission, STATED_COUNT: row[STATED_COUNT], **values})
    return chosen


def expected_answers(vetter: Scorer, requests: Sequence[Request], known: Known = NOTHING) -> list[dict[str, Any]]:
    """What `vetter` says of each request, judged here beside what the catalogue knows."""
    frame = pl.DataFrame(
        {
            "mission": [r["mission"] for r in requests],
            **{n: pl.Series([r.get(n) for r in requests], dtype=pl.String) for n in ("signal_id", "mission_star_id")},
            STATED_COUNT: pl.Series([r.get(STATED_COUNT) for r in requests], dtype=pl.Int64),
            **{c: pl.Series([r.get(c) for r in requests], dtype=pl.Float64) for c in MEASURED_COLUMNS},
            VIEWS: pl.Series([stated_views(r.get(VIEWS)) for r in requests], dtype=pl.List(pl.Float32)),
        }
    )
    prepared = prepare(frame, vetter, known=known, apart=True)
    return prepared.judged(vetter.score_features(prepared.features)).select(*JUDGEMENT, *JOINED).to_dicts()


def differences(
    expected: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], tolerance: float = TOLERANCE
) -> list[str]:
    """Every answer that is not the expected one within `tolerance`, in words; an empty list when all are."""
    if len(expected) != len(given):
        return [f"{len(given)} answers instead of {len(expected)}"]
    found = []
    for number, (wanted, answer) in enumerate(zip(expected, given, strict=True)):
        for name in (*JUDGEMENT, *JOINED):
            if name not in answer:
                found.append(f"signal {number}: {name} is missing")
            elif not _same(wanted[name], answer[name], tolerance):
                found.append(f"signal {number}: {name} is {answer[name]!r}, not {wanted[name]!r}")
    return found


def _same(wanted: Any, given: Any, tolerance: float) -> bool:
    if isinstance(wanted, float) and isinstance(given, int | float):
        return abs(wanted - given) <= tolerance
    if isinstance(wanted, list) and isinstance(given, list):
        return len(wanted) == len(given) and all(_same(a, b, tolerance) for a, b in zip(wanted, given, strict=True))
    if isinstance(wanted, dict) and isinstance(given, dict):
        return wanted.keys() == given.keys() and all(_same(wanted[k], given[k], tolerance) for k in wanted)
    return bool(wanted == given)
