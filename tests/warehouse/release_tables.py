"""Small tables for releases, and a publisher that is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from exo_resources.releases import ReleaseStore, ReleaseTable
from exo_resources.settings import CHECKOUT

PUBLISHER = """
import sys
from tests.warehouse.release_tables import publish
publish(sys.argv[1], *map(int, sys.argv[2:]))
"""


def table(name: str, seed: int, rows: int = 2_000) -> ReleaseTable:
    """A table of numbers, texts and lists of structs that depends on `seed` only."""

    def load() -> object:
        values = np.random.default_rng(seed).normal(size=rows)
        frame = pl.DataFrame({"id": range(rows), "seed": [seed] * rows, "value": values}).with_columns(
            name=pl.format("K{}", "id"),
            reasons=pl.concat_list(pl.struct(feature=pl.lit("depth"), value="value")),
        )
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest())

    return ReleaseTable(name, f"digest-{name}-{seed}", rows, load, f"Table '{name}'", {"value": "A value [ppm]"})


def tables(seed: int, rows: int = 2_000) -> list[ReleaseTable]:
    return [table("core_a", seed, rows), table("mart_b", seed + 1, rows)]


def publish(folder: str, seed: int, rows: int = 2_000, keep: int = 3) -> None:
    ReleaseStore(folder, keep).publish(tables(seed, rows), {"seed": seed})


def publisher(folder: Path, seed: int, rows: int = 2_000) -> subprocess.Popen[str]:
    """Publish from another process."""
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(folder), str(seed), str(rows)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leftovers(folder: Path) -> list[str]:
    """Temporary names below a store's folder."""
    return sorted(p.name for p in folder.iterdir() if p.name.startswith((".building-", ".trash-", ".current-")))
