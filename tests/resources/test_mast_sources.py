"""Which light curves there are: MAST's folders and API, mirrors, the package; and what an outage does."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exo_assets.lightcurves.mast_names import archive_path, k2_name, parse_name
from exo_assets.lightcurves.records import records_frame, records_of
from exo_assets.lightcurves.sample.shipped import shipped_files
from exo_assets.lightcurves.stored import read_curve
from exo_resources.archive import errors
from exo_resources.mast import LightCurveSource, Listing
from exo_resources.mast.index_page import listed
from exo_resources.mast.live import ROWS_PER_PAGE, STARS_PER_QUESTION
from exo_resources.settings import Settings
from tests.resources.mast_files import at_archive, contents, kepler_name
from tests.resources.mast_server import MastServer
from tests.s3_server import s3_bucket

KEPLER = [kepler_name(11442793, quarter) for quarter in (1, 2, 3)]
TWO_MINUTES = "tess2020186164531-s0027-0000000149603524-0189-s_lc.fits"
FAST = "tess2020186164531-s0027-0000000149603524-0189-a_fast-lc.fits"
FAST_ONLY = "tess2020212050318-s0028-0000000149603524-0190-a_fast-lc.fits"
TESS = [TWO_MINUTES, FAST, FAST_ONLY]
K2 = ["ktwo201367065-c01_llc.fits", "ktwo201569901-c101_llc.fits", "ktwo201569901-c102_llc.fits"]
NOISE = {"manifest.csv": b"a,b\n", "hlsp_qlp_tess_s01.fits": b"x", "foo.fits": b"x", "kplr011446443_slc.fits": b"x"}
MakeSource = Callable[..., LightCurveSource]


def _observation(name: str, **other: Any) -> dict[str, Any]:
    file = parse_name(name)
    assert file is not None
    number = int(file.star_id.partition(" ")[2])
    row = {
        "dataproduct_type": "timeseries",
        "obs_id": name.rpartition("_")[0],
        "dataURL": f"mast:TESS/product/{name}",
        "obs_collection": {"k2": "K2", "tess": "TESS"}[file.mission],
        "target_name": f"ktwo{number:09d}" if file.mission == "k2" else str(number),
        "provenance_name": {"k2": "K2", "tess": "SPOC"}[file.mission],
    }
    return row | other


def _rows() -> list[dict[str, Any]]:
    """Observations in the API's form, with some that are no light curves of ours."""
    tess = [_observation(name) for name in TESS]
    return [
        *tess,
        _observation(TWO_MINUTES, dataURL="mast:TESS/product/tess-s0001-s0013-0000000149603524-00212_dvt.fits"),
        _observation(TWO_MINUTES, provenance_name="QLP", dataURL=f"mast:HLSP/qlp/{TWO_MINUTES}"),
        _observation(TWO_MINUTES, dataURL=None, obs_id="tess-none"),
        _observation(K2[0], dataURL=f"mast:K2/url/missions/k2/lightcurves/c1/x/{K2[0]}", obs_id="ktwo201367065-c01_lc"),
        _observation(K2[0], dataURL=None, obs_id="ktwo201367065-c01_sc"),
        _observation(K2[1], dataURL="mast:K2/url/missions/k2/x_lpd-targ.fits.gz", obs_id="ktwo201569901-c10_lc"),
    ]


@pytest.fixture
def server() -> Iterator[MastServer]:
    with MastServer(at_archive(*KEPLER, *TESS, *K2), _rows()) as running:
        folder = archive_path(parse_name(KEPLER[0])).rpartition("/")[0]  # type: ignore[arg-type]
        running.files[f"{folder}/kplr011442793-2009131110544_slc.fits"] = b"short cadence"
        yield running


