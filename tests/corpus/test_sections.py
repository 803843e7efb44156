"""Sections of Markdown and of papers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.contracts import MEDIA
from exo_assets.corpus.sections import sections

PAPER = """Eight planets of Kepler-90
A. Shallue 1 and A. Vanderburg 2
1 Harvard-Smithsonian Center for Astrophysics
2 University of Texas
Abstract
We find one more.
1. Introduction
The star has
8 Planets
2. DATA AND METHODS
2.1. Light curves
Four years.
2.3 Not next
2.2 Vetting
By a network.
5 Kepler-90 b
3 Results
Two.
Appendix A: More numbers
1.5 2.5 3.5
References
Smith, A. 2018, ApJ, 1, 1
"""


def _titles(text: str, media: str) -> list[tuple[str, ...]]:
    return [section.path for section in sections(text, media)]


def test_a_paper() -> None:
    assert _titles(PAPER, "pdf") == [
        (),
        ("Abstract",),
        ("Introduction",),
        ("Data and methods", "Light curves"),
        ("Data and methods", "Vetting"),
        ("Results",),
        ("More numbers",),
        ("References",),
    ]
    methods = sections(PAPER, "text")[3]
    assert PAPER[methods.start : methods.end].startswith("2. DATA AND METHODS\n2.1. Light curves\nFour years.")


def test_roman_numbers() -> None:
    assert _titles("I. INTRODUCTION\nText.\nII. DATA\nText.\nV. NOT NEXT\n", "pdf") == [("Introduction",), ("DATA",)]


def test_markdown() -> None:
    text = (
        "Before\n# The *vetter* #\n\n```sh\n# a comment\n```\n## Settings\nA\n\nOther\n-----\nB\n# Last\nC\n- i\n---\n"
    )
    assert _titles(text, "markdown") == [
        (),
        ("The vetter",),
        ("The vetter", "Settings"),
        ("The vetter", "Other"),
        ("Last",),
    ]


def test_a_heading_with_nothing_under_it() -> None:
    assert _titles("# A\n## B\nText", "markdown") == [("A", "B")]
    assert _titles("# A\nText\n# B", "markdown") == [("A",), ("B",)]
    assert _titles("# A", "markdown") == [("A",)]


def test_an_abstract_is_one_section() -> None:
    assert _titles("Abstract\n1. Introduction\nText", "abstract") == [("Abstract",)]


@given(
    st.lists(st.sampled_from(["# A", "## B", "text.", "", "1. Intro", "2. Data", "```", "---", "Abstract", "  "])),
    st.sampled_from(MEDIA),
)
def test_sections_are_the_whole_text(lines: list[str], media: str) -> None:
    text = "\n".join(lines)
    found = sections(text, media)
    assert "".join(text[s.start : s.end] for s in found) in (text, "") or not text.strip()
    if text.strip():
        assert (found[0].start, found[-1].end) == (0, len(text))
        assert all(a.end == b.start for a, b in itertools.pairwise(found))
