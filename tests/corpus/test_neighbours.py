"""Neighbours of candidates, against a plain search by another library, and what must never be one."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import nan_euclidean_distances

from exo_assets.corpus.neighbours import (
    LOGARITHMIC,
    SPACE,
    Neighbour,
    NeighbourSettings,
    nearest,
    resolved_signals,
    spreads,
)

LABELS = ("CONFIRMED", "FALSE POSITIVE")


def frame(rows: int, seed: int, unknown: float = 0.2, stars: int = 1000) -> pl.DataFrame:
    """Signals of all missions, a share of their columns unknown."""
    random = np.random.default_rng(seed)
    values = {c: np.where(random.random(rows) < unknown, np.nan, random.lognormal(1, 1, rows)) for c in SPACE}
    return pl.DataFrame(
        {
            "signal_id": [f"s{seed}-{n:04d}" for n in range(rows)],
            "star_id": [f"star {n}" for n in random.integers(0, stars, rows)],
            "mission": random.choice(["kepler", "k2", "tess"], rows),
            "disposition": random.choice(LABELS, rows),
            **values,
        }
    ).with_columns(pl.col(SPACE).fill_nan(None), planet="signal_id")


def plain_distances(candidates: pl.DataFrame, pool: pl.DataFrame, scale: dict[str, float]) -> np.ndarray:
    """Distances by scikit-learn; infinite where too little is shared, or for the candidate's own star."""
    how = NeighbourSettings()

    def scaled(rows: pl.DataFrame) -> np.ndarray:
        columns = [
            (np.log10(v) if c in LOGARITHMIC else np.log10(1 + v) if c == "impact" else v) / scale[c]
            for c in scale
            for v in [rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy()]
        ]
        return np.column_stack(columns)

    a, b = scaled(candidates), scaled(pool)
    squares = np.nan_to_num(nan_euclidean_distances(a, b)) ** 2 / a.shape[1]
    out = np.full(squares.shape, np.inf)
    for i, one in enumerate(candidates.iter_rows(named=True)):
        for j, other in enumerate(pool.iter_rows(named=True)):
            shared = int((~np.isnan(a[i]) & ~np.isnan(b[j])).sum())
            has = int((~np.isnan(a[i])).sum())
            if other["star_id"] != one["star_id"] and shared >= max(how.least_shared, math.ceil(how.least_share * has)):
                cost = how.other_mission**2 * (one["mission"] != other["mission"]) / shared
                out[i, j] = math.sqrt(squares[i, j] + cost)
    return out


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    pool=st.integers(1, 60),
    unknown=st.sampled_from([0.0, 0.3, 0.7]),
    stars=st.sampled_from([3, 1000]),
)
def test_they_are_those_of_a_plain_search(seed: int, rows: int, pool: int, unknown: float, stars: int) -> None:
    candidates, resolved = frame(rows, seed, unknown, stars), frame(pool, seed + 1, unknown, stars)
    scale, k = spreads(resolved), NeighbourSettings().k
    found = nearest(candidates, resolved)
    assert list(found) == candidates["signal_id"].to_list()
    for label in LABELS:
        those = resolved.filter(disposition=label)
        if those.is_empty() or not scale:
            assert all(of[label] == [] for of in found.values())
            continue
        distances = plain_distances(candidates, those, scale)
        for row, name in enumerate(candidates["signal_id"]):
            expected = np.sort(distances[row][np.isfinite(distances[row])])[:k]
            told = found[name][label]
            assert [n.distance for n in told] == pytest.approx(expected.tolist(), abs=6e-4)
            place = {signal: at for at, signal in enumerate(those["signal_id"])}
            assert [n.distance for n in told] == pytest.approx(
                [distances[row][place[n.signal_id]] for n in told], abs=6e-4
            )
            assert all(n.disposition == label for n in told)


def one(signal: str, star: str = "here", mission: str = "kepler", label: str = "CONFIRMED", **values: float) -> dict:  # type: ignore[type-arg]
    known = {"period_days": 10.0, "duration_hours": 3.0, "depth_ppm": 500.0, "star_teff_k": 5000.0}
    row = {"signal_id": signal, "star_id": star, "mission": mission, "disposition": label, "planet": signal}
    return {**row, **dict.fromkeys(SPACE), **known, **values}


SCHEMA = {
    **dict.fromkeys(("signal_id", "star_id", "mission", "disposition", "planet"), pl.String),
    **dict.fromkeys(SPACE, pl.Float64),
}


def table(*rows: dict) -> pl.DataFrame:  # type: ignore[type-arg]
    return pl.DataFrame(list(rows), schema=SCHEMA)