@pytest.fixture
def source(tmp_path: Path, server: MastServer) -> MakeSource:
    def make(mode: str = "live", **settings: object) -> LightCurveSource:
        values = {"mast_url": server.url, "mast_api_url": server.url, "archive_attempts": 2, "archive_timeout_s": 30}
        return LightCurveSource(Settings(home=tmp_path / "home", archive=mode, **values | settings))  # type: ignore[arg-type]

    return make


@pytest.fixture
def dead() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


def names(listing: Listing) -> list[str]:
    return [one.file.name for one in listing]


def fetched(source: LightCurveSource, listing: Listing) -> pl.DataFrame:
    return records_frame(source.fetch(listing, {}))


# -- MAST ------------------------------------------------------------------------------------------------------


def test_a_kepler_stars_folder_is_listed(source: MakeSource, server: MastServer) -> None:
    one = source()
    listing = one.available("kepler", ["KIC 11442793", "KIC 1"])
    assert names(listing) == KEPLER and listing.source == "live" and not listing.missed and not listing.attempts
    assert listing[0].url == f"{server.url}/missions/kepler/lightcurves/0114/011442793/{KEPLER[0]}"
    assert set(fetched(one, listing)["status"]) == {"kept"}
    assert server.asked["missions/kepler/lightcurves/0000/000000001/"] == 1, "404: no light curves, no retries"


def test_the_api_is_asked_for_tess(source: MakeSource, server: MastServer) -> None:
    one = source()
    listing = one.available("tess", ["TIC 149603524", "TIC 7"])
    assert names(listing) == [TWO_MINUTES, FAST_ONLY], "20 seconds only where there are no two minutes"
    assert listing[0].url.endswith(f"missions/tess/tid/s0027/0000/0001/4960/3524/{TWO_MINUTES}")
    assert set(fetched(one, listing)["status"]) == {"kept"}
    (question,) = server.questions
    asked = {f["paramName"]: f["values"] for f in question["params"]["filters"]}
    assert question["service"] == "Mast.Caom.Filtered" and question["format"] == "json"
    assert asked["provenance_name"] == ["SPOC"] and asked["target_name"] == ["149603524", "7"]


def test_the_api_is_asked_for_k2_and_split_campaigns_are_both_found(source: MakeSource, server: MastServer) -> None:
    one = source()
    listing = one.available("k2", ["EPIC 201367065", "EPIC 201569901"])
    assert names(listing) == K2 and set(fetched(one, listing)["status"]) == {"kept"}
    del server.files[archive_path(parse_name(K2[1]))]  # type: ignore[arg-type]
    assert names(one.available("k2", ["EPIC 201569901"])) == K2[2:]


def test_all_pages_are_read_and_stars_asked_in_lots(source: MakeSource, server: MastServer) -> None:
    stars = [f"EPIC {210_000_000 + i}" for i in range(STARS_PER_QUESTION + 50)]
    server.rows = [
        _observation(k2_name(star, campaign), dataURL=f"mast:K2/url/{k2_name(star, campaign)}", obs_id="x")
        for star in stars
        for campaign in (1, 5, 13)
    ]
    server.page_rows = 110
    listing = source().available("k2", stars)
    assert len(listing) == 450 and len({one.file.name for one in listing}) == 450
    pages = sorted((len(q["params"]["filters"][2]["values"]), q["page"]) for q in server.questions)
    assert pages == [(50, 1), (50, 2), (100, 1), (100, 2), (100, 3)]
    assert {q["pagesize"] for q in server.questions} == {ROWS_PER_PAGE}


def test_a_busy_service_is_asked_again(source: MakeSource, server: MastServer) -> None:
    server.fault("invoke", "EXECUTING")
    assert len(source().available("tess", ["TIC 149603524"])) == 2
    assert len(server.questions) == 2


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("ERROR", errors.ArchiveQueryError, "Invalid column"),
        ("page", errors.ArchiveMalformedError, "DOCTYPE"),
        ("503", errors.ArchiveStatusError, "503"),
        ("404", errors.ArchiveStatusError, "EXO_MAST_API_URL"),
    ],
)
def test_a_service_that_fails_is_named(
    source: MakeSource, server: MastServer, fault: str, error: type[errors.ArchiveError], says: str
) -> None:
    server.fault("invoke", always=fault)
    with pytest.raises(error, match=says):
        source().available("tess", ["TIC 149603524"])


