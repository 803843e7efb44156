"""The live endpoint, from outside: bring it up, put a model on it, ask it.

Belongs here: the declarative configuration of the Serve application, waiting for it, and calling it over HTTP.
Does not belong here: the application (deployments/serve) or the processes that it runs in (serve_cluster.py).
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo_assets.training.model_ref import ModelRef
from exo_resources.serve_cluster import SOURCE, ServeCluster, ServeError, ServeUnreachableError, write_private
from exo_resources.settings import Settings

__all__ = ["Deployed", "ServeClient", "ServeError", "ServeStatus", "ServeUnreachableError"]

APPLICATION = "exo"
IMPORT_PATH = "deployments.serve.app:app"
DEPLOYMENT = "Vetter"
HEALTHY_TIMEOUT_S = 180.0
PUT_ATTEMPTS = 3
PUT_TIMEOUT_S = 180.0
"""The first PUT starts Serve itself: 15 s on two quiet cores, far more on busy ones."""
POLL_S = 0.25
SERVED_CODE = "SERVED_CODE"
"""Environment variable of the replicas: digest of the code that they run."""
CODE = ("deployments/serve", "exo_assets/catalogs", "exo_assets/features", "exo_assets/scoring", "exo_assets/training")
CALL_TIMEOUT_S = 30.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """A model and the folder of its files, as it was put on the endpoint."""

    ref: ModelRef
    path: Path


@dataclass(frozen=True)
class ServeStatus:
    """What can be said of the endpoint now. `healthy`: it answers with the newest model that it was given."""

    running: bool
    healthy: bool
    url: str
    model: ModelRef | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)


def code_digest() -> str:
    """Digest of the sources that the replicas import."""
    digest = hashlib.sha256()
    for folder in CODE:
        for file in sorted((SOURCE / folder).rglob("*.py")):
            digest.update(file.relative_to(SOURCE).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class ServeClient:
    """The endpoint of one installation (`settings.home`, `serve_host`, `serve_port`).

    Starting costs half a minute; afterwards the endpoint stays up, whatever happens to the caller, until `stop`.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = settings.endpoint
        self.cluster = ServeCluster(settings.home, settings.serve_host, settings.serve_port)
        self._good_file = self.cluster.folder / "last_good.json"

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self, progress: Progress = lambda _: None) -> ServeStatus:
        """Bring the endpoint up with the last model that proved good; without one, only its cluster."""
        good = self.last_good()
        if good is None:
            with self.cluster.locked():
                self.cluster.start()
        elif not self.serves(good.ref):
            self.deploy(good.ref, good.path, progress=progress)
        return self.status()

    def stop(self) -> bool:
        """Take the endpoint down; whether it was up."""
        with self.cluster.locked():
            return self.cluster.stop()

    def status(self) -> ServeStatus:
        """What can be said of the endpoint now; never raises."""
        health = self._health()
        if health is None:
            message = "no model has been deployed" if self.cluster.alive() else "not running"
            return ServeStatus(False, False, self.url, None, message)
        rejected = health["rejected"]
        message = f"the newest model was refused: {rejected['reason']}" if rejected else "answering"
        return ServeStatus(True, not rejected, self.url, ModelRef(**health["model"]), message)

    def served_version(self) -> ModelRef | None:
        """The model that answers, None when nothing does."""
        return self.status().model

    def serves(self, ref: ModelRef) -> bool:
        """Whether the endpoint is healthy and answers with this model and with the code at hand."""
        health = self._health()
        return bool(
            health
            and not health["rejected"]
            and health["model"] == ref.as_row()
            and health.get("code") == code_digest()
        )

    # -- deploying -------------------------------------------------------------------------------------------------

    def deploy(
        self,
        ref: ModelRef,
        path: Path,
        *,
        details: Mapping[str, Any] | None = None,
        timeout_s: float = HEALTHY_TIMEOUT_S,
        progress: Progress = lambda _: None,
    ) -> None:
        """Put the model in folder `path` on the endpoint, starting it when it is down, and wait until it answers.

        ServeError when it is refused or not healthy within `timeout_s` after it was handed over; an endpoint that
        answered before goes on with its model.
        """
        deployment_id = uuid.uuid4().hex
        config = {
            "model": ref.as_row(),
            "path": str(Path(path).resolve()),
            "deployment_id": deployment_id,
            "details": dict(details or {}),
        }
        with self.cluster.locked():
            if self.cluster.start():
                progress("Ray head of the endpoint started")
            self._hand_over(config, progress)
            progress(f"{ref} handed to the endpoint")
            self._wait(ref, deployment_id, time.monotonic() + timeout_s, progress)

    def last_good(self) -> Deployed | None:
        """The last model that was marked good."""
        try:
            stored = json.loads(self._good_file.read_text(encoding="utf-8"))
            return Deployed(ModelRef(**stored["ref"]), Path(stored["path"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ServeError(f"{self._good_file} cannot be read ({error}); remove it and deploy again") from error

    def mark_good(self, ref: ModelRef, path: Path) -> None:
        """Remember a model as the one to return to."""
        write_private(self._good_file, json.dumps({"ref": ref.as_row(), "path": str(Path(path).resolve())}))

    def _hand_over(self, config: Mapping[str, Any], progress: Progress) -> None:
        """PUT the configuration; again when Serve stumbles while it starts, on a new cluster when this one is dead."""
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._put(config)
                return
            except ServeUnreachableError as error:
                if attempt == PUT_ATTEMPTS - 1:
                    raise
                alive = self.cluster.alive()
                progress(f"{'trying again' if alive else 'restarting the cluster'}: {error}")
                if not alive:
                    self.cluster.stop()
                    self.cluster.start()

    def _put(self, config: Mapping[str, Any]) -> None:
        self.cluster.request(
            "PUT",
            "/api/serve/applications/",
            {
                "proxy_location": "HeadOnly",
                "http_options": {"host": self.cluster.host, "port": self.cluster.port},
                "applications": [
                    {
                        "name": APPLICATION,
                        "route_prefix": "/",
                        "import_path": IMPORT_PATH,
                        # Other code is another environment: new replicas. Another model alone is not.
                        "runtime_env": {"env_vars": {SERVED_CODE: code_digest()}},
                        "deployments": [{"name": DEPLOYMENT, "user_config": config}],
                    }
                ],
            },
            PUT_TIMEOUT_S,
        )

    def _wait(self, ref: ModelRef, deployment_id: str, deadline: float, progress: Progress) -> None:
        said = ""
        while time.monotonic() < deadline:
            health = self._health()
            if health and health["deployment_id"] == deployment_id:
                if health["rejected"]:
                    raise ServeError(f"the endpoint refused {ref}: {health['rejected']['reason']}")
                return
            status, message = self._application()
            if status in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise ServeError(f"the endpoint with {ref} is {status}: {message}")
            if status != said:
                progress(f"endpoint: {status.lower().replace('_', ' ')}")
                said = status
            time.sleep(POLL_S)
        raise ServeError(
            f"the endpoint did not answer with {ref} in time (last status: {said}); see {self.cluster.log}"
        )

    def _application(self) -> tuple[str, str]:
        """Status and message of the Serve application."""
        found = self.cluster.request("GET", "/api/serve/applications/").get("applications", {}).get(APPLICATION)
        if found is None:
            return "NOT_STARTED", ""
        deployments = [f"{d.get('message', '')}" for d in (found.get("deployments") or {}).values()]
        return str(found["status"]), " ".join(filter(None, [found.get("message", ""), *deployments]))

    # -- asking ----------------------------------------------------------------------------------------------------

    def predict(self, signals: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The endpoint's reply to each signal (fields of /v1/predict), in order. ServeError naming the one refused."""
        import httpx

        replies = []
        with httpx.Client(trust_env=False, timeout=CALL_TIMEOUT_S, base_url=self.url) as client:
            for number, signal in enumerate(signals):
                try:
                    reply = client.post("/v1/predict", json=dict(signal))
                except httpx.HTTPError as error:
                    raise ServeUnreachableError(f"the endpoint at {self.url} does not answer ({error})") from error
                if reply.status_code != 200:
                    raise ServeError(f"signal {number}: the endpoint answered {reply.status_code}: {reply.text[:500]}")
                replies.append(reply.json())
        return replies

    def _health(self) -> dict[str, Any] | None:
        """The reply of /healthz when it is this endpoint's, None when nobody or somebody else answers."""
        import httpx

        try:
            with httpx.Client(trust_env=False, timeout=CALL_TIMEOUT_S) as client:
                reply = client.get(f"{self.url}/healthz")
            found = reply.json() if reply.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) and {"model", "rejected", "deployment_id"} <= found.keys() else None
