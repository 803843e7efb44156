"""Questions about stars, planets and signals: the number is the table's, the row is cited, what is not there is
said."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_of_objects import AS_OF, frames, tables
from small_library import document, small_library

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.corpus.answering import AnswerSettings, CitedAnswer, answer_question, stream_answer
from exo_assets.corpus.followup import Turn
from exo_assets.corpus.library import Filters, Library, SearchRequest
from exo_assets.corpus.objects.catalogue import Catalogue
from exo_assets.corpus.objects.quantities import QUANTITIES, SIGNALS, UNITS
from exo_assets.corpus.objects.told import Told


@cache
def catalogue() -> Catalogue:
    return Catalogue(tables())


def told(question: str) -> Told:
    found = catalogue().told(question)
    assert found is not None, question
    return found


def text(question: str) -> str:
    return " ".join(said.text for said in told(question).sentences)


@pytest.mark.parametrize(
    ("question", "said", "table", "row"),
    [
        ("Is K00841.03 a planet?", "K00841.03 (Kepler-27 d) is a confirmed planet", "core_signals", "K00841.03"),
        ("Is Kepler-27 d confirmed?", "lists it as CONFIRMED", "core_signals", "K00841.03"),
        ("Is K00841.04 real?", "K00841.04 is a candidate", "core_signals", "K00841.04"),
        ("disposition of KOI-6.01", "K00006.01 is a false positive", "core_signals", "K00006.01"),
        ("period of KOI-351.01", "is 331.600815 days", "core_signals", "K00351.01"),
        ("how deep is the transit of Kepler-90 h", "is 8338.6 ppm", "core_signals", "K00351.01"),
        ("How long is a year on kepler 90h?", "is 331.600815 days", "core_signals", "K00351.01"),
        ("radius of TIC 150428135.02", "is 1.3296571 Earth radii", "core_signals", "TOI-700.02"),
        ("how big is KIC 5792202.03?", "is 2.19 ± 0.15 Earth radii", "core_signals", "K00841.03"),
        ("How far away is TOI-700?", "is 31.1265 parsecs", "core_stars", "TIC 150428135"),
        ("mass of the star of Kepler-90 h", "is 1.2 solar masses", "core_stars", "KIC 11442793"),
        ("mass of pi Men c", "is 3.63 ± 0.38 Earth masses", "raw_nea__pscomppars", "pi Men c"),
        ("mass of HD 39091 b", "masses (mass times the sine of the inclination)", "raw_nea__pscomppars", "HD 39091 b"),
        ("How eccentric is Barnard's Star b?", "is at most 0.16", "raw_nea__pscomppars", "Barnard b"),
        ("when was pi Men c discovered?", "is 2018", "raw_nea__pscomppars", "pi Men c"),
        ("mass of Kepler-90 h", "is 203 Earth masses", "raw_nea__pscomppars", "KOI-351 h"),
        ("rank of K00841.04", "has rank 1 of the 2 candidates", "mart_candidates", "K00841.04"),
        ("Why does Exo take K00841.03 for a planet?", "log_period = 0.8 (+0.63)", "out_scores_all", "K00841.03"),
        ("Tell me about K00841.04", "was made on 2026-11-28", "out_dossiers", "K00841.04"),
        ("Is TOI-700.03 a planet?", "is the confirmed planet TOI-700 b", "mart_known_planets", "TOI-700.03"),
        ("period of KIC 11442793-02", "is 14.4491 days", "mart_found_signals", "KIC 11442793-02"),
        ("Is KIC 11442793-02 real?", "a probability of 0.7500", "mart_found_signals", "KIC 11442793-02"),
        ("How confident is Exo in K00841.04?", "a probability of 0.8900", "out_scores_all", "K00841.04"),
        ("When does TOI-144.01 transit?", "is 6.267832 days", "core_signals", "TOI-144.01"),
        ("What is the host star of Kepler-27 d?", "on the star KIC 5792202", "core_signals", "K00841.03"),
        ("Which KOI is Kepler-27 d?", "K00841.03 (Kepler-27 d) is a signal of Kepler", "core_signals", "K00841.03"),
    ],
)  # fmt: skip
def test_what_is_asked_of_an_object_is_told_from_its_row(question: str, said: str, table: str, row: str) -> None:
    found = told(question)
    assert said in text(question), text(question)
    assert (table, row) in {(r.table, r.name) for s in found.sentences for r, _ in s.rests_on}
    assert found.declined is None
    for sentence in found.sentences:
        for r, topic in sentence.rests_on:
            start, end = r.place(topic)
            assert r.text[start:end] == r.sentence(topic)
            assert len(sentence.rests_on) > 1 or sentence.text == r.text[start:end]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("pi Men c", "TOI-144.01"), ("π Men c", "TOI-144.01"), ("Pi Mensae c", "TOI-144.01"),
        ("pi men c", "TOI-144.01"), ("beta Pic b", "bet Pic b"), ("β Pictoris b", "bet Pic b"),
        ("Beta Pictoris b", "bet Pic b"), ("bet pic b", "bet Pic b"),
        ("Proxima Cen b", "Proxima Cen b"), ("Proxima Centauri b", "Proxima Cen b"), ("proxima b", "Proxima Cen b"),
        ("Teegarden’s Star b", "Teegarden's Star b"), ("55 Cnc e", "55 Cnc e"),
        ("PSR B1257+12 b", "PSR B1257+12 b"), ("Gliese 1214 b", "GJ 1214 b"), ("gj 1214b", "GJ 1214 b"),
        ("HD 39091 c", "TOI-144.01"), ("TOI-144 c", "TOI-144.01"), ("KIC 11442793 h", "K00351.01"),
        ("KOI-351 h", "K00351.01"), ("55 Cancri e", "55 Cnc e"),
        ("Barnard's Star b", "Barnard b"), ("Barnard’s star b", "Barnard b"),
        ("TRAPPIST-1 b", "TRAPPIST-1 b"), ("trappist 1b", "TRAPPIST-1 b"),
    ],
)  # fmt: skip
def test_proper_names_find_their_planet(name: str, row: str) -> None:
    for question in (f"Is {name} a planet?", f"is {name} confirmed"):
        assert row in {r.name for s in told(question).sentences for r, _ in s.rests_on}, question


def test_the_day_is_that_of_the_archives_table() -> None:
    days = {r.table: r.as_of for s in told("Is K00841.03 a planet?").sentences for r, _ in s.rests_on}
    assert days == {"core_signals": AS_OF["cumulative"], "out_scores_all": "2026-11-29"}
    assert told("Is Teegarden's Star b a planet?").sentences[0].rests_on[0][0].key == "pl_name = 'Teegarden''s Star b'"
    assert told("mass of 55 Cnc e").sentences[0].rests_on[0][0].as_of == AS_OF["pscomppars"]


def test_the_objects_of_a_star_are_listed_and_counted() -> None:
    assert "TOI-700 has 1 candidate among its 2 signals" in text("Which candidates of TOI-700?")
    assert "TOI-700.03" in text("Which candidates of TOI-700?") and "TOI-700.02" not in text(
        "Which candidates of TOI-700?"
    )
    assert "TOI-700 has 2 confirmed planets in" in text("How many planets orbit TOI-700?")  # one by its own catalogue
    assert "KIC 3248033 has no candidates among its 1 signal" in text("does KIC 3248033 have candidates?")
    assert "pi Men has 2 confirmed planets" in text("planets of pi Men")
    periods = text("periods of the planets of TOI-700")
    assert "37.4236838 days" in periods and "9.977 days" in periods
    assert "6.54626149" in text("Compare the periods of Kepler-27 d and TOI-700 d") and "37.42" in text(
        "periods of Kepler-27 d and TOI-700 d"
    )


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("mass of Fomalhaut b", "no table of the release has Fomalhaut b"),
        ("period of Kepler-27 g", "no table of the release has Kepler-27 g; on its star there are K00841.03"),
        ("period of TRAPPIST-1 z", "no table of the release has TRAPPIST-1 z; on its star there are TRAPPIST-1 b"),
        ("radius of TOI-701.01", "no table of the release has TOI-701.01; near it: TOI-700"),
        ("period of α Centauri", "no table of the release has α Centauri"),
        ("rank of K00841.03", "mart_candidates does not rank K00841.03"),
        ("albedo of Kepler-27 d", "no table of the release has the albedo of Kepler-27 d"),
        ("radius of K00006.01", "no table of the release has the planet radius of K00006.01"),
    ],
)
def test_what_no_table_has_is_said_by_name(question: str, why: str) -> None:
    found = told(question)
    assert found.sentences == () and found.declined is not None and why in found.declined


def test_a_signal_that_was_not_judged_says_why() -> None:
    assert "did not judge K00006.01: no period" in text("Is K00006.01 a planet?")


@pytest.mark.parametrize(
    "question",
    [
        "Is the atmosphere of WASP-39 b known to contain carbon dioxide?", "Who discovered 51 Pegasi b?",
        "How was the radius of Kepler-90 h measured?", "What does koi_period hold?", "What is a TCE?",
        "Is TOI-700 d habitable?",
        "In which K2 campaign was WASP-75 observed?", "Is TOI-1338 a circumbinary planet?",
    ],
)  # fmt: skip
def test_what_no_table_could_tell_is_left_to_the_papers(question: str) -> None:
    assert catalogue().told(question) is None


# -- numbers are the table's -----------------------------------------------------------------------------------------

_OF_SIGNALS = [(q, source) for q in QUANTITIES for source in q.sources if source.table == SIGNALS and q.of == "planet"]
_WORDS = {  # how a person may ask; for each quantity of signals
    "radius ratio": "radius ratio", "equilibrium temperature": "equilibrium temperature",
    "transit duration": "transit duration",
    "stellar density by the transit": "stellar density", "number of transits": "number of transits",
    "epoch (a mid-transit, BJD)": "epoch", "transit depth": "transit depth", "impact parameter": "impact parameter",
    "insolation": "insolation", "signal to noise": "SNR", "multiple-event statistic": "MES",
    "single-event statistic": "SES",
    "odd-even statistic": "odd-even statistic", "centroid offset": "centroid offset",
    "distance from the star over the star's radius": "a/Rs", "inclination": "inclination",
    "orbital period": "orbital period",
    "planet radius": "radius", "temperature": "temperature",
}  # fmt: skip
NUMBERS = st.floats(1e-6, 9e5, allow_nan=False) | st.integers(1, 10_000).map(float)
TEMPLATES = st.sampled_from(
    ["{q} of {n}", "What is the {q} of {n}?", "{n} {q}", "Tell me the {q} of {n} please", "the {q} for {n}"]
)
KOIS = st.tuples(st.integers(1, 9999), st.integers(1, 9)).map(
    lambda k: (f"K{k[0]:05d}.{k[1]:02d}", f"KOI-{k[0]}.{k[1]:02d}")
)
TOIS = st.tuples(st.integers(1, 9999), st.integers(1, 9)).map(
    lambda k: (f"TOI-{k[0]}.{k[1]:02d}", f"toi {k[0]}.{k[1]:02d}")
)


@settings(deadline=None, max_examples=60)
@given(KOIS | TOIS, st.sampled_from(_OF_SIGNALS), NUMBERS, TEMPLATES)
def test_the_number_in_the_answer_is_the_tables_value_in_its_unit(names, asked, value, template) -> None:  # type: ignore[no-untyped-def]
    quantity, source = asked
    row = frames()["core_signals"].row(0, named=True)
    mission, table = ("kepler", "cumulative") if names[0].startswith("K") else ("tess", "toi")
    measured = {
        c.name: None
        for c in CORE_SIGNALS.columns
        if c.name.endswith(("_ppm", "_days", "_hours", "_earth", "_k", "_bjd"))
    }
    named = {"signal_id": names[0], "planet_name": None, "mission": mission, "source_table": table}
    given_frames = frames([{**row, **measured, **named, source.column: value}])
    found = Catalogue(tables(given_frames)).told(template.format(q=_WORDS[quantity.name], n=names[1]))
    assert found is not None and found.declined is None
    (sentence,) = [s.text for s in found.sentences]
    number = re.search(r" is (?:at (?:most|least) )?(-?\d+(?:\.\d+)?)", sentence)
    assert number is not None and float(number[1]) == value and "e" not in number[1]
    unit = next(c.unit for c in CORE_SIGNALS.columns if c.name == source.column)
    assert sentence.endswith(f"{UNITS[quantity.unit]}.".strip()) and (quantity.unit or unit) in (unit, "sigma")
    assert names[0] in sentence


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library() -> Library:
    paper = "Kepler-27 d has an albedo of 0.3 by our fit. TOI-9966 b has a mass of 0.31 Jupiter masses."
    return small_library([document("paper.md", f"# Planets\n\n{paper}", "Planets")])


def answer(question: str, library: Library, **more) -> CitedAnswer:  # type: ignore[no-untyped-def]
    return answer_question(question, library, objects=catalogue(), **more)


def test_an_answer_cites_its_rows_as_sources(library: Library) -> None:
    found = answer("Is K00841.03 a planet?", library)
    assert (found.generator, found.declined, found.error) == ("catalogue", None, None)
    assert [s.citations for s in found.sentences] == [(1,), (2,)]
    assert found.text.startswith("K00841.03 (Kepler-27 d) is a confirmed planet") and found.text.endswith("[2]")
    first = found.sources[0]
    assert (first.table, first.row, first.as_of) == ("core_signals", "signal_id = 'K00841.03'", "2025-09-29")
    assert (first.source, first.year, first.page, first.url) == ("catalogue", 2025, None, None)
    for sentence in found.sentences:
        (quote,) = sentence.quotes
        assert found.sources[quote.number - 1].text[quote.start : quote.end] == quote.text == sentence.text
    events = list(stream_answer("Is K00841.03 a planet?", library, objects=catalogue()))
    assert [e["event"] for e in events] == ["passages", "sentence", "sentence", "done"]
    assert events[-1]["answer"] == found.as_json()
    assert [e["text"] for e in events if e["event"] == "sentence"] == found.text.replace("] E", "]\nE").split("\n")


def test_a_follow_up_question_is_about_the_object_before(library: Library) -> None:
    history = [Turn("Is KOI-841.03 a planet?", "Yes.")]
    assert "2.19 ± 0.15 Earth radii" in answer("And its radius?", library, history=history).text
    assert "is 3.63" in answer("and its mass?", library, history=[Turn("period of π Men c")]).text
    assert "655.9 ppm" in answer("How deep is it?", library, history=history).text


def test_what_no_table_has_may_be_in_a_paper_and_else_is_declined(library: Library) -> None:
    found = answer("What is the albedo of Kepler-27 d?", library)
    assert (found.generator, found.declined) == ("extractive", None) and "albedo of 0.3" in found.text
    assert "0.31 Jupiter masses" in answer("What is the mass of TOI-9966 b?", library).text
    for question in ("What is the albedo of TOI-700 d?", "How old is Kepler-27?", "What is the mass of Fomalhaut b?"):
        declined = answer(question, library)
        assert declined.sentences == () and (declined.declined or "").startswith("no table of the release has")
    names = "Names are read in any spelling: pi Men d, 55 Cnc f, HD 1 b."
    examples = document("exo:README.md", names, source="package")
    only_examples = small_library([examples])
    for question in ("What is the mass of pi Men d?", "Is 55 Cnc f a planet?", "period of HD 1 b"):
        assert (answer(question, only_examples).declined or "").startswith("no table of the release has")
    other = small_library(
        [document("exo:README.md", "The period of HD 1 b comes out within 0.006 %.", source="package")]
    )
    assert "0.006" in answer("period of HD 1 b", other).text
    assert "no table of the release has HD 1 b" in (answer("What is the mass of HD 1 b?", other).declined or "")
    partly = answer("period and albedo of TOI-700 d", library)
    assert "37.4236838 days" in partly.text and "albedo" in (partly.declined or "")


def test_filters_restrict_an_answer_to_documents(library: Library) -> None:
    only = AnswerSettings(search=SearchRequest(limit=8, every_passage=True, filters=Filters(documents=("paper.md",))))
    assert answer_question("period of KOI-351.01", library, only, objects=catalogue()).generator == "extractive"


def test_without_tables_there_is_nothing_to_tell() -> None:
    empty = Catalogue(tables({}))
    assert empty.told("What is a TCE?") is None
    found = empty.told("period of KOI-351.01")
    assert found is not None and found.declined == "no table of the release has KOI-351.01"


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80) | st.text(alphabet="abc KOI-841.03?pi Men'.,()", max_size=60))
def test_any_question_is_read_without_an_error(question: str) -> None:
    found = catalogue().told(question)
    assert found is None or found.sentences or found.declined
