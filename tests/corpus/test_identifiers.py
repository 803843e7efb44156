from __future__ import annotations

import gzip
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus import star_names
from exo_assets.corpus.designators import designators, key, key_column
from exo_assets.corpus.identifiers import ALIAS_SCHEMA, aliases, mentions, numbered, resolve, synonyms

SIGNALS = pl.DataFrame(
    [
        ("K00351.01", "KIC 11442793", "Kepler-90 h", 11442793, None, None, "KIC 11442793"),
        ("K00351.02", "KIC 11442793", "Kepler-90 g", 11442793, None, None, "KIC 11442793"),
        ("K00351.07", "KIC 11442793", None, 11442793, None, None, "KIC 11442793"),
        ("K2-3 d", "K2-3", "K2-3 d", None, None, None, "K2-3"),
        ("EPIC 201324549.01", "EPIC 201324549", None, None, 201324549, None, "EPIC 201324549"),
        ("TOI-700.02", "TIC 150428135", None, None, None, 150428135, "TIC 150428135"),
        ("TOI-5146.01", "TIC 173103335", None, None, None, 173103335, "K2-3"),
        ("HATS-48 A b", "HATS-48 A", "HATS-48 A b", None, None, None, "HATS-48 A"),
        ("Wendelstein-1 b", "Wendelstein-1", "Wendelstein-1 b", None, None, None, "Wendelstein-1"),
    ],
    schema=["signal_id", "mission_star_id", "planet_name", "kic_id", "epic_id", "tic_id", "star_id"],
    orient="row",
)
STARS = (
    SIGNALS.group_by("star_id", maintain_order=True)
    .agg(pl.col("kic_id", "epic_id", "tic_id").drop_nulls().first())
    .with_columns(k2_host=pl.when(pl.col("star_id") == "K2-3").then(pl.lit("K2-3")))
)
IDENTITY = pl.DataFrame({"signal_id": ["TOI-700.02"], "star_id": ["TIC 150428135"], "planet_name": ["TOI-700 d"]})
TABLE = aliases(SIGNALS, STARS, IDENTITY)


def keys(text: str) -> list[str]:
    return [d.key for d in designators(text)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("KOI-351", "koi351"),
        ("K00351.01", "koi351.01"),
        ("KOI 351.01", "koi351.01"),
        ("koi-0351.01", "koi351.01"),
        ("Kepler-90 h", "kepler90h"),
        ("KEPLER 90 H", "kepler90h"),
        ("Kepler-90I", "kepler90i"),
        ("Kepler‑90h", "kepler90h"),
        ("KIC 011442793", "kic11442793"),
        ("EPIC 201367065", "epic201367065"),
        ("K2-3 d", "k2-3d"),
        ("K2–18b", "k2-18b"),
        ("TIC150428135", "tic150428135"),
        ("TOI-700 d", "toi700d"),
        ("TOI 700.01", "toi700.01"),
        ("55 Cnc e", "55cnce"),
        ("HAT-P-7b", "hatp7b"),
        ("BD+20 594 b", "bd20-594b"),
        ("L 98-59 d", "l98-59d"),
        ("Kepler-132 A b", "kepler132ab"),
        ("OGLE-2023-BLG-0548Lb", "ogle2023blg548lb"),
    ],
)
def test_a_designator_is_read_whole_wherever_it_stands(written: str, expected: str) -> None:
    for text in (written, f"({written})", f"We saw {written}, and more.", f"About {written}'s size: {written}."):
        assert set(keys(text)) == {expected}, text
    assert key(written) == expected


@pytest.mark.parametrize(
    "text",
    [
        "90", "K2", "Kepler", "in 2009", "Kepler 2009", "K2 campaign 5", "TIC 2019 release", "a 90 d period",
        "K12.3 mag",
        "Kepler 22 stars", "the TOI list of 2021", "KOI", "epic 2020", "1.5 K", "TOI-700.5", "G 2 V", "at 3000 K2",
    ],
)  # fmt: skip
def test_numbers_years_and_bare_mission_names_are_no_designators(text: str) -> None:
    assert [d for d in designators(text) if d.sure] == []
    assert resolve(text, TABLE) == []


def test_an_unsure_reading_counts_only_where_the_table_knows_it() -> None:
    assert resolve("seen by K2 3 d later", TABLE) == ["K2-3"]
    assert resolve("seen by K2 10 d later", TABLE) == []
    assert resolve("Table 3 and Figure 90 of Wendelstein-1", TABLE) == ["Wendelstein-1"]


