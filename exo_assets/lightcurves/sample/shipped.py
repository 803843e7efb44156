"""The light curves that ship with the package.

Belongs here: which they are, and their bytes. Does not belong here: how they were made (`build_sample.py`), or when
they are used (`exo_resources.mast`).
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from exo_assets.lightcurves.mast_names import MastFile

FOLDER = Path(__file__).resolve().parent
INDEX = FOLDER / "index.yaml"


@dataclass(frozen=True)
class ShippedFile:
    """A light curve of the package: `sha256` and `size_bytes` are those of its bytes unpacked."""

    file: MastFile
    path: Path
    origin: str
    sha256: str
    size_bytes: int

    def data(self) -> bytes:
        """The bytes as they go into the lake."""
        data = self.path.read_bytes()
        return gzip.decompress(data) if self.path.suffix == ".gz" else data


@cache
def shipped_files() -> tuple[ShippedFile, ...]:
    """All light curves of the package."""
    index = yaml.safe_load(INDEX.read_text(encoding="utf-8"))
    return tuple(
        ShippedFile(
            file=MastFile(row["name"], row["mission"], row["star_id"], row["segment"], row["cadence_s"]),
            path=FOLDER / row["file"],
            origin=f"PyPI {row['source']['package'].replace('==', ' ')}, {row['source']['member']}",
            sha256=row["sha256"],
            size_bytes=row["size_bytes"],
        )
        for row in index["files"]
    )
