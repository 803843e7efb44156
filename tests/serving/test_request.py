"""What a request may say, and how a wrong one is answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deployments.serve.problems import MOST_PROBLEMS, InvalidRequestError
from deployments.serve.request import COLUMNS, Signal, body_schema, parse_signal
from exo_assets.catalogs.contracts import MEASURED_COLUMNS
from exo_assets.features.from_light_curves import CURVE_NAMES
from exo_assets.features.seen_views import SEEN_VIEWS, VIEW_BINS, VIEWS

GOOD: dict[str, Any] = {"mission": "kepler", "period_days": 3.0, "depth_ppm": 500}


def test_fields_are_the_contract() -> None:
    assert set(Signal.model_fields) == {
        *(*MEASURED_COLUMNS, *CURVE_NAMES, VIEWS),
        *("mission", "signal_id", "mission_star_id", "kepid", "n_signals_on_star"),
    }
    values = parse_signal(json.dumps(GOOD).encode())
    assert values["period_days"] == 3.0 and values["depth_ppm"] == 500 and values["radius_earth"] is None


@pytest.mark.parametrize("name", [n for n, c in COLUMNS.items() if c.low is not None])
def test_the_lower_end_of_each_range_is_the_contract(name: str) -> None:
    column = COLUMNS[name]
    assert column.low is not None
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(json.dumps({**GOOD, name: column.low - 1}).encode())
    assert [p["field"] for p in caught.value.problems] == [name]
    at_the_end = {**GOOD, name: column.low}
    if column.low_open:
        with pytest.raises(InvalidRequestError):
            parse_signal(json.dumps(at_the_end).encode())
    else:
        assert parse_signal(json.dumps(at_the_end).encode())[name] == column.low


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (b'{"mission":"kepler","period_days":NaN}', "period_days", "finite"),
        (b'{"mission":"kepler","period_days":Infinity}', "period_days", "finite"),
        (b'{"mission":"kepler","period_days":1e999}', "period_days", "finite"),
        (b'{"mission":"kepler","period_days":1' + b"0" * 500 + b"}", "period_days", "finite"),
        (b'{"mission":"kepler","period_days":"3"}', "period_days", "number.*in d above 0"),
        (b'{"mission":"kepler","period_days":true}', "period_days", "number"),
        (b'{"mission":"kepler","period_days":[3]}', "period_days", "number"),
        (b'{"mission":"kepler","depth_ppm":2000000}', "depth_ppm", r"ppm above 0 and at most 1e\+06"),
        (b'{"mission":"kepler","perod_days":3}', "perod_days", "did you mean 'period_days'"),
        (b'{"mission":"kepler","koi_period":3}', "koi_period", "here it is 'period_days'"),
        (b'{"mission":"kepler","koi_time0bk":3}', "koi_time0bk", "'t0_bjd' .*zero point"),
        (b'{"mission":"kepler","koi_score":1}', "koi_score", "no such field"),
        (b'{"mission":"kepler","disposition":"CONFIRMED"}', "disposition", "no such field"),
        (b'{"mission":"Kepler","snr":3}', "mission", "kepler, k2, tess"),
        (b'{"mission":null,"snr":3}', "mission", "kepler, k2, tess"),
        (b'{"snr":3}', "mission", "required"),
        (b'{"mission":"tess"}', "(body)", "no measured quantity"),
        (b'{"mission":"tess","ra_deg":3,"period_err_days":1}', "(body)", "no measured quantity"),
        (b'{"mission":"tess","snr":3,"n_signals_on_star":0}', "n_signals_on_star", "greater than or equal to 1"),
        (b'{"mission":"tess","snr":3,"n_signals_on_star":1.5}', "n_signals_on_star", "integer"),
        (b'{"mission":"tess","snr":3,"kepid":7}', "kepid", "mission is 'tess'"),
        (b'{"mission":"kepler","snr":3,"kepid":7,"mission_star_id":"KIC 8"}', "kepid", "'KIC 8'.*give one of them"),
        (b'{"mission":"kepler","snr":3,"kepid":"7"}', "kepid", "integer"),
        (b'{"mission":"kepler","snr":3,"mission_star_id":7}', "mission_star_id", "string"),
        (b'{"mission":"tess","snr":3,"lc_shape_v":1.5}', "lc_shape_v", "at least 0 and at most 1"),
        (b'{"mission":"tess","snr":3,"lc_shape_v":"V"}', "lc_shape_v", "number"),
        (b'{"mission":"tess","lc_shape_v":0.5}', "(body)", "no measured quantity"),
        (b'{"mission":"tess","snr":3,"' + b"x" * 10_000 + b'":1}', "x" * 80, "no such field"),
        (b"[]", "(body)", "not a JSON object"),
        (b"3", "(body)", "not a JSON object"),
        (b"", "(body)", "JSON"),
        (b"{", "(body)", "JSON"),
        (b'\xff\xfe{"', "(body)", "JSON"),
        (b'{"a":' * 100_000, "(body)", "recursion"),
    ],
)
def test_a_wrong_request_is_told_field_problem_and_remedy(body: bytes, field: str, says: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(body)
    problem = caught.value.problems[0]
    assert problem["field"] == field
    assert problem["remedy"]
    assert len(problem["problem"]) < 300
    assert re.search(says, f"{problem['problem']} {problem['remedy']}")


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(b'{"mission":"x","depth_ppm":-1,"snr":"a","foo":1}')
    assert {p["field"] for p in caught.value.problems} == {"mission", "depth_ppm", "snr", "foo"}


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="period_days: is given more than once"):
        parse_signal(b'{"mission": "kepler", "period_days": 3, "period_days": 4}')


# -- views -------------------------------------------------------------------------------------------------------

DIP: dict[str, Any] = {name: [-1.0, *[0.0] * (bins - 1)] for name, bins in VIEW_BINS.items()}


def _refused(views: Any, **options: bool) -> list[dict[str, str]]:
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(json.dumps({**GOOD, "views": views}).encode(), **options)
    assert all(len(p["problem"]) < 100 and p["remedy"] for p in caught.value.problems)
    return caught.value.problems


def test_views_are_numbers_and_unknown_bins() -> None:
    local = [None, 1, -1.0, *[0.0] * (VIEW_BINS["local_view"] - 3)]
    values = parse_signal(json.dumps({**GOOD, "views": {**DIP, "local_view": local}}).encode(), explain=True)
    assert values["views"]["local_view"] == local and set(values["views"]) == set(SEEN_VIEWS)
    assert parse_signal(json.dumps({**GOOD, "views": None}).encode())["views"] is None


@pytest.mark.parametrize("name", SEEN_VIEWS)
@pytest.mark.parametrize(
    ("array", "says"),
    [
        ([], "has 0 bins"),
        ([0.0] * 200, "has 200 bins"),
        ([0.0] * 50_000, r"has (50000|more than \d+) bins"),
        (["0.5"] * 2001, "bin 0 is not a finite number"),
        ([0.0, [1.0]], "bin 1 is not a finite number"),
        ([0.0, True], "bin 1 is not a finite number"),
        ([0.0, float("nan")], "bin 1 is not a finite number"),
        ([float("inf")], "bin 0 is not a finite number"),
        ("NaN", "not an array"),
        (None, "not an array"),
        ({"0": 1}, "not an array"),
        (3, "not an array"),
    ],
)
def test_a_wrong_view_is_told_without_its_numbers(name: str, array: Any, says: str) -> None:
    (problem,) = _refused({**DIP, name: array})
    assert problem["field"] == f"views.{name}" and re.search(says, problem["problem"])
    assert f"{VIEW_BINS[name]} numbers" in problem["remedy"]


def test_views_come_together_and_no_others() -> None:
    assert [p["field"] for p in _refused({"local_view": DIP["local_view"]})] == [
        f"views.{n}" for n in SEEN_VIEWS if n != "local_view"
    ]
    (extra,) = _refused({**DIP, "locl_view": [0.0] * 100})
    assert extra["field"] == "views.locl_view" and "did you mean 'local_view'" in extra["remedy"]
    (stack,) = _refused({**DIP, "x" * 5000: 1})
    assert len(stack["field"]) < 100 and "2001 numbers" in stack["remedy"]
    for wrong in ([], "views", 3, True, [DIP]):
        (problem,) = _refused(wrong)
        assert problem["field"] == "views" and "JSON object" in problem["problem"]


def test_views_of_nothing_but_unknown_bins_are_none() -> None:
    (problem,) = _refused({name: [None] * bins for name, bins in VIEW_BINS.items()})
    assert problem["field"] == "views" and "no bin" in problem["problem"]
    some = {**{name: [None] * bins for name, bins in VIEW_BINS.items()}, "odd_view": DIP["odd_view"]}
    assert parse_signal(json.dumps({**GOOD, "views": some}).encode())["views"] == some


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 1.0), (600.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (1e308, 0.0)])
def test_views_in_another_unit_are_refused(scale: float, offset: float) -> None:
    other = {name: [scale * value + offset for value in view] for name, view in DIP.items()}
    problems = _refused(other)
    assert [p["field"] for p in problems] == ["views.global_view", "views.local_view"]
    assert all("not -1" in p["problem"] for p in problems)


def test_who_wants_an_explanation_gives_views() -> None:
    (problem,) = _refused(None, explain=True)
    assert problem["field"] == "views" and "required" in problem["problem"]


def test_a_view_given_twice_is_refused() -> None:
    body = json.dumps({**GOOD, "views": DIP})
    twice = body.replace('"views": {', '"views": {"odd_view": [],').encode()
    with pytest.raises(InvalidRequestError, match=r"views.odd_view: is given more than once"):
        parse_signal(twice)


def test_thousands_of_fields_given_twice_are_not_all_told() -> None:
    names = ",".join(f'"{"x" * 100}{i}":1,"{"x" * 100}{i}":1' for i in range(500))
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(f'{{"mission":"kepler","snr":3,"views":{{{names}}},"views":null}}'.encode())
    assert len(caught.value.problems) == MOST_PROBLEMS + 1 and "451 problems more" in str(caught.value)
    assert max(len(p["field"]) for p in caught.value.problems) < 100


def test_thousands_of_wrong_fields_are_not_all_told() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_signal(json.dumps({**GOOD, **{f"f{i}": i for i in range(20_000)}}).encode())
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert "19950 problems more" in caught.value.problems[-1]["problem"]


def test_the_schema_has_no_references_and_the_lengths_of_views() -> None:
    for explain in (False, True):
        schema = body_schema(explain=explain)
        assert "$ref" not in json.dumps(schema) and "$defs" not in schema
        views = schema["properties"]["views"]
        views = views if explain else views["anyOf"][0]
        assert {n: (v["minItems"], v["maxItems"]) for n, v in views["properties"].items()} == {
            n: (b, b) for n, b in VIEW_BINS.items()
        }
        assert ("views" in schema["required"]) is explain
