"""The events that were known when a vetter was trained, indexed: for one event, the few that it is compared with.

Belongs here: which of many events matter for some. Does not belong here: the comparisons (context.py).

An event is compared with the others of its star, with those at its period, and with the counts over all (`Crowd`).
Nothing else of the neighbourhood moves its features: made among the few that are near, they are those made among all.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.events.context import MATCH_PERIOD, Crowd

WIDE = 1 + 1.01 * MATCH_PERIOD
"""Ratio of periods up to which events are near: a little wider than events are compared."""


class Neighbourhood:
    """`context`: events, each once, with the columns CONTEXT_COLUMNS."""

    def __init__(self, context: pl.DataFrame) -> None:
        self._context = context.sort("event")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {event: row for row, event in enumerate(self._context["event"])}

    @cached_property
    def _of_star(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, star in enumerate(self._context["star_id"]):
            found.setdefault(star, []).append(row)
        return found

    @cached_property
    def _by_period(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Known periods in their order, and the rows that they are of."""
        periods = self._context["period_days"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        order = np.argsort(periods, kind="stable")[: int(np.isfinite(periods).sum())]
        return periods[order], order

    @cached_property
    def _crowd(self) -> Crowd:
        return Crowd.of(self._context)

    def near(self, events: pl.DataFrame) -> pl.DataFrame:
        """The events beside `events` (event, star_id, period_days) that are on their stars or at their periods."""
        wanted = np.zeros(self._context.height, dtype=bool)
        wanted[:2] = True  # polars divides a frame of one row otherwise, and the last digit differs
        for star in events["star_id"].unique():
            wanted[self._of_star.get(star, [])] = True
        periods, rows = self._by_period
        own = events["period_days"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for low, high in np.searchsorted(periods, np.column_stack([own / WIDE, own * WIDE])):
            wanted[rows[low:high]] = True
        wanted[self._named(events)] = False
        return self._context.filter(wanted)

    def crowd(self, events: pl.DataFrame) -> Crowd:
        """The counts over `events` and all others: those of the same names are replaced."""
        return self._crowd.exchanged(self._context[self._named(events)], events)

    def _named(self, events: pl.DataFrame) -> list[int]:
        return [self._rows[event] for event in events["event"] if event in self._rows]
