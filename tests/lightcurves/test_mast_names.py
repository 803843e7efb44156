"""The archive's names: what they say, where the files lie, and which of several is used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.lightcurves.mast_names import (
    CAMPAIGNS,
    QUARTERS,
    MastFile,
    archive_path,
    k2_name,
    mission_of,
    padded,
    parse_name,
    preferred,
    star_in,
    star_of,
)

FAST = "tess2020186164531-s0027-0000000149603524-0189-a_fast-lc.fits"
TWO_MINUTES = "tess2020186164531-s0027-0000000149603524-0189-s_lc.fits"
KNOWN = {
    "kplr011442793-2009166043257_llc.fits": (
        MastFile("kplr011442793-2009166043257_llc.fits", "kepler", "KIC 11442793", 1, 1800),
        "missions/kepler/lightcurves/0114/011442793/",
    ),
    "kplr011904151-2010009091648_llc.fits": (
        MastFile("kplr011904151-2010009091648_llc.fits", "kepler", "KIC 11904151", 4, 1800),
        "missions/kepler/lightcurves/0119/011904151/",
    ),
    "ktwo211117077-c04_llc.fits": (
        MastFile("ktwo211117077-c04_llc.fits", "k2", "EPIC 211117077", 4, 1800),
        "missions/k2/lightcurves/c4/211100000/17000/",
    ),
    "ktwo201569901-c102_llc.fits": (
        MastFile("ktwo201569901-c102_llc.fits", "k2", "EPIC 201569901", 102, 1800),
        "missions/k2/lightcurves/c102/201500000/69000/",
    ),
    "tess2018206045859-s0001-0000000149603524-0120-s_lc.fits": (
        MastFile("tess2018206045859-s0001-0000000149603524-0120-s_lc.fits", "tess", "TIC 149603524", 1, 120),
        "missions/tess/tid/s0001/0000/0001/4960/3524/",
    ),
    FAST: (MastFile(FAST, "tess", "TIC 149603524", 27, 20), "missions/tess/tid/s0027/0000/0001/4960/3524/"),
}
"""Names and folders that are published."""


@pytest.mark.parametrize("name", KNOWN)
def test_published_names_and_folders(name: str) -> None:
    file, folder = KNOWN[name]
    assert parse_name(name) == file
    assert archive_path(file) == folder + name


@pytest.mark.parametrize(
    "name",
    [
        "kplr011446443-2009131110544_slc.fits",  # short cadence
        "kplr011442793-2009166043258_llc.fits",  # no quarter's time stamp
        "ktwo211117077-c20_llc.fits",
        "ktwo211117077-c10_llc.fits.gz",
        "ktwo210994964-c04_lpd-targ.fits",
        "tess2018206045859-s0001-s0001-0000000149603524-00106_dvt.fits",
        "tess2018206045859-s0001-0000000149603524-0120-s_tp.fits",
        "hlsp_tess-data-alerts_tess_phot_00160148385-s02_tess_v1_lc.fits",
        "../kplr011442793-2009166043257_llc.fits",
        "kplr011442793-2009166043257_llc.fits\n",
        "",
    ],
)
def test_other_names_are_no_light_curves(name: str) -> None:
    assert parse_name(name) is None


@given(st.integers(1, 10**9 - 1), st.sampled_from(sorted(CAMPAIGNS)), st.sampled_from(sorted(QUARTERS)))
def test_names_say_what_they_were_made_of(star: int, campaign: int, stamp: str) -> None:
    k2 = parse_name(k2_name(f"EPIC {star}", campaign))
    assert k2 is not None and (k2.star_id, k2.segment) == (f"EPIC {star}", campaign)
    kepler = parse_name(f"kplr{star:09d}-{stamp}_llc.fits")
    assert kepler is not None and (kepler.star_id, kepler.segment) == (f"KIC {star}", QUARTERS[stamp])
    for file in (k2, kepler):
        assert archive_path(file).endswith(f"/{file.name}") and ".." not in archive_path(file)


@given(st.text(max_size=40) | st.from_regex(r"(kplr|ktwo|tess)[\d\-a-z_.]{10,50}\.fits", fullmatch=True))
def test_what_is_parsed_can_be_found(name: str) -> None:
    file = parse_name(name)
    if file is not None:
        assert archive_path(file).endswith(f"/{name}")
    assert file is None or mission_of(file.star_id) == file.mission


def test_a_file_that_is_not_the_archives_has_no_place_there() -> None:
    with pytest.raises(ValueError, match="no light-curve file"):
        archive_path(MastFile("epic201367065-c01.parquet", "k2", "EPIC 201367065", 1, 1800))


@pytest.mark.parametrize("star", ["KIC 0", "KIC 007", "KIC 1234567890", "TIC", "HD 209458", "EPIC 1 2", "kic 7"])
def test_what_is_no_star_is_refused(star: str) -> None:
    with pytest.raises(ValueError, match="no star"):
        padded(star)


def test_stars_are_found_in_file_names() -> None:
    assert star_in("EPIC201367065_detrended.csv") == "EPIC 201367065"
    assert star_in("my_tic-0149603524-s01.parquet") == "TIC 149603524"
    assert star_in("arctic12.csv") is None and star_in("toi237.csv") is None
    assert star_of(" kic 011442793 ") == "KIC 11442793"
    assert star_of("KIC 11442793 b") is None


def test_two_minutes_come_before_twenty_seconds_and_missions_before_tables() -> None:
    fast, slow = parse_name(FAST), parse_name(TWO_MINUTES)
    other = parse_name(FAST.replace("s0027", "s0028"))
    table = MastFile("epic201367065-c01.parquet", "k2", "EPIC 201367065", 1, 1800)
    fits = parse_name("ktwo201367065-c01_llc.fits")
    halves = [parse_name(f"kplr011904151-{stamp}_llc.fits") for stamp in ("2010009091648", "2010078095331")]
    assert fast and slow and other and fits and all(halves)
    assert preferred([fast, slow, other]) == [slow, other]
    assert preferred([table]) == [table] and preferred([table, fits]) == [fits]
    assert preferred(h for h in halves if h) == halves, "quarter 4 has two files of one cadence: both are used"


@pytest.mark.parametrize(
    "name",
    [
        "kplr000000000-2009166043257_llc.fits",
        "tess2018206045859-s0001-0000000000000000-0120-s_lc.fits",
        "kplr\u0660\u0661\u0661\u0664\u0664\u0662\u0667\u0669\u0663-2009166043257_llc.fits",
    ],
)
def test_names_of_no_star_are_none_of_the_archives(name: str) -> None:
    assert parse_name(name) is None
