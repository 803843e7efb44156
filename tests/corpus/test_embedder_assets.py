"""The embedding model learns, through the assets: off, taught, kept, forced, promoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from exo_assets.corpus import embedder_assets, embedder_checks
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.embedder_contracts import ML_EMBEDDER_CANDIDATE, ML_EMBEDDER_GATES, ML_EMBEDDER_METRICS
from exo_assets.corpus.embedder_learning import EMBEDDERS
from exo_assets.corpus.pairs import is_held_out
from exo_resources.embedding_models import EmbeddingModels
from exo_resources.lake import Lake
from exo_resources.ray_train import Workers
from exo_resources.settings import Settings
from tests.corpus import test_embedder_gates as made

TABLES = ("ml_embedder_candidate", "ml_embedder_metrics", "ml_embedder_gates", "ml_embedder_champion")
OBJECTS = ("comets", "hot Jupiters", "super-Earths", "white dwarfs", "debris discs", "brown dwarfs", "moons", "rings")


class _Here:
    """Trains and maps in this process, and counts."""

    workers = Workers()

    def __init__(self) -> None:
        self.trained = 0

    def run(self, data: Any, settings: Any, jobs: Sequence[Any], *, progress: Any, **_named: Any) -> list[Any]:
        self.trained += 1
        return [EMBEDDERS.fit(data, settings, job, report=progress) for job in jobs]

    def map(self, function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]) -> list[Any]:
        return [function(shared, task) for task in tasks]


class _Runs:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.logged: list[dict[str, Any]] = []

    def log_training(self, experiment: str, digest: str, **said: Any) -> str:
        self.logged.append({"experiment": experiment, "digest": digest, **said})
        return f"run-{len(self.logged)}"


def _documents(number: int) -> pl.DataFrame:
    return documents_table(
        Document(
            f"arXiv:{n}",
            "arxiv",
            "abstract",
            f"A new survey of {OBJECTS[n % 8]} in field {n}",
            f"We look for {OBJECTS[n % 8]} in the field of number {n}. There are {n * 3} of them in the images taken. "
            f"Their number agrees with models of sort {n}.",
        )
        for n in range(number)
    )


class _Night:
    def __init__(self, lake: Lake, home: Path, **chosen: Any) -> None:
        self.lake, self.here, self.runs = lake, _Here(), _Runs()
        self.settings = Settings(home=home, **chosen)
        self.models = EmbeddingModels(lake, self.settings)

    def run(self, *only: str, force: bool = False) -> dg.ExecuteInProcessResult:
        forced = {"ops": {"ml_embedder_candidate": {"config": {"force": True}}}}
        return dg.materialize(
            [*embedder_assets.ASSETS, *embedder_checks.CHECKS],
            selection=list(only) or None,
            resources={
                "lake": self.lake,
                "settings": self.settings,
                "embedding_models": self.models,
                "embedder_training": self.here,
                "ray_runtime": self.here,
                "registry": self.runs,
            },
            run_config=forced if force else None,
            raise_on_error=False,
        )


def test_off_nothing_is_taught_and_the_reason_is_told(lake: Lake, tmp_path: Path) -> None:
    lake.write("corpus_documents", _documents(3))
    night = _Night(lake, tmp_path)
    result = night.run(force=True)
    assert result.success and all(check.passed for check in result.get_asset_check_evaluations())
    assert [lake.read(table).height for table in TABLES] == [0, 0, 0, 0]
    version = lake.version(TABLES[0])
    assert version is not None and "EXO_EMBEDDER_LEARNING is off" in version.notes["absent"]
    assert night.here.trained == 0 and night.models.in_use() == night.models.packaged


def test_taught_judged_kept_and_taught_again_when_forced(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder_assets, "GENERAL_QUESTIONS", 5)
    lake.write("corpus_documents", _documents(16))
    night = _Night(lake, tmp_path, embedder_learning="lora")
    result = night.run()
    assert result.success, "too few held-out documents keep it from promotion and are no failure"
    checks = {
        c.check_name: c for c in result.get_asset_check_evaluations() if c.asset_key.to_user_string() == TABLES[2]
    }
    assert not checks["enough_held_out"].passed and checks["export_as_taught"].passed
    (row,) = lake.read(TABLES[0]).to_dicts()
    ref = night.models.in_use()
    assert ref == night.models.packaged and lake.read(TABLES[3]).is_empty()
    taught = pl.read_parquet(lake.local_path(f"{row['folder_key']}/pairs.parquet"))
    assert taught.height == row["n_pairs"] > 10 and not any(map(is_held_out, taught["document_id"]))
    candidate = embedder_assets.rules.embedding_ref(row)
    vector = night.models.embedder(candidate).embed(["comets"])
    assert vector.shape == (1, 384) and not np.allclose(vector, night.models.embedder(ref).embed(["comets"]))
    assert night.runs.logged[0]["digest"] == row["digest"] and night.runs.logged[0]["params"]["way"] == "lora"
    assert ("loss/training", 1) in {(name, step) for name, _, step in night.runs.logged[0]["series"]}
    figures = lake.read(TABLES[1])
    assert set(figures["compared_with_digest"]) == {ref.digest} and "python_documentation" in set(figures["task"])

    lake.write("corpus_documents", _documents(18))
    assert night.run().success and night.here.trained == 1, "some documents more are no reason to teach anew"
    assert lake.read(TABLES[0]).to_dicts() == [row]
    assert night.run(force=True).success and night.here.trained == 2
    (again,) = lake.read(TABLES[0]).to_dicts()
    assert again["digest"] != row["digest"] and not lake.keys(row["folder_key"]), "what nobody uses is not kept"
    assert lake.keys(again["folder_key"])


def test_what_passed_its_gates_is_what_is_embedded_with_from_then_on(lake: Lake, tmp_path: Path) -> None:
    night = _Night(lake, tmp_path, embedder_learning="lora")
    packaged = night.models.packaged
    candidate = made.candidate(base_digest=packaged.digest)
    figures = made.metrics().with_columns(compared_with_digest=pl.lit(packaged.digest))
    lake.write(ML_EMBEDDER_CANDIDATE.name, candidate)
    lake.write(ML_EMBEDDER_METRICS.name, figures)
    lake.write(ML_EMBEDDER_GATES.name, made.gates(candidate, figures, before=packaged))
    assert night.run("ml_embedder_champion").success
    assert night.models.in_use() == embedder_assets.rules.embedding_ref(candidate.row(0, named=True))
    worse = made.metrics(python_documentation=-0.2)
    other = made.candidate("b" * 64)
    lake.write(ML_EMBEDDER_CANDIDATE.name, other)
    lake.write(ML_EMBEDDER_GATES.name, made.gates(other, worse, before=night.models.in_use()))
    assert not night.run("ml_embedder_champion").success, "a refusal is told by a run that fails"
    assert night.models.in_use().digest == "a" * 64
