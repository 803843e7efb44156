"""`exo vet`: from files to signals, their judgement and their pictures."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from seeing_vetter import WEIGHT, seeing_vetter
from tiny_vetter import koi_signals, tiny_vetter
from typer.testing import CliRunner

import deployments.cli.score as score_command
from deployments.cli.main import app
from deployments.cli.output import read_settings
from deployments.cli.vet_judge import KnownStars
from exo_assets.features import curve_in_hand
from exo_assets.features.curve_in_hand import Seen
from exo_assets.features.seen_views import SEEN_VIEWS
from exo_assets.lightcurves import sample
from exo_assets.lightcurves.chain import search_curve
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.ephemeris import phase_days
from exo_assets.lightcurves.search import SearchSettings
from exo_assets.lightcurves.stored import read_curve
from exo_assets.lightcurves.trapezoid import profile
from exo_assets.scoring.found import NAMED
from exo_assets.scoring.known import DR25
from exo_assets.training.conformal import SETS
from exo_assets.training.model_ref import ModelRef
from exo_resources.lake import Lake

REF = ModelRef("exo-vetter", "3", "run", "digest")
PERIOD, T0, DEPTH = 3.21, 2455001.5, 2e-3
PLACE = ("--period", "3.21", "--t0", "2455001.5", "--duration", "3")


def exo(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_HOME", str(tmp_path / "home"))


@pytest.fixture
def champion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_command, "load_champion", lambda _: (REF, tiny_vetter()))


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    """A simulated star with one planet."""
    random = np.random.default_rng(0)
    time = 2455000 + np.arange(0, 40, 0.02)
    flux = 1 + random.normal(0, 2e-4, time.size) - DEPTH * profile(phase_days(time, PERIOD, T0), 0.12, 0.15)
    path = tmp_path / "star.csv"
    pl.DataFrame({"time": time, "flux": flux}).write_csv(path)
    return path


@pytest.mark.usefixtures("champion")
def test_a_planet_is_found_judged_and_drawn(curve: Path, tmp_path: Path) -> None:
    done = exo("vet", str(curve), "--mission", "kepler", "-o", str(tmp_path / "pictures"), "--json")
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["period_days"] == pytest.approx(PERIOD, rel=1e-3)
    assert row["depth_ppm"] == pytest.approx(DEPTH * 1e6, rel=0.05)
    assert row["duration_hours"] == pytest.approx(2.88, rel=0.15)
    assert abs(phase_days(np.array([row["t0_bjd"]]), PERIOD, T0)[0]) < 0.01
    assert row["sde"] > 7 and row["snr"] > 7 and 0 <= row["probability_planet"] <= 1
    assert row["verdict"] in ("planet", "candidate", "false positive")
    picture = Path(row["picture"])
    assert picture.read_bytes().startswith(b"\x89PNG") and [p.name for p in picture.parent.iterdir()] == [picture.name]


def test_without_a_champion_signals_are_shown_and_said_to_be_unjudged(curve: Path) -> None:
    (row,) = json.loads(exo("vet", str(curve), "--mission", "kepler", "--json").stdout)
    assert row["probability_planet"] is None and "there is no champion" in row["problem"]
    (row,) = json.loads(exo("vet", str(curve), "--json").stdout)
    assert row["probability_planet"] is None and "no mission" in row["problem"]


@pytest.mark.usefixtures("champion")
def test_a_known_ephemeris_is_fitted_and_not_searched_for(curve: Path) -> None:
    done = exo("vet", str(curve), *("--period", "3.2098", "--t0", str(T0), "--duration", "3"), "--json")
    (row,) = json.loads(done.stdout)
    assert row["period_days"] == pytest.approx(PERIOD, rel=2e-4) and row["sde"] is None


def test_one_bad_file_does_not_keep_the_others(curve: Path, tmp_path: Path) -> None:
    bad, short = tmp_path / "bad.fits", tmp_path / "short.csv"
    bad.write_bytes(b"SIMPLE  = but no more")
    short.write_text("time,flux\n2455000.1,1\n2455000.2,1\n")
    done = exo("vet", str(bad), str(short), str(tmp_path / "absent.csv"), str(curve))
    assert done.exit_code == 1 and "3.2" in done.stdout
    for said in ("bad.fits: has 21 bytes", "short.csv: ", "absent.csv: cannot be read (No such file"):
        assert said in " ".join(done.stderr.split())


def test_a_stray_time_a_flat_line_and_a_flux_about_zero_are_told(tmp_path: Path) -> None:
    time = 2455000 + np.arange(0, 30, 0.02)
    flux = 1 + np.random.default_rng(2).normal(0, 2e-4, time.size)
    for name, t, f in [
        ("stray", np.append(time, time[:50] + 44_000), np.append(flux, flux[:50])),
        ("flat", time, np.ones(time.size)),
        ("zero", time, flux - 1.5),
    ]:
        pl.DataFrame({"time": t, "flux": f}).write_csv(tmp_path / f"{name}.csv")
    done = exo("vet", *(str(tmp_path / f"{name}.csv") for name in ("stray", "flat", "zero")))
    said = " ".join(done.stderr.split())
    assert done.exit_code == 1 and "trial periods" in said and "add one" in said
    assert "no signal above the thresholds" in done.stdout


def test_a_quiet_star_has_no_signal(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = tmp_path / "quiet.csv"
    time = 2455000 + np.arange(0, 30, 0.02)
    pl.DataFrame({"time": time, "flux": 1 + random.normal(0, 2e-4, time.size)}).write_csv(path)
    done = exo("vet", str(path))
    assert done.exit_code == 0 and "no signal above the thresholds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--period", "3"), "--period, --t0 and --duration"),
        (("--period", "3", "--t0", "2455000", "--duration", "80"), "does not fit into 3"),
        (("--period", "3", "--t0", "1325.5", "--duration", "3"), "2457000 to BTJD"),
        (("--mission", "hubble"), "no mission"),
        (("--density", "0"), "--density"),
        ((*PLACE, "--period-min", "1"), "and --period-min would limit a search"),
        ((*PLACE, "--period-max", "9"), "leave --period-max out, or the ephemeris"),
        ((*PLACE, "--signals", "2"), "nothing is searched with --period"),
        ((*PLACE, "--period-min", "1", "--period-max", "9"), "leave --period-min and --period-max out"),
    ],
)
def test_bad_usage_is_exit_code_2(curve: Path, arguments: tuple[str, ...], says: str) -> None:
    done = exo("vet", str(curve), *arguments)
    assert done.exit_code == 2 and says in " ".join(done.stderr.split())


def test_pictures_go_into_a_folder(curve: Path) -> None:
    done = exo("vet", str(curve), "-o", str(curve))
    assert done.exit_code == 2 and "no folder can be made there" in done.stderr


def test_packed_files_are_read_and_what_is_no_file_is_named(curve: Path, tmp_path: Path) -> None:
    packed = tmp_path / "star.csv.gz"
    packed.write_bytes(gzip.compress(curve.read_bytes()))
    assert exo("vet", str(packed)).exit_code == 0
    packed.write_bytes(gzip.compress(curve.read_bytes())[:-100])
    done = exo("vet", str(packed), "/dev/zero")
    said = " ".join(done.stderr.split())
    assert done.exit_code == 1 and done.stdout == "" and "cut short" in said and "a device" in said


@pytest.mark.usefixtures("champion")
def test_a_depth_that_the_judgement_may_not_use_is_told(curve: Path, tmp_path: Path) -> None:
    """A bump where the ephemeris has a transit."""
    table = pl.read_csv(curve)
    table.with_columns(flux=2 - pl.col("flux")).write_csv(tmp_path / "bump.csv")
    place = ("--period", str(PERIOD), "--t0", str(T0), "--duration", "2.9")
    (row,) = json.loads(exo("vet", str(tmp_path / "bump.csv"), *place, "--mission", "kepler", "--json").stdout)
    assert row["depth_ppm"] < 0 and "taken as unknown: depth_ppm" in row["problem"]


@pytest.mark.usefixtures("champion")
def test_a_signal_is_judged_with_those_that_the_catalogue_knows_on_its_star(curve: Path, tmp_path: Path) -> None:
    (alone,) = json.loads(exo("vet", str(curve), "--mission", "kepler", "--json").stdout)
    assert (alone["n_signals_known"], alone["completed_from"]) == (1, None)
    star = koi_signals().filter(pl.len().over("kic_id") > 1, pl.col("period_days").is_not_null())["kic_id"][0]
    family = koi_signals().filter(kic_id=star)
    Lake(str(tmp_path / "home" / "lake")).write("core_signals", family)
    arguments = ("vet", str(curve), "--mission", "kepler", "--target", f"KIC {star}", "--json")
    (member,) = json.loads(exo(*arguments).stdout)
    assert member["n_signals_known"] == 1 + family.height and member["completed_from"] is None
    assert member["probability_planet"] > alone["probability_planet"]
    # One of the catalogue's signals: beside the others of the catalogue alone, completed as a row of a file is.
    same = family.with_columns(period_days=pl.when(pl.int_range(pl.len()) == 0).then(PERIOD).otherwise("period_days"))
    Lake(str(tmp_path / "home" / "lake")).write("core_signals", same)
    (own,) = json.loads(exo(*arguments).stdout)
    assert own["n_signals_known"] == family.height and own["completed_from"] == DR25


def test_what_was_announced_and_is_left_out_is_told(tmp_path: Path) -> None:
    """Nights from the ground, brighter at both ends: the only signal goes with the trend that is found without it."""
    random = np.random.default_rng(26)
    time = np.concatenate([2458600.6 + night + np.arange(0, 7 / 24, 240 / 86400) for night in range(60)])
    flux = 1 + random.normal(0, 0.0025, time.size) + 0.3 * (time % 1 - 0.74) ** 2
    pl.DataFrame({"time": time, "flux": flux}).write_csv(tmp_path / "nights.csv")
    done = exo("vet", str(tmp_path / "nights.csv"))
    assert done.exit_code == 0 and "no signal above the thresholds" in done.stdout
    assert "1 of 1 left out" in done.stderr


def test_signals_are_those_that_the_night_finds_in_the_same_files() -> None:
    """A flare star: what is left out as an outlier depends on what is masked, so it is cleaned as the night does."""
    files = sorted(Path(sample.__file__).parent.glob("kplr010002792-*.fits.gz"))
    curves = [read_curve(gzip.decompress(file.read_bytes()), file.stem, "KIC 10002792") for file in files]
    star = search_curve(cleaned(curves), SearchSettings(signals_max=10))
    rows = json.loads(exo("vet", *map(str, files), "--json").stdout)
    told = [row for row in rows if row["kind"] == "signal"]
    assert [row["period_days"] for row in told] == [s.transit.ephemeris.period_days for s in star.signals]
    assert [row["below_threshold_reason"] for row in told] == [s.doubt for s in star.signals] and len(told) > 1


@pytest.mark.usefixtures("champion")
def test_a_star_that_varies_is_judged_and_flagged(tmp_path: Path) -> None:
    time = 2455000 + np.arange(0, 60, 0.02)
    random = np.random.default_rng(3)
    flux = 1 + 0.01 * np.sin(2 * np.pi * time / 0.6) * (1 + 0.3 * np.sin(time / 7)) + random.normal(0, 1e-4, time.size)
    pl.DataFrame({"time": time, "flux": flux}).write_csv(tmp_path / "spots.csv")
    rows = json.loads(exo("vet", str(tmp_path / "spots.csv"), "--mission", "kepler", "--json").stdout)
    assert rows and all(row["verdict"] is not None and row["is_variable"] for row in rows)
    assert all(row["variability_ratio"] > 0.5 for row in rows)


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_command, "load_champion", lambda _: (REF, seeing_vetter()))


@pytest.mark.usefixtures("seeing")
def test_views_are_judged_explained_and_drawn(curve: Path, tmp_path: Path) -> None:
    done = exo("vet", str(curve), "--mission", "kepler", "-o", str(tmp_path / "p"), "--json")
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert set(row["views"]) == set(SEEN_VIEWS)
    for view in row["views"].values():
        assert len(view["centre"]) == len(view["effect"]) > 10 and all(map(math.isfinite, view["effect"]))
    assert row["network_weight"] == WEIGHT and math.isfinite(row["log_odds_network"]) and row["views_problem"] is None
    assert row["prediction_set"] in SETS and len(row["reasons"]) == 5
    pictures = sorted(p.name for p in (tmp_path / "p").iterdir())
    assert pictures == sorted([Path(row["picture"]).name, Path(row["views_picture"]).name])
    assert row["views_picture"].endswith("_1_views.png") and "no pictures" not in done.stderr
    assert Path(row["views_picture"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("seeing")
def test_the_light_curve_moves_the_verdict(curve: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (seen,) = json.loads(exo("vet", str(curve), "--mission", "kepler", "--json").stdout)

    def blind(*_: object) -> list[Seen]:
        return [Seen({}, None, "not measured", "all bins are alike")]

    monkeypatch.setattr(curve_in_hand, "seen_of_found", blind)
    done = exo("vet", str(curve), "--mission", "kepler", "--json")
    (unseen,) = json.loads(done.stdout)
    assert done.exit_code == 0 and unseen["probability_planet"] != seen["probability_planet"]
    assert unseen["views"] is None and unseen["views_problem"] == "all bins are alike"
    assert unseen["diagnostics_problem"] == "not measured" and unseen["verdict"] is not None


@pytest.mark.parametrize(("mission", "says"), [("kepler", "no network"), ("tess", "light curves of tess")])
def test_why_there_are_no_pictures_of_views_is_said(
    curve: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mission: str, says: str
) -> None:
    vetter = tiny_vetter() if mission == "kepler" else seeing_vetter()
    monkeypatch.setattr(score_command, "load_champion", lambda _: (REF, vetter))
    done = exo("vet", str(curve), "--mission", mission, "-o", str(tmp_path / "p"), "--json")
    (row,) = json.loads(done.stdout)
    assert done.exit_code == 0 and row["probability_planet"] is not None
    assert row["views"] is None and says in row["views_problem"]
    assert "no pictures of views" in done.stderr and says in done.stderr
    assert len(list((tmp_path / "p").iterdir())) == 1


def test_the_density_of_a_known_star_is_the_catalogues(curve: Path, tmp_path: Path) -> None:
    star = koi_signals().filter(pl.col("star_mass_sun").is_not_null(), pl.col("star_radius_sun") > 2).row(0, named=True)
    Lake(str(tmp_path / "home" / "lake")).write("core_signals", koi_signals())
    known = KnownStars(read_settings())
    name = f"KIC {star['kic_id']}"
    assert known.known(name).density_sun == pytest.approx(star["star_mass_sun"] / star["star_radius_sun"] ** 3)
    (about,) = known.stars.filter(pl.col(NAMED) == name).to_dicts()
    assert about["star_radius_sun"] == star["star_radius_sun"]
    assert "KIC 1" not in known.stars[NAMED]
    assert math.isnan(known.known("KIC 1").density_sun) and math.isnan(known.known(str(curve)).density_sun)


def test_diagnostics_are_told_of_every_signal(curve: Path) -> None:
    (row,) = json.loads(exo("vet", str(curve), "--json").stdout)
    assert {"snr_red", "odd_even_sigma", "secondary_sigma", "n_transits_observed"} <= set(row["diagnostics"])
    assert row["diagnostics"]["n_transits_observed"] <= row["n_transits"]


def test_files_of_one_name_have_pictures_of_their_own(curve: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "star.csv").write_bytes(curve.read_bytes())
    rows = json.loads(
        exo("vet", str(curve), str(tmp_path / "b" / "star.csv"), "-o", str(tmp_path / "p"), "--json").stdout
    )
    assert len({row["picture"] for row in rows}) == 2 == len(list((tmp_path / "p").iterdir()))


def test_a_single_transit_is_shown_with_its_periods_and_a_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(14)
    time = 2458354.1 + np.arange(0, 27.2, 0.005)
    flux = 1 + random.normal(0, 6e-4, time.size) - 8e-3 * profile(time - 2458360.7, 9 / 24, 0.15)
    path = tmp_path / "once.csv"
    pl.DataFrame({"time": time, "flux": flux}).write_csv(path)
    arguments = ("vet", str(path), "--mission", "tess", "-o", str(tmp_path / "pictures"))
    done = exo(*arguments, "--json")
    assert "SDE" not in done.stderr and "left out" not in done.stderr, "it is told as a signal"
    (row,) = json.loads(done.stdout)
    assert (row["kind"], row["period_days"], row["verdict"]) == ("single transit", None, None)
    assert row["t0_bjd"] == pytest.approx(2458360.7, abs=0.01) and row["depth_ppm"] == pytest.approx(8000, rel=0.05)
    assert row["duration_hours"] == pytest.approx(9, rel=0.05) and row["snr"] > 50
    assert 20 < row["period_low_days"] < row["period_high_days"] and "no period" in row["problem"]
    assert Path(row["picture"]).read_bytes().startswith(b"\x89PNG")
    assert "single transit" in exo("vet", str(path), "--mission", "tess").stdout.replace("\n", " ")


def test_limits_of_the_period_are_obeyed_or_refused_in_words(curve: Path) -> None:
    assert json.loads(exo("vet", str(curve), "--period-min", "4", "--period-max", "6", "--json").stdout) == []
    refused = exo("vet", str(curve), "--period-min", "6", "--period-max", "4")
    assert refused.exit_code == 2 and "no period lies from 6 to 4 d" in refused.stderr
    unresolved = exo("vet", str(curve), "--period-min", "0.01")
    assert unresolved.exit_code == 1 and "not resolved by a point every 28.8 min" in unresolved.stderr.replace(
        "\n", " "
    )
    beyond = exo("vet", str(curve), "--period-max", "100", "--json")
    assert "no period above 40.0 d is searched" in beyond.stderr and len(json.loads(beyond.stdout)) == 1
