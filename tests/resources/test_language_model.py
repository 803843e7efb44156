from __future__ import annotations

import json
import logging
import threading

import pytest

from exo_assets.corpus.generated import GeneratorError, Message
from exo_resources.language_model import RemoteModel, language_model
from exo_resources.openai_call import Patience
from exo_resources.openai_endpoint import Endpoint
from exo_resources.settings import Settings
from tests.openai_server import KEY, MODEL, OpenAIServer, Reply, openai_server
from tests.ports import free_port

MESSAGES = [Message("system", "Answer."), Message("user", "How many?")]


def model(server: OpenAIServer | str, **patience) -> RemoteModel:  # type: ignore[no-untyped-def]
    url = server if isinstance(server, str) else server.url
    more = {"timeout_s": 30.0, "first_pause_s": 0.01, **patience}
    return RemoteModel(Endpoint.of(url, MODEL, KEY), Patience(**more), quantisation="4-bit", memory_gb=6.0)


def failure(m: RemoteModel) -> tuple[list[str], GeneratorError]:
    """The pieces that arrived, and the error behind them."""
    arrived = []
    with pytest.raises(GeneratorError) as error:
        for piece in m.stream(MESSAGES):
            arrived.append(piece)
    assert KEY not in str(error.value) and "EXO_GENERATOR=extractive" in str(error.value)
    assert m.status()["last_error"]["message"] == str(error.value)
    return arrived, error.value


def test_the_text_arrives_in_pieces_and_the_request_is_a_chat() -> None:
    with openai_server(lambda _: Reply(["Eight ", "planets ", "[1]."])) as server:
        m = model(server, context_tokens=2000)
        assert list(m.stream(MESSAGES)) == ["Eight ", "planets ", "[1]."]
        (request,) = server.requests
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.body["messages"] == [{"role": m.role, "content": m.text} for m in MESSAGES]
        assert request.body["model"] == MODEL and request.body["stream"] is True
        assert (request.body["temperature"], request.body["max_tokens"]) == (0.0, 400)
        status = m.status()
        assert status == {
            **{"kind": "remote", "model": MODEL, "url": server.url, "quantisation": "4-bit", "memory_gb": 6.0},
            **{"context_tokens": 2000, "state": "ready", "reason": None, "last_error": None, "loaded_at": None},
        }
        assert json.loads(json.dumps(status)) == status


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    replies = iter([Reply(status=status, body=b"{}", headers={"retry-after": "0.01"}), Reply(["Eight."])])
    with openai_server(lambda _: next(replies)) as server:
        assert list(model(server).stream(MESSAGES)) == ["Eight."]
        assert len(server.requests) == 2


def test_tries_end() -> None:
    busy = json.dumps({"error": {"message": "too many requests"}}).encode()
    with openai_server(lambda _: Reply(status=429, body=busy)) as server:
        _, error = failure(model(server, attempts=3))
        assert error.reason == "overloaded" and "after 3 tries" in str(error) and "too many requests" in str(error)
        assert len(server.requests) == 3


def test_a_refused_key_is_told_at_once_and_never_shown() -> None:
    said = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
    with openai_server(lambda _: Reply(status=401, body=said)) as server:
        _, error = failure(model(server))
        assert error.reason == "refused" and "EXO_LLM_API_KEY" in str(error) and "***" in str(error)
        assert len(server.requests) == 1


def test_nothing_of_a_request_is_logged_with_its_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with openai_server(lambda _: Reply(["Eight."])) as server:
        list(model(server).stream(MESSAGES))
        model(server).status()
    assert KEY not in caplog.text


def test_a_redirect_is_not_followed() -> None:
    with (
        openai_server(lambda _: Reply(["Eight."])) as elsewhere,
        openai_server(lambda _: Reply(status=307, body=b"", headers={"location": elsewhere.url})) as server,
    ):
        _, error = failure(model(server))
        assert error.reason == "refused" and "not followed" in str(error)
        assert elsewhere.requests == []


def test_a_stream_that_is_cut_gives_what_arrived_and_an_error() -> None:
    with openai_server(lambda _: Reply(["Eight ", "pla"], cut=True)) as server:
        arrived, error = failure(model(server))
        assert (arrived, error.reason) == (["Eight ", "pla"], "broken") and "broke off" in str(error)
        assert len(server.requests) == 1


