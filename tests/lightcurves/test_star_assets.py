"""Clean curves and the search as assets: a real Ray, stars in buckets, losses with reasons, workers that are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.lightcurves.assets import core_light_curves, core_search
from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES, RAW_USER__LIGHT_CURVES
from exo_assets.lightcurves.curve import LightCurve
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.partitions import NAME, register, run_tags
from exo_assets.lightcurves.stored import to_parquet
from exo_resources import ray_runtime
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime, WorkerLost
from exo_resources.star_tables import StarEntry, StarRows, StarTables
from tests.lightcurves.ray_tasks import dies_always, dies_once, slow_square
from tests.lightcurves.simulated import curve, light_curve

pytestmark = pytest.mark.ray

PLACE = Ephemeris(3.1, 101.0, 0.14)
STARS = {"KIC 1000": (PLACE, 2e-3), "KIC 1064": None, "KIC 1001": (Ephemeris(5.3, 102.0, 0.2), 3e-3)}
"""Two of them are in one bucket."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayRuntime]:
    made = RayRuntime(None, tmp_path_factory.mktemp("ray"))
    yield made
    made.shutdown()


def of_star(star: str, seed: int = 0) -> LightCurve:
    planet = STARS.get(star)
    time, flux, _ = curve(*([planet] if planet else []), seed=seed)
    return light_curve(time + 2_454_833, flux * 1e4, target=star)


def store(lake: Lake, files: dict[str, bytes]) -> None:
    """Files as if they had been downloaded, by star."""
    tables = StarTables(lake)
    for bucket in sorted({bucket_of(star) for star in files}):
        stars = []
        for star, data in files.items():
            if bucket_of(star) != bucket:
                continue
            digest = sha256(data).hexdigest()
            key = f"raw/mast/{digest}"
            lake.put(key, data)
            row = {
                "file_name": f"{star}.parquet", "mission": "kepler", "star_id": star, "segment": 1, "url": "here",
                "source": "snapshot", "fingerprint": "", "sha256": digest, "key": key, "retrieved_at": "now",
                "status": "kept",
            }  # fmt: skip
            rows = RAW_MAST__LIGHT_CURVES.conform(pl.DataFrame([row]))
            stars.append(StarRows(StarEntry(star, digest), rows.to_arrow(compat_level=pl.CompatLevel.oldest())))
        tables.write(RAW_MAST__LIGHT_CURVES.name, bucket, RAW_MAST__LIGHT_CURVES.schema, stars)


def catalogue() -> pl.DataFrame:
    """One catalogued signal, of KIC 1000."""
    row = {
        "signal_id": "K00001.01", "mission": "kepler", "mission_star_id": "KIC 1000", "star_id": "KIC 1000",
        "kic_id": 1000, "period_days": 3.1001, "t0_bjd": 2_454_934.0, "duration_hours": 3.4, "star_radius_sun": 1.0,
        "star_mass_sun": 1.0,
    }  # fmt: skip
    return CORE_SIGNALS.conform(pl.DataFrame([row]))


