"""The catalogue assets on real tables: the shipped snapshot, and the archive's mirror where it is at hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from catalog_rows import K2_3, KEPLER_227, TOI, TRES_2, table

from exo_assets.archive.contracts import CUMULATIVE
from exo_assets.archive.parse import parse_csv, to_csv
from exo_assets.archive.rows import separated
from exo_assets.archive.snapshot.shipped import shipped_csv
from exo_assets.archive.snapshots import snapshots, store_snapshot
from exo_assets.catalogs.assets import ASSETS
from exo_assets.catalogs.checks import CHECKS
from exo_assets.catalogs.contracts import CONTRACTS
from exo_assets.features.tabular import build_features
from exo_assets.training.splits import assign_folds, assign_splits
from exo_resources.lake import Lake

TABLES = ("cumulative", "toi", "k2pandc", "pscomppars", "q1_q17_dr25_koi")


def fill(lake: Lake, copies: dict[str, bytes], as_of: str = "2025-09-29") -> None:
    """Put raw tables and their snapshots into the lake; the others are stored as absent."""
    for name in TABLES:
        frame = parse_csv(copies[name]) if name in copies else pl.DataFrame(schema={"nothing": pl.String})
        lake.write(f"raw_nea__{name}", frame)
        if name in copies:
            store_snapshot(
                lake, name, copies[name], frame, as_of=as_of, source="mirror", url="", retrieved_at=f"{as_of}T00:00:00"
            )


def run(lake: Lake, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    return dg.materialize([*ASSETS, *CHECKS], resources={"lake": lake}, raise_on_error=raise_on_error)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {f"{c.asset_key.to_user_string()}.{c.check_name}": c for c in result.get_asset_check_evaluations()}


def recomputed(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    made = result.get_asset_materialization_events()
    return {
        str(e.asset_key.path[-1]): bool(e.materialization.metadata["recomputed"].value) for e in made if e.asset_key
    }


def test_the_shipped_snapshot_becomes_a_catalogue(lake: Lake) -> None:
    fill(lake, {"q1_q17_dr25_koi": shipped_csv("q1_q17_dr25_koi")}, "2017-07-19")
    result = run(lake)
    raw = lake.read("raw_nea__q1_q17_dr25_koi")
    signals, kept_out = lake.read("core_signals"), lake.read("core_signals_quarantine")
    assert signals.height + kept_out.height == raw.height == lake.read("core_signals_harmonised").height
    assert kept_out.height < 0.01 * raw.height
    assert signals["source_table"].unique().to_list() == ["q1_q17_dr25_koi"]
    assert signals["has_diagnostics"].mean() > 0.95
    kepler_90 = signals.filter(pl.col("mission_star_id") == "KIC 11442793")
    assert kepler_90.height == 7, "DR25 has seven of Kepler-90's planets"
    stars = lake.read("core_stars")
    assert stars["n_signals"].sum() == signals.height
    assert set(stars["star_id"]) == set(signals["star_id"])
    history = lake.read("core_disposition_history")
    assert history.height == raw.height
    assert history["change"].unique().to_list() == ["first_seen"]
    assert all(c.passed for c in checks(result).values())
    assert {c.name for c in CONTRACTS} <= set(lake.tables())
    again = recomputed(run(lake))
    assert again == dict.fromkeys(again, False)
    assert len(again) == len(ASSETS)


def test_a_new_snapshot_adds_a_change_to_the_history(lake: Lake) -> None:
    before = to_csv(table(KEPLER_227 | {"koi_disposition": "CANDIDATE"}, TRES_2))
    fill(lake, {"cumulative": before}, "2025-01-01")
    run(lake)
    fill(lake, {"cumulative": to_csv(table(KEPLER_227, TRES_2))}, "2025-02-01")
    assert recomputed(run(lake))["core_disposition_history"]
    history = lake.read("core_disposition_history")
    assert history.filter(pl.col("change") == "changed")["signal_id"].to_list() == ["K00752.01"]
    assert history.height == 3


KOIS = [
    KEPLER_227 | {"kepid": str(1000 + n // 3), "kepoi_name": f"K{n:05}.01", "ra": str(280 + n // 3), "koi_srad": str(n)}
    for n in range(40)
]
TOIS = [
    TOI | {"toi": f"{n + 1}.01", "tid": str(9 + n // 2), "ra": str(10 + n // 2), "pl_orbper": str(1 + n)}
    for n in range(30)
]
K2S = [
    K2_3 | {"pl_name": f"K2-{n} b", "hostname": f"K2-{n}", "default_flag": "0", "st_rad": rad, "ra": str(170 + n)}
    for n in range(10)
    for rad in ("0.5", "0.6", None)
]
PLANETS = [
    {"pl_name": f"K2-{n} b", "pl_orbper": "10.05465350", "ra": str(170 + n), "dec": "-1.4551364"} for n in range(10)
]


@pytest.fixture(scope="module")
def every_order(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Digests of every catalogue table, of features and of the training set, over shuffles of every raw table."""
    sets = {"cumulative": KOIS, "q1_q17_dr25_koi": KOIS[:30], "toi": TOIS, "k2pandc": K2S, "pscomppars": PLANETS}
    found = []
    for seed in range(4):
        lake = Lake(str(tmp_path_factory.mktemp(f"order{seed}")))
        order = np.random.default_rng(seed)
        fill(lake, {n: to_csv(table(*(rows[i] for i in order.permutation(len(rows))))) for n, rows in sets.items()})
        run(lake)
        digests = {
            name: v.digest for name in lake.tables() if not name.startswith("raw_") and (v := lake.version(name))
        }
        signals = lake.read("core_signals")
        learned = assign_splits(signals).join(assign_folds(signals, 5), on="star_id").sort("star_id")
        made = {"features": build_features(signals), "splits and folds": learned}
        digests |= {name: lake.write(name, frame).digest for name, frame in made.items()}
        found.append(digests)
    return found


