"""Dips that happen once: alone, with one or two others, beside a planet, at the edges of the data."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from layouts import noisy, spoc, times
from simulated import light_curve
from typer.testing import CliRunner

from deployments.cli.main import app
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve_rows import to_rows
from exo_assets.lightcurves.ephemeris import phase_days
from exo_assets.lightcurves.false_alarms import inverted
from exo_assets.lightcurves.single_transits import single_transits
from exo_assets.lightcurves.star_tasks import SearchWork, search_one, single_one
from exo_assets.lightcurves.trapezoid import profile

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
START, NAN = 2_455_000.0, float("nan")


@dataclass(frozen=True)
class Dip:
    """A dip at a time after the start, days."""

    day: float
    duration_days: float
    depth: float


@dataclass(frozen=True)
class Seen:
    """How a star is observed."""

    mission: str
    days: float
    minutes: float
    noise: float
    gaps: tuple[tuple[float, float], ...] = ()


KEPLER = Seen("kepler", 90.0, 29.4, 2e-4, ((31.0, 32.5),))
K2 = Seen("k2", 75.0, 29.4, 1e-3, ((40.0, 42.0),))
TESS = Seen("tess", 27.0, 10.0, 1e-3, ((13.0, 14.5),))


class Tables(dict[str, pl.DataFrame]):
    """Rows of one star, as the lake has them."""

    def star(self, table: str, *_: str) -> pl.DataFrame:
        return self[table]


def points(seen: Seen, dips: list[Dip], planet: tuple[float, float] | None = None) -> tuple[Array, Array]:
    """Time and flux of a star that varies slowly; `planet`: period in days and depth."""
    time = np.arange(0.0, seen.days, seen.minutes / 1440)
    time = time[~np.any([(time > low) & (time < high) for low, high in seen.gaps], axis=0)] if seen.gaps else time
    flux = 1 + 0.002 * np.sin(2 * np.pi * time / 11) + np.random.default_rng(5).normal(0, seen.noise, time.size)
    for dip in dips:
        flux -= dip.depth * profile(time - dip.day, dip.duration_days, 0.3)
    if planet:
        flux -= planet[1] * profile(phase_days(time, planet[0], 1.0), 0.15, 0.15)
    return START + time, flux


def night(seen: Seen, dips: list[Dip], planet: tuple[float, float] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `core_search` and `core_single_search` of the star."""
    curve = replace(light_curve(*points(seen, dips, planet)), mission=seen.mission)
    work = SearchWork("KIC 1", "kepler-00", NAN, ())
    tables = Tables(core_light_curves=to_rows(cleaned([curve]), "KIC 1", 1))
    tables["core_search"] = search_one(tables, work)
    return tables["core_search"], single_one(tables, work)


def assert_told(found: pl.DataFrame, dips: list[Dip]) -> None:
    """Every dip is a single transit of its own, with its depth, and no other is one."""
    rows = found.sort("time_bjd").to_dicts()
    assert [row["time_bjd"] - START for row in rows] == pytest.approx([dip.day for dip in dips], abs=0.03)
    assert [row["depth_ppm"] * 1e-6 for row in rows] == pytest.approx([dip.depth for dip in dips], rel=0.12)
    for row, dip in zip(rows, dips, strict=True):
        assert row["duration_hours"] / 24 == pytest.approx(dip.duration_days, rel=0.15)
        assert row["snr"] > 10 and row["period_low_days"] < row["period_high_days"]


@pytest.mark.parametrize(
    ("seen", "dips"),
    [
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.06), Dip(71.8, 0.5, 0.03)], id="both-eclipses-of-a-binary"),
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.03), Dip(71.8, 0.35, 0.06)], id="of-one-duration"),
        pytest.param(K2, [Dip(12.3, 0.35, 0.06), Dip(60.8, 0.5, 0.03)], id="in-K2"),
        pytest.param(TESS, [Dip(5.3, 0.25, 0.06), Dip(21.8, 0.4, 0.03)], id="in-TESS"),
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.06), Dip(47.0, 0.3, 0.02), Dip(71.8, 0.5, 0.035)], id="three"),
        pytest.param(KEPLER, [Dip(15.3, 0.34, 0.012), Dip(47.0, 0.3, 0.01), Dip(71.8, 0.5, 0.011)], id="three-alike"),
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.2), Dip(71.8, 0.5, 0.003)], id="a-deep-and-a-shallow-one"),
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.1), Dip(71.8, 0.45, 0.08)], id="nearly-of-one-depth"),
        pytest.param(KEPLER, [Dip(15.3, 0.35, 0.06), Dip(71.8, 0.6, 0.059)], id="of-one-depth-but-longer"),
        pytest.param(KEPLER, [Dip(40.3, 0.35, 0.06), Dip(42.8, 0.35, 0.03)], id="days-apart"),
        pytest.param(K2, [Dip(30.3, 0.4, 0.01)], id="one-in-K2"),
        pytest.param(TESS, [Dip(19.3, 0.4, 0.008)], id="one-in-TESS"),
        pytest.param(KEPLER, [Dip(0.6, 0.35, 0.02)], id="at-the-first-edge"),
        pytest.param(KEPLER, [Dip(89.4, 0.35, 0.02)], id="at-the-last-edge"),
    ],
)
def test_each_dip_that_happens_once_is_told(seen: Seen, dips: list[Dip]) -> None:
    signals, found = night(seen, dips)
    assert signals["below_threshold"].all()  # two dips have a time between them, which is no period
    assert_told(found, dips)


