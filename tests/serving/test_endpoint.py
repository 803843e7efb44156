"""The real endpoint: its doors, a model and an index swapped under load, bad ones, a killed replica and head."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest
from live_endpoint import Live, Load, Model
from live_library import Asking, Versions, health, replica_processes
from tiny_vetter import koi_table

from deployments.serve.app import SLOW_BODIES
from deployments.serve.body import LIMIT_S, PROMPT_S
from exo_assets.evaluation.contracts import ML_VETTER_CHAMPION
from exo_assets.features.seen_views import VIEW_BINS
from exo_assets.scoring.files import score_file_frame
from exo_assets.serving.assets import serve_library, serve_vetter
from exo_assets.serving.golden import differences, expected_answers, golden_signals
from exo_resources.lake import Lake
from exo_resources.library_client import LibraryClient
from exo_resources.serve_client import Deployed, ServeClient, ServeError
from tests.openai_server import Reply, Request, openai_server

pytestmark = pytest.mark.ray
AS_JSON = {"content-type": "application/json"}
SIGNAL = {"mission": "kepler", "period_days": 9.5, "duration_hours": 3.0, "depth_ppm": 616.0, "snr": 35.8}


def _csv(table: pl.DataFrame) -> bytes:
    return b"# made by a test\n" + table.write_csv().encode()


# -- one signal --------------------------------------------------------------------------------------------------


def test_health_and_model(live: Live, first: Model) -> None:
    with live.http() as http:
        health = http.get("/healthz").json()
        assert health["status"] == "ok" and health["model"] == first.ref.as_row() and health["rejected"] is None
        model = http.get("/v1/model").json()
        assert model["digest"] == first.ref.digest and model["model_version"] == first.vetter.version
        assert model["details"] == {"metrics": {"auc": 0.9}}
        assert {"name", "unit", "formula", "source"} == set(model["features"][0])
        assert "/v1/predict" in http.get("/openapi.json").json()["paths"]
    assert live.client.status().healthy and live.client.served_version() == first.ref


def test_golden_answers_hold(live: Live, first: Model) -> None:
    requests = golden_signals()
    assert differences(expected_answers(first.vetter, requests), live.client.predict(requests)) == []


def test_a_reply_says_what_was_missing_and_gives_the_name_back(live: Live) -> None:
    with live.http() as http:
        reply = http.post("/v1/predict", json={**SIGNAL, "signal_id": "mine", "impact": None}).json()
    assert reply["signal_id"] == "mine"
    assert "impact" in reply["missing"] and "period_days" not in reply["missing"]
    assert reply["verdict"] in ("planet", "candidate", "false positive")


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b'{"mission":"kepler","period_days":NaN}', 422, "period_days"),
        (b'{"mission":"kepler","period_days":-1}', 422, "greater than 0"),
        (b'{"mission":"kepler","koi_period":1}', 422, "'period_days'"),
        (b"not json", 422, "JSON"),
        (b"", 422, "JSON"),
        (b'{"signal_id":"' + b"x" * 300_000 + b'"}', 413, "larger"),
    ],
)
def test_a_wrong_request_is_refused_clearly(live: Live, content: bytes, status: int, says: str) -> None:
    with live.http() as http:
        reply = http.post("/v1/predict", content=content, headers=AS_JSON)
    assert reply.status_code == status and says in reply.text
    assert "Traceback" not in reply.text


def test_extreme_but_allowed_numbers_are_answered_with_probabilities(live: Live) -> None:
    tiny = {"mission": "tess", "period_days": 5e-324, "duration_hours": 1e300, "depth_ppm": 1e-300, "snr": 1e308}
    with live.http() as http:
        reply = http.post("/v1/predict", json=tiny)
    assert reply.status_code == 200
    assert 0 <= reply.json()["probability_planet"] <= 1


def test_wrong_paths_and_methods(live: Live) -> None:
    with live.http() as http:
        for reply, status in ((http.get("/v1/nothing"), 404), (http.get("/v1/predict"), 405)):
            assert reply.status_code == status and {"error", "remedy"} == set(reply.json())


def test_half_sent_bodies_hold_nobody_up(live: Live) -> None:
    """More of them than the endpoint has places, over both of its parts."""
    address = (live.settings.serve_host, live.settings.serve_port)
    head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    with ExitStack() as stack, live.http() as http:
        halves = [stack.enter_context(socket.create_connection(address, 60)) for _ in range(120)]
        for half, path in zip(halves, cycle(("/v1/predict", "/v1/search")), strict=False):
            half.sendall(head.format(path).encode())
        time.sleep(2 * PROMPT_S)
        begun = time.monotonic()
        assert http.get("/healthz").json()["status"] == "ok"
        assert http.post("/v1/predict", json=SIGNAL).status_code == 200
        assert time.monotonic() - begun < LIMIT_S / 2
        said = Counter(half.recv(2000).split()[1] for half in halves)
    assert said == {b"408": 2 * SLOW_BODIES, b"503": 120 - 2 * SLOW_BODIES}


def test_what_is_not_said_to_be_json_is_refused(live: Live) -> None:
    with live.http() as http:
        for path in ("/v1/predict", "/v1/explain", "/v1/search", "/v1/chat/session-0001"):
            reply = http.post(path, content=b"{}", headers={"content-type": "text/plain"})
            assert reply.status_code == 415 and "application/json" in reply.json()["remedy"]


# -- light curves ------------------------------------------------------------------------------------------------

VIEWED = {name: [round(math.sin(i / 7), 3) for i in range(bins)] for name, bins in VIEW_BINS.items()}


def _viewed(**changed: Any) -> dict[str, Any]:
    return {**SIGNAL, "views": {**VIEWED, **changed}}


def test_a_model_without_a_network_says_that_it_explains_nothing(live: Live) -> None:
    with live.http() as http:
        reply = http.post("/v1/predict", json=_viewed()).json()
        assert reply["views_used"] is False and "no network" in reply["views_unused_because"]
        refused = http.post("/v1/explain", json=_viewed())
        assert refused.status_code == 409 and "/v1/predict" in refused.json()["remedy"]
        assert http.post("/v1/explain", json=SIGNAL).status_code == 422


HOSTILE: dict[str, Any] = {
    "strings": {**VIEWED, "odd_view": ["1"] * 201},
    "nested": {**VIEWED, "odd_view": [[0.0]] * 201},
    "short": {**VIEWED, "odd_view": [0.0]},
    "extra": {**VIEWED, "stack_view": [0.0]},
    "alone": {"odd_view": VIEWED["odd_view"]},
    "array": [0.0] * 2805,
    "text": "NaN",
}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
def test_hostile_views_are_refused(live: Live, path: str) -> None:
    head = json.dumps(SIGNAL)[:-1].encode()
    with live.http() as http:
        for name, views in HOSTILE.items():
            reply = http.post(path, json={**SIGNAL, "views": views})
            assert reply.status_code == 422 and "views" in reply.json()["problems"][0]["field"], name
            assert len(reply.content) < 2000 and "Traceback" not in reply.text, name
        nan = http.post(path, content=json.dumps(_viewed(odd_view=[math.nan] * 201)), headers=AS_JSON)
        assert nan.status_code == 422 and "not a finite number" in nan.text
        for large in (b"[" + b"0," * 5_000_000 + b"0]", b"[" * 5_000_000):
            try:
                status = http.post(path, content=head + b',"views":' + large + b"}", headers=AS_JSON).status_code
            except httpx.WriteError:  # told off in the middle of the upload
                status = 413
            assert status == 413
        assert http.post(path, content=head + b',"views":' + b"[" * 50_000, headers=AS_JSON).status_code == 422


def test_views_are_explained(live: Live, first: Model, third: Model) -> None:
    with live.http() as http:
        live.client.deploy(third.deployed, timeout_s=120)
        try:
            told = http.post("/v1/predict", json=_viewed()).json()
            reply = http.post("/v1/explain", json=_viewed())
            picture = http.post("/v1/explain?format=png", json={**_viewed(), "signal_id": "a $broken_{ formula"})
            wrong = http.post("/v1/explain?format=gif", json=_viewed())
            elsewhere = http.post("/v1/explain", json={**_viewed(), "mission": "tess"})
        finally:
            live.client.deploy(first.deployed, timeout_s=120)
        paths = http.get("/openapi.json").json()["paths"]
    assert told["views_used"] is True
    assert reply.status_code == 200 and differences([told], [reply.json()]) == []
    assert set(reply.json()["views"]) == set(VIEW_BINS) and reply.json()["network_weight"] > 0
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    assert picture.headers["x-exo-model"] == third.ref.digest
    assert wrong.status_code == 422 and "json, png" in wrong.json()["remedy"]
    assert elsewhere.status_code == 409 and "light curves of tess" in elsewhere.json()["error"]
    assert "views" in paths["/v1/explain"]["post"]["requestBody"]["content"]["application/json"]["schema"]["required"]


# -- tables ------------------------------------------------------------------------------------------------------


def test_a_table_comes_back_exactly_as_scored_here(live: Live, first: Model) -> None:
    table = koi_table()[:300]
    expected = score_file_frame(table, first.vetter).write_csv().encode()
    with live.http() as http:
        for how in (
            {"content": _csv(table), "headers": {"content-type": "text/csv; charset=utf-8"}},
            {"files": {"file": ("koi.csv", _csv(table), "text/csv")}},
        ):
            reply = http.post("/v1/predict_batch", **how)  # type: ignore[arg-type]
            assert reply.status_code == 200, reply.text
            assert reply.headers["content-type"].startswith("text/csv")
            assert reply.headers["x-exo-model"] == first.ref.digest
            assert reply.content == expected


@pytest.mark.parametrize(
    ("content", "kind", "status", "says"),
    [
        (b"a,b\n1,2\n", "application/json", 415, "text/csv"),
        (b"a,b\n1,2\n", "", 415, "text/csv"),
        (b"a,b\n1,2\n", "text/csv", 422, "layout"),
        (b"kepoi_name,koi_period\nK1.01\n", "text/csv", 422, "line 2"),
        (b"kepoi_name;koi_period\nK1.01;3\n", "text/csv", 422, "semicolons"),
        (b"", "text/csv", 422, "empty"),
        (b"\xff\xfe\x00", "text/csv", 422, "UTF-16"),
        (b"kepoi_name,koi_period,verdict\nK1.01,3,x\n", "text/csv", 422, "'verdict'"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400, "form"),
        (b"--x", "multipart/form-data", 400, "form"),
    ],
)
def test_what_is_no_table_is_refused_clearly(live: Live, content: bytes, kind: str, status: int, says: str) -> None:
    with live.http() as http:
        reply = http.post("/v1/predict_batch", content=content, headers={"content-type": kind} if kind else {})
    assert (reply.status_code, says in reply.text) == (status, True), reply.text


def test_a_table_that_is_too_large_is_refused(live: Live) -> None:
    def endless() -> Any:
        for _ in range(40):
            yield b"x" * 1_000_000

    with live.http() as http:
        try:
            status = http.post("/v1/predict_batch", content=endless(), headers={"content-type": "text/csv"}).status_code
        except httpx.WriteError:  # told off in the middle of the upload
            status = 413
    assert status == 413


# -- changing the model ------------------------------------------------------------------------------------------


class _Stranger(BaseHTTPRequestHandler):
    """Another program that listens where Serve's own proxy listens by default, as a second endpoint would."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"model": {"digest": "of a stranger"}}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[None]:
    """`_Stranger` on the port that Ray Serve shares between processes by default."""
    with ThreadingHTTPServer(("127.0.0.1", 8500), _Stranger, bind_and_activate=False) as server:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.server_bind()
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("stranger")
def test_another_model_takes_over_without_a_lost_request_or_a_restart(live: Live, first: Model, second: Model) -> None:
    with live.http() as http, Load(live, SIGNAL) as load:
        replica = http.get("/healthz").json()["replica"]
        live.client.deploy(second.deployed, timeout_s=120)
        after = live.client.predict([SIGNAL])[0]
        live.client.deploy(first.deployed, timeout_s=120)
        assert http.get("/healthz").json()["replica"] == replica
    assert after["model"] == second.ref.as_row()
    assert {status for status, _ in load.replies} == {200}
    assert {digest for _, digest in load.replies} == {first.ref.digest, second.ref.digest}


