"""The model registry: MLflow's runs, versions and the aliases `champion` and `previous`, of each kind of model.

Belongs here: logging a trained model, finding, fetching and promoting versions. Does not belong here: training, or
the rules for promotion (evaluation).

MLflow stores each version as a folder: the vetter's own plain files below `data/vetter`, and around them the
description that `mlflow.pyfunc.load_model` needs. A version carries the digest of the vetter's files as a tag.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from exo_assets.training.model_ref import EVENT_MODEL_NAME, MODEL_NAME, ModelRef

CHAMPION, PREVIOUS = "champion", "previous"
_MODEL, _FILES = "model", "vetter"
MOST_AT_ONCE = 1000
"""Metrics that MLflow takes in one call."""

Columns = list[tuple[str, str, bool]]
"""Name, MLflow's type and whether it is required."""


@dataclass(frozen=True)
class ModelKind:
    """A kind of model: its name in the registry (and of its experiment), what it is, the module that MLflow loads it
    with, and its columns in and out."""

    name: str
    description: str
    loader: str
    columns: Callable[[], tuple[Columns, Columns]]


def _vetter_columns() -> tuple[Columns, Columns]:
    from exo_assets.catalogs.contracts import MEASURED_COLUMNS
    from exo_assets.features.from_light_curves import CURVE_NAMES
    from exo_assets.training.vetter import SCORE_SCHEMA

    inputs = [
        ("mission", "string", True),
        *((name, "string", False) for name in ("signal_id", "mission_star_id")),
        *((name, "double", False) for name in (*MEASURED_COLUMNS, *CURVE_NAMES)),
    ]
    return inputs, [(n, "double" if str(kind) == "Float64" else "string", True) for n, kind in SCORE_SCHEMA.items()]


def _event_columns() -> tuple[Columns, Columns]:
    from exo_assets.events.columns import MEASURED
    from exo_assets.events.vetter import PROBABILITIES

    numbers = (*(column.name for column in MEASURED), "ra_deg", "dec_deg")
    inputs = [("event", "string", True), ("star_id", "string", True), *((n, "double", False) for n in numbers)]
    judged = [(name, "double", True) for name in (*PROBABILITIES, "score")]
    return inputs, [*judged, *((name, "string", True) for name in ("event", "verdict", "prediction_set", "reasons"))]


SIGNALS = ModelKind(
    MODEL_NAME, "Vetter of transit signals: planet or not.", "exo_assets.training.pyfunc", _vetter_columns
)
EVENTS = ModelKind(
    EVENT_MODEL_NAME,
    "Vetter of threshold-crossing events: planet candidate, astrophysical false positive or no transit.",
    "exo_assets.events.pyfunc",
    _event_columns,
)


class ModelMissingError(LookupError):
    """A model version was asked for that the registry does not have, or whose files are gone."""


class ModelCorruptError(RuntimeError):
    """The files of a model version are not the ones that were registered."""


class RegistryError(RuntimeError):
    """The store itself cannot be used."""


