"""The resolved signals that are most like a candidate.

Belongs here: the space that signals are compared in, the distance, and the search. Does not belong here: which signals
are candidates, and how neighbours are shown (`dossier.py`).

The distance of two signals is the root mean square of their differences over the columns that both have, each in robust
standard deviations (1.4826 times the median absolute deviation) of all resolved signals. It is scikit-learn's
`nan_euclidean` distance over the square root of the number of columns, so that it means the same however many columns
are shared. Missions measure differently (a K2 signal has neither depth nor duration in the archive, TESS no signal to
noise; depths are diluted differently), so another mission counts as one more difference, of `other_mission` deviations.

Never among the neighbours are signals of the candidate's own star, in whatever catalogue: they share the star's columns
to the digit, would be nearest for that alone, and may be the candidate itself under another name. What a planet is
known as in two catalogues counts once, and a false positive that another catalogue confirms is neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import RESOLVED

Floats = npt.NDArray[np.float64]

LOGARITHMIC = (
    "period_days",
    "duration_hours",
    "depth_ppm",
    "radius_earth",
    "snr",
    "star_teff_k",
    "star_radius_sun",
)
"""Heavy-tailed, compared by their logarithm to base 10."""
SPACE = (*LOGARITHMIC, "impact", "star_logg_cgs")
"""What signals are compared by. `impact` (mostly below 1, fits of grazing eclipses run to 100) as log10(1 + b). Columns
that follow from these are left out (insolation, equilibrium temperature, mass): they would count twice."""

_BLOCK = 512
_MAD_SIGMA, _MEAN_SIGMA = 1.4826, 1.2533


@dataclass(frozen=True)
class NeighbourSettings:
    """How many neighbours of each label; how many columns must be shared, at least and as a share of those that the
    candidate has; the difference that another mission counts as; how many of the largest differences are told."""

    k: int = 5
    least_shared: int = 3
    least_share: float = 2 / 3
    other_mission: float = 2.0
    told: int = 3


@dataclass(frozen=True)
class Difference:
    """A column in which a neighbour differs: its value less the candidate's in `sigmas`, robust deviations, after the
    logarithm where there is one."""

    column: str
    candidate: float
    neighbour: float
    sigmas: float


@dataclass(frozen=True)
class Neighbour:
    """A resolved signal near a candidate: `shared` columns were compared, `differences` are the largest."""

    signal_id: str
    mission: str
    disposition: str
    distance: float
    shared: int
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "differences": [dict(vars(d)) for d in self.differences]}


def resolved_signals(core_signals: pl.DataFrame, core_planet_identity: pl.DataFrame) -> pl.DataFrame:
    """Confirmed planets and false positives of the catalogue, with `planet`: the same for one planet's several names.

    Labels are the archive's resolved dispositions. A false positive that another catalogue confirms is left out.
    """
    in_group = pl.col("planet_group_id")
    groups = core_planet_identity.select(
        "signal_id",
        planet=in_group,
        elsewhere=pl.col("planet_name").is_not_null() | (pl.col("disposition") == "CONFIRMED").any().over(in_group),
    )
    known = core_signals.filter(pl.col("disposition").is_in(RESOLVED)).join(groups, on="signal_id", how="left")
    disputed = (pl.col("disposition") == "FALSE POSITIVE") & pl.col("elsewhere").fill_null(False)
    named = known.filter(~disputed).with_columns(pl.coalesce("planet", "signal_id").alias("planet"))
    return named.drop("elsewhere").sort("signal_id")


def spreads(resolved: pl.DataFrame) -> dict[str, float]:
    """Robust standard deviation of each column of SPACE as it is compared; columns that tell nothing are not in it.

    Of a column of which more than half are equal, that of its mean absolute deviation. To two digits, so that one new
    signal does not move every distance.
    """
    found: dict[str, float] = {}
    for column, values in zip(SPACE, _compared(resolved).T, strict=True):
        here = values[~np.isnan(values)]
        off = np.abs(here - np.median(here)) if here.size else here
        spread = (_MAD_SIGMA * np.median(off) or _MEAN_SIGMA * off.mean()) if off.size else 0.0
        if spread > 0:
            found[column] = float(f"{spread:.2g}")
    return found


def nearest(
    candidates: pl.DataFrame, resolved: pl.DataFrame, settings: NeighbourSettings = NeighbourSettings()
) -> dict[str, dict[str, list[Neighbour]]]:
    """`signal_id` of every candidate -> label (RESOLVED) -> its nearest signals of that label, the nearest first.

    `candidates`: signal_id, mission, star_id and SPACE of each; `resolved`: those, disposition and planet, as
    `resolved_signals` gives them. Fewer than `k` where fewer can be compared. Equal distances in the order of names.
    """
    scale = spreads(resolved)
    out: dict[str, dict[str, list[Neighbour]]] = {name: {} for name in candidates["signal_id"]}
    for label in RESOLVED:
        pool = resolved.filter(pl.col("disposition") == label).sort("signal_id")
        for name, found in _nearest(candidates, pool, scale, settings):
            out[name][label] = found
    return out


def _nearest(
    candidates: pl.DataFrame, pool: pl.DataFrame, scale: Mapping[str, float], settings: NeighbourSettings
) -> list[tuple[str, list[Neighbour]]]:
    names = candidates["signal_id"].to_list()
    if pool.is_empty() or not scale:
        return [(name, []) for name in names]
    space = _Space.of(pool, scale, settings)
    # A planet may be there under several names: so many more are looked at that k planets are left in any case.
    several = int(pool.group_by("planet").len()["len"].max())  # type: ignore[arg-type]
    wanted = min(pool.height, settings.k * several + _BOUNDARY)
    out = []
    for start in range(0, len(names), _BLOCK):
        block = candidates.slice(start, _BLOCK)
        found = space.closest(block, wanted)
        out += [(name, found.told(row)) for row, name in enumerate(block["signal_id"])]
    return out


_BOUNDARY = 8
"""More than asked for: what is found by one matrix product is ordered by the exact distance afterwards."""


@dataclass(frozen=True)
class _Found:
    """The closest of a block: `rows` of the pool and exact `distance` (candidates, n), best first, and differences."""

    space: _Space
    mine: Floats
    rows: npt.NDArray[np.intp]
    distance: Floats
    shared: npt.NDArray[np.int64]
    sigmas: Floats

    def told(self, at: int) -> list[Neighbour]:
        """The neighbours of candidate `at`, each planet once."""
        pool, settings = self.space.facts, self.space.settings
        seen: set[str] = set()
        out: list[Neighbour] = []
        for place, row in enumerate(self.rows[at].tolist()):
            if len(out) == settings.k or not np.isfinite(self.distance[at, place]):
                break
            if pool["planet"][row] in seen:
                continue
            seen.add(pool["planet"][row])
            distance = round(float(self.distance[at, place]), 3)
            signal, mission, label = (pool[name][row] for name in ("signal_id", "mission", "disposition"))
            differences = self._differences(at, place, row)
            out.append(Neighbour(signal, mission, label, distance, int(self.shared[at, place]), differences))
        return out

    def _differences(self, at: int, place: int, row: int) -> tuple[Difference, ...]:
        sigmas = self.sigmas[at, place]
        size = np.where(np.isnan(sigmas), -1.0, np.abs(sigmas))
        largest = [i for i in np.argsort(-size, kind="stable")[: self.space.settings.told].tolist() if size[i] >= 0]
        return tuple(
            Difference(
                self.space.columns[i],
                float(self.mine[at, i]),
                float(self.space.raw[row, i]),
                round(float(sigmas[i]), 2),
            )
            for i in largest
        )


@dataclass(frozen=True)
class _Space:
    """A pool of resolved signals as numbers: `values` (pool, columns) in deviations, NaN where unknown, `raw` as
    published; star, mission, planet and names beside them."""

    columns: tuple[str, ...]
    values: Floats
    raw: Floats
    facts: Mapping[str, list[str]]
    scale: Mapping[str, float]
    settings: NeighbourSettings

    @classmethod
    def of(cls, pool: pl.DataFrame, scale: Mapping[str, float], settings: NeighbourSettings) -> _Space:
        facts = {n: pool[n].to_list() for n in ("signal_id", "mission", "star_id", "planet", "disposition")}
        return cls(tuple(scale), _scaled(pool, scale), _raw(pool, tuple(scale)), facts, scale, settings)

    def closest(self, block: pl.DataFrame, wanted: int) -> _Found:
        mine, cost = _scaled(block, self.scale), self.settings.other_mission**2
        other, own = ~_same(block["mission"], self.facts["mission"]), _same(block["star_id"], self.facts["star_id"])
        squares, shared = _squares(mine, self.values)
        has = (~np.isnan(mine)).sum(axis=1)
        least = np.maximum(self.settings.least_shared, np.ceil(self.settings.least_share * has - 1e-9))
        barred = own | (shared < least[:, None])
        mean = np.where(barred, np.inf, (squares + cost * other) / np.maximum(shared, 1))
        rows = np.sort(np.argpartition(mean, wanted - 1, axis=1)[:, :wanted], axis=1)
        sigmas = self.values[rows] - mine[:, None, :]
        exact = np.nansum(sigmas**2, axis=2) + cost * np.take_along_axis(other, rows, axis=1)
        near = np.take_along_axis(shared, rows, axis=1)
        distance = np.sqrt(exact / np.maximum(near, 1))
        distance[np.take_along_axis(barred, rows, axis=1)] = np.inf
        order = np.argsort(distance, axis=1, kind="stable")
        return _Found(
            self,
            _raw(block, self.columns),
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(distance, order, axis=1),
            np.take_along_axis(near, order, axis=1),
            np.take_along_axis(sigmas, order[:, :, None], axis=1),
        )


def _squares(a: Floats, b: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Sum of squared differences over shared columns, and how many are shared (a, b): (x - y)^2 in one product."""
    known_a, known_b = (~np.isnan(a)).astype(float), (~np.isnan(b)).astype(float)
    x, y = np.nan_to_num(a), np.nan_to_num(b)
    squares = np.hstack([x * x, known_a, -2 * x]) @ np.hstack([known_b, y * y, y]).T
    return np.maximum(squares, 0.0), (known_a @ known_b.T).astype(np.int64)


