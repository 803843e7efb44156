from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_assets.corpus.keyword_index import KeywordIndex, KeywordIndexError
from exo_assets.corpus.terms import english_stemmer, terms

TEXTS = [
    "koi_fpflag_nt is the not transit-like flag of the archive.",
    "koi_fpflag_ss is the stellar eclipse flag of the archive.",
    "Kepler-90 hosts eight planets; Kepler-90 h is the outermost.",
    "Planets of Kepler-9 and the 90 d cadence.",
    "KOI-351.01 was found by the pipeline.",
    "",
]
STEM = english_stemmer()


@pytest.fixture(scope="module")
def index() -> KeywordIndex:
    return KeywordIndex.build(TEXTS)


def test_names_stay_whole_beside_their_parts_and_words_are_stemmed() -> None:
    found = terms("Transiting planets: koi_fpflag_nt of Kepler‑90 and KOI 351.01", STEM)
    assert {"koi_fpflag_nt", "fpflag", "kepler-90", "kepler90", "koi351", "koi351.01", "transit", "planet"} <= set(
        found
    )
    assert not {"of", "and", "transiting"} & set(found)
    assert "signal-to-noise" not in terms("signal-to-noise", STEM)


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("koi_fpflag_nt", 0),
        ("koi_fpflag_ss", 1),
        ("Kepler 90", 2),
        ("Kepler-9", 3),
        ("K00351.01", 4),
        ("eclipsing flags", 1),
    ],
)
def test_a_name_finds_its_passage_first(index: KeywordIndex, query: str, best: int) -> None:
    assert int(index.scores(query).argmax()) == best


def test_scores_are_bm25(index: KeywordIndex) -> None:
    texts = ["star star planet", "planet moon", "moon moon moon dust"]
    scores = KeywordIndex.build(texts).scores("moon")
    tokens = np.array([3, 2, 4])
    frequency = np.array([0, 1, 3])
    idf = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = idf * frequency / (frequency + 1.5 * (1 - 0.75 + 0.75 * tokens / tokens.mean()))
    assert scores == pytest.approx(expected, rel=1e-5)


def test_what_shares_no_term_is_not_found(index: KeywordIndex) -> None:
    assert not index.scores("unrelated nonsense").any() and index.scores("").shape == (len(TEXTS),)
    found = index.found("koi_fpflag_nt")
    assert np.isnan(found[5]) and found[0] > 0
    assert KeywordIndex.build(["", " "]).scores("planet").tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="no texts"):
        KeywordIndex.build([])


def test_idf_is_of_the_number_of_passages_with_the_term(index: KeywordIndex) -> None:
    flag, kepler, unknown = index.idf(["flag", "kepler9", "nowhere"])
    assert flag == pytest.approx(np.log(1 + (6 - 2 + 0.5) / 2.5))
    assert kepler == pytest.approx(np.log(1 + (6 - 1 + 0.5) / 1.5))
    assert unknown == pytest.approx(np.log(1 + 6.5 / 0.5))


def test_bytes_keep_every_score_and_do_not_depend_on_the_clock(index: KeywordIndex) -> None:
    data = index.to_bytes()
    again = KeywordIndex.from_bytes(data)
    for query in ("koi_fpflag_nt", "planets of Kepler-90", "nothing"):
        assert (again.scores(query) == index.scores(query)).all()
    assert (again.idf(["flag", "nowhere"]) == index.idf(["flag", "nowhere"])).all()
    assert again.to_bytes() == data == KeywordIndex.build(TEXTS).to_bytes()


def test_other_bytes_are_refused(index: KeywordIndex) -> None:
    data = index.to_bytes()
    for broken in (b"", b"not a zip", data[: len(data) // 2]):
        with pytest.raises(KeywordIndexError):
            KeywordIndex.from_bytes(broken)


def test_an_index_of_another_version_is_refused(index: KeywordIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    data = index.to_bytes()
    monkeypatch.setattr("exo_assets.corpus.keyword_index._FORMAT", "exo keyword index 2")
    with pytest.raises(KeywordIndexError, match="build it again"):
        KeywordIndex.from_bytes(data)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.text(max_size=40))
def test_any_text_can_be_indexed_and_asked_for(texts: list[str], query: str) -> None:
    index = KeywordIndex.build(texts)
    scores = index.scores(query)
    assert scores.shape == (len(texts),) and np.isfinite(scores).all() and (scores >= 0).all()
    shares = [bool(index.terms(text) & index.terms(query)) for text in texts]
    assert (scores > 0).tolist() == shares