SPREAD = [
    one(f"far{n}", f"far {n}", period_days=10.0 * 2**n, depth_ppm=500.0 * 3**n, star_teff_k=5000.0 + 100 * n)
    | {"duration_hours": 3.0 + n}
    for n in range(1, 8)
]


def neighbours(*pool: dict, candidate: dict | None = None) -> list[Neighbour]:  # type: ignore[type-arg]
    asked = candidate or one("candidate")
    return nearest(table(asked), table(*pool, *SPREAD))[asked["signal_id"]]["CONFIRMED"]


def test_neither_the_candidate_nor_another_signal_of_its_star() -> None:
    found = neighbours(
        one("candidate"), one("sibling"), one("same star elsewhere", mission="tess"), one("twin", "away")
    )
    assert found[0].signal_id == "twin" and found[0].distance == 0
    assert {n.signal_id for n in found} <= {"twin", *(row["signal_id"] for row in SPREAD)}


def test_a_planet_of_two_catalogues_counts_once() -> None:
    twice = [one("kepler name", "away") | {"planet": "p"}, one("tess name", "away", "tess") | {"planet": "p"}]
    found = neighbours(*twice)
    assert [n.signal_id for n in found].count("kepler name") == 1
    assert "tess name" not in {n.signal_id for n in found} and len(found) == NeighbourSettings().k


def test_the_same_mission_is_preferred_to_another_that_is_as_close() -> None:
    found = neighbours(one("of tess", "away", "tess"), one("of kepler", "there", "kepler", depth_ppm=600.0))
    assert [n.signal_id for n in found[:1]] == ["of kepler"]
    among = {n.signal_id: n for n in found}
    assert among["of tess"].distance == pytest.approx(math.sqrt(4 / 4)) and among["of tess"].shared == 4


def test_what_is_not_known_is_not_compared() -> None:
    gaps = one("gaps", "away") | {"depth_ppm": None}
    few = one("few", "beyond") | {"depth_ppm": None, "duration_hours": None}
    found = {n.signal_id: n for n in neighbours(gaps, few)}
    assert found["gaps"].shared == 3 and found["gaps"].distance == 0
    assert "few" not in found, "two of four columns are too few, however close they are"
    nothing = one("nothing") | dict.fromkeys(SPACE)
    assert neighbours(gaps, candidate=nothing) == []


def test_the_largest_differences_are_told_in_the_archives_values() -> None:
    other = one("other", "away", period_days=40.0, star_teff_k=5100.0)
    pool = table(other, *SPREAD)
    told = next(n for n in neighbours(other) if n.signal_id == "other").differences
    assert [d.column for d in told][:2] == ["period_days", "star_teff_k"]
    assert (told[0].candidate, told[0].neighbour) == (10.0, 40.0)
    assert told[0].sigmas == pytest.approx(math.log10(4) / spreads(pool)["period_days"], abs=0.006)
    assert told[2].sigmas == 0


def test_a_column_without_spread_tells_nothing_and_one_more_signal_moves_no_scale() -> None:
    random = np.random.default_rng(5)
    many = frame(500, 1)
    flat = many.with_columns(snr=pl.lit(3.0))
    assert "snr" not in spreads(flat) and set(spreads(flat)) == set(SPACE) - {"snr"}
    mostly = flat.with_columns(snr=pl.when(pl.int_range(pl.len()) < 100).then(30.0).otherwise(3.0))
    assert spreads(mostly)["snr"] == pytest.approx(1.2533 * 0.2, rel=0.02)
    more = pl.concat([many, frame(1, int(random.integers(2, 99)))])
    assert spreads(more) == spreads(many)


def test_labels_are_the_resolved_ones_and_what_catalogues_dispute_is_none() -> None:
    rows = [
        one("planet", label="CONFIRMED"),
        one("binary", label="FALSE POSITIVE"),
        one("open", label="CANDIDATE"),
        one("disputed", label="FALSE POSITIVE"),
        one("elsewhere", mission="tess", label="CONFIRMED"),
    ]
    same = pl.DataFrame(
        {
            "planet_group_id": ["g", "g"],
            "signal_id": ["disputed", "elsewhere"],
            "planet_name": pl.Series([None, None], dtype=pl.String),
            "disposition": ["FALSE POSITIVE", "CONFIRMED"],
        }
    )
    found = resolved_signals(table(*rows).drop("planet"), same)
    assert found.select("signal_id", "planet").rows() == [
        ("binary", "binary"),
        ("elsewhere", "g"),
        ("planet", "planet"),
    ]
