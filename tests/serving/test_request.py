"""What a request may say, and how a wrong one is answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deployments.serve.request import InvalidRequestError, Signal, parse_signal
from exo_assets.catalogs.contracts import MEASURED_COLUMNS
from exo_assets.scoring.score import MEASURED

GOOD: dict[str, Any] = {"mission": "kepler", "period_days": 3.0, "depth_ppm": 500}


def test_fields_are_the_contract() -> None:
    assert set(Signal.model_fields) == {*MEASURED_COLUMNS, "mission", "signal_id", "n_signals_on_star"}
    values = parse_signal(json.dumps(GOOD).encode())
    assert values["period_days"] == 3.0 and values["depth_ppm"] == 500 and values["radius_earth"] is None


@pytest.mark.parametrize("name", [n for n, c in MEASURED.items() if c.low is not None])
def test_the_lower_end_of_each_range_is_the_contract(name: str) -> None:
    column = MEASURED[name]
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