def test_a_star_that_cannot_be_asked_for_does_not_keep_the_others(source: MakeSource, server: MastServer) -> None:
    one = source()
    kept = records_of(fetched(one, one.available("kepler", ["KIC 11442793"])))
    server.fault("missions/kepler/lightcurves/0114/011442793/", always="503")
    listing = one.available("kepler", [f"KIC {star}" for star in (1, 2, 11442793)])
    assert list(listing.missed) == ["KIC 11442793"] and "503" in listing.missed["KIC 11442793"]
    assert names(listing) == KEPLER and {f.source for f in listing} == {"last_good"}, "what the lake has stays"
    server.asked.clear()
    assert records_of(records_frame(one.fetch(listing, kept))) == kept and not server.asked


def test_mast_lists_named_stars_only(source: MakeSource) -> None:
    with pytest.raises(errors.ArchiveSettingError, match="named stars only"):
        source().available("kepler", None)


@pytest.mark.parametrize(
    ("mission", "stars", "says"),
    [
        ("jwst", None, "no such mission"),
        ("kepler", ["TIC 7"], "no star of kepler"),
        ("kepler", ["Kepler-90"], "no star of KIC"),
    ],
)
def test_what_is_no_star_of_the_mission_is_refused(source: MakeSource, mission: str, stars: Any, says: str) -> None:
    with pytest.raises(errors.ArchiveSettingError, match=says):
        source("snapshot").available(mission, stars)


# -- mirrors ---------------------------------------------------------------------------------------------------


def _flat(folder: Path) -> Path:
    (folder / "mast").mkdir(parents=True)
    for name in (*KEPLER, *TESS, *K2):
        (folder / "mast" / name).write_bytes(contents(name))
    for name, data in NOISE.items():
        (folder / "mast" / name).write_bytes(data)
    return folder


