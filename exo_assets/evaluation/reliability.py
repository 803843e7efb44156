"""Whether a probability means what it says, by signal to noise and by period, of each mission.

Belongs here: the rows of `ml_vetter_parts` on it. Does not belong here: calibrating, and drawing.

The mean probability given in a bin is set against the share that are planets there. Small and one-sided bins are what
this is about, where a bootstrap sees no spread at all: the interval is Wilson's score interval of the share (Wilson
1927, JASA 22, 209), with the mean probability taken as known. It is on the wide side: it lets every signal of the bin
scatter as the mean does, and those with a probability near 0 or 1 scatter less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.evaluation.bootstrap import Interval
from exo_assets.evaluation.report import BINS, bin_names, interval_columns, sizes
from exo_assets.lightcurves.intervals import wilson

METRIC = "observed_minus_predicted"
BY = ("snr", "period")
LEAST_IN_BIN = 20
"""Signals below which a bin of one mission is left out."""


def reliability_rows(judged: pl.DataFrame, signals: pl.DataFrame, models: Sequence[str]) -> Iterator[dict[str, object]]:
    """Rows of `ml_vetter_parts` on every unseen signal: `judged` has `is_planet` and a probability per model.

    `signals` gives the columns of BINS; a signal that has no value of one is in none of its bins.
    """
    columns = {name: column for name, (column, _) in BINS.items() if name in BY}
    joined = judged.join(signals.select("signal_id", *columns.values()), on="signal_id", how="left")
    for mission in MISSIONS:
        mine = joined.filter(pl.col("mission").cast(pl.String) == mission)
        for name, column in columns.items():
            for population, (low, high) in bin_names(name).items():
                part = mine.filter(pl.col(column).is_between(low, high, closed="left"))
                if part.height < LEAST_IN_BIN:
                    continue
                planets = int(part["is_planet"].sum())
                least, most = (float(end) for end in wilson(planets, part.height))
                for model in models:
                    given = float(part.select(pl.col(model).mean()).item())
                    found = Interval(planets / part.height - given, least - given, most - given)
                    yield {
                        "model": model,
                        "population": f"{mission}_{population}",
                        "split": "unseen",
                        "metric": METRIC,
                        **interval_columns(found),
                        **sizes(part),
                    }
