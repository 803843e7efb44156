"""What is read of a page: its columns one after the other, and none of its heads, feet and line numbers."""

from __future__ import annotations

import pytest
from pdf_files import Placed, lines, placed_pdf

from exo_assets.corpus.read_pdf import read_pdf
from exo_assets.corpus.reading import Limits

LEFT = """
The light curve of the star TOI-9911 was observed
in four sectors of the mission. We find one planet,
TOI-9911 b, whose orbital period is 6.1834 days and
whose transits are 1940 parts per million deep. The
star is a quiet K dwarf without a close companion.
"""
RIGHT = """
A second signal at 14.02 days was rejected as an
artefact of the instrument. Its odd and its even
transits differ by nine sigma, and its centroid
moves by two pixels towards a neighbouring star,
which is an eclipsing binary of 28.04 days.
"""
WIDE = (
    "A sub-Neptune around a quiet K dwarf was found in four sectors, with a false positive in the same field of stars"
)


def text_of(*pages: list[Placed]) -> str:
    return read_pdf("paper.pdf", placed_pdf(*pages), Limits(), None).text


def across(left: list[Placed], right: list[Placed]) -> list[Placed]:
    return [line for row in zip(left, right, strict=True) for line in row]


def as_columns(left: str, right: str) -> str:
    return f"{left.strip()}\n{right.strip()}"


def test_columns_that_are_drawn_across_are_read_one_after_the_other() -> None:
    assert text_of(across(lines(LEFT, 60), lines(RIGHT, 330))) == as_columns(LEFT, RIGHT)
    assert text_of(lines(LEFT, 60) + lines(RIGHT, 330)) == as_columns(LEFT, RIGHT)


def test_what_goes_over_both_columns_stands_where_it_does() -> None:
    above = [(60.0, 730.0, 10.0, WIDE)]
    upper = across(lines(LEFT, 60), lines(RIGHT, 330))
    between = [(60.0, 600.0, 10.0, WIDE.replace("found", "seen"))]
    lower = across(lines(RIGHT, 60, 560), lines(LEFT, 330, 560))
    said = text_of(above + upper + between + lower).split("\n")
    assert said[0] == WIDE and said[11] == between[0][3]
    assert "\n".join(said[1:11]) == as_columns(LEFT, RIGHT)
    assert "\n".join(said[12:]) == as_columns(RIGHT, LEFT)


def test_a_table_is_read_across() -> None:
    names = "Orbital period\nRadius\nMass\nDepth\nDuration\nEpoch"
    values = "3.3091 days\n1.42 Earth radii\n3.9 Earth masses\n410 ppm\n2.1 hours\n2459000.1"
    said = text_of(across(lines(names, 60), lines(values, 330)))
    assert said.split("\n")[:2] == ["Orbital period 3.3091 days", "Radius 1.42 Earth radii"]


@pytest.mark.parametrize("height", [770, 24])
def test_a_line_that_stands_apart_on_every_page_is_not_read(height: int) -> None:
    pages = [
        [(60.0, float(height), 8.0, head), *lines(text, 60)]
        for head, text in (
            ("MNRAS 000, 1-9 (2024)", LEFT),
            ("2   A. Author et al.", RIGHT),
            ("A warm Saturn   3", LEFT),
        )
    ]
    assert text_of(*pages) == "\n".join(text.strip() for text in (LEFT, RIGHT, LEFT))


def test_a_line_that_stands_apart_once_is_read_unless_it_can_be_nothing_else() -> None:
    body = lines(LEFT, 60)
    for shown in ("17", "Page 3 of 9", "arXiv:2401.01234v2 [astro-ph.EP] 3 Jan 2024"):
        assert text_of([(60.0, 24.0, 8.0, shown), *body]) == LEFT.strip()
    assert text_of([(60.0, 770.0, 8.0, "Notes on a planet"), *body]) == f"Notes on a planet\n{LEFT.strip()}"
    assert text_of([(60.0, 760.0, 16.0, "A large title"), *body]).startswith("A large title\n")


@pytest.mark.parametrize("x", [30, 560])
@pytest.mark.parametrize("step", [1, 5])
def test_numbers_of_lines_are_not_read(x: int, step: int) -> None:
    rows = [700 - 14 * row for row in range(0, 5, step)]
    first = [(float(x), float(y), 8.0, str(1 + row * step)) for row, y in enumerate(rows)]
    more = [(float(x), 700 - 14.0 * row, 8.0, str(40 + row)) for row in range(5)]
    if len(first) > 1:
        assert text_of(first + lines(LEFT, 60)) == LEFT.strip()
    assert text_of(more + lines(LEFT, 60)) == LEFT.strip()


def test_numbers_in_the_text_are_read() -> None:
    assert text_of(lines("12\n15\nThe light curve of the star was observed\nin four sectors.", 60)).startswith(
        "12\n15\n"
    )


def test_a_sentence_goes_on_behind_heads_and_numbers() -> None:
    first = [
        (60.0, 770.0, 8.0, "Preprint 3 May 2024"),
        *lines("1\n2", 30, size=8),
        *lines("The mass of the planet\namounts to", 60),
    ]
    second = [
        (60.0, 770.0, 8.0, "2 A. Author et al."),
        *lines("3\n4", 30, size=8),
        *lines("0.31 Jupiter masses, and its\norbit is round.", 60),
    ]
    assert text_of(first, second) == "The mass of the planet\namounts to\n0.31 Jupiter masses, and its\norbit is round."


def test_the_first_line_of_a_page_in_wide_spacing_is_text() -> None:
    pages = [lines(text, 60, 760, step=28) for text in (LEFT, RIGHT)]
    assert text_of(*pages) == f"{LEFT.strip()}\n{RIGHT.strip()}"


def test_a_head_close_above_a_full_page_is_not_read() -> None:
    pages = [
        [(60.0, 770.0, 8.0, head), *lines(text, 60, 742)] for head, text in (("2 A. Author", LEFT), ("3 Title", RIGHT))
    ]
    assert text_of(*pages) == f"{LEFT.strip()}\n{RIGHT.strip()}"
