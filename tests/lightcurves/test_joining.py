"""Which curves of a star are joined: no data lost, no photon counted twice, every other file named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import light_curve

from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve import LightCurve, Origin, as_flat
from exo_assets.lightcurves.joining import ORDER, OWN_NUMBERS, joinable
from exo_assets.lightcurves.products import TABLE

LONG_S, SHORT_S = 1765.5, 58.85


def of(
    product: str, start: float, days: float, step_s: float, *, file: str = "", segment: int = 6, noise: float = 1e-3
) -> LightCurve:
    """A curve of noise in some product's name; times are BKJD."""
    time = 2_454_833 + np.arange(start, start + days, step_s / 86_400)
    flux = 1000 * (1 + np.random.default_rng(int(start)).normal(0, noise, time.size))
    curve = light_curve(time, flux)
    return replace(
        curve, segment=np.full(time.size, segment, np.int32), origin=Origin(file or f"{product} {start}", product)
    )


def test_short_cadence_within_long_cadence_is_named_and_the_long_one_is_whole() -> None:
    long, short = of("Kepler long cadence", 540, 90, LONG_S), of("Kepler short cadence", 541, 30, SHORT_S)
    for curves in ([long, short], [short, long]):
        used, (unused,) = joinable(curves)
        assert [c.origin.product for c in used] == ["Kepler long cadence"] and len(used[0]) == len(long)
        assert unused.points == len(short) and unused.reason == "other_product"
        assert "Kepler short cadence 541" in unused.file and "Kepler long cadence" in unused.message


def test_months_of_short_cadence_are_all_used_and_of_one_segment() -> None:
    months = [of("Kepler short cadence", 540.0 + 30 * m, 29.5, SHORT_S) for m in range(3)]
    used, unused = joinable(months)
    assert sum(map(len, used)) == sum(map(len, months)) and unused == []
    assert set(np.concatenate([c.segment for c in used])) == {6}


def test_what_a_better_product_does_not_cover_is_taken_from_the_next_with_noise_of_its_own() -> None:
    long = of("Kepler long cadence", 540, 30, LONG_S, noise=1e-4)
    short = of("Kepler short cadence", 540, 90, SHORT_S, noise=1e-2)
    used, (unused,) = joinable([short, long])
    assert [c.origin.product for c in used] == ["Kepler long cadence", "Kepler short cadence"]
    assert used[1].time_bjd[0] > long.time_bjd[-1] and len(used[1]) + unused.points == len(short)
    assert unused.reason == "other_product_in_part" and set(used[1].segment) == {OWN_NUMBERS}
    clean = cleaned(used)
    assert clean.flux_err[0] == pytest.approx(1e-4, rel=0.2) and clean.flux_err[-1] == pytest.approx(1e-2, rel=0.2)


def test_two_minutes_come_before_twenty_seconds_and_qlp_fills_other_sectors() -> None:
    fast, slow = of("SPOC 20 s", 1354, 27, 20, segment=27), of("SPOC 2 min", 1354, 27, 120, segment=27)
    same, other = of("QLP", 1354, 27, 600, segment=27), of("QLP", 1400, 27, 600, segment=28)
    used, unused = joinable([fast, same, other, slow])
    assert [(c.origin.product, int(c.segment[0])) for c in used] == [("SPOC 2 min", 27), ("QLP", 28)]
    assert {one.file for one in unused} == {fast.origin.file, same.origin.file}


def test_tables_that_do_not_say_their_segment_are_all_used_unless_they_hold_the_same_stretch() -> None:
    one, two = of(TABLE, 1354, 27, 120, segment=0, file="s1.csv"), of(TABLE, 1382, 27, 120, segment=0, file="s2.csv")
    used, unused = joinable([one, two])
    assert [set(c.segment) for c in used] == [{0}, {OWN_NUMBERS}] and unused == []
    newer = replace(one, origin=Origin("newer.csv", TABLE))
    used, (unused_one,) = joinable([newer, one, two])
    assert [c.origin.file for c in used] == ["newer.csv", "s2.csv"] and unused_one.file == "s1.csv"


def test_the_kind_of_trend_that_covers_more_is_used_and_the_other_is_named() -> None:
    raw, flat = of("SPOC 2 min", 1354, 27, 120, segment=1), of("QLP", 1400, 60, 600, segment=3)
    flat = replace(flat, flux=flat.flux / 1000, flux_kind=as_flat("DET_FLUX"))
    used, (unused,) = joinable([raw, flat])
    assert used[0].origin.product == "QLP" and (unused.file, unused.reason) == (raw.origin.file, "other_trend")


def test_one_point_that_two_files_share_loses_no_other() -> None:
    one, two = of("SPOC 2 min", 1354, 27, 120, segment=1), of("SPOC 2 min", 1381, 10, 120, segment=2)
    gaps = (two.time_bjd < 2_454_833 + 1383) | (two.time_bjd > 2_454_833 + 1390.4)
    two = two.where(gaps)
    shifted = replace(two, time_bjd=two.time_bjd - (two.time_bjd[0] - one.time_bjd[-1]))
    used, (unused,) = joinable([one, shifted])
    assert sum(map(len, used)) == len(one) + len(two) - 1 and unused.points == 1


def test_a_curve_without_a_usable_point_covers_nothing() -> None:
    bad = of("SPOC 2 min", 1354, 27, 120)
    bad = replace(bad, flux=np.full(len(bad), np.nan))
    good = of("QLP", 1354, 27, 600)
    used, (unused,) = joinable([bad, good])
    assert [c.origin.product for c in used] == ["QLP"] and unused.reason == "no_usable_point"
    assert joinable([bad]) == ([bad], []), "alone, it is left to the cleaning, which says why"


@given(st.lists(st.tuples(st.sampled_from(ORDER), st.floats(0, 100), st.floats(1.5, 40)), min_size=1, max_size=6))
def test_no_moment_is_used_twice_and_every_point_is_accounted_for(files: list[tuple[str, float, float]]) -> None:
    curves = [of(p, 1300 + s, d, 3600, file=f"f{i}", segment=i % 2) for i, (p, s, d) in enumerate(files)]
    used, unused = joinable(curves)
    assert sum(map(len, used)) + sum(one.points for one in unused) == sum(map(len, curves))
    for curve in used:
        others = np.concatenate([c.time_bjd for c in used if c is not curve] or [np.empty(0)])
        first = [c for c in curves if c.origin.file == curve.origin.file]
        assert len(first) == 1 and np.isin(curve.time_bjd, first[0].time_bjd).all()
        # A stretch of one file, without a gap, holds no point of another.
        steps = np.flatnonzero(np.diff(curve.time_bjd) > 0.5)
        edges = zip(np.r_[0, steps + 1], np.r_[steps, len(curve) - 1], strict=True)
        assert not any(((others > curve.time_bjd[a]) & (others < curve.time_bjd[b])).any() for a, b in edges)
    owners = {
        (int(n), c.origin.product if c.origin.product != TABLE or n else i)
        for i, c in enumerate(used)
        for n in set(c.segment)
    }
    assert len({n for n, _ in owners}) == len(owners), "each number is of one product"
