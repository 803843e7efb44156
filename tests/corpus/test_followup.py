from __future__ import annotations

import pytest

from exo_assets.corpus.followup import Turn, standalone
from exo_assets.corpus.names import asked_for, missing, names, on_topic, proper_names

KEPLER_90 = [Turn("What is the orbital period of Kepler-90 h?", "331.6 days."), Turn("Good.", "")]


@pytest.mark.parametrize(
    "question",
    [
        "And its radius?",
        "How old is the star?",
        "Which planets does it have?",
        "What about the mass?",
        "Is that planet habitable?",
    ],
)
def test_a_question_that_refers_takes_over_the_last_names(question: str) -> None:
    assert standalone(question, KEPLER_90) == f"{question} (Kepler-90 h)"


@pytest.mark.parametrize(
    "question",
    ["What is the radius of TOI-700 d?", "What does koi_period hold?", "What is a threshold-crossing event?"],
)
def test_a_question_that_stands_alone_stays(question: str) -> None:
    assert standalone(question, KEPLER_90) == question
    assert standalone("And its radius?") == "And its radius?"
    assert standalone("And its radius?", [Turn("Who are you?")]) == "And its radius?"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("radius of gj 1214 b", "gj 1214 b"),
        ("Is π Mensae c a planet?", "π Mensae c"),
        ("How deep is pi men c?", "pi men c"),
        ("mass of Barnard's Star b", "Barnard's Star b"),
    ],
)
def test_names_in_words_and_small_letters_are_taken_over(asked: str, named: str) -> None:
    assert standalone("And its period?", [Turn(asked)]) == f"And its period? ({named})"


def test_only_the_last_turns_are_remembered() -> None:
    later = [Turn("What is noise?")] * 6
    assert standalone("And its radius?", [*KEPLER_90, *later]) == "And its radius?"
    assert standalone("And its unit?", [*KEPLER_90, Turn("What does koi_depth hold?")]) == "And its unit? (koi_depth)"


def test_columns_are_names_as_designators_are() -> None:
    text = "koi_fpflag_nt of KOI-351 and core_signals.period_days, not R_p, a/b_cd or koi_fpflag_*"
    assert [text[n.start : n.end] for n in names(text)] == ["koi_fpflag_nt", "KOI-351", "period_days"]
    asked = asked_for("What is KOI_PERIOD?")
    assert [a.name.key for a in asked] == ["koi_period"]
    assert missing("What is KOI_PERIOD?", asked, [names("koi_period_err1")]) == ["KOI_PERIOD"]
    assert missing("What is KOI_PERIOD?", asked, [[], names("the column koi_period")]) == []
    assert on_topic(names("koi_period"), asked) and on_topic([], asked) and not on_topic(names("koi_depth"), asked)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What is the surface temperature of Venus?", ["Venus"]),
        ("Which wavelengths does the NIRSpec prism of JWST cover?", ["NIRSpec", "JWST"]),
        ("How is the Rossiter-McLaughlin effect used?", ["Rossiter-McLaughlin"]),
        ("Where is the link to the PDF?", []),
        ("WHAT IS THE MASS OF VENUS?", []),
        ("Detection of Water in the Atmosphere of Venus", []),
        ("It is hot. Which planet is it?", []),
    ],
)
def test_proper_names_of_a_question(question: str, found: list[str]) -> None:
    assert proper_names(question) == found