@pytest.mark.parametrize("dips", [[Dip(50.3, 0.5, 0.02)], [Dip(20.9, 0.4, 0.01), Dip(50.3, 0.5, 0.02)]])
def test_dips_beside_a_planet(dips: list[Dip]) -> None:
    signals, found = night(KEPLER, dips, planet=(4.3, 0.005))
    (planet,) = signals.filter(~pl.col("below_threshold")).to_dicts()
    assert planet["period_days"] == pytest.approx(4.3, rel=1e-3)
    assert_told(found, dips)


def test_two_equal_dips_are_two_transits_of_one_orbit() -> None:
    seen = replace(KEPLER, gaps=((30.0, 38.0), (65.0, 72.0)))
    signals, found = night(seen, [Dip(15.3, 0.4, 0.01), Dip(55.3, 0.4, 0.01)])
    assert signals["period_days"].to_list() == pytest.approx([40.0], abs=0.02) and found.is_empty()


@pytest.mark.parametrize("day", [0.0, 0.1, 89.95, 31.0, 32.5])
def test_a_dip_that_is_not_seen_whole_is_none(day: float) -> None:
    assert night(KEPLER, [Dip(day, 0.35, 0.02)])[1].is_empty()


def test_four_dips_alike_are_of_a_star_that_varies() -> None:
    """They are not a period apart."""
    dips = [Dip(day, 0.4, depth) for day, depth in ((11.1, 0.01), (27.9, 0.0095), (52.2, 0.009), (81.0, 0.0085))]
    assert single_transits(cleaned([light_curve(*points(KEPLER, dips))]), []) == ()


def test_bumps_are_no_dips() -> None:
    curve = light_curve(*points(KEPLER, [Dip(15.3, 0.35, 0.06), Dip(71.8, 0.5, 0.03)]))
    assert single_transits(cleaned(inverted([curve])), []) == ()


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(days=(3.0, 36.0), durations=(0.5, 0.25), depth=0.125, share=0.5, deeper_last=False)
@example(days=(9.0, 87.0), durations=(0.257, 0.5226), depth=0.1116, share=0.54, deeper_last=False)
@example(days=(3.0, 36.0), durations=(0.226, 0.5), depth=0.125, share=0.5, deeper_last=False)
@example(days=(3.0, 36.0), durations=(0.2, 0.2), depth=0.05, share=0.2, deeper_last=False)
@given(
    days=st.tuples(st.floats(3.0, 29.0), st.floats(36.0, 87.0)),
    durations=st.tuples(st.floats(0.2, 0.6), st.floats(0.2, 0.6)),
    depth=st.floats(0.004, 0.2),
    share=st.floats(0.05, 0.68),
    deeper_last=st.booleans(),
)
def test_two_dips_of_unlike_depth_are_told_each(
    days: tuple[float, float], durations: tuple[float, float], depth: float, share: float, deeper_last: bool
) -> None:
    dips = [Dip(days[0], durations[0], depth), Dip(days[1], durations[1], depth * share)]
    if dips[1].depth < 0.002:
        return  # lost in the noise
    if deeper_last:
        dips = [replace(dips[0], depth=dips[1].depth), replace(dips[1], depth=dips[0].depth)]
    signals, found = night(KEPLER, dips)
    assert signals["below_threshold"].all()
    assert_told(found, dips)


def test_exo_vet_tells_both_eclipses(tmp_path: Path) -> None:
    time = times(step_s=600.0)
    flux = np.ones(time.size)
    days = (time[0] + 5.3, time[0] + 21.8)
    for day, duration, depth in zip(days, (0.25, 0.4), (0.06, 0.03), strict=True):
        flux -= depth * profile(time - day, duration, 0.3)
    (tmp_path / "star.fits").write_bytes(spoc(time, 1e4 * noisy(flux, 1e-3)))
    done = CliRunner().invoke(app, ["vet", str(tmp_path / "star.fits"), "--json"], env={"EXO_HOME": str(tmp_path)})
    assert done.exit_code == 0, done.stderr
    rows = [row for row in json.loads(done.stdout) if row["kind"] == "single transit"]
    assert sorted(row["depth_ppm"] * 1e-6 for row in rows) == pytest.approx([0.03, 0.06], rel=0.12)
    assert np.ptp([row["t0_bjd"] for row in rows]) == pytest.approx(16.5, abs=0.03)
