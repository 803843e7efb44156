"""Rows of the three layouts under one set of names, units and times."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from catalog_rows import K2_3, KEPLER_227, TOI, TRES_2, table
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.catalogs.dispositions import DISPOSITION_OF
from exo_assets.catalogs.harmonise import (
    HARMONISED_SCHEMA,
    SIGNAL_COLUMN,
    detect_layout,
    harmonise_k2,
    harmonise_koi,
    harmonise_toi,
)
from exo_assets.catalogs.layouts import LAYOUTS

HARMONISE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "koi": harmonise_koi,
    "toi": harmonise_toi,
    "k2": harmonise_k2,
}


def one(frame: pl.DataFrame) -> dict[str, object]:
    assert frame.schema == HARMONISED_SCHEMA
    return frame.row(0, named=True)


def test_a_koi_keeps_its_values_and_gets_barycentric_julian_dates() -> None:
    row = one(harmonise_koi(table(KEPLER_227)))
    assert (row["signal_id"], row["mission_star_id"], row["kic_id"]) == ("K00752.01", "KIC 10797460", 10797460)
    assert row["planet_name"] == "Kepler-227 b"
    assert row["t0_bjd"] == pytest.approx(2455003.53875, abs=1e-6)
    assert row["depth_ppm"] == pytest.approx(615.8)
    assert row["radius_err_earth"] == pytest.approx((0.26 + 0.15) / 2)
    assert row["period_err_days"] == pytest.approx(2.775e-5)
    assert (row["has_diagnostics"], row["source_table"], row["unreadable"]) == (False, "cumulative", None)


def test_an_uncertainty_known_on_one_side_is_that_side_and_one_without_value_is_null() -> None:
    row = one(harmonise_koi(table(KEPLER_227 | {"koi_prad_err2": None, "koi_depth": None})))
    assert row["radius_err_earth"] == pytest.approx(0.26)
    assert (row["depth_ppm"], row["depth_err_ppm"]) == (None, None)


def test_dr25_completes_the_cumulative_table_only_where_it_describes_the_same_signal() -> None:
    dr25 = table(
        KEPLER_227 | {"koi_max_mult_ev": "28.47", "koi_smass": "0.919", "koi_depth": "999", "koi_dicco_msky": "0.2"},
        TRES_2 | {"koi_max_mult_ev": "9", "koi_period": "4.94122674"},
    )
    both = harmonise_koi(table(TRES_2, KEPLER_227), dr25)
    assert both["signal_id"].to_list() == ["K00001.01", "K00752.01"]
    assert both["mes"].to_list() == [None, 28.47]
    assert both["star_mass_sun"].to_list() == [None, 0.919]
    assert both["has_diagnostics"].to_list() == [False, True]
    assert both["depth_ppm"].to_list() == pytest.approx([14231.0, 615.8]), "the cumulative table's own values stay"


def test_values_of_a_full_cumulative_table_win_over_dr25() -> None:
    own = table(KEPLER_227 | {"koi_max_mult_ev": "30"})
    assert one(harmonise_koi(own, table(KEPLER_227 | {"koi_max_mult_ev": "28.47"})))["mes"] == 30


def test_sentinels_of_the_koi_table_are_missing_values() -> None:
    row = one(
        harmonise_koi(table(KEPLER_227 | {"koi_bin_oedp_sig": "-1.0", "koi_smass": "0.0", "koi_smass_err1": "0"}))
    )
    assert (row["odd_even_sig"], row["star_mass_sun"], row["star_mass_err_sun"]) == (None, None, None)


def test_a_toi_is_named_as_astronomers_do_and_may_lack_a_period() -> None:
    row = one(harmonise_toi(table(TOI | {"pl_orbper": None, "toi": "4593.10"})))
    assert (row["signal_id"], row["mission_star_id"], row["tic_id"]) == ("TOI-4593.10", "TIC 50365310", 50365310)
    assert row["period_days"] is None
    assert row["t0_bjd"] == pytest.approx(2459229.630046)
    assert row["depth_ppm"] == pytest.approx(656.8860989)


@pytest.mark.parametrize(
    ("written", "signal"),
    [("123.1", "TOI-123.10"), ("TOI-123.01", "TOI-123.01"), ("TOI 123.01", "TOI-123.01"), ("row-7", "row-7")],
)
def test_toi_numbers_as_people_write_them(written: str, signal: str) -> None:
    assert one(harmonise_toi(table(TOI | {"toi": written})))["signal_id"] == signal


def test_k2_depths_are_percent_and_epic_numbers_come_from_names() -> None:
    full = K2_3 | {
        "pl_trandep": "0.1203",
        "pl_trandeperr1": "0.01",
        "pl_trandeperr2": "-0.03",
        "pl_tranmid": "2456813.4",
    }
    rows = harmonise_k2(
        table(
            full,
            K2_3 | {"pl_name": "EPIC 201367065 c", "disposition": "CANDIDATE"},
            K2_3 | {"epic_hostname": "EPIC 201367065", "tic_id": "TIC 173103335"},
            {"pl_name": "EPIC 206344313.01", "pl_orbper": "5.2"},
        )
    )
    assert rows["depth_ppm"][0] == pytest.approx(1203.0)
    assert rows["depth_err_ppm"][0] == pytest.approx(200.0)
    assert rows["epic_id"].to_list() == [None, 201367065, 201367065, 206344313]
    assert rows["tic_id"].to_list() == [None, None, 173103335, None]
    assert rows["mission_star_id"].to_list() == ["K2-3", "K2-3", "K2-3", "EPIC 206344313"]
    assert rows["planet_name"].to_list() == ["K2-3 b", None, "K2-3 b", None], "only a confirmed object names a planet"


def test_a_limit_is_not_a_measurement() -> None:
    rows = harmonise_k2(table(*(K2_3 | {"pl_orbperlim": flag} for flag in ("0", "1", "-1", None))))
    assert rows["period_days"].is_null().to_list() == [False, True, True, False]


def test_every_documented_label_is_mapped_and_no_other() -> None:
    for layout, mission, column, row in (
        ("koi", "kepler", "koi_disposition", KEPLER_227),
        ("toi", "tess", "tfopwg_disp", TOI),
        ("k2", "k2", "disposition", K2_3),
    ):
        mapping = DISPOSITION_OF[mission]
        frame = HARMONISE[layout](table(*(row | {column: label} for label in (*mapping, "PLANET?"))))
        assert frame["disposition"].to_list() == [*mapping.values(), None]
        assert frame["disposition_archive"].to_list() == [*mapping, "PLANET?"]


def test_text_in_place_of_a_number_is_null_and_named() -> None:
    row = one(
        harmonise_koi(table(KEPLER_227 | {"koi_depth": "deep", "kepid": "KIC?", "koi_prad": "inf", "koi_teq": "nan"}))
    )
    assert (row["depth_ppm"], row["kic_id"], row["radius_earth"], row["teq_k"]) == (None, None, None, None)
    assert set(str(row["unreadable"]).split(",")) == {"koi_depth", "kepid", "koi_prad"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_the_name_is_required_and_rows_keep_their_order(layout: str) -> None:
    column = SIGNAL_COLUMN[layout]
    names = ["K3", "K1", "K2", "K1"]
    frame = HARMONISE[layout](pl.DataFrame({column: names}))
    assert frame.schema == HARMONISED_SCHEMA
    assert frame["signal_id"].to_list() == names
    assert HARMONISE[layout](pl.DataFrame(schema={column: pl.String})).is_empty()
    with pytest.raises(ValueError, match=column):
        HARMONISE[layout](pl.DataFrame({"ra": ["1.0"]}))


@pytest.mark.parametrize(("row", "layout"), [(KEPLER_227, "koi"), (TOI, "toi"), (K2_3, "k2")])
def test_layouts_are_told_apart(row: dict[str, str], layout: str) -> None:
    assert detect_layout(row) == layout
    assert detect_layout([c for c in row if c != SIGNAL_COLUMN[layout]]) == layout


def test_an_unknown_or_ambiguous_layout_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"kepoi_name.*tfopwg_disp.*pl_name"):
        detect_layout(["time", "flux"])
    with pytest.raises(ValueError, match=r"'toi'.*or 'pl_name'"):
        detect_layout(["tid", "hostname", "pl_orbper"])
    with pytest.raises(ValueError, match="koi_period"):
        detect_layout(["kepid", "kepoi_name"])


garbage = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["1e999", "--", " 7 "]),
)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), layout=st.sampled_from(sorted(LAYOUTS)))
def test_any_text_in_any_field_ends_in_a_value_a_null_or_the_list_of_unreadable(
    data: st.DataObject, layout: str
) -> None:
    spec = LAYOUTS[layout]
    known = [spec.signal, *spec.identifiers, *spec.numeric]
    columns = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=12))
    rows = data.draw(st.integers(0, 4))
    raw = pl.DataFrame(
        {c: data.draw(st.lists(garbage, min_size=rows, max_size=rows)) for c in {*columns, spec.signal}},
        schema_overrides=dict.fromkeys({*columns, spec.signal}, pl.String),
    )
    out = HARMONISE[layout](raw)
    assert out.schema == HARMONISED_SCHEMA
    assert out.height == raw.height
    numbers = out.select(pl.col(pl.Float64))
    assert not numbers.select(pl.any_horizontal(pl.all().is_infinite() | pl.all().is_nan()).any()).item()
    for quantity in spec.quantities:
        if quantity.source not in columns or quantity.limit in columns or quantity.sentinel is not None:
            continue
        listed = out["unreadable"].fill_null("").str.split(",").list.contains(quantity.source)
        empty = (
            raw[quantity.source].str.strip_chars().str.to_lowercase().is_in(["", "nan", "null", "none", "na", "n/a"])
        )
        empty = empty.fill_null(True)
        value = out[quantity.column].is_not_null()
        assert (value.cast(int) + listed.cast(int) + empty.cast(int)).to_list() == [1] * rows, quantity.source


@settings(max_examples=60, deadline=None)
@given(
    value=st.floats(1e-3, 1e6),
    up=st.floats(0, 1e3),
    down=st.floats(0, 1e3),
    bkjd=st.floats(0, 10_000),
)
def test_units_and_errors_are_linear(value: float, up: float, down: float, bkjd: float) -> None:
    sides = {"pl_trandeperr1": repr(up), "pl_trandeperr2": repr(-down)}
    k2 = one(harmonise_k2(table(K2_3 | {"pl_trandep": repr(value)} | sides)))
    toi = one(harmonise_toi(table(TOI | {"pl_trandep": repr(value)} | sides)))
    koi = one(harmonise_koi(table(KEPLER_227 | {"koi_time0bk": repr(bkjd)})))
    assert k2["depth_ppm"] == pytest.approx(value * 1e4)
    assert k2["depth_err_ppm"] == pytest.approx((up + down) / 2 * 1e4)
    assert toi["depth_ppm"] == pytest.approx(value)
    assert toi["depth_err_ppm"] == pytest.approx((up + down) / 2)
    assert koi["t0_bjd"] == pytest.approx(bkjd + 2454833.0, abs=1e-6)


def test_harmonised_columns_are_those_of_core_signals_without_star_id() -> None:
    assert set(HARMONISED_SCHEMA) - {"unreadable"} == set(CORE_SIGNALS.schema) - {"star_id"}
