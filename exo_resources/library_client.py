"""The endpoint's library, from outside: put a version of the index on it, search it.

Belongs here: deploying a version, waiting for it, searching over HTTP. Does not belong here: the vetter's side
(serve_client.py), the configuration that both share (serve_application.py).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from exo_resources.serve_application import (
    FAILED,
    LIBRARY,
    Progress,
    ServeApplication,
    code_digest,
    library_config,
)
from exo_resources.serve_cluster import ServeCluster, ServeError, ServeUnreachableError
from exo_resources.serve_last_good import DeployedLibrary
from exo_resources.settings import Settings
from exo_resources.settings_file import SettingsFileError, read_settings

HEALTHY_TIMEOUT_S = 180.0
POLL_S = 0.25
CALL_TIMEOUT_S = 60.0


class LibraryClient:
    """The library of one installation's endpoint, which is deployed with `settings`."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.endpoint
        self._settings = settings
        self._cluster = ServeCluster(settings.home, settings.serve_host, settings.serve_port)
        self._application = ServeApplication(self._cluster, settings)

    def deployable(self) -> bool:
        """Whether the endpoint runs, or there is a model to start it with."""
        return self._application.last_good.model() is not None or self._application.health() is not None

    def serves(self, version: str) -> bool:
        """Whether the library answers from this version, with the settings and the code at hand."""
        health = self._application.health()
        library = (health or {}).get("library") or {}
        return bool(
            health
            and library["status"] == "ok"
            and library["version"] == version
            and library["settings"] == self._application.settings_file().name
            and health.get("code") == code_digest()
        )

    def deploy(
        self,
        version: str,
        *,
        settings: Path | None = None,
        timeout_s: float = HEALTHY_TIMEOUT_S,
        progress: Progress = lambda _: None,
    ) -> None:
        """Put a version of the index on the endpoint, starting it when it is down, and wait until it answers.

        `settings` is the file of an earlier deployment; without it the settings at hand are used. ServeError when the
        version is refused or not in use within `timeout_s`; the version in use before then stays in use.
        """
        self._deploy(DeployedLibrary(version, settings or self._application.settings_file()), timeout_s, progress)

    def withdraw(self, *, timeout_s: float = HEALTHY_TIMEOUT_S, progress: Progress = lambda _: None) -> None:
        """Take the index off the endpoint; the vetter goes on."""
        self._deploy(None, timeout_s, progress)
        self._application.last_good.forget_library()

    def renew(self, *, timeout_s: float = HEALTHY_TIMEOUT_S, progress: Progress = lambda _: None) -> None:
        """Have the last good version answered from with the settings at hand, where the endpoint has others.

        ServeError when it cannot be opened with them; the library goes on with those that it has.
        """
        good, has = self.last_good(), self._settings_given()
        if good is not None and has is not None and has != self._application.settings_file().name:
            progress("the library has other settings than those at hand")
            self.deploy(good.version, timeout_s=timeout_s, progress=progress)

    def last_good(self) -> DeployedLibrary | None:
        """The last version that was marked good, with its settings; those at hand where its own are lost, or of another
        home that this one was copied from."""
        good = self._application.last_good.library()
        if good is None or self._ours(good.settings):
            return good
        return DeployedLibrary(good.version, self._application.settings_file())

    def mark_good(self, version: str) -> None:
        """Remember a version, with the settings at hand, as the one to return to."""
        kept = self._application.settings_file()
        self._application.last_good.mark_library(DeployedLibrary(version, kept))
        for other in kept.parent.glob("library-*.json"):
            if other != kept:
                other.unlink(missing_ok=True)

    def search(self, query: str, limit: int, fusion: str) -> list[dict[str, Any]]:
        """The endpoint's hits. ServeError when it refuses or does not answer."""
        import httpx

        body = {"query": query, "limit": limit, "fusion": fusion}
        try:
            with httpx.Client(trust_env=False, timeout=CALL_TIMEOUT_S) as client:
                reply = client.post(f"{self.url}/v1/search", json=body)
        except httpx.HTTPError as error:
            raise ServeUnreachableError(f"the endpoint at {self.url} does not answer ({error})") from error
        if reply.status_code != 200:
            raise ServeError(f"{query!r}: the endpoint answered {reply.status_code}: {reply.text[:500]}")
        hits: list[dict[str, Any]] = reply.json()["hits"]
        return hits

    def _settings_given(self) -> str | None:
        """Name of the file with the library's settings; None when it has none."""
        try:
            given = self._application.running().get(LIBRARY, {}).get("settings")
            return Path(given).name if given else None
        except ServeUnreachableError:  # what answers goes on without its cluster, or is another home's
            name: str | None = ((self._application.health() or {}).get("library") or {}).get("settings")
            return name

    def _ours(self, file: Path) -> bool:
        try:
            return read_settings(file).home == self._settings.home
        except SettingsFileError:
            return False

    def _deploy(self, deployed: DeployedLibrary | None, timeout_s: float, progress: Progress) -> None:
        config = library_config(deployed)
        what = f"index {deployed.version}" if deployed else "no index"
        with self._cluster.locked():
            self._application.put(progress, library=config)
            progress(f"{what} handed to the endpoint's library")
            self._wait(what, config["deployment_id"], time.monotonic() + timeout_s, progress)

    def _wait(self, what: str, deployment_id: str, deadline: float, progress: Progress) -> None:
        said = ""
        while time.monotonic() < deadline:
            library = (self._application.health() or {}).get("library") or {}
            status, message = self._application.state(LIBRARY)
            if library.get("deployment_id") == deployment_id:
                if library["rejected"]:
                    raise ServeError(f"the library refused {what}: {library['rejected']['reason']}")
                if status == "HEALTHY":  # every replica has it
                    return
            if status in FAILED:
                raise ServeError(f"the library with {what} is {status}: {message}")
            if status != said:
                progress(f"library: {status.lower().replace('_', ' ')}")
                said = status
            time.sleep(POLL_S)
        raise ServeError(
            f"the library did not answer with {what} in time (last status: {said}); see {self._cluster.log}"
        )
