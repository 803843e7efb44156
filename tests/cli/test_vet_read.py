"""What `exo vet` reads, what it says of it, and that photons are counted once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.cli.vet_read import read_stars
from exo_assets.lightcurves import sample
from exo_assets.lightcurves.told import Told
from tests.lightcurves.layouts import BTJD, PERIOD, T0, TESS, fits_file, noisy, planet, spoc, times

SAMPLE = Path(sample.__file__).parent


def exo(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_HOME", str(tmp_path / "home"))


def vetted(*arguments: str) -> list[dict[str, Any]]:
    done = exo("vet", *arguments, "--signals", "1", "--json")
    assert done.exit_code == 0, done.stderr
    return list(json.loads(done.stdout))


def is_the_planet(row: dict[str, Any]) -> bool:
    away = (row["t0_bjd"] - BTJD - T0 + PERIOD / 2) % PERIOD - PERIOD / 2
    return abs(row["period_days"] / PERIOD - 1) < 1e-3 and abs(away) < 0.02


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "star.fits"
    path.write_bytes(spoc())
    return path


def test_rows_say_what_was_read(file: Path) -> None:
    done = exo("vet", str(file), "--json")
    (row,) = json.loads(done.stdout)
    assert is_the_planet(row) and row["depth_ppm"] == pytest.approx(4000, rel=0.05)
    assert (row["product"], row["flux_column"], row["points"]) == ("TESS-SPOC", "PDCSAP_FLUX", times().size)
    assert row["time_zero_bjd"] == BTJD and row["unused"] == [] and row["notes"] == []
    assert f"TESS-SPOC, PDCSAP_FLUX, {times().size:,} points, times from 2457000 (BJDREF)" in done.stderr


def test_a_file_without_a_reference_is_read_as_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.fits"
    path.write_bytes(spoc(first={}, header={}, flux_name="FLUX"))
    refused = exo("vet", str(path))
    assert refused.exit_code == 1 and "--time-zero" in refused.stderr
    (row,) = vetted(str(path), "--time-zero", "2457000", "--mission", "tess")
    assert is_the_planet(row) and row["mission"] == "tess"


def test_named_columns_and_a_named_star_make_any_table_readable(tmp_path: Path) -> None:
    paths = []
    for half in (0, 1):
        time = times(days=14) + 14 * half
        path = tmp_path / f"half{half}.csv"
        pl.DataFrame({"t": time + BTJD, "f": noisy(planet(time), seed=half)}).write_csv(path)
        paths.append(str(path))
    (row,) = vetted(*paths, "--time-column", "t", "--flux-column", "f", "--target", "TIC 7", "--mission", "tess")
    assert is_the_planet(row) and row["target"] == "TIC 7" and row["points"] == 2 * times(days=14).size


def test_the_same_photons_at_two_cadences_count_once(tmp_path: Path) -> None:
    fast = times(days=10, step_s=20)
    slow = fast[: fast.size // 6 * 6].reshape(-1, 6).mean(1)
    for name, time in (("fast", fast), ("slow", slow)):
        (tmp_path / f"{name}.fits").write_bytes(spoc(time, 1e4 * noisy(planet(time), 2e-3)))
    (star,), lost = read_stars([tmp_path / "fast.fits", tmp_path / "slow.fits"], Told())
    assert lost == [] and [c.origin.product for c in star.curves] == ["SPOC 2 min"]
    assert sum(map(len, star.curves)) == slow.size and "SPOC 20 s" in star.unused[0].message
    done = exo("vet", str(tmp_path / "fast.fits"), str(tmp_path / "slow.fits"), "--signals", "1")
    assert "not used: SPOC 20 s" in done.stderr


def test_the_packages_own_table_is_read() -> None:
    (star,), lost = read_stars([SAMPLE / "epic201367065-c01.parquet"], Told())
    assert lost == [] and star.name == "EPIC 201367065" and star.curves[0].mission == "k2"
    assert len(star.curves[0]) > 3000 and star.curves[0].time_bjd[0] > 2_456_800


def test_many_stars_are_vetted_row_by_row_and_a_broken_one_is_named(tmp_path: Path) -> None:
    time = times()
    rows = {
        "tic": [7, 8],
        "time": [time.tolist(), time.tolist()],
        "flux": [noisy(planet(time)).tolist(), [1.0]],
    }
    path = tmp_path / "many.parquet"
    pl.DataFrame(rows).write_parquet(path)
    done = exo("vet", str(path), "--time-zero", "2457000", "--mission", "tess", "--json")
    assert done.exit_code == 1 and "row 2 (TIC 8)" in " ".join(done.stderr.split())
    (row,) = json.loads(done.stdout)
    assert row["target"] == "TIC 7" and is_the_planet(row)


def test_a_list_of_files_is_read_each_as_its_row_tells(file: Path, tmp_path: Path) -> None:
    time = times()
    pl.DataFrame({"time": time, "flux": noisy(planet(time))}).write_csv(tmp_path / "own.csv")
    (tmp_path / "list.csv").write_text(
        "file,target,mission,time_zero\nstar.fits,,,\nown.csv,TIC 8,TESS,2457000\nabsent.csv,,,\nown.csv,,,soon\n"
    )
    done = exo("vet", str(tmp_path / "list.csv"))
    assert done.exit_code == 1 and "list.csv, row 4: has time_zero 'soon'" in " ".join(done.stderr.split())
    (tmp_path / "list.csv").write_text(
        "file,target,mission,time_zero\nstar.fits,,,\nown.csv,TIC 8,TESS,2457000\nabsent.csv,,,\n"
    )
    stars, lost = read_stars([tmp_path / "list.csv"], Told())
    assert [(s.name, s.curves[0].mission) for s in stars] == [("TIC 999000100", "tess"), ("TIC 8", "tess")]
    assert len(lost) == 1 and "absent.csv: cannot be read" in lost[0]
    imported = exo("import", str(tmp_path / "list.csv"), "--json")
    assert [row["target"] for row in json.loads(imported.stdout)] == ["TIC 999000100", "TIC 8"]
    assert imported.exit_code == 1 and "absent.csv" in imported.stderr


def test_a_star_of_one_catalogue_seen_by_another_mission_keeps_both_apart(tmp_path: Path) -> None:
    (tmp_path / "tess.fits").write_bytes(spoc(first={"OBJECT": "KIC 7", "TELESCOP": "TESS"}))
    kepler = np.arange(540, 600, 0.0204)
    header = {"BJDREFI": 2_454_833}
    (tmp_path / "kepler.fits").write_bytes(
        spoc(kepler, 1e4 * noisy(np.ones(kepler.size)), first={"OBJECT": "KIC 7", "TELESCOP": "Kepler"}, header=header)
    )
    stars, lost = read_stars([tmp_path / "tess.fits", tmp_path / "kepler.fits"], Told())
    assert lost == [] and [(s.name, s.curves[0].mission) for s in stars] == [("KIC 7", "tess"), ("KIC 7", "kepler")]
    refused = exo("import", str(tmp_path / "tess.fits"))
    assert refused.exit_code == 1 and "name the star by tess's catalogue with --target" in " ".join(
        refused.stderr.split()
    )
    (row,) = json.loads(exo("import", str(tmp_path / "tess.fits"), "--target", "TIC 9", "--json").stdout)
    assert (row["target"], row["mission"]) == ("TIC 9", "tess")


def test_a_signal_that_hangs_on_scattered_light_says_so_and_another_does_not(tmp_path: Path) -> None:
    time = times()
    in_dips = planet(time) < 1 - 1e-3
    quality = np.where(in_dips, 4096, 0)
    for name, flags in (("hangs", quality), ("stands", np.where(time < time[0] + 7, 4096, 0)), ("bare", 0 * quality)):
        (tmp_path / f"{name}.fits").write_bytes(spoc(time, quality=flags))
    (row,) = vetted(str(tmp_path / "hangs.fits"))
    assert is_the_planet(row) and "without them it is not found" in row["scattered_light"]
    (row,) = vetted(str(tmp_path / "stands.fits"))
    assert is_the_planet(row) and row["scattered_light"] is None
    (row,) = vetted(str(tmp_path / "bare.fits"))
    assert is_the_planet(row) and row["scattered_light"] is None


def test_a_planet_that_scattered_light_hides_is_found_without_it(tmp_path: Path) -> None:
    time = times(days=40)
    ramp = (time - time[0]) % 9 < 1.2
    flux = noisy(planet(time)) * np.where(ramp, 1 - 0.2 * np.abs(np.sin(7 * time)), 1)
    (tmp_path / "ramps.fits").write_bytes(spoc(time, 1e4 * flux, quality=np.where(ramp, 4096, 0)))
    rows = vetted(str(tmp_path / "ramps.fits"))
    (planets,) = [row for row in rows if is_the_planet(row)]
    assert planets["scattered_light"] is None or "only without" in planets["scattered_light"]
    assert all("without them it is not found" in row["scattered_light"] for row in rows if not is_the_planet(row))


def test_a_pixel_file_is_named_as_one(tmp_path: Path) -> None:
    cube = np.ones((50, 25), np.float32)
    data = fits_file({"TIME": times()[:50], "FLUX": cube}, first=TESS, name="PIXELS")
    (tmp_path / "pixels.fits").write_bytes(data)
    done = exo("vet", str(tmp_path / "pixels.fits"))
    assert done.exit_code == 1 and "is a target pixel file" in done.stderr
