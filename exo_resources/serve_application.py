"""The Serve application's configuration: both of its deployments, in every change of either.

Belongs here: what is handed to Serve, and how Serve says it is. Does not belong here: what the deployments are given to
answer with (serve_client.py, library_client.py), the processes that they run in (serve_cluster.py).

Serve takes the whole application at once, and what is left out of it goes back to its default. So a change of the model
carries the library's configuration as it is, and the other way round; Serve touches only what changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exo_assets.code_version import program_version
from exo_resources.serve_cluster import ServeCluster, ServeError, ServeUnreachableError
from exo_resources.serve_last_good import Deployed, DeployedLibrary, LastGood
from exo_resources.settings import Settings
from exo_resources.settings_file import write_settings

APPLICATION = "exo"
IMPORT_PATH = "deployments.serve.app:app"
VETTER, LIBRARY = "Vetter", "Library"
PUT_ATTEMPTS = 3
PUT_TIMEOUT_S = 180.0
"""The first PUT starts Serve itself: 15 s on two quiet cores, far more on busy ones."""
HEALTH_TIMEOUT_S = 30.0
FAILED = ("DEPLOY_FAILED", "UNHEALTHY")
SERVED_CODE = "SERVED_CODE"
"""Environment variable of the replicas: digest of the code that they run."""

Config = Mapping[str, Any]
Progress = Callable[[str], None]


def code_digest() -> str:
    """Digest of the code that the replicas run."""
    return program_version(IMPORT_PATH.partition(":")[0])


def vetter_config(deployed: Deployed, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the vetter is told: the model, where it lies, facts to show, what the catalogue knows, the model of
    events with the same, and a name for this deployment."""
    return {**_model_config(deployed), "details": dict(details or {}), **_named()}


def _model_config(deployed: Deployed) -> dict[str, Any]:
    told = deployed.as_dict()
    events = _model_config(deployed.events) if deployed.events else None
    return {"model": told["ref"], "path": told["path"], "known": told["known"], "events": events}


def library_config(deployed: DeployedLibrary | None) -> dict[str, Any]:
    """What the library is told: version and settings; none of either: there is no index."""
    version, settings = (deployed.version, str(deployed.settings)) if deployed else (None, None)
    return {"version": version, "settings": settings, **_named()}


def _named() -> dict[str, str]:
    return {"deployment_id": uuid.uuid4().hex}


class ServeApplication:
    """The application on the endpoint's cluster; the library is opened with `settings`."""

    def __init__(self, cluster: ServeCluster, settings: Settings) -> None:
        self.cluster, self.url, self._settings = cluster, settings.endpoint, settings
        self.last_good = LastGood(cluster.folder)

    def put(self, progress: Progress, *, vetter: Config | None = None, library: Config | None = None) -> None:
        """Start the cluster when it is down, and hand one or both configurations over. What is not given stays as it
        is, or is what proved good last: of the library the version, with the settings at hand. Call it with the cluster
        locked.

        ServeError when there is no model at all, or Serve does not take it.
        """
        started = self.cluster.start()
        if started:
            progress("Ray head of the endpoint started")
        running = {} if started else self.running()
        configs = {
            VETTER: vetter or running.get(VETTER) or self._good_vetter(),
            LIBRARY: library or running.get(LIBRARY) or library_config(self._good_library()),
        }
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._put(configs)
                return
            except ServeUnreachableError as error:
                if attempt == PUT_ATTEMPTS - 1:
                    raise
                alive = self.cluster.alive()
                progress(f"{'trying again' if alive else 'restarting the cluster'}: {error}")
                if not alive:
                    self.cluster.stop()
                    self.cluster.start()

    def settings_file(self) -> Path:
        """A file with the settings at hand."""
        return write_settings(self._settings, self.cluster.folder / "settings", "library")

    def running(self) -> dict[str, Config]:
        """The configuration of each deployment, as Serve has it; empty when it has none."""
        found = self._details()
        deployments = ((found or {}).get("deployed_app_config") or {}).get("deployments") or []
        return {d["name"]: d["user_config"] for d in deployments if d.get("user_config")}

    def state(self, deployment: str) -> tuple[str, str]:
        """Status of a deployment in Serve's words, and what it says of it. One that fails does not speak for the
        other; what keeps the whole application from starting speaks for both."""
        found = self._details()
        if found is None:
            return "NOT_STARTED", ""
        deployments = found.get("deployments") or {}
        message = str(found.get("message") or "")
        if found["status"] in FAILED and not any(d["status"] in FAILED for d in deployments.values()):
            return str(found["status"]), message
        one = deployments.get(deployment)
        if one is None:
            return str(found["status"]), message
        return str(one["status"]), str(one.get("message") or "")

    def health(self) -> dict[str, Any] | None:
        """The reply of /healthz when it is this endpoint's, None when nobody or somebody else answers."""
        import httpx

        try:
            with httpx.Client(trust_env=False, timeout=HEALTH_TIMEOUT_S) as client:
                reply = client.get(f"{self.url}/healthz")
            found = reply.json() if reply.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) and {"model", "rejected", "deployment_id"} <= found.keys() else None

    def _good_vetter(self) -> Config:
        good = self.last_good.model()
        if good is None:
            raise ServeError("no model has been deployed: `exo serve start` deploys the champion")
        return vetter_config(good)

    def _good_library(self) -> DeployedLibrary | None:
        good = self.last_good.library()
        return good and DeployedLibrary(good.version, self.settings_file())

    def _details(self) -> dict[str, Any] | None:
        """What Serve knows of the application."""
        applications = self.cluster.request("GET", "/api/serve/applications/").get("applications", {})
        found: dict[str, Any] | None = applications.get(APPLICATION)
        return found

    def _put(self, configs: Mapping[str, Config]) -> None:
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
                        # Other code is another environment: new replicas. Another model or index alone is not.
                        "runtime_env": {"env_vars": {SERVED_CODE: code_digest()}},
                        "deployments": [
                            {"name": VETTER, "user_config": configs[VETTER]},
                            {
                                "name": LIBRARY,
                                "num_replicas": self._settings.library_replicas,
                                "user_config": configs[LIBRARY],
                            },
                        ],
                    }
                ],
            },
            PUT_TIMEOUT_S,
        )
