"""The live endpoint, from outside: bring it up, put a model on it, ask it.

Belongs here: deploying a model, waiting for it, and calling it over HTTP. Does not belong here: the library
(library_client.py), the configuration that both share (serve_application.py), or the processes (serve_cluster.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo_assets.training.model_ref import ModelRef
from exo_resources.serve_application import (
    FAILED,
    VETTER,
    Progress,
    ServeApplication,
    code_digest,
    vetter_config,
)
from exo_resources.serve_cluster import ServeCluster, ServeError, ServeUnreachableError
from exo_resources.serve_last_good import Deployed
from exo_resources.settings import Settings

__all__ = ["Deployed", "ServeClient", "ServeError", "ServeStatus", "ServeUnreachableError"]

HEALTHY_TIMEOUT_S = 180.0
POLL_S = 0.25
CALL_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ServeStatus:
    """What can be said of the endpoint now. `healthy`: it answers with the newest model that it was given.

    `library` is what /healthz says of the library (status, version, rejected); None when nothing answers.
    """

    running: bool
    healthy: bool
    url: str
    model: ModelRef | None
    message: str
    library: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)


class ServeClient:
    """The endpoint of one installation (`settings.home`, `serve_host`, `serve_port`).

    Starting costs half a minute; afterwards the endpoint stays up, whatever happens to the caller, until `stop`.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = settings.endpoint
        self.cluster = ServeCluster(settings.home, settings.serve_host, settings.serve_port)
        self.application = ServeApplication(self.cluster, settings)

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self, progress: Progress = lambda _: None) -> ServeStatus:
        """Bring the endpoint up with the last model that proved good; without one, only its cluster."""
        good = self.last_good()
        if good is None:
            with self.cluster.locked():
                self.cluster.start()
        elif not self.serves(good):
            self.deploy(good, progress=progress)
        return self.status()

    def stop(self) -> bool:
        """Take the endpoint down; whether it was up."""
        with self.cluster.locked():
            return self.cluster.stop()

    def status(self) -> ServeStatus:
        """What can be said of the endpoint now; never raises."""
        health = self.application.health()
        if health is None:
            message = "no model has been deployed" if self.cluster.alive() else "not running"
            return ServeStatus(False, False, self.url, None, message)
        rejected = health["rejected"]
        message = f"the newest model was refused: {rejected['reason']}" if rejected else "answering"
        model = ModelRef(**health["model"])
        return ServeStatus(True, not rejected, self.url, model, message, health.get("library"))

    def served_version(self) -> ModelRef | None:
        """The model that answers, None when nothing does."""
        return self.status().model

    @property
    def known_folder(self) -> Path:
        """Where the files of what the catalogue knows are kept for the endpoint."""
        return self.cluster.folder / "known"

    def serves(self, model: Deployed) -> bool:
        """Whether the endpoint is healthy and answers with this model, what the catalogue knows by its file, its model
        of events, and the code at hand."""
        health = self.application.health()
        return bool(
            health
            and not health["rejected"]
            and health["model"] == model.ref.as_row()
            and (health.get("catalogue") or {}).get("version") == (model.known.stem if model.known else None)
            and _same_events(health.get("events"), model.events)
            and health.get("code") == code_digest()
        )

    # -- deploying -------------------------------------------------------------------------------------------------

    def deploy(
        self,
        model: Deployed,
        *,
        details: Mapping[str, Any] | None = None,
        timeout_s: float = HEALTHY_TIMEOUT_S,
        progress: Progress = lambda _: None,
    ) -> None:
        """Put a model on the endpoint, starting it when it is down, and wait until it answers.

        ServeError when it is refused or not healthy within `timeout_s` after it was handed over; an endpoint that
        answered before goes on with its model.
        """
        config = vetter_config(model, details)
        with self.cluster.locked():
            self.application.put(progress, vetter=config)
            progress(f"{model.ref} handed to the endpoint")
            self._wait(model.ref, config["deployment_id"], time.monotonic() + timeout_s, progress)

    def last_good(self) -> Deployed | None:
        """The last model that was marked good."""
        return self.application.last_good.model()

    def mark_good(self, model: Deployed) -> None:
        """Remember a model, with its catalogue and its model of events, as the one to return to."""
        self.application.last_good.mark_model(model)

    def _wait(self, ref: ModelRef, deployment_id: str, deadline: float, progress: Progress) -> None:
        said = ""
        while time.monotonic() < deadline:
            health = self.application.health()
            if health and health["deployment_id"] == deployment_id:
                if health["rejected"]:
                    raise ServeError(f"the endpoint refused {ref}: {health['rejected']['reason']}")
                return
            status, message = self.application.state(VETTER)
            if status in FAILED:
                raise ServeError(f"the endpoint with {ref} is {status}: {message}")
            if status != said:
                progress(f"endpoint: {status.lower().replace('_', ' ')}")
                said = status
            time.sleep(POLL_S)
        raise ServeError(
            f"the endpoint did not answer with {ref} in time (last status: {said}); see {self.cluster.log}"
        )

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

    def predict_table(self, table: bytes) -> bytes:
        """The endpoint's reply to a CSV, as CSV. ServeError when it is refused."""
        import httpx

        headers = {"content-type": "text/csv"}
        try:
            with httpx.Client(trust_env=False, timeout=CALL_TIMEOUT_S, base_url=self.url) as client:
                reply = client.post("/v1/predict_batch", content=table, headers=headers)
        except httpx.HTTPError as error:
            raise ServeUnreachableError(f"the endpoint at {self.url} does not answer ({error})") from error
        if reply.status_code != 200:
            raise ServeError(f"a table: the endpoint answered {reply.status_code}: {reply.text[:500]}")
        return reply.content


def _same_events(served: Mapping[str, Any] | None, events: Deployed | None) -> bool:
    """Whether what /healthz says of the events is this model with its catalogue."""
    if served is None or events is None:
        return served is None and events is None
    known = events.known.stem if events.known else None
    return bool(served["model"] == events.ref.as_row() and served["catalogue"] == known)