def test_the_order_of_the_archives_rows_changes_no_table(every_order: list[dict[str, str]]) -> None:
    first = every_order[0]
    assert {"core_signals", "core_stars", "core_disposition_history", "core_planet_identity", "features"} <= set(first)
    assert all(other == first for other in every_order)


def test_repeated_rows_of_the_archive_are_rows_of_a_table(lake: Lake) -> None:
    copies = to_csv(table(KEPLER_227, KEPLER_227, TRES_2, TRES_2 | {"koi_depth": None}))
    fill(lake, {"cumulative": copies})
    split = separated(CUMULATIVE, parse_csv(copies))
    [kept] = snapshots(lake, "cumulative")
    lake.write(CUMULATIVE.name, split.rows, notes={"key": kept.key, "quarantined": split.aside.height})
    run(lake)
    aside = lake.read("core_archive_quarantine")
    assert aside.select("archive_table", "row_key", "reason", "copies", "as_of").rows() == [
        ("cumulative", "K00752.01", "copy_of_another_row", 1, "2025-09-29"),
        ("cumulative", "K00001.01", "key_of_another_row", 1, "2025-09-29"),
    ]
    assert json.loads(aside["row_json"][1])["kepid"] == "11446443"
    assert lake.read("core_signals")["signal_id"].to_list() == ["K00001.01", "K00752.01"]
    assert lake.read("core_signals")["depth_ppm"].null_count() == 0, "the fuller row stays"


def test_too_many_broken_rows_stop_the_catalogue_and_say_why(lake: Lake) -> None:
    good = [KEPLER_227 | {"kepoi_name": f"K{n:05}.01"} for n in range(90)]
    fill(lake, {"cumulative": to_csv(table(*good))})
    run(lake)
    bad = [KEPLER_227 | {"kepoi_name": f"K{n:05}.02", "koi_period": "-1"} for n in range(10)]
    fill(lake, {"cumulative": to_csv(table(*good, *bad))}, "2025-10-01")
    result = run(lake, raise_on_error=False)
    share = checks(result)["core_signals_harmonised.quarantine_share"]
    assert not result.success
    assert not share.passed
    assert share.severity == dg.AssetCheckSeverity.ERROR
    assert share.metadata["rows_per_reason"].value == {"kepler: period_days_not_above_0": 10}
    assert lake.read("core_signals").height == 90, "yesterday's catalogue stays"


