"""Mission and targets of documents, and what is kept of last time."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.corpus.document import Document
from exo_assets.corpus.identifiers import ALIAS_SCHEMA
from exo_assets.corpus.merging import merged, names_digest, with_subjects
from exo_assets.corpus.subjects import OPENING, mission_of, targets_of

ALIASES = pl.DataFrame(
    [
        ("kepler90", "Kepler-90", "KIC 11442793", None),
        ("koi351", "KOI-351", "KIC 11442793", None),
        ("kepler90h", "Kepler-90 h", "KIC 11442793", "K00351.01"),
        ("toi700", "TOI-700", "TIC 150428135", None),
        ("tic150428135", "TIC 150428135", "TIC 150428135", None),
    ],
    schema=ALIAS_SCHEMA,
    orient="row",
)


@pytest.mark.parametrize(
    ("title", "text", "mission"),
    [
        ("The Kepler mission", "", "kepler"),
        ("Planets from TESS", "Kepler and K2 found others.", "tess"),
        ("Campaign 9 of K2", "", "k2"),
        ("Kepler's K2 mission", "", "k2"),
        ("The Kepler space telescope's extended mission, K2", "", "k2"),
        ("Kepler/K2 and TESS compared", "", None),
        ("Eight planets around Kepler-90", "A deep network found the eighth.", "kepler"),
        ("Eight planets around Kepler-90", "TESS looked at it again.", "tess"),
        ("Water on K2-18 b", "The atmosphere holds water.", "k2"),
        ("Water on K2-18 b", "Seen by Hubble. TESS will look.", "tess"),
        ("TOI-700 d", "TESS found it; Kepler never saw that field.", "tess"),
        ("Kepler's third law", "Orbits obey Kepler's laws of planetary motion.", None),
        ("Johannes Kepler", "A Keplerian orbit solves the Kepler problem.", None),
        ("A K2 dwarf", "The K2V star is of type K2 and the K2-type giant is not.", None),
        ("A star with a planet", "KOI-351 and KIC 11442793 are one star.", "kepler"),
        ("A star with a planet", "EPIC 201367065 was seen once.", "k2"),
        ("Two stars", "KOI-351 and TIC 150428135 are two.", None),
        ("Discs of dust", "ALMA saw 2014 rings. " * 400 + "TESS is a mission.", None),
        ("", "", None),
    ],
)
def test_the_mission_that_a_document_is_about(title: str, text: str, mission: str | None) -> None:
    assert mission_of(title, text) == mission


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_has_one_mission_or_none(title: str, text: str) -> None:
    found = mission_of(title, text)
    assert found is None or found in MISSIONS
    assert found == mission_of(title, text + " " * OPENING + "TESS and Kepler and K2")


def test_targets_are_stars_of_the_catalogue_and_names_that_none_knows() -> None:
    texts = [
        "TOI-700 d, and KOI-351 = Kepler-90 z; TIC 150428135 again",
        "Kepler-1649 c is near; K2 10 d may be ten days.",
        "No star at all.",
        "",
        "Kepler-90 b, c and d",
    ]
    assert targets_of(texts, ALIASES) == [
        ["TIC 150428135", "KIC 11442793"],
        ["kepler1649"],
        [],
        [],
        ["KIC 11442793"],
    ]
    assert targets_of([], ALIASES) == []


def _abstract(name: str, title: str, text: str) -> Document:
    return Document(f"arXiv:{name}", "arxiv", "abstract", title, text)


def test_sources_are_put_together_and_years_come_from_ids() -> None:
    files = [Document("a.md", "file", "markdown", "A", "Kepler-90 h by TESS.")]
    found = merged([_abstract("2503.17117", "New", "x"), _abstract("astro-ph/9906432", "Old", "y")], files)
    assert found.select("document_id", "year").rows() == [
        ("a.md", None),
        ("arXiv:2503.17117", 2025),
        ("arXiv:astro-ph/9906432", 1999),
    ]
    subjects = with_subjects(found, ALIASES)
    assert subjects.select("mission", "targets").row(0) == ("tess", ["KIC 11442793"])
    assert subjects.drop("mission", "targets").equals(found.drop("mission", "targets"))


def test_documents_that_did_not_change_keep_what_was_found() -> None:
    one, two = _abstract("2503.00001", "Kepler-90", "x"), _abstract("2503.00002", "TOI-700", "y")
    before = with_subjects(merged([one, two]), ALIASES)
    marked = before.with_columns(targets=pl.Series([["kept"], ["kept"]]), mission=pl.lit("k2"))
    changed = _abstract("2503.00002", "TOI-700", "another text")
    after = with_subjects(merged([one, changed]), ALIASES, marked)
    assert after["targets"].to_list() == [["kept"], ["TIC 150428135"]] and after["mission"].to_list() == ["k2", "tess"]
    digest = names_digest(ALIASES, "code")
    assert digest == names_digest(ALIASES.reverse(), "code")
    assert len({digest, names_digest(ALIASES.head(4), "code"), names_digest(ALIASES, "other")}) == 3
