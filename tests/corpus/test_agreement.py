"""What the checker tells apart: values with units and quantities, denials, opposites, names, exchanged ends.

Every passage bears the first sentences and none of the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_support import evidence

from exo_assets.corpus.altered_sentences import parse

BORNE_AND_NOT: dict[str, tuple[str, list[str], list[str]]] = {
    "quantity": (
        "The planet TOI-9001 b has an orbital period of 2.85 days and a transit duration of 3.1 hours. Its radius is "
        "1.3 Jupiter radii.",
        ["TOI-9001 b orbits its star every 2.85 days.", "The transits of TOI-9001 b last 3.1 hours."],
        [
            "TOI-9001 b has an orbital period of 3.1 hours.",
            "TOI-9001 b has a transit duration of 2.85 days.",
            "TOI-9001 b has a mass of 1.3 Jupiter masses.",
        ],
    ),
    "unit": (
        "The signal of TIC 9001001 has a depth of 340 ppm and a duration of 2.4 hours.",
        ["The signal of TIC 9001001 is 340 ppm deep.", "TIC 9001001 has a signal that lasts 2.4 h."],
        ["The signal of TIC 9001001 has a depth of 340 %.", "The signal of TIC 9001001 has a duration of 2.4 days."],
    ),
    "ratio": (
        "Odd and even depths that differ speak for an eclipsing binary at twice the period.",
        ["Different odd and even depths speak for an eclipsing binary with two times the period."],
        [
            "Odd and even depths that differ speak for an eclipsing binary at half the period.",
            "Odd and even depths that differ speak for an eclipsing binary at three times the period.",
        ],
    ),
    "opposite": (
        "The transit is too shallow for a planet of this size.",
        ["For a planet of this size the transit is too shallow."],
        ["The transit is deep enough for a planet of this size.", "The transit is not too shallow for a planet."],
    ),
    "bound": (
        "Signals with at least three transits and an SNR above 7.1 are ranked.",
        ["Signals are ranked if they have three or more transits and an SNR over 7.1."],
        [
            "Signals with at most three transits and an SNR above 7.1 are ranked.",
            "Signals with at least three transits and an SNR below 7.1 are ranked.",
        ],
    ),
    "exchange": (
        "Super-Earths are more common around M dwarfs than around F dwarfs.",
        ["Super-Earths are less common around F dwarfs than around M dwarfs."],
        [
            "Super-Earths are more common around F dwarfs than around M dwarfs.",
            "Super-Earths are less common around M dwarfs than around F dwarfs.",
        ],
    ),
    "time": (
        "The planet was found by a network after two searches had missed it.",
        ["Two searches had missed the planet before a network found it."],
        ["The planet was found by a network before two searches had missed it."],
    ),
    "not but": (
        "The object is not a planet but an eclipsing binary.",
        ["The object is an eclipsing binary, not a planet."],
        ["The object is a planet.", "The object is not an eclipsing binary but a planet."],
    ),
    "rather than": (
        "Dust rather than a planet causes the dips of the star.",
        ["The dips of the star are caused by dust and not by a planet."],
        ["A planet rather than dust causes the dips of the star.", "Dust does not cause the dips of the star."],
    ),
    "excluded": (
        "The images exclude a companion within 2 arcsec.",
        ["A companion within 2 arcsec is ruled out by the images."],
        ["The images show a companion within 2 arcsec."],
    ),
    "place": (
        "The inner planet is rocky, while the outer planet has kept its envelope of hydrogen.",
        ["The outer planet kept an envelope of hydrogen.", "The inner planet is rocky."],
        ["The inner planet has kept its envelope of hydrogen.", "The outer planet is rocky."],
    ),
    "instrument": (
        "The mass of TOI-9002 b was measured with HARPS, its radius with TESS.",
        ["HARPS measured the mass of TOI-9002 b."],
        ["The mass of TOI-9002 b was measured with ESPRESSO.", "The mass of TOI-9002 b was measured with TESS."],
    ),
    "letters": (
        "TOI-9003 has two planets: planet b has a period of 2.48 days and planet c one of 7.91 days.",
        ["The period of TOI-9003 b is 2.48 days.", "TOI-9003 c has a period of 7.91 days."],
        ["The period of TOI-9003 b is 7.91 days.", "TOI-9003 c has a period of 2.48 days.", "TOI-9003 d has a period."],
    ),
    "all": (
        "Half of the planets orbit old stars, and none of them has a moon.",
        ["One half of the planets orbit old stars.", "None of the planets has a moon."],
        ["All of the planets orbit old stars.", "Half of the planets orbit young stars.", "The planets have a moon."],
    ),
    "it": (
        "WASP-9004 b decays and will be engulfed in 3 million years. WASP-9005 b is stable.",
        ["WASP-9004 b will be engulfed in 3 million years."],
        ["WASP-9005 b will be engulfed in 3 million years.", "WASP-9004 b is stable."],
    ),
    "errors": (
        "The temperature of the day side is 710 ± 40 K.",
        ["The day side has a temperature of 710 K.", "The temperature of the day side is 710 ± 40 K."],
        ["The temperature of the night side is 710 K.", "The temperature of the day side is 40 K."],
    ),
}


@pytest.mark.parametrize("kind", BORNE_AND_NOT)
def test_what_a_passage_says_is_borne_and_what_is_altered_is_not(kind: str) -> None:
    passage, borne, altered = BORNE_AND_NOT[kind]
    read = evidence(passage)
    assert [s for s in borne if not read.support(s, [1]).places] == []
    assert [s for s in altered if read.support(s, [1]).places] == []


def test_further_sentences_are_told_apart_as_well() -> None:
    content = yaml.safe_load(Path(__file__).with_name("further_sentences.yaml").read_text(encoding="utf-8"))
    read = {each["text"].strip(): evidence(each["text"].strip()) for each in content}
    judged = [(s.true, bool(read[s.passage].support(s.text, [1]).places)) for s in parse(content)]
    altered = [accepted for true, accepted in judged if not true]
    paraphrases = [accepted for true, accepted in judged if true]
    assert len(altered) >= 200 and sum(altered) < 0.05 * len(altered)
    assert len(paraphrases) >= 120 and sum(paraphrases) >= 0.85 * len(paraphrases)