@pytest.mark.parametrize("pieces", [[], ["Eight "]])
def test_a_model_that_hangs_is_left(pieces: list[str]) -> None:
    with openai_server(lambda _: Reply(pieces, hold=True)) as server:
        arrived, error = failure(model(server, timeout_s=1.0))
        assert (arrived, error.reason) == (pieces, "timeout") and "EXO_LLM_TIMEOUT_S" in str(error)
        assert server.gone.acquire(timeout=20)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"data: {broken\n\n", headers={"content-type": "text/event-stream"}),
        Reply(body=b"<html>welcome</html>", headers={"content-type": "text/html"}),
        Reply(body=b'data: {"choices": 7}\n\n', headers={"content-type": "text/event-stream"}),
        Reply(body=b'data: {"error": {"message": "out of memory"}}\n\n', headers={"content-type": "text/event-stream"}),
        Reply(body=b""),
    ],
    ids=["broken", "html", "odd", "error", "empty"],
)
def test_what_cannot_be_read_is_an_error(reply: Reply) -> None:
    with openai_server(lambda _: reply) as server:
        arrived, error = failure(model(server))
        assert (arrived, error.reason) == ([], "broken")


def test_a_closed_iterator_closes_the_connection() -> None:
    with openai_server(lambda _: Reply(["Eight "], hold=True)) as server:
        pieces = model(server).stream(MESSAGES)
        assert next(pieces) == "Eight "
        pieces.close()  # type: ignore[attr-defined]
        assert server.gone.acquire(timeout=20)


def test_a_question_is_cancelled_while_nothing_arrives() -> None:
    stop = threading.Event()
    with openai_server(lambda _: Reply([], hold=True)) as server:
        asked = threading.Thread(target=lambda: list(model(server).stream(MESSAGES, stop.is_set)))
        asked.start()
        assert server.asked.acquire(timeout=20)
        stop.set()
        assert server.gone.acquire(timeout=20)
        asked.join(timeout=20)
        assert not asked.is_alive()


def test_status_says_what_is_wrong() -> None:
    down = f"http://127.0.0.1:{free_port()}/v1"
    status = model(down).status()
    assert status["state"] == "unreachable" and "cannot be reached" in status["reason"]
    with openai_server(lambda _: Reply(["Eight."]), models=("other",)) as server:
        status = model(server).status()
        assert status["state"] == "refused" and "has no model 'tiny', only other" in status["reason"]
    _, error = failure(model(down, attempts=2))
    assert error.reason == "unreachable" and "after 2 tries" in str(error)


def test_credentials_in_the_address_are_sent_and_not_shown() -> None:
    with openai_server(lambda _: Reply(["Eight."])) as server:
        endpoint = Endpoint.of(server.url.replace("http://", "http://me:hidden-word@"), MODEL, None)
        m = RemoteModel(endpoint, Patience())
        assert list(m.stream(MESSAGES)) == ["Eight."]
        assert server.requests[0].headers["authorization"].startswith("Basic ")
        assert m.status()["url"] == server.url and "hidden-word" not in json.dumps(m.status())
        assert "hidden-word" not in repr(endpoint) and KEY not in repr(Endpoint.of(server.url, MODEL, KEY))
    with pytest.raises(GeneratorError, match="must end with its path"):
        Endpoint.of("http://host/v1?key=1", MODEL, None)


def test_the_client_takes_no_key_from_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    with openai_server(lambda _: Reply(["Eight."])) as server:
        assert list(RemoteModel(Endpoint.of(server.url, MODEL, None), Patience()).stream(MESSAGES)) == ["Eight."]
        assert "somebody-else" not in str(server.requests[0].headers)


def test_the_settings_name_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    assert language_model(Settings()) is None
    chosen = language_model(
        Settings(generator="remote", llm_url="http://host:1/v1/", llm_model="m", llm_timeout_s=5, llm_attempts=2)
    )
    assert isinstance(chosen, RemoteModel) and chosen.name == "m"
    assert (chosen.endpoint().url, chosen.patience.timeout_s, chosen.patience.attempts) == ("http://host:1/v1", 5, 2)
    with pytest.raises(GeneratorError, match="EXO_GENERATOR=local needs EXO_LLM_MODEL"):
        language_model(Settings(generator="local"))
