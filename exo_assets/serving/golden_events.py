"""Golden events: what the endpoint must say of a few threshold-crossing events.

Belongs here: the events, the answers that a vetter gives to them without an endpoint, and the comparison. Does not
belong here: deploying, or asking the endpoint (rollout.py).

The events are some of the vetter's own context, which every vetter has, written as the archive writes them.
"""

from __future__ import annotations

import io

import polars as pl

from exo_assets.events.columns import MEASURED, POSITION
from exo_assets.events.vetter import PROBABILITIES, EventVetter
from exo_assets.scoring.event_files import EVENT_ADDED

GOLDEN = 10
TOLERANCE = 1e-9
"""Of probabilities: the same numbers, computed in another process."""


def golden_events(vetter: EventVetter) -> pl.DataFrame:
    """Up to GOLDEN events spread over the vetter's context, as text columns of the archive's table."""
    context = vetter.context.sort("event")
    rows = context.gather_every(max(context.height // GOLDEN, 1)).head(GOLDEN)
    columns = [c for c in (*MEASURED, *POSITION) if c.name in rows.columns]
    parts = pl.col("event").str.split("-").list
    return rows.select(
        kepid=parts.get(0).cast(pl.Int64).cast(pl.String),
        tce_plnt_num=parts.get(1).cast(pl.Int64).cast(pl.String),
        **{c.raw: pl.col(c.name).cast(pl.String) for c in columns},
    )


def event_differences(expected: pl.DataFrame, given: bytes) -> list[str]:
    """Every answer in the CSV `given` that is not the expected one, in words; an empty list when all are."""
    found = pl.read_csv(io.BytesIO(given), infer_schema=False)
    wanted = pl.read_csv(io.BytesIO(expected.write_csv().encode()), infer_schema=False)
    if (found.columns, found.height) != (wanted.columns, wanted.height):
        return [f"{found.height} rows of {len(found.columns)} columns instead of {wanted.height} of {wanted.width}"]
    wrong = []
    for name in EVENT_ADDED:
        for event, a, b in zip(wanted["event"], wanted[name], found[name], strict=True):
            near = name in PROBABILITIES and a and b and abs(float(a) - float(b)) <= TOLERANCE
            if a != b and not near:
                wrong.append(f"event {event}: {name} is {b!r}, not {a!r}")
    return wrong