def _same(ours: pl.Series, theirs: list[str]) -> npt.NDArray[np.bool_]:
    """Whether each of ours is each of theirs (ours, theirs)."""
    code = {name: at for at, name in enumerate(dict.fromkeys(theirs))}
    mine = np.array([code.get(name, -1) for name in ours])
    return np.equal.outer(mine, np.array([code[name] for name in theirs]))


def _raw(frame: pl.DataFrame, columns: tuple[str, ...]) -> Floats:
    return frame.select(pl.col(c).cast(pl.Float64).fill_null(np.nan) for c in columns).to_numpy().astype(np.float64)


def _compared(frame: pl.DataFrame) -> Floats:
    """SPACE (signals, columns) as it is compared; NaN where unknown, or without a logarithm."""
    values = _raw(frame, SPACE)
    logs = [i for i, c in enumerate(SPACE) if c in LOGARITHMIC]
    impact = SPACE.index("impact")
    with np.errstate(divide="ignore", invalid="ignore"):
        values[:, logs] = np.log10(values[:, logs])
        values[:, impact] = np.log10(1.0 + values[:, impact])
    values[~np.isfinite(values)] = np.nan
    return values


def _scaled(frame: pl.DataFrame, scale: Mapping[str, float]) -> Floats:
    kept = [SPACE.index(column) for column in scale]
    return _compared(frame)[:, kept] / np.array(list(scale.values()))
