"""Releases among real processes: an analyst who never closes, publishers killed at any point, publishers at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exo_resources.releases import ReleaseError, ReleaseStore
from exo_resources.settings import CHECKOUT
from tests.warehouse.release_tables import leftovers, publisher, tables

ANALYST = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
ask = "SELECT min(seed), max(seed), count(*), count(hash(COLUMNS(* EXCLUDE (seed)))) FROM core_a"
print(connection.execute(ask).fetchone()[:3], flush=True)
for line in sys.stdin:
    print(connection.execute(ask).fetchone()[:3], flush=True)
"""


def test_an_analyst_neither_blocks_nor_is_blocked(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, keep=2)
    opened = store.publish(tables(1)).release
    analyst = subprocess.Popen(
        [sys.executable, "-c", ANALYST, str(tmp_path / "current" / "exo.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert analyst.stdin is not None
    assert analyst.stdout is not None
    try:
        assert analyst.stdout.readline() == "(1, 1, 2000)\n"
        for seed in range(2, 6):  # four nights; the release that the analyst holds is pruned on the way
            night = publisher(tmp_path, seed)
            assert night.wait(120) == 0, night.communicate()[1]
            analyst.stdin.write("again\n")
            analyst.stdin.flush()
            assert analyst.stdout.readline() == "(1, 1, 2000)\n"
        assert store.find(opened.id) is None
        assert store.verify().manifest.info["seed"] == 5
    finally:
        analyst.stdin.close()
        assert analyst.wait(60) == 0


def test_kill_9_at_any_point_leaves_the_last_release_readable_and_the_next_run_clean(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, keep=3)
    store.publish(tables(0), {"seed": 0})
    alive = publisher(tmp_path, 1)
    started = time.monotonic()
    assert alive.wait(120) == 0
    whole = time.monotonic() - started
    moments = random.Random(20090307)
    outcomes = set()
    for seed in range(2, 27):
        before = store.verify().manifest.info["seed"]
        victim = publisher(tmp_path, seed)
        # Importing takes most of a publisher's time: kill from the moment when it has taken the lock, as often as not.
        if seed % 2:
            _wait_for_building(tmp_path, victim)
            time.sleep(moments.uniform(0, 0.25))
        else:
            time.sleep(moments.uniform(0.2, 1.1) * whole)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        assert victim.returncode in (0, -signal.SIGKILL)
        after = store.verify().manifest.info["seed"]
        assert after in (before, seed)
        outcomes.add(after == seed)
        connection = store.open_current()
        assert connection.execute("SELECT min(seed), max(seed) FROM core_a").fetchone() == (after, after)
        connection.close()
    done = store.publish(tables(100), {"seed": 100})
    assert done.is_new
    assert leftovers(tmp_path) == []
    assert store.verify().manifest.info["seed"] == 100
    assert len(store.list()) <= 3
    assert False in outcomes, "no kill came before the switch: the test did not test"


def test_kill_9_before_each_filesystem_operation(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.warehouse.kill_points", str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10, "fewer points than a publication has steps: the hook did not see them"
    assert leftovers(tmp_path) == []
    assert len(ReleaseStore(tmp_path, keep=2).list()) <= 2


def test_a_release_that_was_never_switched_to_is_adopted_or_dropped(tmp_path: Path) -> None:
    """Killed between the rename of the folder and that of the link."""
    store = ReleaseStore(tmp_path, keep=5)
    first = store.publish(tables(1)).release
    orphan = store.publish(tables(2)).release
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(first.id)
    assert [r.id for r in store.list()] == [first.id], "what was never current is not a release"

    adopted = store.publish(tables(2))
    assert adopted.is_new
    assert adopted.release.id == orphan.id

    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(first.id)
    done = store.publish(tables(3))
    assert orphan.id in done.swept
    assert [r.id for r in store.list()] == [first.id, done.release.id]


def test_publishers_at_once_take_turns(tmp_path: Path) -> None:
    crowd = [publisher(tmp_path, seed) for seed in range(1, 5)]
    errors = [process.communicate(timeout=300)[1] for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 4, errors
    store = ReleaseStore(tmp_path, keep=3)
    assert len(store.list()) == 3
    store.verify()
    assert leftovers(tmp_path) == []


def test_a_publisher_that_waits_too_long_names_the_other(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, os, fcntl\nd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
            "fcntl.flock(d, fcntl.LOCK_EX)\nos.pwrite(d, str(os.getpid()).encode(), 0)\n"
            "print('held', flush=True)\nsys.stdin.read()",
            str(tmp_path / ".lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(ReleaseError, match=f"process {holder.pid} has been publishing"):
            ReleaseStore(tmp_path, lock_timeout_s=0.2).publish(tables(1))
    finally:
        holder.stdin.close()
        assert holder.wait(60) == 0
    assert ReleaseStore(tmp_path).publish(tables(1)).is_new


def _wait_for_building(folder: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not any(p.name.startswith(".building-") for p in folder.iterdir()):
        time.sleep(0.005)
