"""The code location: what the UI and the daemon load, as `workspace.yaml` names it.

Belongs here: the origin of a job, by which the UI attributes runs. Does not belong here: running anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster._core.remote_origin import RemoteJobOrigin


def job_origin(job: str) -> RemoteJobOrigin | None:
    """The origin that a run of `job` has when the daemon starts it; None where there is no workspace.yaml.

    With it the UI shows runs of the command line among those of the job, and in the timeline.
    """
    from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
    from dagster._core.remote_origin import RemoteRepositoryOrigin
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    from exo_resources.settings import CHECKOUT

    workspace = CHECKOUT / "workspace.yaml"
    if not workspace.exists():
        return None
    [location] = location_origins_from_yaml_paths([str(workspace)])
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job)