class _Registry:
    """A registry that hands out folders; `corrupt` are digests whose files were damaged after they were verified."""

    def __init__(self, *models: Model, corrupt: Path | None = None) -> None:
        self.paths = {model.ref.digest: model.path for model in models}
        self.corrupt = corrupt

    def fetch(self, ref: Any) -> Path:
        return self.paths[ref.digest]

    def metrics(self, ref: Any) -> dict[str, float]:
        return {"auc": 0.95, "odd": math.nan}

    def logged_at(self, ref: Any) -> int:
        return 1_700_000_000_000


def _serve(lake: Lake, client: ServeClient, registry: Any, model: Model) -> dg.ExecuteInProcessResult:
    lake.write("ml_vetter_champion", ML_VETTER_CHAMPION.conform(pl.DataFrame([model.ref.as_row()])))
    resources = {"lake": lake, "registry": registry, "serve": client}
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in resources.items()}
    return dg.materialize([serve_vetter], resources=defined, raise_on_error=False)


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return {k: v.value for k, v in event.step_materialization_data.materialization.metadata.items()}


def test_the_asset_deploys_once_and_rolls_back_by_itself(
    live: Live, first: Model, second: Model, lake: Lake, tmp_path: Path
) -> None:
    registry = _Registry(first, second)
    done = _serve(lake, live.client, registry, second)
    assert done.success and _metadata(done)["changed"] is True
    assert _metadata(done)["model_digest"] == second.ref.digest
    assert [e.passed for e in done.get_asset_check_evaluations()] == [True]
    again = _serve(lake, live.client, registry, second)
    assert again.success and _metadata(again)["changed"] is False

    class Damaged(ServeClient):
        """Hands the endpoint a copy of the first model whose trees were damaged."""

        def deploy(self, model: Deployed, **options: Any) -> None:
            if model.ref == first.ref:
                model = replace(model, path=Path(shutil.copytree(model.path, tmp_path / "damaged")))
                tree = next(model.path.glob("planet*.txt"))
                tree.write_text(tree.read_text().replace("leaf_value=", "leaf_value=9"), encoding="utf-8")
            super().deploy(model, **options)

    with Load(live, SIGNAL) as load:
        failed = _serve(lake, Damaged(live.settings), registry, first)
    assert not failed.success
    reason = str(failed.failure_data_for_node("serve_vetter"))
    assert "digest" in reason and "was put back and answers" in reason
    assert {status for status, _ in load.replies} == {200}
    assert {digest for _, digest in load.replies} == {second.ref.digest}
    assert live.client.status().healthy and live.client.served_version() == second.ref
    live.client.deploy(first.deployed, timeout_s=120)
    live.client.mark_good(first.deployed)


