"""Sentences of astronomical prose."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.sentences import sentences


def _split(text: str) -> list[str]:
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Smith et al. (2018) found two.", "We find three."],
        ["It was shown by Smith et al.", "However, the depth differs."],
        ["Compare Fig. 3 and Figs. 4 to 6, i.e. the views, e.g. Kepler-90 b.", "All agree."],
        ["See Eq. (2) and Sect. 4.1.", "The rest is noise."],
        ["We confirm K2-18 b.", "The planet is 2.6 R_Earth; e < 0.5.", "It transits."],
        ["The odds are 0.5.", "Then 3 planets remain."],
        ["This was in 2018.", "This is now!", "Is it?", "Yes."],
        ["J. W. Campbell and A. B. Smith wrote it."],
        ["The host is star B.", "The companion is star A."],
        ["Periods were refined (cf. Tab. 2).", "“All hold.”", "(None fails.)", "Done."],
        ["A U.S. Navy almanac vs. a table, approx. 3 d."],
        ["Depths, widths, etc. were kept.", "Times, dates, etc.", "The rest was dropped."],
        ["Dr. Brown says no.", "We say No. 3."],
        ["Wait ... what follows is small.", "So it ends..."],
        ["It is at 80 K.", "Photons give S/N.", "Signals (Phys. Rev. D) grow."],
        ["P = 9.4 d. and e = 0 are held."],
        ["これは惑星です。", "そうです。"],
    ],
    ids=lambda parts: parts[0][:20],
)
def test_where_sentences_end(parts: list[str]) -> None:
    assert _split(" ".join(parts)) == parts


def test_lines_that_stand_alone() -> None:
    text = (
        "# Title\nText one\ngoes on.\n\nNo stop\n\n- item one\n- item two. More.\n| a. B | c |\n| d | e |\n## Sub\nEnd"
    )
    assert _split(text) == [
        "# Title",
        "Text one\ngoes on.",
        "No stop",
        "- item one",
        "- item two.",
        "More.",
        "| a. B | c |",
        "| d | e |",
        "## Sub",
        "End",
    ]


def test_numbers_of_lists_and_numbers_that_begin_a_line() -> None:
    assert _split("1. Introduction\n2.1. Light curves") == ["1. Introduction\n2.1. Light curves"]
    assert _split("The ratio is\n0.5. We take it.") == ["The ratio is\n0.5.", "We take it."]
    assert _split("It was found in\n2018. We saw it.") == ["It was found in\n2018.", "We saw it."]


@given(st.text(st.sampled_from("aB1 .!?\n\t\"')#|-*。ä\u00a0"), max_size=200))
def test_every_sign_is_in_one_sentence(text: str) -> None:
    spans = sentences(text)
    assert all(a < b and text[a:b] == text[a:b].strip() for a, b in spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    left, at = "", 0
    for start, end in [*spans, (len(text), len(text))]:
        left += text[at:start]
        at = end
    assert not left.strip()


@pytest.mark.parametrize("unit", ["a", ". ", "..", " ", "\n", "\"')", "| ", "A. ", "al. W", "!?", "1.", "\n-"])
def test_gigantic_texts_of_one_pattern_are_split(unit: str) -> None:
    spans = sentences(unit * 30_000)
    assert spans == sorted(spans)
