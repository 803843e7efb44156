"""Which stars' light curves the vetter needs next, and how many it needs.

Belongs here: the order of stars, and when there are enough for diagnostics and views to count. Does not belong here:
fetching them (`exo_resources.mast`), or what counts in a model (`transformer.py`, whose numbers are used).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from exo_assets.catalogs.contracts import RESOLVED
from exo_assets.features.transformer import LEAST_CURVE_SHARE, LEAST_CURVES, LEAST_CURVES_PER_CLASS
from exo_assets.lightcurves.planning import ID_COLUMNS, NAMES, star_names
from exo_assets.training.splits import assign_splits

MARGIN = 1.1
"""So many times what is needed is fetched: of some stars no signal can be measured."""


@dataclass(frozen=True)
class CurvesWanted:
    """How far a mission is: resolved training signals whose star has light curves, in all and of the rarer class, those
    that are needed of each, and the stars without light curves, those with resolved signals first."""

    mission: str
    resolved: int
    rarer: int
    needed: int
    needed_rarer: int
    without: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether diagnostics and views can count."""
        return self.resolved >= self.needed and self.rarer >= self.needed_rarer

    def __str__(self) -> str:
        state = "enough for diagnostics and views to count" if self.enough else "diagnostics and views do not count yet"
        return (
            f"{self.mission}: {self.resolved:,} of {self.needed:,} resolved training signals have light curves, "
            f"{self.rarer:,} of {self.needed_rarer:,} of the rarer class: {state}"
        )


def curves_wanted(core_signals: pl.DataFrame, mission: str, have: Collection[str], order: str = "") -> CurvesWanted:
    """How far `mission` is when the stars `have` ('KIC 11442793') have light curves.

    Stars of one kind are ordered by a hash of `order` and their name: the same order for the same text, which stays so
    while the catalogue grows.
    """
    number = pl.col(ID_COLUMNS[mission])
    stars = core_signals.filter(number.is_not_null()).with_columns(star=pl.format(f"{NAMES[mission]} {{}}", number))
    judged = stars.filter(pl.col("disposition").is_in(RESOLVED))
    resolved = set(judged["star"])
    taught = judged.filter(mission=mission).join(assign_splits(judged).filter(split="train"), on="star_id", how="semi")
    seen = taught.filter(pl.col("star").is_in(list(have)))
    planets = seen.filter(disposition="CONFIRMED").height
    without = set(star_names(core_signals, mission)) - set(have)

    def place(star: str) -> tuple[bool, bytes]:
        return star not in resolved, hashlib.sha256(f"{order}{star}".encode()).digest()

    return CurvesWanted(
        mission,
        seen.height,
        min(planets, seen.height - planets),
        round(MARGIN * max(LEAST_CURVES, LEAST_CURVE_SHARE * taught.height)),
        round(MARGIN * LEAST_CURVES_PER_CLASS),
        tuple(sorted(without, key=place)),
    )