def test_a_column_in_another_unit_stops_the_catalogue(lake: Lake) -> None:
    depth = float(KEPLER_227["koi_depth"])
    good = [KEPLER_227 | {"kepoi_name": f"K{n:05}.01"} for n in range(60)]
    fill(lake, {"cumulative": to_csv(table(*good))})
    run(lake)
    percent = [row | {"koi_depth": str(depth / 10_000)} for row in good]
    fill(lake, {"cumulative": to_csv(table(*percent))}, "2025-10-01")
    result = run(lake, raise_on_error=False)
    units = checks(result)["core_signals_harmonised.units_plausible"]
    assert not result.success and not units.passed
    assert units.metadata["medians"].value == {"kepler: depth_ppm": pytest.approx(depth / 10_000)}
    assert lake.read("core_signals")["depth_ppm"].median() == depth, "yesterday's catalogue stays"


def test_an_unknown_label_warns_and_is_named(lake: Lake) -> None:
    good = [KEPLER_227 | {"kepoi_name": f"K{n:05}.01"} for n in range(99)]
    fill(lake, {"cumulative": to_csv(table(*good, TRES_2 | {"koi_disposition": "MAYBE"}))})
    result = run(lake)
    known = checks(result)["core_signals_harmonised.labels_known"]
    assert result.success
    assert not known.passed
    assert known.metadata["labels"].value == ["kepler: MAYBE"]


@pytest.mark.archive
def test_the_archives_tables_become_one_catalogue(lake: Lake, archive_mirror: Path) -> None:
    fill(lake, {n: gzip.decompress((archive_mirror / "tap" / f"{n}.csv.gz").read_bytes()) for n in TABLES})
    result = run(lake)
    signals, stars = lake.read("core_signals"), lake.read("core_stars")
    rows = {name: lake.read(f"raw_nea__{name}") for name in TABLES}
    n_k2 = rows["k2pandc"]["pl_name"].n_unique()
    total = rows["cumulative"].height + rows["toi"].height + n_k2
    assert signals.height + lake.read("core_signals_quarantine").height == total
    assert all(c.passed for c in checks(result).values()), checks(result)
    per_mission = dict(signals.group_by("mission").len().iter_rows())
    assert per_mission["kepler"] > 8600
    assert per_mission["tess"] == rows["toi"].height
    assert signals.filter(pl.col("mission") == "kepler")["has_diagnostics"].mean() > 0.8

    hosts = dict(
        signals.filter(pl.col("signal_id").is_in(["K00003.01", "TOI-1144.01"]))
        .select("signal_id", "star_id")
        .iter_rows()
    )
    assert set(hosts.values()) == {"KIC 10748390"}, "HAT-P-11, 4.1 arcsec apart as published"
    k2_3 = signals.filter(pl.col("signal_id").is_in(["K2-3 b", "K2-3 c", "K2-3 d", "TOI-5146.01"]))
    assert k2_3.height == 4
    assert k2_3["star_id"].n_unique() == 1
    joined = stars.filter(pl.col("n_missions") > 1)
    assert joined.height > 150
    assert joined["match_arcsec"].max() < 1.5

    planets = lake.read("core_planet_identity")
    assert planets.filter(pl.col("signal_id") == "TOI-185.01")["planet_name"].to_list() == ["WASP-18 b"]
    groups = planets.filter(pl.col("signal_id").is_in(["K2-3 b", "TOI-5146.01"]))
    assert groups["planet_group_id"].unique().to_list() == ["K2-3 b"]

    changes = lake.read("core_disposition_history").filter(pl.col("change") == "changed")
    moves = dict(
        changes.group_by("previous_disposition", "disposition")
        .len()
        .select(pl.format("{} -> {}", "previous_disposition", "disposition"), "len")
        .iter_rows()
    )
    assert moves["CANDIDATE -> CONFIRMED"] > 350
    assert moves["CANDIDATE -> FALSE POSITIVE"] > 100
