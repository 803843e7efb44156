"""A K2 host keeps its key, and with it its side of the frozen test set, whatever the archive calls it."""

from __future__ import annotations

import gzip
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from catalog_rows import K2_3, NOTHING, table
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.archive.parse import parse_csv, to_csv
from exo_assets.archive.snapshots import store_snapshot
from exo_assets.catalogs.assets import ASSETS
from exo_assets.catalogs.contracts import CORE_K2_HOSTS
from exo_assets.catalogs.history import change_points, labels
from exo_assets.catalogs.k2_hosts import SAME_HOST_ARCSEC, host_keys, hosts_of, with_hosts
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.catalogs.stars import host_stars
from exo_assets.training.splits import assign_folds, assign_splits
from exo_resources.lake import Lake

ARCSEC = 1 / 3600


def host(name: str, ra: float, dec: float = -1.0, **more: str) -> dict[str, str | None]:
    return K2_3 | {"pl_name": f"{name} b", "hostname": name, "ra": f"{ra:.7f}", "dec": f"{dec:.7f}", **more}


def nights(*copies: list[dict[str, str | None]]) -> pl.DataFrame:
    hosts = CORE_K2_HOSTS.empty()
    for copy in copies:
        hosts = CORE_K2_HOSTS.check(with_hosts(hosts, hosts_of(table(*copy))))
    return hosts


def test_the_key_is_the_epic_number_of_whichever_column_or_the_first_name() -> None:
    hosts = nights(
        [
            host("EPIC 201367065", 10),
            host("K2-9", 20, epic_hostname="EPIC 201465501"),
            host("HD 3167", 30, epic_candname="EPIC 220383386.01"),
            host("K2-16", 40, pl_name="EPIC 201754305 d"),
            host("K2-16", 40),
            host("K2-3", 50),
        ]
    )
    assert dict(hosts.select("host_name", "host_key").iter_rows()) == {
        "EPIC 201367065": "EPIC 201367065",
        "K2-9": "EPIC 201465501",
        "HD 3167": "EPIC 220383386",
        "K2-16": "EPIC 201754305",
        "K2-3": "K2-3",
    }


def test_a_host_keeps_its_key_by_number_position_or_name() -> None:
    first = [host("EPIC 201110617", 10), host("K2-3", 20), host("K2-33", 30, tic_id="TIC 7"), host("K2-18", 40)]
    later = [
        host("K2-156", 10 + 0.5 * ARCSEC),
        host("LP 1", 20),
        host("HD 5", 31, tic_id="TIC 7"),
        host("K2-18", 40 + 30 * ARCSEC),
        host("K2-99", 50),
    ]
    keys = dict(host_keys(nights(first, later)).select("host_name", "host_key").iter_rows())
    assert keys["K2-156"] == "EPIC 201110617" and keys["LP 1"] == "K2-3" and keys["HD 5"] == "K2-33"
    assert keys["K2-18"] == "K2-18" and keys["K2-99"] == "K2-99"
    told = nights(first, later, [host("LP 1", 20, epic_hostname="EPIC 201367065")])
    known = told.filter(host_key="K2-3").row(0, named=True)
    assert known["epic_id"] == 201367065, "the number is learned, the key stays"
    assert known["names"] == "K2-3,LP 1" and known["is_listed"]
    assert told.height == 5 and told["is_listed"].sum() == 1, "no host is forgotten"


def test_a_neighbour_is_another_host_and_a_name_may_be_taken_over() -> None:
    close = [host("K2-1", 10), host("EPIC 201000001", 10 + 1.0 * ARCSEC)]
    assert nights(close)["host_key"].to_list() == ["EPIC 201000001", "K2-1"]
    assert nights(close[:1], close).height == 2, "the nearest keeps the key, the other is new"
    other = [host("EPIC 201000001", 10), host("EPIC 201000002", 10 + 0.5 * ARCSEC)]
    assert nights(other[:1], other[1:]).height == 2, "different EPIC numbers are different stars"
    assert nights([host("K2-1", 10)], [host("K2-2", 10 + (SAME_HOST_ARCSEC + 0.2) * ARCSEC)]).height == 2
    taken = nights([host("K2-1", 10)], [host("HD 1", 10), host("K2-1", 200)])
    keys = dict(host_keys(taken).select("host_name", "host_key").iter_rows())
    assert keys["HD 1"] == "K2-1" and keys["K2-1"] != "K2-1", "the name went to another star"
    lost = nights([host("K2-1", 10)], [host("K2-1", 200)])
    assert host_keys(lost).height == 1 and host_keys(lost)["host_key"][0] != "K2-1", (
        "the host that is listed has the name"
    )


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.booleans()), min_size=1, max_size=9), st.randoms())
def test_the_order_of_rows_and_a_second_look_change_no_key(cells: list[tuple[int, bool, bool]], random: object) -> None:
    rows = [
        host(f"EPIC 20100000{n}" if epic else f"K2-{n}", 10 + n + (0.4 * ARCSEC if moved else 0))
        for n, epic, moved in cells
    ]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    once = nights(rows)
    assert once.equals(nights(shuffled)) and once["host_key"].is_unique().all()
    assert nights(rows, shuffled).equals(once)
    assert set(host_keys(once)["host_name"]) == {str(row["hostname"]) for row in rows}


