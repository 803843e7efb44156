"""Validation on the missions' own light curves: known planets, and simulated ones in quiet stars."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from benchmarks.search_reliability import curves, searched
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.lightcurves.catalogue_comparison import CATALOGUE_COLUMNS, compare_with_catalogue
from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.completeness import completeness
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.false_alarms import false_alarm_trial
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.injection import Host, planned
from exo_assets.lightcurves.matching import matches
from exo_assets.lightcurves.planet_grid import Cell, Grid
from exo_assets.lightcurves.recovery import trial
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.single_transits import dips_of_signals, single_transits
from exo_assets.lightcurves.table_file import read_table
from exo_assets.lightcurves.validation_contracts import CORE_INJECTIONS, CORE_SEARCH_VALIDATION

pytestmark = pytest.mark.archive

PLANETS = {
    "TIC 149603524": ("WASP-62", "*149603524*"),
    "TIC 38846515": ("WASP-100", "*38846515*"),
    "TIC 231670397": ("TOI-104", "*231670397*"),
    "TIC 281459670": ("TOI-110", "*281459670*"),
    "TIC 261136679": ("pi Men", "*261136679*"),
    "TIC 160148385": ("TOI-247", "*160148385*"),
    "TIC 100100827": ("WASP-18", "wasp18b.fits"),
    "KIC 11446443": ("TrES-2", "kplr011446443*"),
}


@pytest.fixture(scope="module")
def catalogue(archive_mirror: Path) -> pl.DataFrame:
    def table(name: str) -> pl.DataFrame:
        packed = (archive_mirror / "tap" / f"{name}.csv.gz").read_bytes()
        return pl.read_csv(gzip.decompress(packed), infer_schema=False)

    signals = accepted(harmonised_signals(table("cumulative"), pl.DataFrame(), table("toi"), table("k2pandc")))
    return signals.select(CATALOGUE_COLUMNS)


def _files(mirror: Path, pattern: str) -> list[LightCurve]:
    return [read_fits(p.read_bytes(), p.name) for p in sorted((mirror / "mast").glob(pattern))]


@pytest.mark.parametrize("target", PLANETS)
def test_known_planets_are_recovered_with_the_catalogues_ephemeris(
    archive_mirror: Path, catalogue: pl.DataFrame, target: str
) -> None:
    settings = SearchSettings(signals_max=1)
    star = search_star(_files(archive_mirror, PLANETS[target][1]), settings)
    frame = compare_with_catalogue(star, catalogue.filter(mission_star_id=target), settings)
    row = CORE_SEARCH_VALIDATION.check(frame).row(0, named=True)
    assert (row["is_recovered"], row["match_kind"], row["reason"]) == (True, "same", None)
    assert abs(row["period_relative_difference"]) < 1e-4
    assert abs(row["period_difference_sigma"]) < 3
    assert abs(row["t0_difference_hours"]) < 0.03
    assert abs(row["duration_difference_hours"]) < 0.3
    # A trapezoid's floor is shallower than mid-transit, and the catalogue corrects for neighbours' light.
    assert row["depth_difference_ppm"] / row["catalogue_depth_ppm"] == pytest.approx(-0.05, abs=0.07)


def test_a_single_transit_is_not_recovered_and_the_table_says_why(
    archive_mirror: Path, catalogue: pl.DataFrame
) -> None:
    star = search_star(_files(archive_mirror, "tic55525572*"), SearchSettings(signals_max=1))
    frame = compare_with_catalogue(star, catalogue.filter(mission_star_id="TIC 55525572"))
    assert frame.select("is_recovered", "reason", "n_transits_data").row(0) == (False, "too_few_transits", 1)
    (event,) = single_transits(star.curve, dips_of_signals(star.signals), 0.18)
    assert event.time_bjd == pytest.approx(2_458_454.67, abs=0.03)  # TOI-813 b, Eisner et al. 2020, MNRAS 494, 750
    assert event.transit.depth * 1e6 == pytest.approx(1240, rel=0.15) and event.snr > 10
    assert event.period_days[0] < 83.9 < event.period_days[1]


def test_kepler_90s_eight_planets_are_found_and_no_ninth(archive_mirror: Path) -> None:
    """Periods of the KOI table and, for i, of Shallue & Vanderburg (2018, AJ 155, 94)."""
    star = search_star(_files(archive_mirror, "kplr011442793*"), SearchSettings(signals_max=10))
    periods = [7.008151, 8.719375, 14.44912, 59.73667, 91.93913, 124.9144, 210.60697, 331.60059]
    found = sorted(s.transit.ephemeris.period_days for s in star.signals)
    assert found == pytest.approx(periods, rel=1e-3)
    assert all(s.doubt is None for s in star.signals if s.transit.ephemeris.period_days != found[2])


def test_the_two_giants_of_kepler_90_are_recovered(archive_mirror: Path) -> None:
    """Periods of the KOI table, 210.6 and 331.6 d. The outer one has three transits in these quarters; the inner one's
    wander by hours, for the planets pull at each other."""
    star = search_star(_files(archive_mirror, "kplr011442793*"), SearchSettings(period_min_days=150.0, signals_max=2))
    found = [s.transit.ephemeris for s in star.signals]
    known = [Ephemeris(331.5972732, found[0].t0, 0.6), Ephemeris(210.6013843, found[1].t0, 0.5)]
    span = float(star.curve.time_bjd[0]), float(star.curve.time_bjd[-1])
    hits = matches(found, known, span)
    assert [(h.index, h.kind) if h else None for h in hits] == [(0, "same"), (1, "same")]
    for place, true in zip(found, known, strict=True):
        assert abs(place.period_days / true.period_days - 1) < 1e-3
    assert [s.transit.depth * 1e6 for s in star.signals] == pytest.approx([8322, 4159], rel=0.1)


@pytest.mark.parametrize(
    ("name", "file", "periods"),
    [
        ("K2-3", "tls_EPIC201367065.csv", (10.0546, 24.6467, 44.5565)),
        ("WASP-75", "tls_EPIC206154641.csv", (2.4841905,)),
    ],
)
def test_planets_of_k2_are_recovered(archive_mirror: Path, name: str, file: str, periods: tuple[float, ...]) -> None:
    """EPIC 206154641 is WASP-75, whose transits are 0.9 % deep; it is not K2-110, as the mirror has it."""
    data = b"time,flux\n" + (archive_mirror / "mast" / file).read_bytes()
    curve = read_table(data, name, time_zero_bjd=2_454_833.0, mission="k2")
    star = search_star([curve], SearchSettings(signals_max=3))
    found = [s.transit.ephemeris.period_days for s in star.signals]
    for period in periods:
        assert min(abs(p / period - 1) for p in found) < 1e-3


def test_trials_on_a_quiet_star(archive_mirror: Path) -> None:
    """Jupiters are found, and planets a fifth of the Earth's size are not."""
    segments = _files(archive_mirror, "*270501383*")
    host = Host("TIC 270501383", "tess", radius_sun=1.0, density_sun=1.0, teff_k=5800.0)
    grid = Grid((1.0, 3.0, 8.0), (0.2, 0.3, 6.0, 12.0))
    large = [c for c in grid.cells() if c.radius_low_earth == 6.0]
    plan = [p for p in planned(host, grid, 12, 3, float(segments[0].time_bjd[0])) if not 0.3 < p.radius_earth < 6.0]
    rows = [trial(segments, planet, SearchSettings(signals_max=1)) for planet in plan]
    frame = CORE_INJECTIONS.check(CORE_INJECTIONS.conform(pl.from_dicts(rows, schema=CORE_INJECTIONS.schema)))
    cells = completeness(frame, grid).filter(pl.col("n") > 0)
    assert cells.height == 4
    assert all(row["share"] == float(Cell(*_edges(row)) in large) for row in cells.iter_rows(named=True))
    hits = frame.filter("is_recovered")
    assert hits["period_error"].abs().max() < 1e-3
    assert (hits["found_depth_ppm"] / hits["depth_ppm"]).to_list() == pytest.approx([0.95] * hits.height, abs=0.07)


