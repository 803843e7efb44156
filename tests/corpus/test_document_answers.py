"""Answers from documents in shapes that trouble people: quotations never fuse or invert what a document says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pdf_files import lines, placed_pdf
from small_library import small_library

from exo_assets.corpus.answering import CitedAnswer, answer_question
from exo_assets.corpus.document import Document
from exo_assets.corpus.markdown_tables import rows
from exo_assets.corpus.not_evidence import is_reference
from exo_assets.corpus.read_document import read_document
from exo_assets.corpus.refutations import refutes


def asked(question: str, files: Mapping[str, str | bytes]) -> CitedAnswer:
    documents = []
    for name, data in files.items():
        found = read_document(name, data.encode() if isinstance(data, str) else data)
        assert isinstance(found, Document), found
        documents.append(found)
    return answer_question(question, small_library(documents))


def quoted(question: str, files: Mapping[str, str | bytes]) -> list[str]:
    return [" ".join(s.text.split()) for s in asked(question, files).sentences]


LEFT = """
The light curve of TOI-9911 was observed
in four sectors of the mission. We find
a planet, TOI-9911 b, whose orbital period
is 6.1834 days. The transit depth is 1940
parts per million, and the radius of the
planet is 3.4 Earth radii. The host star is
a quiet K dwarf without any close companion.
"""
RIGHT = """
A second signal at 14.02 days was rejected
as an instrumental artefact. Its odd and
even transits differ by nine sigma, and
its centroid moves by two pixels towards
a neighbouring star, TIC 999111222. That
neighbour is an eclipsing binary with a
period of 28.04 days, a false positive.
"""


def test_two_columns_drawn_line_by_line_are_not_fused() -> None:
    page = [(150.0, 740.0, 14.0, "A sub-Neptune around the K dwarf TOI-9911")]
    page += [line for row in zip(lines(LEFT, 60), lines(RIGHT, 330), strict=True) for line in row]
    said = quoted("What is the orbital period of TOI-9911 b?", {"paper.pdf": placed_pdf(page)})
    assert "We find a planet, TOI-9911 b, whose orbital period is 6.1834 days." in said
    assert not any("6.1834" in s and ("centroid" in s or "artefact" in s) for s in said)


def test_a_value_behind_a_page_break_is_found_between_heads_and_numbers() -> None:
    first = [(60.0, 770.0, 8.0, "MNRAS 000, 1-9 (2024) Preprint 3 May 2024"), *lines("1\n2\n3", 30, size=8)]
    first += lines(
        "We report the discovery of TOI-9966 b, a warm\nSaturn. Its mass, measured by the\nspectrograph, amounts to", 60
    )
    second = [(60.0, 770.0, 8.0, "2   A. Author et al."), *lines("4\n5", 30, size=8)]
    second += lines("0.31 Jupiter masses, and its orbit is eccentric\nwith e = 0.27.", 60)
    said = quoted("What is the mass of TOI-9966 b?", {"paper.pdf": placed_pdf(first, second)})
    assert any("amounts to 0.31 Jupiter masses" in s for s in said)
    assert not any("Author" in s or "MNRAS" in s for s in said)


@pytest.mark.parametrize(
    "text",
    [
        "TOI-9909 b is not a planet: spectra show a double-lined binary. Earlier, TOI-9909 b was said to be a planet.",
        "TOI-9909 b was announced as a planet of 1.2 Jupiter radii. Data rule out a planet: TOI-9909 b is a binary.",
        "TOI-9909 b is a planet of 1.2 Jupiter radii. In 2024 TOI-9909 b was retracted as an eclipsing binary.",
    ],
)
def test_a_denial_is_quoted_beside_the_older_claim(text: str) -> None:
    said = " ".join(quoted("Is TOI-9909 b a planet?", {"notes.txt": text}))
    assert "binary" in said


def test_a_denial_in_another_document_is_quoted_too() -> None:
    files = {
        "old.txt": "TOI-9909 b has water vapour in its atmosphere, seen at 4 sigma.",
        "new.txt": "A second look shows that TOI-9909 b has no water vapour: the signal was of the instrument.",
    }
    said = quoted("Does TOI-9909 b have water vapour in its atmosphere?", files)
    assert any("no water vapour" in s for s in said)


def test_what_denies_something_else_takes_nothing_back() -> None:
    claim = "TOI-9909 b is a planet of 1.2 Jupiter radii."
    assert refutes("TOI-9909 b is not a planet.", claim)
    assert not refutes("TOI-9909 b has no moon.", claim)
    assert not refutes("TOI-9910 b is not a planet.", claim)


TABLE = """# Parameters of TOI-9908 b