def renamed(raw: pl.DataFrame, hosts: list[str], confirmed: bool = False) -> pl.DataFrame:
    """The K2 table with other names for `hosts` and their objects: EPIC n.01 becomes K2-n b, as the archive does."""
    name = pl.col("hostname").replace_strict({h: f"K2-{9000 + n}" for n, h in enumerate(hosts)}, default=None)
    letter = pl.format(" p{}", pl.col("pl_name").str.extract(r"([0-9a-z]+)$", 1))
    label = pl.when(name.is_not_null()).then(pl.lit("CONFIRMED")).otherwise("disposition")
    return raw.with_columns(
        pl.when(name.is_not_null()).then(pl.concat_str(name, letter)).otherwise("pl_name").alias("pl_name"),
        (label if confirmed else pl.col("disposition")).alias("disposition"),
        hostname=pl.coalesce(name, "hostname"),
    ).sample(fraction=1, shuffle=True, seed=5)


@pytest.fixture(scope="module")
def k2(archive_mirror: Path) -> pl.DataFrame:
    return parse_csv(gzip.decompress((archive_mirror / "tap" / "k2pandc.csv.gz").read_bytes()))


def catalogue(raw: pl.DataFrame, hosts: pl.DataFrame) -> pl.DataFrame:
    return accepted(harmonised_signals(NOTHING, NOTHING, NOTHING, raw, hosts))


@pytest.mark.archive
def test_of_370_renamed_hosts_none_changes_sides(k2: pl.DataFrame) -> None:
    names = k2["hostname"].unique().sort().to_list()
    chosen = sorted(np.random.default_rng(0).choice(names, 370, replace=False).tolist())
    before = with_hosts(CORE_K2_HOSTS.empty(), hosts_of(k2))
    other = renamed(k2, chosen)
    after = with_hosts(before, hosts_of(other))
    assert after["host_key"].equals(before["host_key"])
    was, now = catalogue(k2, before), catalogue(other, after)
    assert assign_splits(now).equals(assign_splits(was)) and assign_folds(now, 5).equals(assign_folds(was, 5))
    columns = ["star_id", "epic_id", "ra_deg", "n_signals"]
    assert host_stars(now).select(columns).equals(host_stars(was).select(columns))
    assert host_stars(now, after)["k2_host"].str.starts_with("K2-9").sum() >= 360, "the present name is shown"


@pytest.mark.archive
def test_400_confirmations_are_400_changes(k2: pl.DataFrame) -> None:
    candidates = k2.filter((pl.col("disposition") == "CANDIDATE").all().over("hostname"))
    objects, chosen = 0, list[str]()
    for name, n in candidates.group_by("hostname").agg(pl.col("pl_name").n_unique()).sort("hostname").iter_rows():
        if objects + n <= 400:
            objects += n
            chosen.append(name)
    history = change_points(
        [labels("k2pandc", "2025-09-01", k2), labels("k2pandc", "2025-10-01", renamed(k2, chosen, confirmed=True))]
    )
    second = history.filter(pl.col("as_of") == pl.date(2025, 10, 1))
    assert objects == 400 and second["change"].to_list() == ["changed"] * 400
    assert set(second["previous_disposition"]) == {"CANDIDATE"} and set(second["disposition"]) == {"CONFIRMED"}
    assert history.filter(change="first_seen")["signal_id"].n_unique() == k2["pl_name"].n_unique()


def copy_of(lake: Lake, rows: list[dict[str, str | None]], day: str) -> None:
    data = to_csv(table(*rows))
    store_snapshot(
        lake,
        "k2pandc",
        data,
        parse_csv(data),
        as_of="2025-09-01",
        source="mirror",
        url="",
        retrieved_at=f"{day}T02:00:00",
    )
    lake.write("raw_nea__k2pandc", parse_csv(data))


def run(lake: Lake) -> None:
    for name in ("cumulative", "toi", "pscomppars", "q1_q17_dr25_koi"):
        lake.write(f"raw_nea__{name}", pl.DataFrame(schema={"nothing": pl.String}))
    assert dg.materialize(ASSETS, resources={"lake": lake}).success


def test_a_home_of_before_gets_its_keys_from_every_copy_that_there_was(lake: Lake) -> None:
    copy_of(lake, [host("EPIC 201110617", 10, disposition="CANDIDATE"), host("K2-3", 20)], "2025-09-02")
    copy_of(lake, [host("K2-156", 10), host("K2-3", 20)], "2025-10-01")
    run(lake)
    signals = lake.read("core_signals")
    assert dict(signals.select("signal_id", "mission_star_id").iter_rows()) == {
        "K2-156 b": "EPIC 201110617",
        "K2-3 b": "K2-3",
    }
    assert signals.filter(signal_id="K2-156 b")["epic_id"].to_list() == [201110617], "its light curves are found"
    history = lake.read("core_disposition_history").select("signal_id", "archive_name", "change", "disposition").rows()
    assert history == [
        ("K2-156 b", "EPIC 201110617 b", "first_seen", "CANDIDATE"),
        ("K2-156 b", "K2-156 b", "changed", "CONFIRMED"),
        ("K2-3 b", "K2-3 b", "first_seen", "CONFIRMED"),
    ]
    assert lake.read("core_stars").select("star_id", "k2_host").rows() == [
        ("EPIC 201110617", "K2-156"),
        ("K2-3", "K2-3"),
    ]
    kept = lake.read("core_k2_hosts")
    lake.write("raw_nea__k2pandc", pl.DataFrame(schema={"nothing": pl.String}))
    run(lake)
    assert lake.read("core_k2_hosts").equals(kept), "a night without the table forgets nothing"
