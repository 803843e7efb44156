"""The endpoint's parts without an endpoint: the model slot, the waiting room, golden answers, the roll-out."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from live_endpoint import Model
from seeing_vetter import WEIGHT, seeing_vetter
from tiny_vetter import koi_signals, tiny_vetter

from deployments.serve.answers import USED, explain_request, judge_requests
from deployments.serve.events import EventPin, load_events
from deployments.serve.model import Loaded, ModelRejectedError, ModelSlot, Pin, load
from deployments.serve.request import parse_signal
from deployments.serve.together import Together
from exo_assets.features.seen_views import CLIP, SEEN_VIEWS, VIEW_BINS, VIEWS
from exo_assets.scoring.contracts import JUDGEMENT
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.scoring.read_file import read_catalogue_bytes
from exo_assets.scoring.score import JOINED
from exo_assets.serving.golden import choose, differences, expected_answers, golden_signals
from exo_assets.serving.rollout import RolloutError, roll_out
from exo_assets.training.view_reasons import NO_WEIGHT
from exo_resources.serve_client import Deployed, ServeClient, ServeError
from exo_resources.serve_cluster import ServeCluster, _free_ports
from exo_resources.settings import Settings

# -- the cluster ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codes", "tries"), [([1, 0], 2), ([1, 1, 1, 0], 3), ([None, 0], 1)])
def test_a_head_that_fails_is_started_again_on_other_ports(tmp_path: Path, codes: list[int | None], tries: int) -> None:
    """Real heads take a minute to fail; what is tried here is how often, and what is said in the end."""
    left = iter(codes)
    launched = list[int | None]()

    class Head(ServeCluster):
        def _launch(self) -> int | None:
            self.log.write_text("Failed to start the grpc server")
            launched.append(next(left))
            return launched[-1]

    cluster = Head(tmp_path, "127.0.0.1", _free_ports(1)[0])
    cluster.folder.mkdir()
    if 0 in codes[:tries]:
        assert cluster.start()
    else:
        with pytest.raises(ServeError, match=r"head (failed to|did not) start.*(.|\n)*grpc server"):
            cluster.start()
    assert len(launched) == tries


# -- the model slot ----------------------------------------------------------------------------------------------


def test_a_bad_model_leaves_the_one_in_use(first: Model, second: Model, tmp_path: Path) -> None:
    slot = ModelSlot()
    with pytest.raises(ModelRejectedError, match="no model"):
        _ = slot.loaded
    broken = tmp_path / "broken"
    shutil.copytree(second.path, broken)
    (broken / "vetter.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelRejectedError, match="cannot be used"):
        slot.put(Pin(second.ref, broken, "d0"))
    slot.put(Pin(first.ref, first.path, "d1"))
    for path, says in (
        (broken, "cannot be used"),
        (tmp_path / "none", "cannot be used"),
        (first.path, "digest"),
    ):
        slot.put(Pin(second.ref, path, "d2"))
        assert slot.loaded.pin.ref == first.ref
        assert slot.rejected is not None and says in slot.rejected[1]
        assert slot.deployment_id == "d2"
    slot.put(Pin(second.ref, second.path, "d3"))
    assert slot.loaded.pin.ref == second.ref and slot.rejected is None and slot.deployment_id == "d3"


def test_a_pin_without_its_parts_is_refused(first: Model) -> None:
    config = {"model": first.ref.as_row(), "path": str(first.path), "deployment_id": "x"}
    assert Pin.of(config).ref == first.ref
    for missing in config:
        with pytest.raises(ModelRejectedError, match=missing):
            Pin.of({k: v for k, v in config.items() if k != missing})


def test_requests_judged_together_know_nothing_of_one_another(first: Model) -> None:
    loaded: Loaded = load(Pin(first.ref, first.path, "x"))
    signals = [parse_signal(json.dumps(request).encode()) for request in golden_signals()]
    together = judge_requests(signals, loaded)
    assert together == [judge_requests([signal], loaded)[0] for signal in signals]
    assert together[0]["missing"] == [n for n in USED if signals[0][n] is None]


# -- views -------------------------------------------------------------------------------------------------------


def _request(seed: int, **fields: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    noise = {name: rng.normal(0, 0.4, bins) for name, bins in VIEW_BINS.items()}
    views = {name: (view / -view.min()).tolist() for name, view in noise.items()}
    known = {"mission": "kepler", "period_days": 9.5, "duration_hours": 3.0, "depth_ppm": 616.0, "snr": 35.8}
    return parse_signal(json.dumps({**known, "lc_shape_v": 0.2, "views": views, **fields}).encode())


def test_views_move_the_probability_and_the_reply_says_so(third: Model) -> None:
    loaded = load(Pin(third.ref, third.path, "x"))
    asked = [
        _request(1),
        _request(2),
        _request(1, views=None),
        _request(1, mission="tess"),
        _request(1, lc_shape_v=0.9),
    ]
    replies = judge_requests(asked, loaded)
    assert [r["views_used"] for r in replies] == [True, True, False, False, True]
    assert [r["views_unused_because"] for r in replies[:2]] == [None, None]
    assert replies[2]["views_unused_because"] == "no views were given"
    assert "light curves of tess" in replies[3]["views_unused_because"]
    p = [r["probability_planet"] for r in replies]
    assert len({p[0], p[1], p[2], p[4]}) == 4
    for one, together in zip(asked, replies, strict=True):
        assert differences([judge_requests([one], loaded)[0]], [together]) == []


def test_a_null_bin_is_flat_and_a_deep_one_is_cut(third: Model) -> None:
    loaded = load(Pin(third.ref, third.path, "x"))
    plain = _request(1)
    plain["views"]["odd_view"][3:6] = [0.0, CLIP, -CLIP]
    wild = _request(1)
    wild["views"]["odd_view"][3:6] = [None, 1e300, -1e300]
    assert judge_requests([plain], loaded) == judge_requests([wild], loaded)


def test_an_explanation_is_the_prediction_and_what_each_view_argued_for(third: Model) -> None:
    loaded = load(Pin(third.ref, third.path, "x"))
    reply, found = explain_request(_request(1), loaded)
    assert found is not None and set(reply["views"]) == set(SEEN_VIEWS)
    assert differences([judge_requests([_request(1)], loaded)[0]], [reply]) == []
    assert reply["network_weight"] == WEIGHT and reply["note"] is None
    json.dumps(reply, allow_nan=False)
    for name, view in reply["views"].items():
        assert len(view["centre"]) == len(view["effect"]), name


def test_a_network_without_weight_is_said_to_have_moved_nothing(third: Model) -> None:
    mute = Loaded(load(Pin(third.ref, third.path, "x")).pin, seeing_vetter(0.0))
    reply, _ = explain_request(_request(1), mute)
    assert reply["network_weight"] == 0 and reply["note"] == NO_WEIGHT
    assert reply["views_used"] is False and reply["views_unused_because"] == NO_WEIGHT


def test_a_model_that_cannot_explain_is_an_error_and_no_exception(third: Model) -> None:
    class Broken:
        """As the vetter, but its occlusion fails."""

        def __getattr__(self, name: str) -> Any:
            return getattr(seeing_vetter(), name)

        def occlude_features(self, _: Any) -> Any:
            raise RuntimeError("out of memory")

    reply, found = explain_request(_request(1), Loaded(load(Pin(third.ref, third.path, "x")).pin, Broken()))  # type: ignore[arg-type]
    assert found is None and reply["reason"] == "RuntimeError: out of memory"


# -- the waiting room --------------------------------------------------------------------------------------------


def test_those_who_wait_are_answered_together_and_each_with_their_own() -> None:
    batches: list[int] = []

    def double(numbers: list[int]) -> list[int]:
        batches.append(len(numbers))
        if 13 in numbers:
            raise ValueError("unlucky")
        return [2 * n for n in numbers]

    async def ask() -> list[Any]:
        room: Together[int, int] = Together(double, most=4)
        asked = await asyncio.gather(*(room.ask(n) for n in range(10)), return_exceptions=True)
        unlucky = await asyncio.gather(room.ask(13), room.ask(14), return_exceptions=True)
        return [*asked, *unlucky, await room.ask(21)]

    *asked, bad, worse, good = asyncio.run(ask())
    assert asked == [2 * n for n in range(10)]
    assert isinstance(bad, ValueError) and isinstance(worse, ValueError)
    assert good == 42
    assert batches == [4, 4, 2, 2, 1]


# -- golden answers ----------------------------------------------------------------------------------------------


def test_the_golden_signals_are_the_shipped_tables() -> None:
    assert [{k: v for k, v in r.items() if k != VIEWS} for r in golden_signals()] == choose(koi_signals())


def test_golden_signals_are_valid_requests_and_reach_every_branch(first: Model) -> None:
    requests = golden_signals()
    kinds = {(r["mission"], "mes" in r, VIEWS in r) for r in requests}
    assert {kind[0] for kind in kinds} == {"kepler", "k2", "tess"}
    assert kinds >= {(mission, False, viewed) for mission in ("kepler", "k2", "tess") for viewed in (True, False)}
    assert kinds >= {("kepler", True, viewed) for viewed in (True, False)}
    loaded = load(Pin(first.ref, first.path, "x"))
    replies = judge_requests([parse_signal(json.dumps(r).encode()) for r in requests], loaded)
    expected = expected_answers(first.vetter, requests)
    assert differences(expected, replies) == []
    assert len({answer["probability_planet"] for answer in expected}) > 10


def test_golden_signals_prove_the_network_too(third: Model) -> None:
    requests = golden_signals()
    loaded = load(Pin(third.ref, third.path, "x"))
    replies = judge_requests([parse_signal(json.dumps(r).encode()) for r in requests], loaded)
    expected = expected_answers(third.vetter, requests)
    assert differences(expected, replies) == []
    assert {r["views_used"] for r in replies} == {True, False}
    blind = expected_answers(third.vetter, [{k: v for k, v in r.items() if k != VIEWS} for r in requests])
    moved = {number for number, said in enumerate(replies) if differences([blind[number]], [said])}
    assert moved == {number for number, r in enumerate(replies) if r["views_used"]}


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {**a, "probability_planet": a["probability_planet"] + 1e-4},
        lambda a: {**a, "verdict": "perhaps"},
        lambda a: {**a, "probability_planet": None},
        lambda a: {**a, "probability_planet": float("nan")},
        lambda a: {k: v for k, v in a.items() if k != "disposition_confirmed"},
        lambda a: {**a, "reasons": a["reasons"][:-1]},
        lambda a: {**a, "reasons": [{**a["reasons"][0], "contribution": 9.0}, *a["reasons"][1:]]},
    ],
)
def test_any_difference_is_seen(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    expected = expected_answers(tiny_vetter(), golden_signals())
    assert differences(expected, expected) == []
    assert len(differences(expected, [*expected[:-1], change(expected[-1])])) == 1
    assert differences(expected, expected[:-1]) == ["20 answers instead of 21"]


# -- the roll-out ------------------------------------------------------------------------------------------------


class _Endpoint:
    """An endpoint in memory; `wrong` are models that answer wrongly, `sick` ones that never get healthy."""

    def __init__(self, wrong: Sequence[str] = (), sick: Sequence[str] = ()) -> None:
        self.wrong, self.sick, self.forgetful = wrong, sick, False
        self.model: Deployed | None = None
        self.good: Deployed | None = None
        self.log: list[str] = []

    def serves(self, model: Deployed) -> bool:
        return self.model == model

    def deploy(
        self,
        model: Deployed,
        *,
        details: Mapping[str, Any] | None = None,
        progress: Callable[[str], None] = print,
    ) -> None:
        self.log.append(f"deploy {model.ref.version}")
        if model.ref.version in self.sick:
            raise ServeError("not healthy")
        self.model = model

    def predict(self, signals: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        assert self.model is not None
        from exo_assets.training.vetter import Vetter

        known = Known(pl.read_parquet(self.model.known)) if self.model.known and not self.forgetful else NOTHING
        answers = expected_answers(Vetter.load(self.model.path), [dict(s) for s in signals], known)
        off = 1e-3 if self.model.ref.version in self.wrong else 0.0
        return [{**a, "probability_planet": a["probability_planet"] + off} for a in answers]

    def predict_table(self, table: bytes) -> bytes:
        assert self.model is not None and self.model.events is not None
        events = load_events(EventPin(self.model.events.ref, self.model.events.path, None))
        answer = events.judge(read_catalogue_bytes(table, "x")).write_csv()
        swapped = self.model.events.ref.version in self.wrong
        return (answer.replace(",PC,", ",NTP,") if swapped else answer).encode()

    def last_good(self) -> Deployed | None:
        return self.good

    def mark_good(self, model: Deployed) -> None:
        self.good = model

    def stop(self) -> bool:
        self.log.append("stop")
        self.model = None
        return True


def test_a_model_that_proves_itself_stays_and_is_not_deployed_twice(first: Model) -> None:
    endpoint = _Endpoint()
    assert roll_out(endpoint, first.deployed).changed
    assert not roll_out(endpoint, first.deployed).changed
    assert endpoint.log == ["deploy 1"]
    assert endpoint.good == first.deployed


@pytest.mark.parametrize("fault", [{"wrong": ["2"]}, {"sick": ["2"]}])
def test_a_model_that_does_not_is_replaced_by_the_one_before(first: Model, second: Model, fault: Any) -> None:
    endpoint = _Endpoint(**fault)
    roll_out(endpoint, first.deployed)
    with pytest.raises(RolloutError, match="put back") as caught:
        roll_out(endpoint, second.deployed)
    assert caught.value.restored == first.ref
    assert endpoint.log == ["deploy 1", "deploy 2", "deploy 1"]
    assert endpoint.model == endpoint.good == first.deployed


def test_without_a_good_model_the_endpoint_is_stopped(first: Model) -> None:
    endpoint = _Endpoint(wrong=["1"])
    with pytest.raises(RolloutError, match="stopped") as caught:
        roll_out(endpoint, first.deployed)
    assert caught.value.restored is None and endpoint.model is None


def test_when_the_one_before_fails_too_the_endpoint_is_stopped(first: Model, second: Model) -> None:
    endpoint = _Endpoint(wrong=["2"])
    roll_out(endpoint, first.deployed)
    endpoint.wrong = ["1", "2"]
    with pytest.raises(RolloutError, match="could not be put back either"):
        roll_out(endpoint, second.deployed)
    assert endpoint.model is None


def test_an_endpoint_that_answers_wrongly_is_deployed_again(first: Model) -> None:
    endpoint = _Endpoint()
    roll_out(endpoint, first.deployed)
    endpoint.wrong = ["1"]
    with pytest.raises(RolloutError):
        roll_out(endpoint, first.deployed)
    assert endpoint.log == ["deploy 1", "deploy 1", "stop"]


def test_another_catalogue_is_deployed_and_an_endpoint_that_does_not_join_with_it_is_found_out(
    first: Model, tmp_path: Path
) -> None:
    endpoint = _Endpoint()
    assert roll_out(endpoint, first.deployed).changed
    known = tmp_path / "known.parquet"
    Known.of(koi_signals()).signals.write_parquet(known)
    assert roll_out(endpoint, replace(first.deployed, known=known)).changed
    assert endpoint.log == ["deploy 1", "deploy 1"] and endpoint.good == replace(first.deployed, known=known)
    endpoint.forgetful = True
    with pytest.raises(RolloutError, match="known_as"):
        roll_out(endpoint, replace(first.deployed, known=known))


def test_a_broken_model_is_refused_before_the_endpoint_is_touched(first: Model, tmp_path: Path) -> None:
    endpoint = _Endpoint()
    with pytest.raises(FileNotFoundError):
        roll_out(endpoint, Deployed(first.ref, tmp_path))
    assert endpoint.log == []


# -- the client, when there is nothing to reach ------------------------------------------------------------------


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path, first: Model) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        client = ServeClient(Settings(home=tmp_path, serve_port=port))
        with pytest.raises(ServeError, match=rf"127.0.0.1:{port} .*EXO_SERVE_PORT"):
            client.deploy(first.deployed)
    assert client.cluster.state is None


def test_nothing_running_is_a_status_and_not_an_error(tmp_path: Path) -> None:
    client = ServeClient(Settings(home=tmp_path, serve_port=9))
    status = client.status()
    assert (status.running, status.healthy, status.model) == (False, False, None)
    assert client.served_version() is None and client.last_good() is None
    assert client.stop() is False
    with pytest.raises(ServeError, match="does not answer"):
        client.predict([{"mission": "kepler"}])


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"session": 1}', '{"session":1,"api":"http://127.0.0.1:9","host":"h","port":1,"temp":"/tmp/exo-none"}'],
)
def test_a_stale_state_file_harms_nobody(tmp_path: Path, content: str) -> None:
    client = ServeClient(Settings(home=tmp_path, serve_port=9))
    client.cluster.folder.mkdir(parents=True)
    (client.cluster.folder / "state.json").write_text(content, encoding="utf-8")
    assert not client.status().running
    # Session 1 is the init process's: it must survive this.
    assert client.stop() is False


def test_answers_have_the_names_of_the_tables() -> None:
    assert {*JUDGEMENT, *JOINED} == set(expected_answers(tiny_vetter(), golden_signals())[0])
