"""Files as people have them: other columns, other units, rows that are no signals. Every row comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.scoring.contradictions import CONTRADICTION, with_contradictions
from exo_assets.scoring.dialects import EXOFOP
from exo_assets.scoring.files import OWN_NAME, file_signals, score_file_frame
from exo_assets.scoring.known import Known
from exo_assets.scoring.measured import MEASURED
from exo_assets.scoring.read_file import read_catalogue_bytes
from exo_assets.scoring.score import judge
from tests.tiny_vetter import koi_signals, koi_table, tiny_vetter

GOOD = {
    **{"kepid": "10797460", "koi_period": "9.488036", "koi_time0bk": "170.53875", "koi_duration": "2.9575"},
    **{"koi_depth": "615.8", "koi_prad": "2.26", "koi_model_snr": "35.8", "koi_steff": "5455", "koi_slogg": "4.467"},
    **{"koi_srad": "0.927"},
}
PS = (
    "pl_name,hostname,default_flag,discoverymethod,disc_facility,tran_flag,pl_orbper,pl_rade,pl_trandep,pl_trandur,"
    "st_teff,st_rad,st_mass,st_logg,tic_id,sy_tmag\n"
    "51 Peg b,51 Peg,1,Radial Velocity,Haute-Provence Observatory,0,4.230785,,,,5758,1.18,1.03,4.45,,\n"
    "HD 189733 b,HD 189733,1,Transit,Haute-Provence Observatory,1,2.21857567,12.7,2.46,1.827,5052,0.75,0.81,4.49,,\n"
    "HD 189733 b,HD 189733,0,Transit,Haute-Provence Observatory,1,2.218573,12.5,2.47,1.8,5050,0.76,0.82,4.5,,\n"
    "Kepler-186 f,Kepler-186,1,Transit,Kepler,1,129.9441,1.17,0.0472,5.62,3755,0.52,0.54,4.74,,\n"
    "Kepler-186 f,Kepler-186,0,Transit,Kepler,1,129.9459,1.11,0.0415,6.25,3788,0.47,0.48,4.76,,\n"
    "K2-3 b,K2-3,1,Transit,K2,1,10.05403,2.14,0.119,2.55,3896,0.561,0.6,4.72,,\n"
    "TOI-700 d,TOI-700,1,Transit,Transiting Exoplanet Survey Satellite (TESS),1,37.42,1.07,0.0811,3.21,3459,0.42,0.42,"
    "4.81,TIC 150428135,10.91\n"
    "OGLE-2005-BLG-390L b,OGLE-2005-BLG-390L,1,Microlensing,OGLE,0,3500,,,,,,0.22,,,\n"
)
TOI_VALUES = {
    **{"toi": "1000.01", "tid": "50365310", "tfopwg_disp": "FP", "pl_orbper": "2.1713484", "st_rad": "2.16986"},
    **{"pl_tranmid": "2459229.630046", "pl_trandurh": "2.0172", "pl_trandep": "656.886", "pl_rade": "5.818"},
    **{"pl_insol": "22601.9", "pl_eqt": "3127.2", "st_tmag": "9.604", "st_dist": "485.735", "st_teff": "10249"},
    **{"st_logg": "4.19", "st_pmra": "-5.96", "st_pmdec": "-0.07"},
}


def _one(row: Mapping[str, str | None], **changed: str | None) -> dict[str, object]:
    return score_file_frame(pl.DataFrame([{**row, **changed}]), tiny_vetter()).row(0, named=True)


# -- names -------------------------------------------------------------------------------------------------------


def test_rows_without_a_name_get_one_and_the_same_answer() -> None:
    named = score_file_frame(pl.DataFrame([{"kepoi_name": "K00752.01", **GOOD}]), tiny_vetter())
    bare = score_file_frame(pl.DataFrame([GOOD]), tiny_vetter())
    assert bare[OWN_NAME].to_list() == ["KIC 10797460 P=9.48804 d"] and OWN_NAME not in named.columns
    assert bare["probability_planet"].to_list() == named["probability_planet"].to_list()
    starless = score_file_frame(pl.DataFrame([GOOD, GOOD]).drop("kepid"), tiny_vetter())
    assert starless[OWN_NAME].to_list() == ["row 1", "row 2"] and set(starless["n_signals_known"]) == {1}
    twice = score_file_frame(pl.DataFrame([GOOD, GOOD]), tiny_vetter())
    assert set(twice["n_signals_known"]) == {1}, "a row that stands twice is no companion of itself"
    toi = pl.DataFrame({"tid": ["7"], "pl_orbper": ["3.5"], "pl_trandep": ["900"]})
    k2 = pl.DataFrame({"hostname": ["K2-3"], "pl_orbper": ["10.05"], "pl_trandep": ["0.1"], "sy_dist": ["44"]})
    assert score_file_frame(toi, tiny_vetter())[OWN_NAME].to_list() == ["TIC 7 P=3.5 d"]
    assert score_file_frame(k2, tiny_vetter())[OWN_NAME].to_list() == ["K2-3 P=10.05 d"]


def test_a_nameless_row_is_found_in_the_catalogue_by_star_and_period() -> None:
    known = Known.of(koi_signals())
    row = koi_table().filter(kepoi_name="K00752.01").drop("kepoi_name")
    scored = score_file_frame(row, tiny_vetter(), known)
    assert scored["known_as"].to_list() == ["K00752.01"] and scored["n_signals_known"].to_list() == [2]


# -- ExoFOP ------------------------------------------------------------------------------------------------------


def _exofop(values: dict[str, str]) -> dict[str, str]:
    back = {archive: exofop for exofop, archive in EXOFOP.items()}
    extra = {
        "Planet SNR": "30",
        "TESS Disposition": "PC",
        "Stellar Mass (M_Sun)": "1.1",
        "Comments": "a, b",
        "Depth (mmag)": "0.71",
    }
    return {back[name]: value for name, value in values.items()} | extra | {"RA": "07:29:25.85", "Dec": "-12:41:45.46"}


def test_exofop_s_table_is_answered_as_the_archive_s() -> None:
    ours, theirs = _one(TOI_VALUES), _one(_exofop(TOI_VALUES))
    assert theirs["probability_planet"] == ours["probability_planet"] is not None
    signal = file_signals(pl.DataFrame([_exofop(TOI_VALUES)])).row(0, named=True)
    assert signal["signal_id"] == "TOI-1000.01" and signal["mission_star_id"] == "TIC 50365310"
    assert signal["ra_deg"] == pytest.approx(112.35771) and signal["dec_deg"] == pytest.approx(-12.695961)
    assert signal["unreadable"] is None
    errors = {"Period (days) err": "0.001", "Planet Radius (R_Earth) err": "0.2"}
    told = file_signals(pl.DataFrame([_exofop(TOI_VALUES) | errors])).row(0, named=True)
    assert (told["period_err_days"], told["radius_err_earth"]) == (0.001, 0.2)


def test_exofop_s_magnitudes_stand_in_for_a_depth_that_is_not_there() -> None:
    row = _exofop(TOI_VALUES)
    signal = file_signals(pl.DataFrame([row | {"Depth (ppm)": ""}, row])).select("depth_ppm").to_series()
    assert signal.to_list() == pytest.approx([(1 - 10 ** (-0.4 * 0.71e-3)) * 1e6, 656.886])
    without = {name: value for name, value in row.items() if name != "Depth (ppm)"}
    assert file_signals(pl.DataFrame([without]))["depth_ppm"][0] == pytest.approx(653.7, abs=0.1)


def test_the_form_with_bars_is_read_too() -> None:
    row = _exofop(TOI_VALUES)
    bars = "|".join(row) + "\n" + "|".join(row.values()) + "\n"
    read = read_catalogue_bytes(bars.encode(), "exofop.txt")
    assert read.columns == list(row) and read["Comments"].to_list() == ["a, b"]
    scored = score_file_frame(read, tiny_vetter())
    assert scored["probability_planet"].to_list() == [_one(TOI_VALUES)["probability_planet"]]
    with pytest.raises(ValueError, match="line 2: has 2 fields where the header has 3"):
        read_catalogue_bytes(b"a|b|c\n1|2\n", "short.txt")


# -- tables of planets -------------------------------------------------------------------------------------------


def test_planets_are_judged_by_their_mission_and_the_rest_is_named() -> None:
    scored = score_file_frame(read_catalogue_bytes(PS.encode(), "ps.csv"), tiny_vetter())
    said = dict(zip(range(8), scored["problems"], strict=True))
    judged = scored["probability_planet"].is_not_null().to_list()
    assert judged == [False, False, False, True, False, True, True, False]
    assert said[0] == (
        "not scored: found by Radial Velocity, not by transits; found at Haute-Provence Observatory, not by Kepler, K2 "
        "or TESS"
    )
    assert "Haute-Provence" in said[1] and "another row of HD 189733 b is the archive's default" in said[2]
    assert said[3] is None and said[4] == "not scored: another row of Kepler-186 f is the archive's default"
    assert "found by Microlensing" in said[7]
    signals = file_signals(read_catalogue_bytes(PS.encode(), "ps.csv"))
    assert signals["mission"].to_list() == [None, None, None, "kepler", "kepler", "k2", "tess", None]
    assert signals["depth_ppm"][3] == pytest.approx(472) and signals["mission_star_id"][6] == "TIC 150428135"
    assert signals["magnitude"][6] == 10.91
    head, row = (PS.split("\n")[at].split(",") for at in (0, 4))
    composite = pl.DataFrame([dict(zip(head, row, strict=True))])
    assert score_file_frame(composite.drop("default_flag"), tiny_vetter())["probability_planet"].null_count() == 0


def test_a_planet_s_name_finds_the_catalogue_s_signal_and_star() -> None:
    signals = koi_signals()
    assert "planet_name" in signals.columns
    planet = signals.filter(planet_name="Kepler-186 f")
    scored = score_file_frame(read_catalogue_bytes(PS.encode(), "ps.csv"), tiny_vetter(), Known.of(signals))
    assert scored["known_as"][3] == planet["signal_id"][0]
    star = signals.filter(mission_star_id=planet["mission_star_id"][0])
    assert scored["n_signals_known"][3] == star.height > 1


def test_k2_s_planets_that_never_transited_are_named() -> None:
    k2 = pl.DataFrame(
        {
            "pl_name": ["a b", "c d"],
            "disposition": ["CONFIRMED"] * 2,
            "discoverymethod": ["Transit", "Radial Velocity"],
            "disc_facility": ["K2"] * 2,
            "pl_orbper": ["3.0", "4.0"],
            "pl_trandep": ["0.1", None],
        }
    )
    scored = score_file_frame(k2, tiny_vetter())
    assert scored["probability_planet"].is_null().to_list() == [False, True]
    assert scored["problems"][1] == "not scored: found by Radial Velocity, not by transits"


# -- units -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"koi_depth": "0.0006158"}, "is the depth a fraction?"),
        ({"koi_depth": "0.06158"}, "is the depth in percent?"),
        ({"koi_depth": "0.669"}, "is the depth in mmag?"),
        ({"koi_duration": "0.12323"}, "is the duration in days?"),
        ({"koi_duration": "177.45"}, "is the duration in minutes?"),
        ({"koi_prad": "0.2016"}, "is the radius in Jupiter radii?"),
        ({"koi_ror": "0.0223", "koi_prad": "0.2016"}, "is the radius in Jupiter radii?"),
        ({"koi_ror": "0.0223", "koi_prad": None, "koi_depth": "0.05"}, "is the depth in percent?"),
        ({"koi_duration": "150", "koi_slogg": None, "koi_srad": None}, "duration_hours 150"),
    ],
)
def test_contradicting_units_are_told_and_get_no_confident_verdict(changed: dict[str, str | None], says: str) -> None:
    row = _one(GOOD, **changed)
    assert "contradicting: " in str(row["problems"]) and says in str(row["problems"])
    assert (row["verdict"], row["prediction_set"]) == ("candidate", "unsure")
    assert row["probability_planet"] is not None


def test_what_is_consistent_is_left_alone() -> None:
    assert _one(GOOD)["problems"] is None
    grazing = _one(GOOD, koi_depth="20", koi_prad="30", koi_impact="1.2")
    assert grazing["problems"] is None
    told = with_contradictions(koi_signals())[CONTRADICTION]
    assert told.count() < 0.005 * told.len()
    confirmed = koi_signals().filter(disposition="CONFIRMED")
    assert with_contradictions(confirmed)[CONTRADICTION].null_count() == confirmed.height


@settings(max_examples=30, deadline=None)
@given(
    row=st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
            for name in ("period_days", "duration_hours", "depth_ppm", "radius_earth", "radius_ratio", "impact")
        }
        | {name: st.one_of(st.none(), st.floats(1e-3, 100)) for name in ("star_radius_sun", "star_logg_cgs")},
    )
)
def test_any_numbers_are_compared_and_a_contradiction_is_never_a_confident_verdict(
    row: dict[str, float | None],
) -> None:
    frame = pl.DataFrame([{"mission": "kepler", **dict.fromkeys(MEASURED, None), **row}], schema_overrides=_TYPES)
    (said,) = judge(frame, tiny_vetter()).iter_rows(named=True)
    if said[CONTRADICTION] is not None and said["verdict"] is not None:
        assert (said["verdict"], said["prediction_set"]) == ("candidate", "unsure")
    if said["probability_planet"] is not None:
        assert math.isfinite(said["probability_planet"])


_TYPES = dict.fromkeys(MEASURED, pl.Float64)
