"""Embedding and teaching on Ray's GPUs, held against CPUs. What needs a real one is skipped where there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from exo_assets.corpus.embedder_learning import EMBEDDERS, WAYS, EmbedderEpoch, EmbedderJob, Weights
from exo_assets.corpus.embedding import CUDA, Embedder, packaged_files
from exo_assets.corpus.embeddings import VECTOR_SCHEMA, as_matrix, without_vector
from exo_resources.embedding_models import EmbeddingModels
from exo_resources.embedding_run import embed_texts
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime
from exo_resources.ray_train import RayTraining, TrainingSummary
from exo_resources.settings import CHECKOUT, Settings
from exo_resources.vector_parts import VectorParts
from tests.corpus.small_pairs import PAIRS, QUICK, fatal_data, small_data

pytestmark = pytest.mark.ray
needs_gpu = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no GPU")

PROCESSES = """
import sys
import ray
from exo_resources.ray_runtime import RayRuntime
from tests.training.ray_tasks import process

home = sys.argv[1]
ray.init(address="local", num_gpus=1, include_dashboard=False, _temp_dir=sys.argv[2], log_to_driver=False)
print(len(set(RayRuntime(None, home).stream(process, None, range(4), gpus=1))))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu")


@pytest.fixture(scope="module")
def runtime(home: Path) -> Iterator[RayRuntime]:
    made = RayRuntime(None, home)
    yield made
    made.shutdown()


def test_a_worker_keeps_what_it_has_loaded_for_the_next_task(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="exo-") as temp:  # short: Ray puts sockets into it
        done = subprocess.run(
            [sys.executable, "-c", PROCESSES, str(tmp_path), temp],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.strip() == "1", done.stderr


@needs_gpu
def test_texts_get_the_vectors_that_they_get_on_a_cpu(runtime: RayRuntime, home: Path) -> None:
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime is installed without CUDA: onnxruntime-gpu is needed in its place")
    lake = Lake(str(home / "lake"))
    models = EmbeddingModels(lake, Settings(home=home))
    words = " ".join(pair.passage for pair in PAIRS).split()
    chunks = pl.DataFrame({"text": [" ".join(words[:length]) for length in range(1, len(words), 3)] + words})
    texts = without_vector(chunks, pl.DataFrame(schema=VECTOR_SCHEMA))
    said = list[str]()
    made = embed_texts(
        texts,
        models.in_use(),
        ray_runtime=runtime,
        models=models,
        parts=VectorParts(lake, models.in_use().digest),
        tell=said.append,
    )
    assert made.device == CUDA, said
    found = as_matrix(made.vectors["vector"], 384)
    there = texts.join(made.vectors.with_row_index("place"), on="text_digest")
    expected = Embedder(files=packaged_files()).embed(there["text"].to_list())
    np.testing.assert_allclose(found[there["place"].to_numpy()], expected, atol=1e-5)


@needs_gpu
@pytest.mark.parametrize("way", WAYS)
def test_the_embedding_model_is_taught_and_goes_on_where_its_worker_was_killed(
    runtime: RayRuntime, home: Path, tmp_path: Path, way: str
) -> None:
    training = RayTraining(EMBEDDERS, runtime, Lake(str(tmp_path / "lake")), home)
    whole, killed = EmbedderJob("whole", seed=3), EmbedderJob("killed", seed=3)
    # The worker reads eight questions in each of two epochs: it dies in the second epoch of the second job.
    mark, summaries, epochs = tmp_path / "killed", list[TrainingSummary](), list[EmbedderEpoch]()
    fits = training.run(
        fatal_data(mark, 28),
        replace(QUICK, way=way),
        [whole, killed],
        name=f"gpu-{way}",
        progress=epochs.append,
        summary=summaries.append,
    )
    assert mark.exists(), "a worker was killed"
    assert [(epoch.job, epoch.epoch) for epoch in epochs] == [("whole", 1), ("whole", 2), ("killed", 1), ("killed", 2)]
    assert [summary.device for summary in summaries] == ["cuda"]
    start = small_data().weights
    moved = _distance(fits[0].weights, start)
    assert moved > 0
    # Sums on a GPU come in any order, so that the same training does not give the same bits.
    assert _distance(fits[0].weights, fits[1].weights) < 0.3 * moved, "what was learned before was not lost"


def _distance(one: Weights, other: Weights) -> float:
    """Between all weights of two networks."""
    return float(np.sqrt(sum(np.square(value - other[name]).sum() for name, value in one.items())))
