"""The same star and the same planet under several names."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from catalog_rows import K2_3, KEPLER_227, NOTHING, TOI, table
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.catalogs import sky
from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, CORE_STARS
from exo_assets.catalogs.identity import contradictions, planet_identity
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.catalogs.stars import chance_matches, host_stars

# HAT-P-11: 4.15 arcsec between the KIC position (2000.0) and Gaia's (2015.5).
KOI_3 = KEPLER_227 | {
    "kepid": "10748390",
    "kepoi_name": "K00003.01",
    "kepler_name": None,
    "koi_period": "4.887803",
    "koi_kepmag": "9.174",
    "ra": "297.709350",
    "dec": "48.080853",
}
TOI_1144 = TOI | {
    "toi": "1144.01",
    "tid": "28230919",
    "tfopwg_disp": "KP",
    "pl_orbper": "4.8878037",
    "ra": "297.710176",
    "dec": "48.081864",
    "st_pmra": "125.984",
    "st_pmdec": "232.988",
    "st_tmag": "8.5077",
}
HAT_P_11 = {"pl_name": "HAT-P-11 b", "pl_orbper": "4.88780258", "ra": "297.7101763", "dec": "48.0818635"}


def catalogue(
    koi: list[dict[str, str | None]], toi: list[dict[str, str | None]], k2: list[dict[str, str | None]] | None = None
) -> pl.DataFrame:
    parts = [table(*rows) if rows else NOTHING for rows in (koi, toi, k2 or [])]
    return accepted(harmonised_signals(parts[0], NOTHING, parts[1], parts[2]))


def test_proper_motion_brings_the_positions_of_one_star_together() -> None:
    stars = CORE_STARS.check(host_stars(catalogue([KOI_3], [TOI_1144])))
    star = stars.row(0, named=True)
    assert stars.height == 1
    assert (star["star_id"], star["kic_id"], star["tic_id"]) == ("KIC 10748390", 10748390, 28230919)
    assert (star["missions"], star["n_missions"], star["n_signals"]) == ("kepler,tess", 2, 2)
    assert star["match_arcsec"] < 0.2
    assert (star["position_epoch"], star["ra_deg"]) == (2015.5, 297.710176)
    assert (star["kepler_mag"], star["tess_mag"]) == (9.174, 8.5077)


def test_without_its_proper_motion_the_star_is_not_recognised() -> None:
    assert host_stars(catalogue([KOI_3], [TOI_1144 | {"st_pmra": None, "st_pmdec": None}])).height == 2


def test_a_star_five_magnitudes_fainter_at_the_same_place_is_another() -> None:
    assert host_stars(catalogue([KOI_3], [TOI_1144 | {"st_tmag": "14"}])).height == 2


def test_a_tic_entry_listed_twice_is_one_star_and_a_companion_is_not() -> None:
    twin = TOI_1144 | {"toi": "9.01", "tid": "99"}
    companion = TOI_1144 | {"toi": "8.01", "tid": "88", "dec": "48.0828"}
    signals = catalogue([], [TOI_1144, twin, companion])
    assert dict(signals.select("signal_id", "star_id").iter_rows()) == {
        "TOI-1144.01": "TIC 99",
        "TOI-9.01": "TIC 99",
        "TOI-8.01": "TIC 88",
    }


def test_star_ids_do_not_depend_on_the_order_of_rows() -> None:
    rows = catalogue([KEPLER_227, KOI_3], [TOI, TOI_1144])
    again = catalogue([KOI_3, KEPLER_227], [TOI_1144, TOI])
    key = ["signal_id", "star_id"]
    assert rows.select(key).sort(key).equals(again.select(key).sort(key))


def test_an_epic_number_in_one_name_names_the_star_of_all() -> None:
    other = K2_3 | {"pl_name": "EPIC 201367065.04", "disposition": "CANDIDATE"}
    assert catalogue([], [], [K2_3, other])["star_id"].to_list() == ["EPIC 201367065"] * 2


def test_a_tic_number_in_the_k2_table_joins_stars_whatever_their_positions() -> None:
    k2 = K2_3 | {"tic_id": "TIC 50365310"}
    assert catalogue([], [TOI], [k2])["star_id"].n_unique() == 1


def test_stellar_parameters_come_from_the_fullest_entry_and_gaps_from_the_others() -> None:
    bare = KOI_3 | {"koi_steff": "4778", "koi_srad": "0.763"}
    rich = TOI_1144 | {"st_teff": "4757", "st_tefferr1": "100", "st_rad": "0.7", "st_logg": "4.6", "st_dist": "37.8"}
    star = host_stars(catalogue([bare], [rich])).row(0, named=True)
    assert (star["parameters_from"], star["star_teff_k"], star["star_teff_err_k"]) == ("tess", 4757.0, 100.0)
    star = host_stars(catalogue([bare | {"koi_slogg": "4.59", "koi_slogg_err1": "0.03"}], [rich])).row(0, named=True)
    assert (star["parameters_from"], star["star_logg_cgs"], star["distance_pc"]) == ("kepler", 4.59, 37.8)
    assert star["star_teff_err_k"] is None, "an uncertainty never comes from another table than its value"


def test_chance_matches_are_counted_at_displaced_positions() -> None:
    assert chance_matches(catalogue([KOI_3], [TOI_1144])) == (1, 0)


def test_one_planet_of_two_missions_and_of_the_composite_table() -> None:
    rows = planet_identity(catalogue([KOI_3, KEPLER_227], [TOI_1144, TOI]), table(HAT_P_11))
    CORE_PLANET_IDENTITY.check(rows)
    assert rows["signal_id"].to_list() == ["K00003.01", "TOI-1144.01"]
    assert rows["planet_group_id"].unique().to_list() == ["HAT-P-11 b"]
    assert rows["match_kind"].unique().to_list() == ["period"]
    assert rows["counterparts"].to_list() == ["TOI-1144.01", "HAT-P-11 b,K00003.01"]
    assert rows["separation_arcsec"].to_list() == pytest.approx([4.15, 0.002], abs=0.03)


def test_a_name_is_enough_and_an_unmatched_signal_is_not_listed() -> None:
    planet = {"pl_name": "Kepler-227 b", "pl_orbper": "9.488", "ra": "291.934", "dec": "48.1417"}
    rows = planet_identity(catalogue([KEPLER_227, KOI_3], []), table(planet))
    assert rows.select("signal_id", "match_kind", "planet_name").rows() == [("K00752.01", "name", "Kepler-227 b")]


@pytest.mark.parametrize(("factor", "kind"), [(2.0, "period_alias"), (0.5, "period_alias"), (1.0, "period")])
def test_aliases(factor: float, kind: str) -> None:
    toi = TOI_1144 | {"pl_orbper": str(4.887803 * factor)}
    rows = planet_identity(catalogue([KOI_3], [toi]), NOTHING)
    assert rows["match_kind"].to_list() == [kind] * 2
    assert rows["period_ratio"].to_list() == pytest.approx([1 / factor, factor])
    assert rows["planet_group_id"].to_list() == ["K00003.01"] * 2
    assert planet_identity(catalogue([KOI_3], [toi | {"pl_orbper": str(4.887803 * 1.9)}]), NOTHING).is_empty()


def test_a_true_partner_beats_an_alias() -> None:
    double = KOI_3 | {"kepoi_name": "K00003.02", "koi_period": str(2 * 4.887803)}
    rows = planet_identity(catalogue([KOI_3, double], [TOI_1144]), NOTHING)
    assert rows["signal_id"].to_list() == ["K00003.01", "TOI-1144.01"]


def test_contradicting_dispositions_are_found() -> None:
    rows = planet_identity(catalogue([KOI_3], [TOI_1144 | {"tfopwg_disp": "FA"}]), NOTHING)
    assert contradictions(rows)["planet_group_id"].to_list() == ["K00003.01"]


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(0, 360),
    dec=st.floats(-89.9, 89.9),
    pm=st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)),
    years=st.floats(-50, 50),
)
def test_proper_motion_moves_a_star_by_its_length_and_back(
    ra: float, dec: float, pm: tuple[float, float], years: float
) -> None:
    def arrays(*values: float) -> list[sky.Floats]:
        return [np.array([v]) for v in values]

    start = sky.unit_vectors(*arrays(ra, dec))
    end = sky.moved(*arrays(ra, dec, *pm, years))
    moved = np.hypot(*pm) * abs(years) / 1000
    assert sky.separation_arcsec(start, end)[0] == pytest.approx(moved, rel=1e-4, abs=1e-6)
    assert sky.separation_arcsec(start, sky.moved(*arrays(ra, dec, float("nan"), float("nan"), years)))[0] < 1e-6