| Parameter | Value | Unit |
|---|---|---|
| Orbital period | 3.3091 | days |
| Radius | 1.42 | Earth radii |
| Mass | 3.9 | Earth masses |
"""
PLANETS = """# The planets of TOI-9907

| Planet | Period (d) | Radius (Earth radii) |
| :--- | ---: | ---: |
| b | 2.48 | 1.31 |
| c | 7.91 | 2.05 |
"""


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What is the orbital period of TOI-9908 b?", "3.3091 | days"),
        ("What is the radius of TOI-9908 b?", "1.42 | Earth radii"),
        ("What is the mass of TOI-9908 b?", "3.9 | Earth masses"),
    ],
)
def test_values_in_tables_are_found(question: str, value: str) -> None:
    assert value in quoted(question, {"table.md": TABLE})[0]


@pytest.mark.parametrize(("planet", "period", "other"), [("b", "2.48", "7.91"), ("c", "7.91", "2.48")])
def test_a_row_is_quoted_with_the_names_of_its_columns_and_never_another_planets(
    planet: str, period: str, other: str
) -> None:
    said = quoted(f"What is the period of TOI-9907 {planet}?", {"table.md": PLANETS})
    assert "| Planet | Period (d) | Radius (Earth radii) |" in said
    assert any(period in s for s in said) and not any(other in s for s in said)


def test_only_rows_below_a_header_are_rows() -> None:
    found = list(rows("a | b\n\n| x | 1 |\n| y | 2 |\n\n" + TABLE).values())
    assert [row.text for row in found][:1] == ["Parameter: Orbital period; Value: 3.3091; Unit: days"]
    assert len(found) == 3 and rows("| x | 1 |") == {}


def test_values_in_tex_are_found() -> None:
    text = r"The planet TOI~9906~b has an orbital period of $4.52^{+0.01}_{-0.02}\,$days and $1.9\,R_\oplus$."
    said = quoted("What is the orbital period of TOI-9906 b?", {"notes.txt": text})
    assert said == ["The planet TOI 9906 b has an orbital period of 4.52 +0.01 -0.02 days and 1.9 R_⊕."]


REFERENCES = """Results

The planet TOI-9905 b has a mass of 8.1 Earth masses.

References

Author A. B., Other C., 2019, A&A, 623, A39: The mass of TOI-9905 b
Third D. E., 2021, ApJ, 900, 12: On the mass of the planet TOI-9905 b
"""


def test_lists_of_references_are_no_evidence() -> None:
    said = quoted("What is the mass of TOI-9905 b?", {"paper.txt": REFERENCES})
    assert said == ["The planet TOI-9905 b has a mass of 8.1 Earth masses."]


@pytest.mark.parametrize(
    ("sentence", "is_one"),
    [
        ("Hippke M., Heller R., 2019, A&A, 623, A39", True),
        ("[12] J. Smith and A. Jones, The mass of planets, MNRAS 432 (2018) 12.", True),
        ("3. van der Berg, A. B. 2020, arXiv 2001.01234", True),
        ("Hippke et al. (2019) find that a biweight recovers most planets.", False),
        ("In 2019 the planet was seen by TESS.", False),
        ("TOI-9905 b has 8.1 Earth masses (A&A, 623, A39).", False),
    ],
)
def test_references_are_told_from_prose(sentence: str, is_one: bool) -> None:
    assert is_reference(sentence) is is_one
