"""An index put on the endpoint, without one: golden searches, the roll-out, and what both deployments are told."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from small_library import document, small_library

from exo_assets.corpus.library import Library, SearchRequest
from exo_assets.serving.golden_searches import GOLDEN_SEARCHES, expected_hits, wrong_hits
from exo_assets.serving.library_rollout import LibraryRolloutError, roll_out_library
from exo_assets.training.model_ref import ModelRef
from exo_resources.library_client import LibraryClient
from exo_resources.serve_application import LIBRARY, VETTER, ServeApplication, library_config, vetter_config
from exo_resources.serve_cluster import ServeCluster, ServeError
from exo_resources.serve_last_good import Deployed, DeployedLibrary
from exo_resources.settings import Settings
from exo_resources.settings_file import read_settings

GOLDEN = (("What does koi_score mean?", "archive:koi_score"), ("owl", "owl.txt"))
SCORE = document("archive:koi_score", "The column koi_score is a value between 0 and 1.", source="archive_columns")
OWL = document("owl.txt", "A barn owl came to the telescope.")
CLOUD = document("cloud.txt", "Clouds came to the telescope, and no owl.")


@pytest.fixture(scope="module")
def libraries() -> dict[str, Library]:
    """Three versions; in "lacking" a golden document is not."""
    return {
        "one": small_library([SCORE, OWL], version="one"),
        "two": small_library([SCORE, OWL, CLOUD], version="two"),
        "lacking": small_library([SCORE, CLOUD], version="lacking"),
    }


# -- golden searches -------------------------------------------------------------------------------------------------


def test_golden_documents_are_of_the_package() -> None:
    from exo_assets.corpus.own_documents import own_documents

    assert {name for _, name in GOLDEN_SEARCHES} <= {d.document_id for d in own_documents()}


@pytest.mark.parametrize(
    "change",
    [
        lambda hits: hits[:-1],
        lambda hits: hits[::-1],
        lambda hits: [{**hits[0], "score": hits[0]["score"] - 0.01}, *hits[1:]],
        lambda hits: [{**hits[0], "dense": None}, *hits[1:]],
        lambda hits: [{**hits[0], "chunk_id": "another"}, *hits[1:]],
        lambda hits: [],
    ],
)
def test_any_other_finding_is_seen(
    libraries: dict[str, Library], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    question, name = GOLDEN[0]
    wanted = expected_hits(libraries["two"], question)
    assert wrong_hits(question, name, wanted, json.loads(json.dumps(wanted))) == []
    assert len(wrong_hits(question, name, wanted, change(wanted))) == 1
    assert "not among the first" in wrong_hits(question, "missing", wanted, wanted)[0]


# -- the roll-out ----------------------------------------------------------------------------------------------------


class _Endpoint:
    """An endpoint in memory; `wrong` are versions that it searches wrongly, `sick` ones that it refuses."""

    def __init__(self, libraries: dict[str, Library], wrong: tuple[str, ...] = (), sick: tuple[str, ...] = ()) -> None:
        self.libraries, self.wrong, self.sick = libraries, wrong, sick
        self.version: str | None = None
        self.good: DeployedLibrary | None = None
        self.log: list[str] = []

    def serves(self, version: str) -> bool:
        return self.version == version

    def deploy(self, version: str, *, settings: Path | None = None, progress: Callable[[str], None] = print) -> None:
        self.log.append(f"deploy {version} {settings.name if settings else 'with the settings at hand'}")
        if version in self.sick:
            raise ServeError("refused")
        self.version = version

    def search(self, query: str, limit: int, fusion: str) -> list[dict[str, Any]]:
        assert self.version is not None
        hits = [asdict(hit) for hit in self.libraries[self.version].search(query, SearchRequest(limit=limit))]
        return hits[::-1] if self.version in self.wrong else hits

    def last_good(self) -> DeployedLibrary | None:
        return self.good

    def mark_good(self, version: str) -> None:
        self.good = DeployedLibrary(version, Path(f"settings-of-{version}.json"))

    def withdraw(self, *, progress: Callable[[str], None] = print) -> None:
        self.log.append("withdraw")
        self.version = self.good = None


def _roll_out(endpoint: _Endpoint, version: str) -> bool:
    return roll_out_library(endpoint, version, endpoint.libraries.__getitem__, golden=GOLDEN).changed


def test_a_version_that_proves_itself_stays_and_is_not_deployed_twice(libraries: dict[str, Library]) -> None:
    endpoint = _Endpoint(libraries)
    assert _roll_out(endpoint, "one") and not _roll_out(endpoint, "one")
    assert endpoint.log == ["deploy one with the settings at hand"]
    assert endpoint.good is not None and endpoint.good.version == "one"


@pytest.mark.parametrize("fault", [{"wrong": ("two",)}, {"sick": ("two",)}, {}])
def test_a_version_that_does_not_is_replaced_by_the_one_before(libraries: dict[str, Library], fault: Any) -> None:
    endpoint = _Endpoint(libraries, **fault)
    _roll_out(endpoint, "one")
    new = "two" if fault else "lacking"
    with pytest.raises(LibraryRolloutError, match="put back") as caught:
        _roll_out(endpoint, new)
    assert caught.value.restored == endpoint.version == "one"
    assert endpoint.log[1:] == [f"deploy {new} with the settings at hand", "deploy one settings-of-one.json"]


def test_without_a_version_before_the_library_is_left_empty(libraries: dict[str, Library]) -> None:
    endpoint = _Endpoint(libraries, wrong=("one",))
    with pytest.raises(LibraryRolloutError, match="has no index") as caught:
        _roll_out(endpoint, "one")
    assert caught.value.restored is None and endpoint.version is None and endpoint.log[-1] == "withdraw"


def test_when_the_one_before_fails_or_is_gone_the_library_is_left_empty(libraries: dict[str, Library]) -> None:
    for fault in ("wrong", "gone"):
        endpoint = _Endpoint(dict(libraries), wrong=("two",))
        _roll_out(endpoint, "one")
        if fault == "wrong":
            endpoint.wrong = ("one", "two")
        else:
            del endpoint.libraries["one"]
        with pytest.raises(LibraryRolloutError, match="could not be put back either"):
            _roll_out(endpoint, "two")
        assert endpoint.version is None


def test_an_endpoint_that_finds_something_else_is_deployed_again(libraries: dict[str, Library]) -> None:
    endpoint = _Endpoint(libraries)
    _roll_out(endpoint, "one")
    endpoint.wrong = ("one",)
    with pytest.raises(LibraryRolloutError):
        _roll_out(endpoint, "one")
    assert endpoint.log[1:] == ["deploy one with the settings at hand", "withdraw"]


def test_a_version_that_cannot_be_opened_is_refused_before_the_endpoint_is_touched(
    libraries: dict[str, Library],
) -> None:
    endpoint = _Endpoint(libraries)
    with pytest.raises(KeyError):
        _roll_out(endpoint, "none")
    assert endpoint.log == []


# -- the configuration of both deployments ---------------------------------------------------------------------------


class _Serve:
    """A server that plays the part of Serve's REST API that is used: it keeps the configuration that it was given."""

    def __init__(self) -> None:
        self.application: dict[str, Any] | None = None
        self.puts: list[dict[str, Any]] = []

    def applications(self) -> dict[str, Any]:
        return {"applications": {} if self.application is None else {"exo": self.application}}

    def put(self, body: dict[str, Any]) -> None:
        self.puts.append(body)
        (application,) = body["applications"]
        healthy = {"status": "HEALTHY", "message": ""}
        self.application = {
            "status": "RUNNING",
            "message": "",
            "deployed_app_config": application,
            "deployments": {VETTER: dict(healthy), LIBRARY: dict(healthy)},
        }

    def given(self, deployment: str) -> dict[str, Any]:
        """The configuration of a deployment in the last PUT."""
        (found,) = [d for d in self.puts[-1]["applications"][0]["deployments"] if d["name"] == deployment]
        return dict(found)