def _edges(row: dict[str, float]) -> tuple[float, float, float, float]:
    return row["period_low_days"], row["period_high_days"], row["radius_low_earth"], row["radius_high_earth"]


def test_a_quiet_star_raises_no_false_alarm_and_an_eclipsed_one_is_none_upside_down(archive_mirror: Path) -> None:
    quiet, deep = _files(archive_mirror, "*270501383*"), _files(archive_mirror, "*149603524*")
    settings = replace(SearchSettings(), signals_max=1)
    rows = [false_alarm_trial(quiet, "inverted", 0, seed=1, settings=settings)]
    rows += [false_alarm_trial(quiet, "scrambled", n, seed=1, settings=settings) for n in range(3)]
    rows += [false_alarm_trial(deep, "inverted", 0, seed=1, settings=settings)]
    assert [row["n_alarms"] for row in rows] == [0] * 5


def test_a_place_where_no_transit_can_be_fitted_does_not_end_a_search(archive_mirror: Path) -> None:
    """KIC 7119481 has low points beside a gap, stronger than its planet of 25.86 d at any long period."""
    curve = next(one for one in curves(archive_mirror, "kepler_flat_binned", 1) if one.target == "KIC 7119481")
    star = searched(curve, "real", [], 0)
    assert star is not None
    assert [s.transit.ephemeris.period_days for s in star.signals] == pytest.approx([25.855], rel=1e-3)