class ModelRegistry:
    """Models of one kind in MLflow at `url` (sqlite:/// or postgresql://) with artifacts below `artifacts`; opened when
    first needed."""

    def __init__(self, url: str, artifacts: Path, kind: ModelKind = SIGNALS) -> None:
        self.url = url
        self.kind = kind
        self.artifacts = Path(artifacts)
        self._opened: Any = None

    # -- reading -------------------------------------------------------------------------------------------------

    def champion(self) -> ModelRef | None:
        """The model that scores and serves, or None."""
        return self._alias(CHAMPION)

    def previous(self) -> ModelRef | None:
        """The champion before, or None."""
        return self._alias(PREVIOUS)

    def find(self, digest: str) -> ModelRef | None:
        """The newest version with this digest, or None."""
        if self._unborn:
            return None
        found = [
            v for v in self._client.search_model_versions(f"name='{self.kind.name}'") if v.tags.get("digest") == digest
        ]
        return _ref(max(found, key=lambda v: int(v.version))) if found else None

    def fetch(self, ref: ModelRef) -> Path:
        """Folder of the version's files for `Vetter.load`, after its digest was verified.

        ModelMissingError when the version or its files are gone, ModelCorruptError when the files changed.
        """
        from exo_assets.training.vetter import digest_of_folder

        folder = self._place(ref.run_id) / "data" / _FILES
        if not folder.is_dir():
            folder = self._local(self._version(ref).source) / "data" / _FILES
        if not folder.is_dir():
            raise ModelMissingError(f"the files of {ref} are gone ({folder}); train again (`exo run`) or restore them")
        found = digest_of_folder(folder)
        if found != ref.digest:
            raise ModelCorruptError(
                f"the files of {ref} in {folder} have the digest {found[:12]}: they were changed or damaged; restore "
                "them, or roll back to the previous champion"
            )
        return folder

    def metrics(self, ref: ModelRef) -> dict[str, float]:
        """Metrics that were logged with the version."""
        return {k: float(v) for k, v in self._client.get_run(self._version(ref).run_id).data.metrics.items()}

    def logged_at(self, ref: ModelRef) -> int:
        """When the version was registered, milliseconds since 1970."""
        return int(self._version(ref).creation_timestamp)

    # -- writing -------------------------------------------------------------------------------------------------

    def log_candidate(
        self,
        folder: Path,
        digest: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        plots: Mapping[str, bytes],
        series: Sequence[tuple[str, float, int]] = (),
    ) -> ModelRef:
        """Log the model in `folder` as a run and a version of its kind; `plots` are PNG files by name, `series`
        metrics with a step (name, value, step).

        A version with the same digest is returned as it is, and nothing is logged. The version is registered last:
        killed before that, an unfinished run is all that is left.
        """
        known = self.find(digest)
        if known is not None:
            return known
        client = self._client
        named = f"{self.kind.name}-{digest[:12]}"
        run = client.create_run(self._experiment(), tags={**tags, "digest": digest}, run_name=named)
        run_id = run.info.run_id
        try:
            for name, value in params.items():
                client.log_param(run_id, name, value)
            for name, number in metrics.items():
                client.log_metric(run_id, name, float(number))
            _log_series(client, run_id, series)
            with tempfile.TemporaryDirectory() as temporary:
                for name, png in plots.items():
                    path = Path(temporary) / "plots" / name
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(png)
                if plots:
                    client.log_artifacts(run_id, str(Path(temporary) / "plots"), "plots")
                # MLflow keeps a folder under its own name: it gets the one that `fetch` looks for.
                files = Path(temporary) / _FILES
                shutil.copytree(folder, files)
                _package(self.kind, files, Path(temporary) / _MODEL)
                client.log_artifacts(run_id, str(Path(temporary) / _MODEL), _MODEL)
            if not client.search_registered_models(f"name='{self.kind.name}'"):
                client.create_registered_model(self.kind.name, description=self.kind.description)
            version = client.create_model_version(
                self.kind.name, f"{run.info.artifact_uri}/{_MODEL}", run_id, tags={**tags, "digest": digest}
            )
        except BaseException:
            client.set_terminated(run_id, status="FAILED")
            raise
        client.set_terminated(run_id)
        return ModelRef(self.kind.name, str(version.version), run_id, digest)

    def log_training(
        self,
        experiment: str,
        digest: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        series: Sequence[tuple[str, float, int]] = (),
    ) -> str:
        """Log the training of a model whose files are kept elsewhere as a run of `experiment`; returns the run's id.

        `series` are metrics with a step (name, value, step).
        """
        client = self._client
        run = client.create_run(
            self._experiment(experiment), tags={**tags, "digest": digest}, run_name=f"{experiment}-{digest[:12]}"
        )
        run_id = str(run.info.run_id)
        try:
            for name, value in params.items():
                client.log_param(run_id, name, value)
            for name, number in metrics.items():
                client.log_metric(run_id, name, float(number))
            _log_series(client, run_id, series)
        except BaseException:
            client.set_terminated(run_id, status="FAILED")
            raise
        client.set_terminated(run_id)
        return run_id

    def promote(self, ref: ModelRef) -> None:
        """Make `ref` the champion and the champion before it `previous`. Promoting the champion changes nothing.

        `previous` moves first: killed in between, the old champion stands under both names and promoting again ends
        as if nothing had happened.
        """
        self.fetch(ref)
        present = self.champion()
        if present is not None and present.version == ref.version:
            return
        if present is not None:
            self._client.set_registered_model_alias(self.kind.name, PREVIOUS, present.version)
        self._client.set_registered_model_alias(self.kind.name, CHAMPION, ref.version)

    def rollback(self) -> ModelRef:
        """Exchange `champion` and `previous`; returns the new champion. ModelMissingError when there is no previous."""
        present, before = self.champion(), self.previous()
        if present is None or before is None or present.version == before.version:
            raise ModelMissingError("there is no previous champion to go back to")
        self.fetch(before)
        self._client.set_registered_model_alias(self.kind.name, CHAMPION, before.version)
        self._client.set_registered_model_alias(self.kind.name, PREVIOUS, present.version)
        return before

    # -- MLflow --------------------------------------------------------------------------------------------------

    @property
    def _client(self) -> Any:
        if self._opened is None:
            database = _sqlite_file(self.url)
            if database is not None:
                database.parent.mkdir(parents=True, exist_ok=True)
                _refuse_other_files(database)
            from mlflow import MlflowClient

            self._opened = MlflowClient(tracking_uri=self.url, registry_uri=self.url)
        return self._opened

    @property
    def _unborn(self) -> bool:
        """Whether the store does not exist yet: then there is nothing to read, and reading makes no store."""
        database = _sqlite_file(self.url)
        return self._opened is None and database is not None and not database.exists()

    def _experiment(self, wanted: str | None = None) -> str:
        here, wanted = self.artifacts.resolve().as_uri(), wanted or self.kind.name
        # A store that was copied or moved keeps the old place in its experiment: what is new goes to one of this place.
        for name in (wanted, f"{wanted} in {self.artifacts.resolve()}"):
            found = self._client.get_experiment_by_name(name)
            if found is None:
                self.artifacts.mkdir(parents=True, exist_ok=True)
                return str(self._client.create_experiment(name, artifact_location=here))
            if found.artifact_location.rstrip("/") == here:
                return str(found.experiment_id)
        raise ModelMissingError(f"MLflow at {_shown(self.url)} has no experiment whose artifacts are in {here}")

    def _alias(self, alias: str) -> ModelRef | None:
        if self._unborn:
            return None
        from mlflow.exceptions import MlflowException

        try:
            return _ref(self._client.get_model_version_by_alias(self.kind.name, alias))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _version(self, ref: ModelRef) -> Any:
        if self._unborn:
            raise ModelMissingError(f"{ref} is not there: there is no model registry at {_shown(self.url)}")
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(ref.name, ref.version)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise ModelMissingError(f"{ref} is not in the model registry at {_shown(self.url)}") from error

    def _place(self, run_id: str) -> Path:
        """Where MLflow keeps a run's model on this machine; known without MLflow, whose import takes seconds."""
        return self.artifacts.resolve() / run_id / "artifacts" / _MODEL

    def _local(self, source: str) -> Path:
        """The folder of an artifact URI, fetched when the store is not this machine's."""
        parsed = urlparse(source)
        if parsed.scheme in ("", "file"):
            # Below the folder of today, wherever it was when the model was logged.
            return self._place(Path(unquote(parsed.path)).parts[-3])
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(artifact_uri=source, tracking_uri=self.url))


