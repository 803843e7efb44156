"""Dispositions by date."""

from __future__ import annotations

from datetime import date

import polars as pl
from catalog_rows import K2_3, KEPLER_227, NOTHING, TOI, TRES_2, table

from exo_assets.archive.snapshots import RawSnapshot
from exo_assets.catalogs.contracts import CORE_DISPOSITION_HISTORY
from exo_assets.catalogs.history import change_points, dated, labels
from exo_assets.catalogs.present_names import by_present_name


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


def toi(name: str, period: str | None, label: str = "PC", tid: str = "7") -> dict[str, str | None]:
    return TOI | {"toi": name, "tid": tid, "pl_orbper": period, "tfopwg_disp": label}


def _kinds(rows: pl.DataFrame) -> list[tuple[str, str, str, str]]:
    return rows.select("signal_id", "archive_name", "as_of", "change").cast(pl.String).rows()


def test_a_renumbered_toi_is_the_same_signal_and_a_new_one_is_new() -> None:
    rows = _history(
        [
            ("2025-01-01", "toi", table(toi("1.01", "3.0"), toi("2.01", "5.0", tid="8"))),
            ("2025-02-01", "toi", table(toi("9.01", "3.0001", "CP"), toi("2.01", "5.0", tid="8"), toi("9.02", "8.0"))),
            ("2025-03-01", "toi", table(toi("9.01", "3.0001", "CP"), toi("2.02", "5.0", tid="8"), toi("9.02", "8.0"))),
        ]
    )
    CORE_DISPOSITION_HISTORY.check(rows)
    assert _kinds(rows) == [
        ("TOI-2.02", "TOI-2.01", "2025-01-01", "first_seen"),
        ("TOI-2.02", "TOI-2.02", "2025-03-01", "renamed"),
        ("TOI-9.01", "TOI-1.01", "2025-01-01", "first_seen"),
        ("TOI-9.01", "TOI-9.01", "2025-02-01", "changed"),
        ("TOI-9.02", "TOI-9.02", "2025-02-01", "first_seen"),
    ]
    names = by_present_name(pl.Series(["TOI-1.01", "TOI-2.02", "K00001.01"]), rows)
    assert names.to_list() == ["TOI-9.01", "TOI-2.02", "K00001.01"]


def test_a_name_on_another_star_or_with_another_period_is_another_signal() -> None:
    rows = _history(
        [
            ("2025-01-01", "toi", table(toi("1.01", "3.0"), toi("3.01", "2.0", tid="9"))),
            ("2025-02-01", "toi", table(toi("1.02", "7.0"), toi("4.01", "2.0", tid="10"))),
        ]
    )
    assert set(rows["change"]) == {"first_seen"} and rows.height == 4


def test_companions_of_unknown_period_follow_when_the_others_are_matched() -> None:
    def k2(name: str, period: str | None, **more: str) -> dict[str, str | None]:
        return K2_3 | {"pl_name": name, "hostname": name.rpartition(" ")[0], "pl_orbper": period, **more}

    candidates = [
        K2_3 | {"pl_name": f"EPIC 201.0{n}", "hostname": "EPIC 201", "pl_orbper": p}
        for n, p in ((1, None), (2, "28.3"))
    ]
    rows = _history(
        [
            ("2025-01-01", "k2pandc", table(*candidates)),
            ("2025-02-01", "k2pandc", table(k2("K2-5 b", "14.0"), k2("K2-5 c", "28.3"))),
            ("2025-03-01", "k2pandc", table(k2("K2-5 b", "14.0"), k2("K2-5 d", "99.0", epic_candname="K2-5 c"))),
        ]
    )
    assert _kinds(rows) == [
        ("K2-5 b", "EPIC 201.01", "2025-01-01", "first_seen"),
        ("K2-5 b", "K2-5 b", "2025-02-01", "renamed"),
        ("K2-5 d", "EPIC 201.02", "2025-01-01", "first_seen"),
        ("K2-5 d", "K2-5 c", "2025-02-01", "renamed"),
        ("K2-5 d", "K2-5 d", "2025-03-01", "renamed"),
    ]


def test_a_name_that_comes_back_and_names_that_were_listed_together() -> None:
    one, other = toi("1.01", "3.0"), toi("1.02", "3.0")
    back = _history([(f"2025-0{n}-01", "toi", table(row)) for n, row in enumerate((one, other, one), start=1)])
    assert back["signal_id"].unique().to_list() == ["TOI-1.01"] and back["change"].to_list() == [
        "first_seen",
        "renamed",
        "renamed",
    ]
    both = _history(
        [
            ("2025-01-01", "toi", table(one)),
            ("2025-02-01", "toi", table(other)),
            ("2025-03-01", "toi", table(one, other)),
        ]
    )
    assert _kinds(both) == [
        ("TOI-1.01", "TOI-1.01", "2025-01-01", "first_seen"),
        ("TOI-1.02", "TOI-1.02", "2025-02-01", "first_seen"),
    ]


def test_a_copy_with_news_and_an_old_date_is_dated_by_its_retrieval() -> None:
    def copy(as_of: str, retrieved: str) -> RawSnapshot:
        return RawSnapshot("toi", retrieved, as_of, "", 1, 1, 1, "live", "", f"{retrieved}T01:00:00")

    copies = [copy("2025-01-05", "2025-02-01"), copy("2025-01-05", "2025-02-02"), copy("2025-01-09", "2025-02-03")]
    assert [day for _, day in dated(copies)] == ["2025-01-05", "2025-02-02", "2025-02-03"]
    copies = [copy("2025-01-05", "2025-02-01"), copy("2025-01-06", "2025-02-02")]
    assert [day for _, day in dated(copies)] == ["2025-01-05", "2025-01-06"]