def _settings(home: Path, **changed: Any) -> Settings:
    return Settings(home=home, serve_port=9, library_replicas=2, **changed)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[tuple[_Serve, ServeApplication]]:
    """A cluster that seems to have been started, and the application on it."""
    played = _Serve()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(json.dumps(played.applications()).encode())

        def do_PUT(self) -> None:
            played.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._send(b"")

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        settings = _settings(tmp_path)
        cluster = ServeCluster(tmp_path, "127.0.0.1", 9)
        cluster.folder.mkdir(parents=True)
        state = {"session": 0, "api": f"http://127.0.0.1:{server.server_port}", "host": "127.0.0.1", "port": 9}
        (cluster.folder / "state.json").write_text(json.dumps({**state, "temp": str(cluster._temp)}))
        (cluster.folder / "token").write_text("token")
        yield played, ServeApplication(cluster, settings)
        server.shutdown()


MODEL = Deployed(ModelRef("exo-vetter", "1", "run1", "d" * 64), Path("/models/1"))
INDEX = DeployedLibrary("abc", Path("/settings/library-1.json"))


def _say(_: str) -> None:
    pass


def test_a_change_of_one_deployment_carries_the_other_as_it_is(serve: tuple[_Serve, ServeApplication]) -> None:
    played, application = serve
    vetter = vetter_config(MODEL, {"auc": 0.9})
    application.put(_say, vetter=vetter)
    assert played.given(VETTER)["user_config"] == vetter
    assert played.given(LIBRARY)["user_config"]["version"] is None and played.given(LIBRARY)["num_replicas"] == 2
    library = library_config(INDEX)
    application.put(_say, library=library)
    assert played.given(VETTER)["user_config"] == vetter and played.given(LIBRARY)["user_config"] == library
    other = vetter_config(MODEL)
    application.put(_say, vetter=other)
    assert played.given(VETTER)["user_config"] == other and played.given(LIBRARY)["user_config"] == library