def test_lists_of_planets_name_each_of_them() -> None:
    assert keys("Kepler-90 b, c, and h") == ["kepler90b", "kepler90c", "kepler90h"]
    assert sorted(keys("TOI-700 b-e")) == ["toi700b", "toi700c", "toi700d", "toi700e"]
    assert keys("the moon Kepler-1625b-i") == ["kepler1625"]
    assert keys("TOI-700 d and e.g. others") == ["toi700d"]


@pytest.mark.parametrize(
    "name",
    ["KOI-351", "Kepler-90 h", "K00351.01", "kepler 90", "KIC 11442793", "KOI-351.07", "Kepler-90 z", "KOI 351 b"],
)
def test_all_names_of_a_host_find_it(name: str) -> None:
    assert resolve(f"What is known of {name}?", TABLE) == ["KIC 11442793"]


def test_names_from_other_tables_and_missions_find_the_host() -> None:
    assert resolve("TOI-700 d, TOI 700.02 and TIC 150428135", TABLE) == ["TIC 150428135"]
    assert resolve("K2-3 d or TOI-5146", TABLE) == ["K2-3"]
    assert resolve("HATS-48 A b, HATS-48 A, HATS-48", TABLE) == ["HATS-48 A"]
    assert resolve("TOI-700 beside Kepler-90", TABLE) == ["TIC 150428135", "KIC 11442793"]
    assert resolve("EPIC 201367065", TABLE) == []  # no column of the catalogue carries it


def test_mentions_tell_row_place_and_signal() -> None:
    texts = ["nothing here", "KOI-351.01 is Kepler-90 h; Kepler-90 c is not."]
    found = mentions(texts, TABLE)
    assert found["row"].unique().to_list() == [1]
    assert [texts[1][s:e] for s, e in found.select("start", "end").rows()] == [
        "KOI-351.01",
        "Kepler-90 h",
        "Kepler-90 c",
    ]
    assert found["signal_id"].to_list() == ["K00351.01", "K00351.01", None]
    assert mentions(["nothing"], TABLE).is_empty()


def test_synonyms_are_of_the_same_signal_or_the_same_star() -> None:
    assert synonyms("koi351.01", TABLE) == {"koi351.01", "kepler90h"}
    assert synonyms("toi700d", TABLE) == {"toi700d", "toi700.02"}
    assert synonyms("kic11442793", TABLE) == {"kic11442793", "koi351", "kepler90"}
    assert synonyms("wasp12b", TABLE) == {"wasp12b"}


def test_an_empty_catalogue_has_no_aliases() -> None:
    table = aliases(SIGNALS.clear(), STARS.clear(), IDENTITY.clear())
    assert table.is_empty() and table.schema == ALIAS_SCHEMA
    assert resolve("Kepler-90", table) == []


GAPS = st.sampled_from(["", " ", "-", "_", "‑"])
CASES = st.sampled_from([str.lower, str.upper, str.title])


@settings(deadline=None)
@given(st.sampled_from(["koi", "toi"]), st.integers(1, 9999), st.integers(1, 20), st.integers(0, 3), GAPS, CASES)
def test_signals_are_read_under_every_spelling(family: str, number: int, part: int, zeros: int, gap: str, case) -> None:  # type: ignore[no-untyped-def]
    digits = f"{number:0{min(5, len(str(number)) + zeros)}d}"
    assert keys(case(f"see {family}{gap}{digits}.{part:02d} there")) == [f"{family}{number}.{part:02d}"]


@settings(deadline=None)
@given(
    st.integers(1, 2030),
    st.sampled_from("bcdefgh"),
    st.sampled_from(["-", "_", "‑", " "]),
    st.sampled_from(["", " "]),
    CASES,
)
def test_planets_are_read_under_every_spelling(number: int, planet: str, gap: str, space: str, case) -> None:  # type: ignore[no-untyped-def]
    assert keys(f"of {case(f'kepler{gap}{number}')}{space}{planet}, which") == [f"kepler{number}{planet}"]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error_and_within_itself(text: str) -> None:
    for d in designators(text):
        assert (
            0 <= d.start < d.end <= len(text)
            and d.key.startswith(d.host)
            and any(c.isdigit() or c.isalpha() for c in d.key)
        )