def _ref(version: Any) -> ModelRef:
    return ModelRef(version.name, str(version.version), str(version.run_id), version.tags.get("digest", ""))


def _sqlite_file(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _refuse_other_files(database: Path) -> None:
    if database.exists():
        with database.open("rb") as file:
            head = file.read(16)
        if head and head != b"SQLite format 3\0":
            raise RegistryError(
                f"the model registry {database} is no SQLite database: it was damaged or overwritten; put a copy of it "
                "back, or move it away, and the next night trains and registers a model anew"
            )


def _shown(url: str) -> str:
    """`url` without a password."""
    parsed = urlparse(url)
    return url.replace(f":{parsed.password}@", ":***@") if parsed.password else url


def _log_series(client: Any, run_id: str, series: Sequence[tuple[str, float, int]]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    logged = [Metric(name, value, now, step) for name, value, step in series]
    for begin in range(0, len(logged), MOST_AT_ONCE):
        client.log_batch(run_id, metrics=logged[begin : begin + MOST_AT_ONCE])


def _package(kind: ModelKind, folder: Path, target: Path) -> None:
    """Write the model in `folder` as an MLflow model: loader, signature, requirements, and the plain files."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs, outputs = (
        Schema([ColSpec(kind_of, name, required=required) for name, kind_of, required in columns])
        for columns in kind.columns()
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*input example")
        mlflow.pyfunc.save_model(
            str(target),
            loader_module=kind.loader,
            data_path=str(folder),
            signature=ModelSignature(inputs, outputs),
            pip_requirements=["exo"],
        )
