"""Which rows are in the catalogue, and why the others are not."""

from __future__ import annotations

import polars as pl
import pytest
from catalog_rows import K2_3, KEPLER_227, NOTHING, TOI, TRES_2, table

from exo_assets.catalogs.contracts import CORE_SIGNALS, CORE_SIGNALS_HARMONISED, CORE_SIGNALS_QUARANTINE
from exo_assets.catalogs.signals import accepted, harmonised_signals, k2_objects, quarantined, reason_counts


def koi(*rows: dict[str, str | None]) -> pl.DataFrame:
    return harmonised_signals(table(*rows), NOTHING, NOTHING, NOTHING)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("koi_period", "-1", "period_days_not_above_0"),
        ("koi_depth", "2e6", "depth_ppm_above_1e+06"),
        ("koi_depth", "0", "depth_ppm_not_above_0"),
        ("koi_duration", "-3", "duration_hours_not_above_0"),
        ("koi_steff", "0", "star_teff_k_not_above_0"),
        ("koi_time0bk", "9e9", "t0_bjd_above_3e+06"),
        ("ra", "361", "ra_deg_above_360"),
        ("dec", None, "dec_deg_missing"),
        ("kepid", None, "mission_star_id_missing"),
        ("kepoi_name", None, "signal_id_missing"),
        ("koi_disposition", "PERHAPS", "disposition_archive_unknown_value"),
        ("koi_prad", "big", "unreadable_koi_prad"),
    ],
)
def test_a_broken_value_is_quarantined_with_its_reason(field: str, value: str | None, reason: str) -> None:
    rows = koi(KEPLER_227, TRES_2 | {field: value})
    assert accepted(rows)["signal_id"].to_list() == ["K00752.01"]
    kept_out = quarantined(rows)
    assert reason in kept_out["quarantine_reason"][0].split(";")
    assert kept_out["snr"].dtype == pl.Float64
    CORE_SIGNALS.check(accepted(rows))
    CORE_SIGNALS_QUARANTINE.check(kept_out)


def test_nulls_are_legal() -> None:
    sparse = {"kepoi_name": "K1", "kepid": "5", "ra": "290", "dec": "45"}
    rows = koi(sparse, KEPLER_227 | {"koi_period": None, "koi_disposition": "NOT DISPOSITIONED"})
    assert accepted(rows).height == 2
    assert accepted(rows)["disposition"].null_count() == 2


def test_all_reasons_of_a_row_are_told_and_counted() -> None:
    rows = koi(KEPLER_227 | {"koi_period": "-1", "koi_depth": "2e6", "koi_prad": "x", "koi_teq": "y"}, TRES_2)
    counts = reason_counts(rows)
    assert set(counts["reason"]) == {
        "period_days_not_above_0",
        "depth_ppm_above_1e+06",
        "unreadable_koi_prad",
        "unreadable_koi_teq",
    }
    assert counts["rows"].to_list() == [1, 1, 1, 1]


def test_of_two_rows_with_one_name_the_first_sound_one_stays() -> None:
    rows = koi(KEPLER_227 | {"koi_period": "-1"}, KEPLER_227, KEPLER_227 | {"koi_depth": "700"})
    assert accepted(rows)["depth_ppm"].to_list() == [615.8]
    assert quarantined(rows)["quarantine_reason"].to_list() == ["period_days_not_above_0", "signal_id_duplicate"]


def test_nothing_is_lost_between_the_missions() -> None:
    rows = harmonised_signals(
        table(KEPLER_227, TRES_2 | {"koi_period": "0"}), table(KEPLER_227), table(TOI), table(K2_3)
    )
    CORE_SIGNALS_HARMONISED.check(rows)
    assert rows.height == 4 == accepted(rows).height + quarantined(rows).height
    assert rows["mission"].to_list() == ["kepler", "kepler", "tess", "k2"]


def test_dr25_is_the_source_where_there_is_no_cumulative_table() -> None:
    rows = harmonised_signals(NOTHING, table(KEPLER_227), NOTHING, NOTHING)
    assert rows["source_table"].to_list() == ["q1_q17_dr25_koi"]
    nothing = harmonised_signals(NOTHING, NOTHING, NOTHING, NOTHING)
    CORE_SIGNALS.check(accepted(nothing))
    assert nothing.is_empty()


def test_planets_that_k2_never_saw_transit_are_kept_out() -> None:
    rv = K2_3 | {"pl_name": "WASP-47 c", "hostname": "WASP-47", "discoverymethod": "Radial Velocity"}
    rows = harmonised_signals(NOTHING, NOTHING, NOTHING, table(K2_3, rv))
    assert accepted(rows)["signal_id"].to_list() == ["K2-3 b"]
    assert quarantined(rows)["quarantine_reason"].to_list() == ["not_a_transit_signal"]


def test_one_row_per_k2_object_the_default_one_or_else_the_newest() -> None:
    def row(name: str | None, flag: str, updated: str) -> dict[str, str | None]:
        return {"pl_name": name, "default_flag": flag, "rowupdate": updated}

    raw = table(
        row("b", "0", "2025-01-01"),
        row("a", "0", "2019-01-01"),
        row("b", "1", "2018-01-01"),
        row("a", "0", "2020-01-01"),
        row(None, "1", "2020-01-01"),
    )
    assert k2_objects(raw).rows() == [("b", "1", "2018-01-01"), ("a", "0", "2020-01-01"), (None, "1", "2020-01-01")]