@pytest.fixture
def stored(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    lake.write("core_signals", catalogue())
    lake.write("raw_user__light_curves", RAW_USER__LIGHT_CURVES.empty())
    store(lake, {star: to_parquet(of_star(star)) for star in STARS})
    return lake


def night(lake: Lake, runtime: RayRuntime, instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    register(instance, sorted({bucket_of(star) for star in STARS}))
    return dg.materialize(
        [core_light_curves, core_search],
        instance=instance,
        tags=run_tags(instance),
        resources={"lake": lake, "star_tables": StarTables(lake), "ray_runtime": runtime, "settings": None},
        run_config={"ops": {name: {"config": config} for name in ("core_light_curves", "core_search")}}
        if config
        else {},
    )


def worked_on(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    return {
        event.asset_key.to_user_string(): event.materialization.metadata["worked_on_in_all"].value  # type: ignore[union-attr,misc]
        for event in result.get_asset_materialization_events()
    }


def test_a_night_finds_the_planets_and_the_next_one_has_nothing_to_do(stored: Lake, runtime: RayRuntime) -> None:
    tables = StarTables(stored)
    with dg.DagsterInstance.ephemeral() as instance:
        first = night(stored, runtime, instance)
        assert first.success and worked_on(first) == {"core_light_curves": 3, "core_search": 3}
        found = tables.read("core_search").sort("star_id")
        assert found["tce_id"].to_list() == ["KIC 1000-01", "KIC 1001-01"]
        known, new = found.iter_rows(named=True)
        assert (known["match"], known["signal_id"]) == ("same", "K00001.01")
        assert abs(known["period_days"] - 3.1) < 1e-3 and abs(known["depth_ppm"] / 2000 - 1) < 0.1
        assert (new["match"], new["signal_id"]) == ("none", None) and abs(new["period_days"] - 5.3) < 2e-3
        clean = of_rows(tables.star("core_light_curves", bucket_of("KIC 1064"), "KIC 1064"))
        assert clean.target == "KIC 1064" and abs(clean.flux.mean() - 1) < 1e-4 and (np.diff(clean.time_bjd) > 0).all()
        partitions = {e.partition for e in first.get_asset_materialization_events()}
        assert partitions == {bucket_of("KIC 1000"), bucket_of("KIC 1001")}
        second = night(stored, runtime, instance)
        assert worked_on(second) == {"core_light_curves": 0, "core_search": 0}
        store(
            stored,
            {**{s: to_parquet(of_star(s)) for s in STARS}, "KIC 1001": to_parquet(of_star("KIC 1001", 7))},
        )
        assert worked_on(night(stored, runtime, instance)) == {"core_light_curves": 1, "core_search": 1}
        forced = night(stored, runtime, instance, force=True)
        assert worked_on(forced) == {"core_light_curves": 3, "core_search": 3}


def test_a_star_that_cannot_be_read_is_lost_alone(stored: Lake, runtime: RayRuntime) -> None:
    short = of_star("KIC 1064").where(np.arange(40))
    store(
        stored,
        {
            "KIC 1000": b"SIMPLE  = cut off",
            "KIC 1064": to_parquet(short),
            "KIC 1001": to_parquet(of_star("KIC 1001")),
        },
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = night(stored, runtime, instance)
        assert result.success and worked_on(result)["core_search"] == 1
        index = StarTables(stored).index("core_light_curves", bucket_of("KIC 1000"))
        assert {s: e.reason for s, e in index.items()} == {"KIC 1000": "truncated", "KIC 1064": "clean"}
        assert "40 points of 40 are left" in index["KIC 1064"].message
        checks = {c.asset_key.to_user_string(): c for c in result.get_asset_check_evaluations()}
        assert (
            not checks["core_light_curves"].passed
            and checks["core_light_curves"].severity == dg.AssetCheckSeverity.WARN
        )
        assert "2 of 3" in (checks["core_light_curves"].description or "")


def test_what_the_store_fails_to_give_is_tried_again(stored: Lake, runtime: RayRuntime) -> None:
    missing = StarTables(stored).read(RAW_MAST__LIGHT_CURVES.name).filter(star_id="KIC 1001")["key"][0]
    data = stored.get(missing)
    Path(stored.path(missing)).unlink()
    with dg.DagsterInstance.ephemeral() as instance:
        night(stored, runtime, instance)
        entry = StarTables(stored).index("core_light_curves", bucket_of("KIC 1001"))["KIC 1001"]
        assert (entry.reason, entry.fingerprint) == ("unreadable", "")
        stored.put(missing, data)
        assert worked_on(night(stored, runtime, instance)) == {"core_light_curves": 1, "core_search": 1}


def test_killed_workers_change_nothing(stored: Lake, runtime: RayRuntime, tmp_path: Path) -> None:
    """Workers are killed at random while stars are processed; the tables come out bit for bit the same."""
    with dg.DagsterInstance.ephemeral() as instance:
        night(stored, runtime, instance)
        tables = StarTables(stored)
        before = {name: tables.read(name) for name in ("core_light_curves", "core_search")}
        stop, killed = threading.Event(), list[int]()
        hunter = threading.Thread(target=_hunt, args=(stop, killed))
        hunter.start()
        try:
            assert night(stored, runtime, instance, force=True).success
        finally:
            stop.set()
            hunter.join()
        assert killed
        for name, frame in before.items():
            assert_frame_equal(tables.read(name), frame)


def _hunt(stop: threading.Event, killed: list[int]) -> None:
    """Kill workers of this process's Ray that run a quantum, three at most."""
    while not stop.wait(0.05) and len(killed) < 3:
        for pid in _offspring(os.getpid()) - set(killed):
            if b"ray::run_quantum" in _read(f"/proc/{pid}/cmdline"):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                break
        time.sleep(0.3)


def _offspring(parent: int) -> set[int]:
    """Processes that come from `parent`: those of other tests' Ray are none of them."""
    found = list[bytes]()
    for task in Path(f"/proc/{parent}/task").glob("[0-9]*"):
        found += _read(f"{task}/children").split()
    children = {int(pid) for pid in found}
    return children.union(*map(_offspring, children))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def test_results_come_in_order_and_few_at_a_time(runtime: RayRuntime) -> None:
    asked = list[int]()

    def tasks() -> Iterator[int]:
        for number in range(12):
            asked.append(number)
            yield number

    out = []
    for value in runtime.stream(slow_square, 1, tasks(), at_once=3):
        out.append(value)
        assert len(asked) - len(out) <= 3
    assert out == [n * n for n in range(12)]


def test_a_task_survives_its_worker_and_a_hopeless_one_is_given_up(
    runtime: RayRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_runtime, "WORKERS_LOST", 1)
    assert list(runtime.stream(dies_once, str(tmp_path), range(3))) == [0, 1, 2]
    first, second = runtime.stream(dies_always, None, [0, 1])
    assert isinstance(first, WorkerLost) and first.message and second == 1
    assert NAME == "light_curve_buckets"