def test_a_refused_model_is_reported_and_the_old_one_answers(live: Live, first: Model, second: Model) -> None:
    with pytest.raises(ServeError, match=r"refused.*digest"):
        live.client.deploy(Deployed(second.ref, first.path), timeout_s=120)
    status = live.client.status()
    assert status.running and not status.healthy and status.model == first.ref and "refused" in status.message
    assert not live.client.serves(first.deployed)
    live.client.deploy(first.deployed, timeout_s=120)
    assert live.client.status().healthy


# -- the library -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def versions(live: Live) -> Versions:
    return Versions(live.settings)


@pytest.fixture
def with_library(live: Live, versions: Versions) -> Versions:
    """The endpoint with version one in its library."""
    if not versions.client.serves(versions.one):
        versions.client.deploy(versions.one, timeout_s=200)
    versions.client.mark_good(versions.one)
    return versions


def test_without_an_index_the_vetter_answers_and_the_library_says_what_to_do(live: Live) -> None:
    with live.http() as http:
        found = http.get("/healthz").json()
        assert found["status"] == "ok" and found["library"]["status"] == "none"
        for reply in (
            http.post("/v1/search", json={"query": "koi_score"}),
            http.post("/v1/ask", json={"question": "What is koi_score?", "stream": True}),
            http.get("/v1/dossier/K00351.01"),
            http.get("/v1/corpus"),
        ):
            assert reply.status_code == 503 and "exo run --job corpus_refresh" in reply.json()["remedy"]
        assert http.post("/v1/predict", json=SIGNAL).status_code == 200
        paths = http.get("/openapi.json").json()["paths"]
    assert {"/v1/search", "/v1/ask", "/v1/chat/{session}", "/v1/dossier/{signal}", "/v1/corpus"} <= set(paths)
    assert "query" in paths["/v1/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]["required"]


def _serve_library(versions: Versions, client: LibraryClient) -> dg.ExecuteInProcessResult:
    resources = {"library_store": versions.store, "library_endpoint": client}
    defined = {k: dg.ResourceDefinition.hardcoded_resource(v) for k, v in resources.items()}
    return dg.materialize([serve_library], resources=defined, raise_on_error=False)


def test_the_asset_deploys_the_released_index_once_and_rolls_back_by_itself(live: Live, versions: Versions) -> None:
    assert not _serve_library(versions, versions.client).success  # nothing is released
    versions.store.release(versions.one)
    done = _serve_library(versions, versions.client)
    assert done.success and _metadata(done)["changed"] is True and _metadata(done)["index"] == versions.one
    assert [e.passed for e in done.get_asset_check_evaluations()] == [True]
    again = _serve_library(versions, versions.client)
    assert again.success and _metadata(again)["changed"] is False
    versions.store.release(versions.two)

    class Damaging(LibraryClient):
        """The second version is damaged after it was opened here."""

        def deploy(self, version: str, **options: Any) -> None:
            if version != versions.two:
                return super().deploy(version, **options)
            with versions.damaged(version):
                return super().deploy(version, **options)

    with Asking(live) as asking:
        failed = _serve_library(versions, Damaging(live.settings))
    reason = str(failed.failure_data_for_node("serve_library"))
    assert "damaged" in reason and "was put back and answers" in reason
    assert {status for status, _, _ in asking.searches} == {200} == set(asking.predictions)
    assert {version for _, version, _ in asking.searches} == {versions.one}
    library = health(live)["library"]
    assert (library["status"], library["version"]) == ("ok", versions.one)
    assert live.client.status().library == library


def test_the_endpoint_finds_what_the_index_does_and_answers(live: Live, with_library: Versions) -> None:
    library = with_library.store.open(with_library.one)
    with live.http() as http:
        for question in ("eighth planet of Kepler-90", "KOI-351", "TOI-700 d", "secondary eclipse"):
            hits = http.get("/v1/search", params={"q": question}).json()["hits"]
            assert [h["chunk_id"] for h in hits] == [h.chunk_id for h in library.search(question)]
        answer = http.post("/v1/ask", json={"question": "What does koi_score mean?"}).json()
        assert answer["sources"][0]["document_id"] == "archive:koi_score" and answer["text"]
        assert http.post("/v1/ask", json={"question": "What does koi_score mean?"}).json()["cached"] is True
        with http.stream("POST", "/v1/ask", json={"question": "What is Kepler-11?", "stream": True}) as stream:
            text = b"".join(stream.iter_raw()).decode()
        assert text.startswith("event: passages\n") and "\n\nevent: done\n" in text
        path = "/v1/chat/a-session-of-mine"
        http.post(path, json={"question": "What is the period of the planet of Kepler-90?"})
        followed = http.post(path, json={"question": "And how large is it?"}).json()
        assert followed["turn"] == 2 and "Kepler-90" in followed["searched_for"]
        assert http.get("/v1/dossier/koi351.01").json()["dossier"] == {"title": "Kepler-90 h"}
        assert http.get("/v1/dossier/KOI-351.03").status_code == 404
        corpus = http.get("/v1/corpus").json()
        assert corpus["version"] == with_library.one and corpus["documents"] == library.documents.height
        wrong = http.post("/v1/search", json={"query": "a", "limt": 3})
        assert wrong.status_code == 422 and "did you mean 'limit'" in wrong.text


def test_who_answers_goes_before_the_work_of_a_night(live: Live, with_library: Versions) -> None:
    """A night's workers have Ray's own niceness, 15; the vetter goes before the library."""
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def threads(deployment: str) -> set[int]:
        (process,) = replica_processes(live, deployment)
        return {os.getpriority(os.PRIO_PROCESS, int(t.name)) for t in Path(f"/proc/{process}/task").iterdir()}

    assert threads("Vetter") == {own} and threads("Library") == {own, min(own + 5, 19)}


def test_a_change_of_one_deployment_leaves_the_other(
    live: Live, with_library: Versions, first: Model, second: Model
) -> None:
    before = health(live)
    live.client.deploy(second.deployed, timeout_s=120)
    with_library.client.deploy(with_library.two, timeout_s=120)
    after = health(live)
    assert after["model"] == second.ref.as_row() and after["library"]["version"] == with_library.two
    assert after["replica"] == before["replica"] and after["library"]["replica"] == before["library"]["replica"]
    live.client.deploy(first.deployed, timeout_s=120)
    assert health(live)["library"] == after["library"]
    with live.http() as http:
        # What was said in a session is there whichever version answers.
        assert len(http.get("/v1/chat/a-session-of-mine").json()["turns"]) == 2


def test_another_index_takes_over_without_a_lost_request_or_half_an_index(live: Live, with_library: Versions) -> None:
    with Asking(live) as asking:
        for version in (with_library.two, with_library.one, with_library.two):
            with_library.client.deploy(version, timeout_s=120)
    assert {status for status, _, _ in asking.searches} == {200} == set(asking.predictions)
    assert {version for _, version, _ in asking.searches} == {with_library.one, with_library.two}
    for _, version, documents in asking.searches:
        assert [d for d in documents if d in ("one.txt", "two.txt")] == [with_library.own_document(version)]


def test_a_client_that_goes_away_closes_the_language_models_connection(live: Live, with_library: Versions) -> None:
    def holds(_: Request) -> Reply:
        return Reply(pieces=["Kepler-90 has an eighth planet [1]. ", "And "], hold=True)

    question = {"question": "How many planets does Kepler-90 have?"}
    with openai_server(holds) as server:
        worded = live.settings.model_copy(
            update={"generator": "remote", "llm_url": server.url, "llm_model": "tiny", "llm_attempts": 1}
        )
        client = LibraryClient(worded)
        client.deploy(with_library.one, timeout_s=120)
        assert client.serves(with_library.one) and not with_library.client.serves(with_library.one)
        with live.http() as http:
            assert http.get("/v1/corpus").json()["generator"]["state"] == "ready"
            with http.stream("POST", "/v1/ask", json={**question, "stream": True}) as stream:
                said = ""
                for text in stream.iter_text():
                    said += text
                    assert said.startswith("event: passages") and "event: done" not in said, said
                    if server.asked.acquire(blocking=False):
                        break
                assert server.requests, said
            assert server.gone.acquire(timeout=60), "the stream's connection stays open"
            # It leaves once the model is at work, however long a busy machine takes to get there.
            leaving = HTTPConnection(live.settings.serve_host, live.settings.serve_port)
            leaving.request("POST", "/v1/chat/session-that-ends", json.dumps(question), AS_JSON)
            assert server.asked.acquire(timeout=120), "the language model is not asked"
            leaving.close()
            assert server.gone.acquire(timeout=60), "the connection of a whole answer stays open"
            assert http.post("/v1/predict", json=SIGNAL).status_code == 200
            assert http.get("/v1/corpus").json()["asks"]["inside"] == 0
            assert http.get("/v1/chat/session-that-ends").status_code == 404


def test_a_killed_library_comes_back_and_the_vetter_never_notices(live: Live, with_library: Versions) -> None:
    before = health(live)
    (process,) = replica_processes(live, "Library")
    with Asking(live, search=False) as asking:
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 120
        statuses = []
        with live.http() as http:
            while health(live)["library"].get("replica") in (before["library"]["replica"], None):
                assert time.monotonic() < deadline
                statuses.append(http.get("/v1/search", params={"q": "koi_score"}).status_code)
            assert http.get("/v1/search", params={"q": "koi_score"}).json()["version"] == with_library.one
    assert set(asking.predictions) == {200} and set(statuses) <= {200, 503}
    assert health(live)["replica"] == before["replica"]


# -- the cluster -------------------------------------------------------------------------------------------------


def test_only_loopback_is_served_and_the_token_is_private(live: Live) -> None:
    assert (live.client.cluster.folder / "token").stat().st_mode & 0o777 == 0o600
    state = live.client.cluster.state
    assert state is not None
    assert httpx.get(f"{state.api}/api/serve/applications/", trust_env=False).status_code == 401


def test_after_a_kill_9_the_next_start_brings_the_last_good_model_and_index_back(
    live: Live, first: Model, with_library: Versions
) -> None:
    state = live.client.cluster.state
    assert state is not None
    head = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_head(p, state.session)]
    assert head
    for pid in head:
        os.kill(pid, signal.SIGKILL)
    said: list[str] = []
    deadline = time.monotonic() + 60
    while live.client.cluster.alive() and time.monotonic() < deadline:
        time.sleep(0.2)
    status = live.client.start(said.append)
    if live.client.cluster.state == state:  # the replica went on without its head: start saw a healthy endpoint
        live.client.deploy(first.deployed, progress=said.append, timeout_s=400)
        status = live.client.status()
    assert status.healthy and status.model == first.ref
    assert live.client.cluster.state != state
    assert json.dumps(live.client.predict([SIGNAL])[0]["model"]) == json.dumps(first.ref.as_row())
    deadline = time.monotonic() + 120
    while health(live)["library"]["version"] != with_library.one:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _is_head(process: Path, session: int) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        return os.getsid(int(process.name)) == session and (b"gcs_server" in command or b"raylet/raylet" in command)
    except OSError:
        return False
