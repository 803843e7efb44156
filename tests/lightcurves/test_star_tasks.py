"""One star's files to its row: all of them used or named, photons counted once."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
from layouts import noisy, planet, spoc

from exo_assets.lightcurves.account import unused_files
from exo_assets.lightcurves.file_error import LightCurveFileError
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES
from exo_assets.lightcurves.star_tasks import CleanWork, File, clean_star, star_curves
from exo_assets.lightcurves.told import Told
from exo_assets.lightcurves.user_file import any_curve
from exo_resources.lake import Lake
from exo_resources.user_curves import import_curve, user_files

STAR = "KIC 999043"
BKJD = {"BJDREFI": 2_454_833, "BJDREFF": 0.0}


class Kept(dict[str, bytes]):
    """Files by key, as a lake has them."""

    def get(self, key: str, default: object = None) -> bytes:  # type: ignore[override]
        return self[key]

    def files(self) -> tuple[File, ...]:
        return tuple((key, key, hashlib.sha256(data).hexdigest()) for key, data in self.items())


def month(start: float, step_s: float = 58.85, days: float = 29.5, noise: float = 6.6e-4) -> bytes:
    """Kepler's light curve of a part of quarter 6, times in BKJD."""
    time = np.arange(start, start + days, step_s / 86_400)
    flux = 3e4 * noisy(planet(time, 6.2, 542.0, 600e-6), noise, int(start))
    return spoc(time, flux, first={"TELESCOP": "Kepler", "OBJECT": STAR, "QUARTER": 6}, header=BKJD)


def test_a_quarter_in_months_is_used_whole_when_it_is_imported(lake: Lake) -> None:
    imported = [import_curve(lake, month(540.0 + 30 * m), f"slc{m}.fits") for m in range(3)]
    files = user_files(lake)
    assert files["segment"].to_list() == [6, 6, 6]
    used, unused = star_curves(lake, STAR, tuple(files.select("key", "file_name", "sha256").iter_rows()))
    assert sum(map(len, used)) == sum(len(one.curve) for one in imported) == 3 * 43_311 and unused == []


def test_the_row_of_a_star_has_its_unused_files_and_so_has_the_account() -> None:
    kept = Kept(llc=month(540, 1765.5, 90, 1.2e-4), slc=month(541), damaged=month(650)[:-2880])
    row = clean_star(kept, CleanWork(STAR, kept.files(), ()))
    CORE_LIGHT_CURVES.check(row)
    assert row["n_files"].item() == 1 and row["n_points"].item() > 4300
    lost = unused_files("core_light_curves", row.select("star_id", "unused_files"))
    assert dict(lost.select("file_name", "reason").iter_rows()) == {
        "slc": "unused: other_product",
        "damaged": "unused: truncated",
    }
    assert lost["bucket"].to_list() == ["kepler-03"] * 2 and "Kepler long cadence (llc)" in lost["message"][0]
    alone = clean_star(kept, CleanWork(STAR, kept.files()[:1], ()))
    assert alone["flux"].item().to_list() == row["flux"].item().to_list(), "no photon of the short cadence is in it"
    assert unused_files("core_light_curves", alone.select("star_id", "unused_files")).is_empty()


def test_the_command_and_the_night_choose_the_same() -> None:
    from exo_assets.lightcurves.joining import joinable

    kept = Kept(slc=month(541), llc=month(540, 1765.5, 60, 1.2e-4), late=month(601))
    by_night, unused = star_curves(kept, STAR, kept.files())
    by_hand, left = joinable([any_curve(data, key) for key, data in kept.items()])
    assert [c.origin.file for c in by_night] == [c.origin.file for c in by_hand] == ["llc", "late"]
    assert unused == left and [one.file for one in left] == ["slc"]


def test_two_tables_of_one_star_are_both_used(lake: Lake) -> None:
    for sector in (1, 2):
        time = 2_458_354.1 + 27.3 * (sector - 1) + np.arange(0, 27, 1 / 720)
        text = pl.DataFrame({"time": time, "flux": noisy(np.ones(time.size), 6e-4, sector)}).write_csv()
        import_curve(lake, text.encode(), f"star_s{sector}.csv", Told("TIC 999044"))
    files = tuple(user_files(lake).select("key", "file_name", "sha256").iter_rows())
    used, unused = star_curves(lake, "TIC 999044", files)
    assert len(used) == 2 and unused == []
    row = clean_star(lake, CleanWork("TIC 999044", files, ()))
    assert row["n_files"].item() == 2 and row["n_segments"].item() == 2 and row["span_days"].item() > 54


def test_a_star_of_which_no_file_counts_says_why() -> None:
    kept = Kept(a=month(540)[:-2880], b=month(570)[:-2880])
    with pytest.raises(LightCurveFileError, match="no file of 2 counts: a: has") as caught:
        star_curves(kept, STAR, kept.files())
    assert caught.value.reason == "truncated"
