"""Users' light curves in the lake: kept once, read back, listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.stored import read_curve
from exo_assets.lightcurves.told import Told
from exo_resources.lake import Lake
from exo_resources.user_curves import Imported, import_curve, import_stars, user_files
from tests.lightcurves.many_stars import FLUX, packed, rows
from tests.lightcurves.test_fits_file import a_file

CSV = b"time,flux,quality\n" + b"".join(b"%.6f,%.3f,8\n" % (56810 + i / 48, 1 + i / 1e4) for i in range(50))
TOLD = Told("EPIC 201367065", time_zero_bjd=2_400_000)


def test_a_curve_is_kept_once_and_read_back(lake: Lake) -> None:
    first = import_curve(lake, CSV, "mine.csv", TOLD)
    assert first.is_new and first.key.startswith("raw/user/EPIC201367065/") and len(lake.keys("raw")) == 1
    before = lake.get(first.key)
    again = import_curve(lake, CSV.replace(b"time", b"TIME "), "other name.csv", TOLD)
    assert (again.key, again.is_new) == (first.key, False) and lake.get(first.key) == before
    curve = read_curve(before, first.key, "EPIC 201367065")
    assert (curve.mission, curve.flux_kind, len(curve)) == ("k2", "flux", 50)
    np.testing.assert_array_equal(curve.flux, first.curve.flux)
    assert set(curve.quality) == {8} and np.isnan(curve.flux_err).all()
    assert import_curve(lake, CSV, "mine.csv", Told("EPIC 7", time_zero_bjd=2_400_000)).is_new


def test_a_refused_file_leaves_nothing(lake: Lake) -> None:
    with pytest.raises(LightCurveFileError, match=r"mine\.csv.*--target"):
        import_curve(lake, CSV, "mine.csv")
    assert lake.keys("") == []


def test_what_is_there_is_listed_in_the_tables_columns(lake: Lake) -> None:
    import_curve(lake, CSV, "dir/mine.csv", TOLD)
    import_curve(lake, a_file(), "q5.fits")
    import_curve(lake, CSV, "mine.csv", Told("TIC 9", time_zero_bjd=2_402_000, segment=12))
    rows = {row["star_id"]: row for row in user_files(lake).iter_rows(named=True)}
    assert {(row["source"], row["status"]) for row in rows.values()} == {("user", "kept")}
    told, fits, other = rows["EPIC 201367065"], rows["KIC 11442793"], rows["TIC 9"]
    assert (told["url"], told["mission"], told["segment"], told["cadence_s"]) == ("dir/mine.csv", "k2", None, 1800.0)
    assert (fits["segment"], fits["cadence_s"], other["segment"]) == (5, 1728.0, 12)
    assert read_curve(lake.get(fits["key"]), fits["file_name"], fits["star_id"]).column[0] == 12.5


def test_a_damaged_one_is_listed_as_such_and_can_be_imported_again(lake: Lake) -> None:
    first = import_curve(lake, CSV, "mine.csv", TOLD)
    Path(lake.path(first.key)).write_bytes(lake.get(first.key)[:-50])
    (row,) = user_files(lake).to_dicts()
    assert (row["status"], row["reason"], row["star_id"]) == ("quarantined", "damaged", "EPIC 201367065")
    assert first.key in row["message"]
    assert import_curve(lake, CSV, "mine.csv", TOLD).is_new
    assert user_files(lake)["status"].to_list() == ["kept"]


def test_many_stars_are_kept_each_as_its_own_and_once(lake: Lake) -> None:
    told = Told(time_zero_bjd=2_454_833, is_flat=True)
    data = packed(rows(7, 8, 9, flux=[FLUX, None, FLUX]))
    total, outcomes = import_stars(lake, data, "many.parquet", told)
    first, lost, third = outcomes
    assert total == 3 and isinstance(lost, LightCurveFileError) and "row 2 (KIC 8)" in str(lost)
    assert isinstance(first, Imported) and isinstance(third, Imported) and first.is_new and third.is_new
    assert [key.split("/")[2] for key in lake.keys("raw/user")] == ["KIC7", "KIC9"]
    table = user_files(lake)
    assert table["url"].to_list() == ["many.parquet, row 1 (KIC 7)", "many.parquet, row 3 (KIC 9)"]
    assert table["segment"].to_list() == [None, None] and set(table["status"]) == {"kept"}
    stored = read_curve(lake.get(first.key), first.key, "KIC 7")
    assert stored.flux_kind == "flux (flat)" and np.median(stored.flux) == pytest.approx(1, abs=1e-12)
    before = {key: lake.get(key) for key in lake.keys("raw")}
    again = list(import_stars(lake, data, "other.parquet", told)[1])
    assert [row.is_new for row in again if isinstance(row, Imported)] == [False, False]
    assert {key: lake.get(key) for key in lake.keys("raw")} == before
    (segmented,) = import_stars(lake, packed(rows(7, segment=[3])), "many.parquet", told)[1]
    assert isinstance(segmented, Imported) and segmented.is_new
    assert sorted(user_files(lake)["segment"].to_list(), key=str) == [3, None, None]


def test_a_lake_without_any_has_none(lake: Lake) -> None:
    assert user_files(lake).height == 0
