"""`exo import`: users' files into the lake, and what is said of those that cannot be."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deployments.cli.main import app
from exo_assets.lightcurves.stored import read_curve
from exo_resources.lake import Lake
from exo_resources.user_curves import user_files
from tests.lightcurves.many_stars import TIME, packed, rows
from tests.lightcurves.test_fits_file import a_file

CSV = "time,flux\n" + "".join(f"{1977.5 + i / 48},1.0\n" for i in range(40))


def exo(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("EXO_HOME", str(tmp_path / "home"))
    return Lake(str(tmp_path / "home" / "lake"))


def test_files_are_imported_and_said_to_be_there(tmp_path: Path, lake: Lake) -> None:
    table, packed = tmp_path / "EPIC201367065.csv", tmp_path / "q5.fits.gz"
    table.write_text(CSV)
    packed.write_bytes(gzip.compress(a_file()))
    done = exo("import", str(table), str(packed), "--time-zero", "2454833", "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(r["target"], r["mission"], r["points"], r["is_new"]) for r in rows] == [
        ("EPIC 201367065", "k2", 40, True),
        ("KIC 11442793", "kepler", 198, True),
    ]
    assert rows[0]["first_bjd"] == 2456810.5
    for row in rows:
        assert len(read_curve(lake.get(row["key"]), row["key"], row["target"])) == row["points"]
    again = exo("import", str(table), "--time-zero", "2454833")
    assert again.exit_code == 0 and "EPIC 201367065, k2, 40 points, was there already" in again.stdout
    assert user_files(lake).height == 2


def test_one_bad_file_does_not_keep_the_others(tmp_path: Path, lake: Lake) -> None:
    good, nameless = tmp_path / "TIC7.csv", tmp_path / "mine.csv"
    for path in (good, nameless):
        path.write_text(CSV)
    done = exo("import", str(nameless), str(tmp_path), str(tmp_path / "no.csv"), str(good), "--time-zero", "2457000")
    assert done.exit_code == 1 and "TIC 7, tess, 40 points, imported" in done.stdout
    assert f"{nameless}: does not say whose light curve it is" in done.stderr and "--target" in done.stderr
    assert f"{tmp_path}: is a folder" in done.stderr and "no.csv: cannot be read or kept" in done.stderr
    assert user_files(lake)["star_id"].to_list() == ["TIC 7"]


def test_a_file_of_many_stars_is_summed_up_and_its_broken_rows_are_named(tmp_path: Path, lake: Lake) -> None:
    path = tmp_path / "many.parquet"
    path.write_bytes(packed(rows(7, 8, 9, time=[TIME, TIME[:5], TIME])))
    asked = ("import", str(path), "--time-zero", "2454833", "--flat")
    done = exo(*asked)
    assert done.exit_code == 1
    assert f"{path}: 3 stars, 2 imported, 0 were there already, 1 could not be" in done.stdout
    assert f"{path}, row 2 (KIC 8): has lists of unequal length: 5 of time, 40 of flux" in " ".join(done.stderr.split())
    assert user_files(lake)["star_id"].to_list() == ["KIC 7", "KIC 9"]
    path.write_bytes(packed(rows(7, 9, 10)))
    again = exo(*asked)
    assert again.exit_code == 0 and "3 stars, 1 imported, 2 were there already" in again.stdout
    found = json.loads(exo(*asked, "--json").stdout)
    assert [(r["target"], r["flux_kind"], r["is_new"]) for r in found] == [
        (f"KIC {i}", "flux (flat)", False) for i in (7, 9, 10)
    ]


def test_a_flux_about_zero_is_not_taken_unless_it_is_said_to_be_flat(tmp_path: Path, lake: Lake) -> None:
    path = tmp_path / "many.parquet"
    path.write_bytes(packed(rows(7)))
    done = exo("import", str(path), "--time-zero", "2454833")
    assert done.exit_code == 1 and "about zero" in done.stderr and "--flat" in done.stderr and lake.keys("") == []
    assert "1 stars, 0 imported, 0 were there already, 1 could not be" in done.stdout


def test_times_without_a_zero_point_are_refused_with_the_remedy(tmp_path: Path, lake: Lake) -> None:
    path = tmp_path / "EPIC7.csv"
    path.write_text(CSV)
    done = exo("import", str(path))
    assert done.exit_code == 1 and "2454833" in done.stderr and lake.keys("") == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--mission", "jwst"), "'jwst' is no mission"),
        (("--target", "K2-3"), "'K2-3' is no star"),
        (("--segment", "-1"), "equal to 0"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(CSV)
    done = exo("import", str(path), *options)
    assert done.exit_code == 2 and says in done.stderr


def test_a_file_whose_name_is_no_text_is_imported_and_listed(tmp_path: Path, lake: Lake) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/q5-\xff.fits"))
    path.write_bytes(a_file())
    for expected in (True, False):
        done = exo("import", str(path), "--json")
        assert done.exit_code == 0, done.stderr
        (row,) = json.loads(done.stdout)
        assert row["is_new"] is expected and row["file"] == str(path)
    (listed,) = user_files(lake).to_dicts()
    assert listed["url"].endswith("q5-\\udcff.fits") and listed["status"] == "kept"
    assert "KIC 11442793, kepler" in exo("import", str(path)).stdout