def test_on_a_new_cluster_what_proved_good_last_comes_back(serve: tuple[_Serve, ServeApplication]) -> None:
    played, application = serve
    with pytest.raises(ServeError, match="exo serve start"):
        application.put(_say, library=library_config(INDEX))
    assert played.puts == []
    application.last_good.mark_model(MODEL)
    application.put(_say, library=library_config(INDEX))
    assert played.given(VETTER)["user_config"]["path"] == "/models/1"
    played.application = None
    application.last_good.mark_library(INDEX)
    application.put(_say, vetter=vetter_config(MODEL))
    assert played.given(LIBRARY)["user_config"]["version"] == "abc"
    # With the settings at hand, not with those that it had then.
    assert played.given(LIBRARY)["user_config"]["settings"] == str(application.settings_file())
    application.last_good.forget_library()
    played.application = None
    application.put(_say, vetter=vetter_config(MODEL))
    assert played.given(LIBRARY)["user_config"]["version"] is None


def test_one_deployment_that_fails_does_not_speak_for_the_other(serve: tuple[_Serve, ServeApplication]) -> None:
    played, application = serve
    assert application.state(VETTER) == ("NOT_STARTED", "")
    application.put(_say, vetter=vetter_config(MODEL))
    assert played.application is not None
    assert application.state(VETTER) == ("HEALTHY", "")
    played.application["status"] = "UNHEALTHY"
    played.application["deployments"][LIBRARY] = {"status": "UNHEALTHY", "message": "died"}
    assert application.state(VETTER) == ("HEALTHY", "") and application.state(LIBRARY) == ("UNHEALTHY", "died")
    # The code cannot be imported: what runs is of before.
    played.application["deployments"][LIBRARY]["status"] = "HEALTHY"
    played.application |= {"status": "DEPLOY_FAILED", "message": "ImportError"}
    assert application.state(VETTER) == application.state(LIBRARY) == ("DEPLOY_FAILED", "ImportError")
    played.application |= {"status": "DEPLOYING", "message": "", "deployments": {}}
    assert application.state(LIBRARY) == ("DEPLOYING", "")


def test_nothing_that_is_secret_is_handed_to_serve(serve: tuple[_Serve, ServeApplication], tmp_path: Path) -> None:
    played, application = serve
    application.last_good.mark_model(MODEL)
    settings = _settings(
        tmp_path,
        qdrant_url="http://127.0.0.1:6333",
        qdrant_api_key="secret-word",
        chat_url="postgresql://exo:secret-word@127.0.0.1/exo",
    )
    client = LibraryClient(settings)
    with pytest.raises(ServeError, match="in time"):
        client.deploy("abc", timeout_s=0.1)
    given = played.given(LIBRARY)["user_config"]
    assert "secret-word" not in json.dumps(played.puts)
    file = Path(given["settings"])
    assert "secret-word" in file.read_text() and file.stat().st_mode & 0o077 == 0
    # Files of settings that nothing returns to do not pile up.
    LibraryClient(settings.model_copy(update={"fusion": "rrf"})).mark_good("abc")
    left = list(file.parent.iterdir())
    assert len(left) == 1 and client.last_good() == DeployedLibrary("abc", left[0])


def _settings_given(played: _Serve) -> Settings:
    return read_settings(Path(played.given(LIBRARY)["user_config"]["settings"]))


def test_a_start_renews_settings_that_have_changed_and_nothing_else(
    serve: tuple[_Serve, ServeApplication], tmp_path: Path
) -> None:
    played, application = serve
    client = LibraryClient(_settings(tmp_path))
    client.renew()
    assert played.puts == []  # nothing has been deployed
    application.last_good.mark_model(MODEL)
    client.mark_good("abc")
    application.put(_say, vetter=vetter_config(MODEL))
    client.renew()
    assert len(played.puts) == 1
    chats = f"sqlite:///{tmp_path / 'other.db'}"
    with pytest.raises(ServeError, match="in time"):
        LibraryClient(_settings(tmp_path, chat_url=chats)).renew(timeout_s=0.1)
    assert played.given(LIBRARY)["user_config"]["version"] == "abc"
    assert _settings_given(played).chat == chats


def test_a_copied_home_uses_neither_the_settings_nor_the_cluster_of_the_other(
    serve: tuple[_Serve, ServeApplication], tmp_path: Path
) -> None:
    played, application = serve
    application.last_good.mark_model(MODEL)
    LibraryClient(_settings(tmp_path)).mark_good("abc")
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy)
    client = LibraryClient(_settings(copy))
    found = client.last_good()
    assert found is not None and found.version == "abc" and read_settings(found.settings).home == copy
    assert not ServeCluster(copy, "127.0.0.1", 9).alive() and application.cluster.alive()
    client.renew()
    assert played.puts == []


def test_settings_that_are_lost_are_those_at_hand(serve: tuple[_Serve, ServeApplication], tmp_path: Path) -> None:
    _, application = serve
    application.last_good.mark_library(INDEX)
    found = LibraryClient(_settings(tmp_path)).last_good()
    assert found == DeployedLibrary("abc", application.settings_file())


def test_nothing_running_is_no_error(tmp_path: Path) -> None:
    client = LibraryClient(Settings(home=tmp_path, serve_port=9))
    assert not client.deployable() and not client.serves("abc") and client.last_good() is None
    with pytest.raises(ServeError, match="does not answer"):
        client.search("owl", 3, "rrf")