@settings(deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="ascii") | st.sampled_from("‑–− "), max_size=20)
        | st.from_regex(r"K\d{5}\.\d\d", fullmatch=True),
        min_size=1,
    )
)
def test_a_column_of_names_has_the_keys_of_its_names(names: list[str]) -> None:
    assert pl.DataFrame({"n": names}).select(key_column(pl.col("n")))["n"].to_list() == [key(n) for n in names]


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_a_key_is_its_own_key(name: str) -> None:
    assert key(key(name)) == key(name)


@pytest.mark.archive
def test_names_of_the_archive_s_planets_are_read(archive_mirror: Path) -> None:
    table = pl.read_csv(
        gzip.decompress((archive_mirror / "tap" / "pscomppars.csv.gz").read_bytes()),
        columns=["pl_name"],
        infer_schema=False,
    )
    names = table.filter(pl.col("pl_name").str.contains(r"^(Kepler|K2|TOI|KOI|WASP|HD|GJ|HAT-P|HATS|TRAPPIST)-?"))[
        "pl_name"
    ]
    assert len(names) > 3000
    read = [any(d.key == key(n) or n.startswith("K2-2016") for d in designators(n)) for n in names]
    missed = [n for n, ok in zip(names, read, strict=True) if not ok]
    assert len(missed) < 0.003 * len(names), missed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("pi Men c", "pimenc"),
        ("π Men c", "pimenc"),
        ("pi Mensae c", "pimenc"),
        ("pi men c", "pimenc"),
        ("β Pictoris b", "betpicb"),
        ("beta Pic b", "betpicb"),
        ("bet Pic b", "betpicb"),
        ("Proxima Centauri b", "proximacenb"),
        ("Proxima b", "proximacenb"),
        ("Barnard's Star b", "barnardb"),
        ("Barnard’s star b", "barnardb"),
        ("Teegarden's Star b", "teegardenb"),
        ("tau Ceti e", "taucete"),
        ("υ Andromedae d", "upsandd"),
        ("55 Cancri e", "55cnce"),
        ("51 Pegasi b", "51pegb"),
        ("47 Ursae Majoris b", "47umab"),
        ("GJ 667 C c", "gj667cc"),
        ("KMT-2016-BLG-0212L b", "kmt2016blg212lb"),
    ],
)
def test_bayers_flamsteeds_and_proper_names_are_read_whole(written: str, expected: str) -> None:
    for text in (written, f"({written})", f"We saw {written}, and more.", f"About {written}'s size: {written}."):
        assert set(keys(text)) == {expected}, text
        assert all(d.sure for d in designators(text))
    assert key(written) == key(written.upper()) == expected


@pytest.mark.parametrize(
    "text",
    ["alpha and beta", "the pi meson", "12 men", "a car in 3 for b", "Vega is bright", "mu and nu", "the And gate"],
)
def test_greek_letters_and_words_alone_are_no_names(text: str) -> None:
    assert [d for d in designators(text) if d.sure] == []


def test_names_without_a_digit_are_aliases_and_numbers_name_signals() -> None:
    signals = SIGNALS.with_columns(planet_name=pl.when(pl.col("signal_id") == "TOI-5146.01").then(pl.lit("pi Men c")))
    table = aliases(signals, STARS, IDENTITY)
    assert resolve("π Mensae c", table) == resolve("pi Men", table) == ["K2-3"]
    assert numbered(SIGNALS).filter(pl.col("alias_key") == "tic150428135.02")["signal_id"].to_list() == ["TOI-700.02"]


@settings(deadline=None)
@given(
    st.sampled_from(sorted(star_names.LETTERS)),
    st.sampled_from(sorted(star_names.CONSTELLATIONS.items())),
    st.sampled_from("bcde"),
)
def test_a_bayer_name_has_one_key_however_it_is_written(
    letter: str, constellation: tuple[str, str], planet: str
) -> None:
    symbol = unicodedata.lookup(f"GREEK SMALL LETTER {letter.replace('lambda', 'lamda')}")
    short = star_names.LETTERS[letter]
    written = [f"{name} {c} {planet}" for name in (letter, short, symbol, letter.title()) for c in constellation]
    assert {tuple(keys(f"of {name}, which")) for name in written} == {(key(written[0]),)}
    column = pl.DataFrame({"n": written}).select(key_column(pl.col("n")))["n"]
    assert set(column) == {key(written[0])}
