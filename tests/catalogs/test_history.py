"""Dispositions by date."""

from __future__ import annotations

from datetime import date

import polars as pl
from catalog_rows import K2_3, KEPLER_227, NOTHING, TOI, TRES_2, table

from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.history import change_points, labels


def koi(**labels: str) -> pl.DataFrame:
    return table(*({"kepoi_name": name, "koi_disposition": label} for name, label in labels.items()))


def _history(snapshots: list[tuple[str, str, pl.DataFrame]]) -> pl.DataFrame:
    return change_points([labels(table, as_of, frame) for as_of, table, frame in snapshots])


def test_only_changes_are_kept_and_dr25_is_the_beginning_of_a_koi() -> None:
    dr25 = koi(a="CANDIDATE", b="CANDIDATE").with_columns(koi_vet_date=pl.lit("2017-05-10"))
    rows = _history(
        [
            ("2025-09-29", "cumulative", koi(a="CONFIRMED", b="CANDIDATE", c="FALSE POSITIVE")),
            ("2025-12-01", "cumulative", koi(a="CONFIRMED", b="FALSE POSITIVE", c="FALSE POSITIVE")),
            ("2017-07-19", "q1_q17_dr25_koi", dr25),
        ]
    )
    CORE_DISPOSITION_HISTORY.check(rows)
    assert rows.select("signal_id", "as_of", "change", "previous_disposition", "disposition").rows() == [
        ("a", date(2017, 5, 10), "first_seen", None, "CANDIDATE"),
        ("a", date(2025, 9, 29), "changed", "CANDIDATE", "CONFIRMED"),
        ("b", date(2017, 5, 10), "first_seen", None, "CANDIDATE"),
        ("b", date(2025, 12, 1), "changed", "CANDIDATE", "FALSE POSITIVE"),
        ("c", date(2025, 9, 29), "first_seen", None, "FALSE POSITIVE"),
    ]


def test_the_archives_own_label_counts_and_missing_labels_do_too() -> None:
    rows = _history(
        [
            ("2025-01-01", "toi", table(TOI | {"tfopwg_disp": None})),
            ("2025-02-01", "toi", table(TOI | {"tfopwg_disp": "KP"})),
            ("2025-03-01", "toi", table(TOI | {"tfopwg_disp": "CP"})),
            ("2025-04-01", "toi", table(TOI | {"tfopwg_disp": "CP"})),
        ]
    )
    assert rows["disposition_archive"].to_list() == [None, "KP", "CP"]
    assert rows["signal_id"].unique().to_list() == ["TOI-1000.01"]
    assert rows["disposition"].to_list() == [None, "CONFIRMED", "CONFIRMED"]


def test_one_label_per_k2_object_and_nothing_from_nothing() -> None:
    twice = table(K2_3 | {"default_flag": "0", "disposition": "CANDIDATE"}, K2_3)
    rows = _history([("2025-01-01T03:00:00", "k2pandc", twice), ("2025-01-01", "cumulative", NOTHING)])
    assert rows.select("signal_id", "disposition").rows() == [("K2-3 b", "CONFIRMED")]
    assert CORE_DISPOSITION_HISTORY.check(_history([])).is_empty()


def test_two_copies_of_one_date_count_once_the_last_wins() -> None:
    rows = _history(
        [
            ("2025-01-01", "cumulative", table(KEPLER_227 | {"koi_disposition": "CANDIDATE"}, TRES_2)),
            ("2025-01-01", "cumulative", table(KEPLER_227, TRES_2)),
        ]
    )
    CORE_DISPOSITION_HISTORY.check(rows)
    assert rows["disposition"].to_list() == ["CONFIRMED", "CONFIRMED"]
