"""Installing and opening the Dagster instance below EXO_HOME.

Belongs here: which instance file is in force, the limits of the pools, and opening the instance with clear errors.
Does not belong here: jobs, assets, and anything a run does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from deployments.dagster.database import FORM, VARIABLE, DatabaseError, address, check_database

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from exo_resources.settings import Settings

Backend = Literal["embedded", "postgres"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

POOLS = {"nea_archive": 2, "mast": 1, "arxiv": 1, "release": 1}
"""Operations that may be in progress at once, over all runs: polite to the archive, one writer of releases."""

_FILES = Path(__file__).resolve().parent
_HEADER = "# exo instance: "


class InstanceError(RuntimeError):
    """The Dagster instance cannot be installed or opened; the message says why and what to do."""


@dataclass(frozen=True)
class Installed:
    """What `install` found or did."""

    home: Path
    backend: str
    changed: bool
    kept_as: Path | None = None
    left_behind: int = 0
    """Runs that the storage before holds: they stay there, and are seen again when it is put back."""


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME of this deployment."""
    return settings.home / "dagster"


def install(settings: Settings, backend: Backend | None = None) -> Installed:
    """Put the instance file for `backend` in force, once an instance with it has opened.

    Without a backend an installed file is left as it is, edited or not, and a missing one becomes the embedded one.
    A different file that is replaced is kept beside it as `dagster.yaml.previous`. Repeating it changes nothing.
    InstanceError when it does not open: what was in force stays.
    """
    home = dagster_home(settings)
    target = home / "dagster.yaml"
    present = target.read_text(encoding="utf-8") if target.exists() else None
    if present is not None and backend is None:
        return Installed(home, _backend_of(present), changed=False)
    chosen: Backend = backend or "embedded"
    wanted = (_FILES / chosen / "dagster.yaml").read_text(encoding="utf-8")
    if present == wanted:
        return Installed(home, chosen, changed=False)
    home.mkdir(parents=True, exist_ok=True)
    _try_out(home, chosen, wanted)
    behind, kept = 0, None
    if present is not None:
        behind = _runs_of(home) if _backend_of(present) != chosen else 0
        kept = home / "dagster.yaml.previous"
        _write(kept, present)
    _write(target, wanted)
    return Installed(home, chosen, changed=True, kept_as=kept, left_behind=behind)


def _try_out(home: Path, backend: Backend, text: str) -> None:
    """InstanceError unless an instance opens with this file; its storage is made where it will be."""
    from dagster import DagsterInstance

    try:
        if backend == "postgres":
            check_database()
        with tempfile.TemporaryDirectory() as folder, _dagster_home(home):
            (Path(folder) / "dagster.yaml").write_text(text, encoding="utf-8")
            DagsterInstance.from_config(folder).dispose()
    except DatabaseError as unusable:
        raise InstanceError(f"{unusable}. The instance in {home} is as it was") from unusable
    except Exception as error:
        raise InstanceError(
            f"a {backend} instance does not open: {_reason(error)}. The instance in {home} is as it was"
        ) from error


def _runs_of(home: Path) -> int:
    """How many runs the instance in `home` knows; 0 when it does not open, for nothing can be told of it."""
    from dagster import DagsterInstance

    try:
        with _dagster_home(home), DagsterInstance.from_config(str(home)) as instance:
            return instance.get_runs_count()
    except Exception:
        return 0


@contextmanager
def _dagster_home(home: Path) -> Iterator[None]:
    """DAGSTER_HOME for a moment: the embedded file says by it where its storage is."""
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        yield
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


@contextmanager
def open_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The installed instance, installed first (embedded) where there is none yet.

    Sets DAGSTER_HOME for this process and its children. InstanceError when it cannot be opened.
    """
    from dagster import DagsterInstance

    fresh = not (dagster_home(settings) / "dagster.yaml").exists()
    installed = install(settings)
    os.environ["DAGSTER_HOME"] = str(installed.home)
    try:
        if installed.backend == "postgres":
            address()
        instance = DagsterInstance.get()
        if fresh:
            set_pools(instance)
    except Exception as error:
        raise InstanceError(_remedy(installed, error)) from error
    try:
        yield instance
    finally:
        instance.dispose()


def set_pools(instance: DagsterInstance) -> dict[str, int]:
    """Give every pool its limit; the pools whose limit changed. Dagster keeps limits in its storage, not in files."""
    storage = instance.event_log_storage
    present = {limit.name: limit.limit for limit in storage.get_pool_limits() if not limit.from_default}
    changed = {pool: limit for pool, limit in POOLS.items() if present.get(pool) != limit}
    for pool, limit in changed.items():
        storage.set_concurrency_slots(pool, limit)
    return changed


def _backend_of(text: str) -> str:
    first = text.partition("\n")[0]
    return first.removeprefix(_HEADER).strip() if first.startswith(_HEADER) else "custom"


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())[:300]


def _remedy(installed: Installed, error: Exception) -> str:
    if installed.backend == "postgres":
        what = (
            f"set {VARIABLE} to {FORM} of a server that answers, "
            "or go back to files with: exo instance setup --storage embedded"
        )
    else:
        what = f"look at {installed.home / 'dagster.yaml'}, or renew it with: exo instance setup --storage embedded"
    return f"the Dagster instance in {installed.home} ({installed.backend}) does not open: {_reason(error)}; {what}"