def _deep(folder: Path) -> Path:
    for path, data in at_archive(*KEPLER, *TESS, *K2).items():
        (folder / "mast" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mast" / path).write_bytes(data)
    for name, data in NOISE.items():
        (folder / "mast" / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a mirror in a bucket on a real S3 server on this machine."""
    with s3_bucket("nasa") as (client, query):
        folder = _deep(tmp_path_factory.mktemp("bucket"))
        for path in folder.rglob("*"):
            if path.is_file():
                client.upload_file(str(path), "nasa", f"mirror/{path.relative_to(folder)}")
        yield f"s3://nasa/mirror?{query}"


@pytest.fixture(params=["flat", "deep", "file_url", "s3", "apache", "nginx", "python"])
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A mirror's setting, and what its files' addresses begin with."""
    folder = tmp_path / "nasa"
    if request.param == "flat":
        yield f"{_flat(folder)}/", f"{folder}/mast/"
    elif request.param == "deep":
        yield str(_deep(folder)), f"{folder}/mast/missions/"
    elif request.param == "file_url":
        yield f"file://{_flat(folder)}", f"file://{folder}/mast/"
    elif request.param == "s3":
        yield request.getfixturevalue("bucket"), "s3://nasa/mirror/mast/missions/"
    else:
        files = {f"m/mast/{p.name}": p.read_bytes() for p in (_flat(folder) / "mast").iterdir()}
        with MastServer(files) as web:
            web.style = request.param
            yield f"{web.url}/m", f"{web.url}/m/mast/"


def test_a_mirror_of_any_kind(source: MakeSource, mirror: tuple[str, str]) -> None:
    one = source("mirror", archive_mirror=mirror[0])
    for mission, expected in (("kepler", KEPLER), ("tess", [TWO_MINUTES, FAST_ONLY]), ("k2", K2)):
        listing = one.available(mission, None)
        assert names(listing) == expected and listing.source == "mirror" and listing.ignored == len(NOISE)
        assert all(f.url.startswith(mirror[1]) for f in listing)
        assert [f.file.name for f in listing.passed_over] == ([FAST] if mission == "tess" else [])
        frame = fetched(one, listing)
        assert set(frame["status"]) == {"kept"} and frame["file_name"].to_list() == expected
        assert all(one.lake.get(row["key"]) == contents(row["file_name"]) for row in frame.iter_rows(named=True))
        again = records_frame(one.fetch(one.available(mission, None), records_of(frame)))
        assert again.equals(frame)
    assert names(one.available("k2", ["EPIC 201569901", "EPIC 5"])) == K2[1:]


def test_a_changed_file_of_a_mirror_is_fetched_again(source: MakeSource, tmp_path: Path) -> None:
    place = _flat(tmp_path / "nasa") / "mast" / KEPLER[0]
    one = source("mirror", archive_mirror=str(tmp_path / "nasa"))
    first = fetched(one, one.available("kepler", None))
    os.utime(place, ns=(1, 1))
    again = records_frame(one.fetch(one.available("kepler", None), records_of(first)))
    changed = [
        n for n, a, b in zip(first["file_name"], first["fingerprint"], again["fingerprint"], strict=True) if a != b
    ]
    assert changed == [KEPLER[0]] and set(again["status"]) == {"kept"}


def test_a_bad_file_of_a_mirror_is_quarantined_once(source: MakeSource, tmp_path: Path) -> None:
    place = _flat(tmp_path / "nasa") / "mast" / KEPLER[0]
    place.write_bytes(contents(KEPLER[0])[:5000])
    one = source("mirror", archive_mirror=str(tmp_path / "nasa"))
    first = fetched(one, one.available("kepler", None))
    assert first["reason"].to_list() == ["truncated", None, None]
    refused = Path(one.lake.path(first["key"][0]))
    refused.unlink()
    assert records_frame(one.fetch(one.available("kepler", None), records_of(first))).equals(first)
    assert not refused.exists(), "it was not read again"
    place.write_bytes(contents(KEPLER[0]))
    assert set(records_frame(one.fetch(one.available("kepler", None), records_of(first)))["status"]) == {"kept"}


def test_a_mirror_without_light_curves_is_no_error(source: MakeSource, tmp_path: Path, server: MastServer) -> None:
    (tmp_path / "tap").mkdir()
    for place in (str(tmp_path), server.url):
        listing = source("mirror", archive_mirror=place).available("kepler", None)
        assert names(listing) == [] and listing.attempts[0].error == "ArchiveTableAbsentError"
        assert "holds no folder mast/" in listing.attempts[0].message


def test_a_mirror_that_is_not_set_or_down_is_an_error(source: MakeSource, dead: str) -> None:
    with pytest.raises(errors.ArchiveMirrorError, match="EXO_ARCHIVE_MIRROR is not set"):
        source("mirror").available("kepler", None)
    with pytest.raises(errors.ArchiveUnreachableError):
        source("mirror", archive_mirror=dead).available("kepler", None)


@pytest.mark.archive
def test_every_file_of_the_real_mirror_with_an_archives_name_is_kept(source: MakeSource, archive_mirror: Path) -> None:
    present = {p.name for p in (archive_mirror / "mast").iterdir() if parse_name(p.name)}
    one = source("mirror", archive_mirror=str(archive_mirror))
    kept: set[str] = set()
    for mission in ("kepler", "k2", "tess"):
        frame = fetched(one, one.available(mission, None))
        assert set(frame["status"]) == {"kept"}
        kept |= set(frame["file_name"])
        for row in frame.head(2).iter_rows(named=True):
            curve = read_curve(one.lake.get(row["key"]), row["file_name"], row["star_id"])
            assert (curve.mission, set(curve.segment)) == (mission, {row["segment"]})
    assert kept == present and len(kept) > 15


# -- the package, and the order of sources ---------------------------------------------------------------------


def test_the_package_goes_the_same_way_into_the_lake(source: MakeSource) -> None:
    one = source("snapshot")
    found = [f for mission in ("kepler", "k2", "tess") for f in one.available(mission, None)]
    frame = records_frame(one.fetch(found, {}))
    assert frame.height == len(shipped_files()) == 7
    assert set(frame.select("source", "status").iter_rows()) == {("snapshot", "kept")}
    assert frame["url"].str.starts_with("PyPI ").all()
    for row in frame.iter_rows(named=True):
        assert row["fingerprint"] == row["sha256"]
        assert len(read_curve(one.lake.get(row["key"]), row["file_name"], row["star_id"])) > 3000
    assert records_frame(one.fetch(found, records_of(frame))).equals(frame)
    assert names(one.available("k2", ["EPIC 201367065"])) == ["epic201367065-c01.parquet"]


def test_auto_asks_mast_then_the_mirror_then_what_is_there(
    source: MakeSource, server: MastServer, dead: str, tmp_path: Path
) -> None:
    star = ["KIC 11442793"]
    assert source("auto").available("kepler", star).source == "live"
    off = {"mast_url": dead, "mast_api_url": dead}
    nasa = str(_flat(tmp_path / "nasa"))
    with_mirror = source("auto", archive_mirror=nasa, **off)
    listing = with_mirror.available("kepler", star)
    assert (listing.source, [a.source for a in listing.attempts]) == ("mirror", ["live"]) and names(listing) == KEPLER
    kept = records_of(fetched(with_mirror, listing))
    alone = source("auto", **off)
    listing = alone.available("kepler", [*star, "KIC 10002792"])
    shipped = [one.file.name for one in shipped_files() if one.file.mission == "kepler"]
    assert listing.source == "last_good" and names(listing) == sorted([*KEPLER, *shipped])
    assert [a.error for a in listing.attempts] == ["ArchiveUnreachableError"]
    records = records_of(records_frame(alone.fetch(listing, kept)))
    assert {name: records[name] for name in KEPLER} == kept and records[shipped[0]].source == "snapshot"
    assert names(source("live", **off).available("kepler", star)) == KEPLER
    with pytest.raises(errors.ArchiveUnreachableError, match="EXO_MAST_URL"):
        source("live", **off).available("kepler", ["KIC 1"])


def test_auto_without_names_and_mirror_is_what_there_is(source: MakeSource) -> None:
    listing = source("auto").available("tess", None)
    assert [a.error for a in listing.attempts] == ["ArchiveSettingError"]
    assert {f.source for f in listing} == {"snapshot"}


def test_what_mast_gave_is_not_asked_of_a_mirror_again(source: MakeSource, tmp_path: Path) -> None:
    one = source("live")
    kept = records_of(fetched(one, one.available("kepler", ["KIC 11442793"])))
    other = source("mirror", archive_mirror=str(_flat(tmp_path / "nasa")))
    assert records_of(records_frame(other.fetch(other.available("kepler", None), kept))) == kept


def test_pages_of_folders_are_read_whatever_writes_them() -> None:
    page = b"""<pre><a href="?C=M;O=A">Last modified</a> <A HREF='../'>Parent</A>
    <img src="x.gif"> <a href="a%20b.fits">a b.fits</a>   2014-01-01 10:00  456K
    <a class="x" href=/pub/c.fits>c.fits</a></td><td>1 &lt; 2</td></tr>
    <a href="https://elsewhere.example/d.fits#top">d</a></pre>"""
    assert listed(page) == {"a b.fits": "2014-01-01 10:00 456K", "c.fits": "1 < 2", "d.fits": ""}
    assert listed(b"\xff<html>no links</html>") == {}
