"""What a dossier says: facts under the archive's names, verdicts and reasons in words, and Markdown that is safe."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from dossier_tables import catalogue, diagnosed, signal, tables
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exo_assets.catalogs.contracts import CORE_SIGNALS
from exo_assets.corpus.dossier_facts import FACTS, facts, like_phrase, measured, number, planet_class, star_class
from exo_assets.corpus.dossier_lookup import Named, find, near
from exo_assets.corpus.dossier_markdown import plain
from exo_assets.corpus.dossier_verdict import LIMITS, Planets, diagnostics, reason, verdict
from exo_assets.corpus.identifiers import aliases
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.registry import FEATURE_NAMES

# -- facts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mission", "names"),
    [
        ("kepler", {"period_days": "koi_period", "star_teff_k": "koi_steff", "magnitude": "koi_kepmag"}),
        ("tess", {"duration_hours": "pl_trandurh", "distance_pc": "st_dist", "magnitude": "st_tmag", "snr": None}),
        ("k2", {"duration_hours": "pl_trandur", "distance_pc": "sy_dist", "snr": None, "ra_deg": "ra"}),
    ],
)
def test_facts_have_the_contracts_units_and_the_archives_columns(mission: str, names: dict[str, str | None]) -> None:
    units = {c.name: c.unit for c in CORE_SIGNALS.columns}
    assert {f.column: f.unit for f in FACTS}.items() <= units.items()
    row = signal(signal_id="x", star_id="y", mission=mission, **{f.column: 1.0 for f in FACTS})
    told = {f["column"]: f["archive_column"] for f in facts(row)}
    assert list(told) == [f.column for f in FACTS]
    assert {column: told[column] for column in names} == names


def test_facts_that_are_not_known_are_left_out_and_conversions_are_told() -> None:
    row = signal(signal_id="K1", star_id="KIC 1", t0_bjd=2454900.5, snr=None)
    told = {f["column"]: f for f in facts(row)}
    assert "snr" not in told and "distance_pc" not in told
    assert told["t0_bjd"]["archive_column"] == "koi_time0bk + 2454833"
    assert (told["period_days"]["value"], told["period_days"]["error"]) == (10.0, 0.001)
    percent = {f["column"]: f for f in facts(signal(signal_id="E", star_id="E", mission="k2"))}
    assert percent["depth_ppm"]["archive_column"] == "pl_trandep x 10000"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"radius_earth": 2.4}, "sub-Neptune candidate transiting a K dwarf with a period of 10 days"),
        (
            {"radius_earth": 11.0, "teq_k": 1500.0, "star_teff_k": 6100.0, "period_days": 3.1},
            "hot Jupiter candidate transiting an F dwarf with a period of 3 days",
        ),
        (
            {"radius_earth": 1.0, "insolation_earth": 1.0, "star_teff_k": 3400.0, "period_days": 37.4},
            "Earth-sized planet candidate transiting an M dwarf in the habitable zone with a period of 40 days",
        ),
        (
            {"radius_earth": 1.5, "period_days": 0.7, "star_logg_cgs": 3.0},
            "ultra-short-period super-Earth candidate transiting a K giant with a period of 0.7 days",
        ),
        ({"radius_earth": None, "star_teff_k": None, "period_days": None}, "transit signal"),
        (
            {"radius_earth": 60.0, "star_teff_k": 12_000.0},
            "eclipsing binary or other companion too large for a planet transiting a hot star with a period of 10 days",
        ),
    ],
)
def test_signals_in_words(given_: dict[str, Any], expected: str) -> None:
    row = signal(signal_id="x", star_id="y", **given_)
    assert like_phrase(row, 1) == expected
    assert like_phrase(row, 2) == f"{expected} in a system of several transiting planets"


@given(st.floats(0.01, 1e4), st.floats(2_000, 60_000), st.floats(0, 6), st.floats(0.05, 5_000))
def test_every_signal_has_a_class_and_a_phrase(radius: float, teff: float, logg: float, period: float) -> None:
    row = signal(signal_id="x", star_id="y", radius_earth=radius, star_teff_k=teff, star_logg_cgs=logg)
    assert planet_class(row) and star_class(row)
    words = like_phrase(row | {"period_days": period}, 1)
    shown = float(words.split(" period of ")[1].split(" day")[0])
    assert 0.5 <= shown <= 1000 and (not 0.4 < period < 1200 or 0.7 < shown / period < 1.43)


@given(st.floats(1e-12, 1e12), st.integers(1, 8))
def test_numbers_lose_nothing_before_the_point(value: float, digits: int) -> None:
    shown = number(value, digits)
    assert float(shown) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))
    assert "e+" not in shown or value >= 1e10


def test_uncertainties_say_how_many_digits_count() -> None:
    assert measured(12.7326241234, 4.4e-06) == "12.7326241 ± 4.4e-06"
    assert measured(3950.0, 430.0) == "3950 ± 430"
    assert measured(1.0, None) == "1" and measured(8.22, 81.0) == "8.2 ± 81" and measured(0.0, 0.1) == "0"


# -- verdict and reasons ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FEATURE_NAMES, "global_view", "local_view", "odd_even_view", "secondary_view"])
def test_every_feature_has_words(name: str) -> None:
    text = reason({"feature": name, "value": 0.5, "contribution": 0.25})["text"]
    assert "argues for a planet, +0.25" in text and f"the feature {name}" not in text


def test_reasons_undo_logarithms_and_say_what_is_unknown() -> None:
    said = [
        reason({"feature": "log_depth", "value": math.log10(845.0), "contribution": 1.5}),
        reason({"feature": "impact", "value": None, "contribution": -0.25}),
        reason({"feature": "local_view", "value": None, "contribution": 0.5}),
        reason({"feature": "star_teff_k", "value": 5777.0, "contribution": 0.0}),
    ]
    assert [s["text"] for s in said] == [
        "the transit depth (845 ppm) argues for a planet, +1.50 in log-odds",
        "the impact parameter (unknown) argues against a planet, -0.25 in log-odds",
        "the shape of the folded transit argues for a planet, +0.50 in log-odds",
        "the star's temperature (5777 K) argues neither way, +0.00 in log-odds",
    ]


def test_a_verdict_says_the_prediction_set() -> None:
    row = tables().out_scores.row(0, named=True)
    said = verdict(row | {"verdict": "planet", "prediction_set": "planet", "probability_planet": 0.98765})
    assert said["statement"] == (
        "The vetter calls it a planet, with a probability of 0.988 that it is a planet; at 95 % coverage it can only "
        "be a planet."
    )
    assert verdict(row | {"reasons": None})["reasons"] == []


# -- diagnostics -----------------------------------------------------------------------------------------------------


def _measured(signal_id: str, **changed: float | None) -> dict[str, Any]:
    rows = diagnosed(tables().core_signals)
    return rows.row(by_predicate=pl.col("signal_id") == signal_id, named=True) | changed


def _planets() -> Planets:
    rows = tables().core_signals
    return Planets(diagnosed(rows), rows.filter(disposition="CONFIRMED")["signal_id"].to_list())


def test_what_is_beyond_a_published_limit_or_rare_among_planets_stands_out() -> None:
    said = diagnostics(_measured("K00351.09"), _planets())
    assert [n["column"] for n in said["notable"]] == ["odd_even_sigma"]
    (odd,) = said["notable"]
    assert odd["why"] == (
        "above 3, the limit of LEO-Vetter (Kunimoto et al. 2025); above that of 100% of 45 confirmed Kepler planets"
    )
    assert diagnostics(_measured("K01000.01"), _planets())["notable"] == []
    low = diagnostics(_measured("K00351.09", odd_even_sigma=1.0, chases=0.5, snr_red=None), _planets())
    assert [(n["column"], n["value"]) for n in low["notable"]] == [("chases", 0.5)]
    assert low["notable"][0]["why"].endswith("below that of 100% of 45 confirmed Kepler planets")


def test_a_star_is_not_compared_with_itself_nor_a_mission_with_another() -> None:
    planets = _planets()
    assert planets.rarity(_measured("K00351.09"), "odd_even_sigma") == (1.0, 45)  # 46 without Kepler-90 h
    elsewhere = _measured("K00351.09") | {"mission": "tess"}
    assert planets.rarity(elsewhere, "odd_even_sigma") is None
    few = Planets(diagnosed(tables().core_signals), [f"K{n + 1000:05d}.01" for n in range(39)])
    assert few.rarity(_measured("K00351.09"), "odd_even_sigma") is None


def test_no_light_curve_and_one_that_tells_nothing() -> None:
    assert diagnostics(None, _planets())["light_curve"] is False
    said = diagnostics(_measured("K09001.01"), _planets())
    assert said["light_curve"] and "no transit was observed" in said["statement"] and said["notable"] == []


def test_limits_are_of_columns_that_there_are() -> None:
    assert {limit.column for limit in LIMITS} <= {c.name for c in COLUMNS}


# -- Markdown --------------------------------------------------------------------------------------------------------

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
NASTY = st.text(st.sampled_from("ab1.)- _*`[]()<>#|~&!\\\n\t+=$:/hw"), max_size=60)


@given(NASTY)
def test_quoted_text_formats_nothing(text: str) -> None:
    quoted = "\n".join(f"> {line}" for line in plain(text).split("\n"))
    kinds = {token.type for token in MARKDOWN.parse(quoted)}
    assert kinds <= {"blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline", "code_block"}
    inline = {child.type for token in MARKDOWN.parse(quoted) for child in token.children or ()}
    assert inline <= {"text", "softbreak", "hardbreak", "text_special"}


def test_addresses_pictures_and_terminals_are_left_alone() -> None:
    nasty = "![x](http://evil.example) <img src=x> www.evil.example \x1b[31mred\x9b2J \u202eback"
    shown = plain(nasty)
    assert "\x1b" not in shown and "\x9b" not in shown and "\u202e" not in shown
    html = MARKDOWN.render(shown)
    assert "<img" not in html and "<a " not in html
    assert "http:" not in shown and "www." not in shown, "an address that a page would make a link of"
    assert (
        plain("koi_period, R_Earth, sub-Neptune of -0.5 at 10 d") == "koi_period, R_Earth, sub-Neptune of -0.5 at 10 d"
    )


# -- names -----------------------------------------------------------------------------------------------------------


def test_any_name_finds_the_dossiers() -> None:
    made = tables()
    names = aliases(made.core_signals, made.core_stars, made.core_planet_identity)
    having = made.mart_candidates["signal_id"].to_list()
    only = Named(("K00351.09",), ())
    assert find("KOI-351.09", names, having) == find(" koi 351.09", names, having) == only
    star = Named(("K00351.09",), ("K00351.01",))
    assert find("Kepler-90", names, having) == find("KIC 11442793", names, having) == star
    assert find("Kepler-90 h", names, having) == Named((), ("K00351.01",))
    assert find("tic150428135", names, having) == Named(("TOI-700.05",), ())
    for nothing in ("Kepler-90 z", "", "nonsense", "KOI-351.09 and more"):
        assert find(nothing, names, having) == Named((), ())
    assert near("K00351.08", names, having)[0] == "K00351.09"
    assert near("nonsense", names, having) == []
    assert len(catalogue()) == made.core_signals.height
