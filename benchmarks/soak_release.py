"""Kill the release writer at random points, hundreds of times: `make soak` or `python -m benchmarks.soak_release 300`.

Each victim publishes one release after another until SIGKILL finds it. After every kill the current release must
verify byte for byte and row for row, and hold one publication and not a mixture of two; an analyst who opened the
first release must still read it at the end; the last publication must leave nothing temporary behind.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from exo_resources.releases import ReleaseStore, ReleaseTable
from exo_resources.settings import CHECKOUT

KEEP = 3
ROWS = 1_000
KILLS = 300


def tables(seed: int) -> list[ReleaseTable]:
    """Three tables that all say which publication they belong to."""

    def load() -> pa.Table:
        return pa.table({"seed": pa.array([seed] * ROWS), "id": pa.array(range(ROWS)), "text": [f"K{seed}"] * ROWS})

    return [ReleaseTable(name, f"{name}-{seed}", ROWS, load, f"Seed {seed}") for name in ("core_a", "out_b", "mart_c")]


def victim(folder: str, first: int) -> None:
    """Publish until killed, or until the soak itself is gone."""
    parent = os.getppid()
    with tempfile.TemporaryDirectory() as elsewhere:
        ReleaseStore(elsewhere).publish(
            tables(0)
        )  # DuckDB's imports take seconds: have them over before the clock starts
    store = ReleaseStore(folder, KEEP)
    print("ready", flush=True)
    for seed in range(first, sys.maxsize):
        if os.getppid() != parent:
            return
        store.publish(tables(seed), {"seed": seed})


def soak(folder: Path, kills: int) -> Counter[str]:
    """Run the soak; AssertionError at the first kill that left anything wrong. Counts what the kills hit."""
    store = ReleaseStore(folder, KEEP)
    store.publish(tables(-1), {"seed": -1})  # imports, so that the next one measures a publication
    started = time.perf_counter()
    store.publish(tables(0), {"seed": 0})
    publication = time.perf_counter() - started
    analyst = store.open_current()
    moments, hit, top = random.Random(20090307), Counter[str](), 0
    for kill in range(1, kills + 1):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak_release", "--victim", str(folder), str(top + 1)],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the victim did not start"
        time.sleep(moments.uniform(0, 4 * publication))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"the victim ended by itself: {process.returncode}"
        release = store.verify()
        seed = release.manifest.info["seed"]
        assert seed >= top, f"kill {kill}: release {seed} is older than {top}"
        top = seed
        connection = store.open_current()
        for name in release.manifest.rows:
            found = connection.execute(f"SELECT min(seed), max(seed), count(*) FROM {name}").fetchone()
            assert found == (seed, seed, ROWS), f"kill {kill}: {name} holds {found}, not release {seed}"
        connection.close()
        left = {
            p.name.rsplit("-", 1)[0] for p in folder.iterdir() if p.name.startswith((".building", ".trash", ".cur"))
        }
        newer = [p.name for p in folder.iterdir() if p.name[0].isdigit() and p.name > release.id]
        hit.update(left or ({"between the two renames"} if newer else {"nothing half-done"}))
        if kill % 25 == 0:
            print(f"{kill} kills, {top} releases published, current verified each time; {dict(hit)}", flush=True)
    assert analyst.execute("SELECT min(seed), max(seed), count(*) FROM core_a").fetchone() == (0, 0, ROWS)
    analyst.close()
    store.publish(tables(top + 1), {"seed": top + 1})
    assert len(store.list()) <= KEEP
    names = sorted(p.name for p in folder.iterdir())
    assert not [n for n in names if n.startswith(".") and n != ".lock"], f"left behind: {names}"
    return hit


def main(kills: int = KILLS) -> None:
    """Soak in a folder of its own and say what the kills hit."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="exo-soak-") as folder:
        hit = soak(Path(folder), kills)
    print(f"{kills} kills in {time.perf_counter() - started:.0f} s, no release lost or broken; hit: {dict(hit)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--victim"]:
        victim(sys.argv[2], int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
