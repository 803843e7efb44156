"""Embedding texts and teaching the embedding model on this machine's GPU beside its CPUs.

    python -m benchmarks.corpus_devices --corpus FILE.jsonl|FILE.parquet [--texts N] [--ways lora dora full]
                                        [--pairs N] [--epochs N] [--categories ...] [--devices cpu gpu]

Each device has a Ray of its own; for that of the CPUs the GPU is hidden. Prints texts and pairs per second, how far
vectors are apart, and for each taught model nDCG@10 of held-out titles and the cosine of what is served (int8) to what
was taught. The file has abstracts (arxiv_id, title, abstract).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from exo_assets.corpus.abstract_files import parse_abstracts
from exo_assets.corpus.bert_weights import packaged_weights
from exo_assets.corpus.document import documents_table
from exo_assets.corpus.embedder_candidate import closeness
from exo_assets.corpus.embedder_export_torch import exported
from exo_assets.corpus.embedder_learning import (
    EMBEDDERS,
    WAYS,
    EmbedderData,
    EmbedderJob,
    EmbedderSettings,
    embedder_data,
)
from exo_assets.corpus.embedder_tasks import Task, field_tasks, per_task
from exo_assets.corpus.embedding import MINILM, ModelFiles, load_tokenizer, packaged_files
from exo_assets.corpus.embedding_tasks import PackedModel, embed_spread
from exo_assets.corpus.embeddings import VECTOR_SCHEMA, as_matrix, without_vector
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.pairs import training_pairs
from exo_resources.embedding_models import EmbeddingModels
from exo_resources.embedding_run import Embedded, embed_texts
from exo_resources.lake import Lake
from exo_resources.ray_runtime import RayRuntime
from exo_resources.ray_train import RayTraining, TrainingSummary
from exo_resources.settings import Settings
from exo_resources.vector_parts import VectorParts

SEED = 20090307
DEVICES = ("cpu", "gpu")


@contextmanager
def ray_on(device: str, folder: Path) -> Iterator[RayRuntime]:
    """A Ray with this machine's GPUs ("gpu"), or without them ("cpu")."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    runtime = RayRuntime(None, folder)
    try:
        yield runtime
    finally:
        runtime.shutdown()
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def embedded(texts: pl.DataFrame, runtime: RayRuntime, folder: Path) -> Embedded:
    """Vectors of `texts` as a night makes them."""
    models = EmbeddingModels(Lake(str(folder / "lake")), Settings(home=folder))
    ref = models.in_use()
    parts = VectorParts(models.lake, ref.digest)
    return embed_texts(
        texts, ref, ray_runtime=runtime, models=models, parts=parts, tell=lambda said: print(f"  {said}")
    )


def taught(
    settings: EmbedderSettings, data: EmbedderData, tasks: Sequence[Task], runtime: RayRuntime, folder: Path
) -> None:
    """Teach, export, judge, print."""
    files, summaries, way = packaged_files(), list[TrainingSummary](), settings.way
    training = RayTraining(EMBEDDERS, runtime, Lake(str(folder / "lake")), folder)
    (fit,) = training.run(data, settings, [EmbedderJob(way, SEED)], name=f"teach-{way}", summary=summaries.append)
    network = folder / f"{way}.onnx"
    network.write_bytes(exported(fit.weights))
    close = closeness(fit, network, files.tokenizer, tasks)
    found = ndcg(ModelFiles(network, files.tokenizer), way, tasks, runtime)
    (made,) = summaries
    print(
        f"{way:<5} {made.device:<5} {made.samples_per_s:>7,.0f} pairs/s, {made.seconds:.0f} s with its start, GPU busy "
        f"{made.gpu_busy:.0%}; loss {fit.history[-1].loss:.4f}; held-out nDCG@10 {found}; served to taught "
        f"{close.least:.5f} (mean {close.mean:.5f})",
        flush=True,
    )


def ndcg(files: ModelFiles, name: str, tasks: Sequence[Task], runtime: RayRuntime) -> str:
    """Of each task."""
    packed = PackedModel.of(MINILM, name, files)
    scores = per_task(tasks, lambda texts: embed_spread(packed, texts, runtime.map))
    return ", ".join(f"{task} {np.mean(found['ndcg_at_10']):.4f}" for task, found in scores.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Embed and teach on each device."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--corpus", type=Path, required=True)
    ask.add_argument("--texts", type=int, default=2000, help="texts embedded on the CPUs; the GPU embeds all")
    ask.add_argument("--categories", nargs="+", default=["astro-ph.EP"])
    ask.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    ask.add_argument("--pairs", type=int, default=EmbedderSettings.pairs)
    ask.add_argument("--epochs", type=int, default=EmbedderSettings.epochs)
    ask.add_argument("--devices", nargs="+", choices=DEVICES, default=DEVICES)
    asked = ask.parse_args(arguments)
    listing = parse_abstracts(asked.corpus.name, asked.corpus.read_bytes(), asked.categories)
    if listing is None or not listing.documents:
        ask.error(f"{asked.corpus} holds no abstracts of {', '.join(asked.categories)}")
    documents = documents_table([*listing.documents, *own_documents()])
    abstracts = documents.filter(pl.col("source") == "arxiv")
    texts = without_vector(abstracts.select("text"), pl.DataFrame(schema=VECTOR_SCHEMA))
    few = texts.gather_every(max(1, texts.height // asked.texts))
    tokenizer, files = load_tokenizer(packaged_files()), packaged_files()
    data = embedder_data(
        packaged_weights(files.network), training_pairs(documents, asked.pairs), tokenizer, EmbedderSettings.tokens
    )
    tasks = field_tasks(documents)
    vectors = dict[str, pl.DataFrame]()
    with tempfile.TemporaryDirectory(prefix="exo-devices-") as name:
        for device in asked.devices:
            folder = Path(name) / device
            with ray_on(device, folder) as runtime:
                if device == "gpu" and not runtime.gpus():
                    print("Ray finds no GPU here")
                    continue
                for asked_for in (few,) if device == "cpu" else (few, texts):
                    made = embedded(asked_for, runtime, folder)
                    vectors.setdefault(device, made.vectors)
                    print(f"{made.device}: {asked_for.height:,} texts in {made.seconds:.1f} s, workers' start included")
                if asked.ways:
                    print(f"packaged: held-out nDCG@10 {ndcg(files, device, tasks, runtime)}", flush=True)
                for way in asked.ways:
                    settings = EmbedderSettings(way, pairs=asked.pairs, epochs=asked.epochs)
                    taught(settings, data, tasks, runtime, folder)
    if len(vectors) == len(DEVICES):
        both = vectors["cpu"].join(vectors["gpu"], on="text_digest")
        one, other = (as_matrix(both[column], MINILM.dimensions) for column in ("vector", "vector_right"))
        far, cosine = np.abs(one - other).max(), (one * other).sum(1).min()
        print(f"vectors of CPUs and GPU: at most {far:.1e} apart in a dimension, least cosine {cosine:.7f}")


if __name__ == "__main__":
    main()
