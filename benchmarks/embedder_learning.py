"""LoRA, DoRA and full fine-tuning of the embedding model side by side.

    python -m benchmarks.embedder_learning --corpus FILE.jsonl [--out-of-field FILE.parquet] [--ways lora dora full]
                                           [--pairs N] [--epochs N] [--queries N]

Teaches the packaged model the abstracts of the file (a JSON object a line: arxiv_id, title, abstract) and, with them,
this package's own documentation; exports it as it would be served and judges that: nDCG@10 of held-out titles and
sentences, of the judged questions, and of documentation that has nothing to do with the field. `--out-of-field` has
more abstracts (Parquet: arxiv_id, title, abstract, categories); those that are not of astro-ph.EP are another task.
Differences are paired by question, with 95 % intervals. Times are of one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from exo_assets.corpus.bert_weights import packaged_weights
from exo_assets.corpus.docstrings import docstring_pairs
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.embedder_learning import WAYS, EmbedderJob, EmbedderSettings, embedder_data
from exo_assets.corpus.embedder_tasks import (
    GENERAL,
    comparison,
    field_tasks,
    pairs_task,
    per_task,
    questions_task,
)
from exo_assets.corpus.embedding import MINILM, Embedder, ModelFiles, load_tokenizer, packaged_files
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.pairs import title_pair, training_pairs

SEED = 20090307
OUT_OF_FIELD = "other_astronomy"


def read(corpus: Path) -> pl.DataFrame:
    """The abstracts and what ships as rows of `corpus_documents`, as far as they are looked at."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    abstracts = [
        Document(f"arXiv:{row['arxiv_id']}", "arxiv", "abstract", row["title"].strip(), row["abstract"].strip())
        for row in rows
    ]
    return documents_table([*abstracts, *own_documents()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Teach, export, judge."""
    import torch

    from exo_assets.corpus.embedder_export_torch import exported
    from exo_assets.corpus.embedder_torch import bert, embed_texts, teach

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out-of-field", type=Path)
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    parser.add_argument("--pairs", type=int, default=EmbedderSettings.pairs)
    parser.add_argument("--epochs", type=int, default=EmbedderSettings.epochs)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--queries", type=int, default=1000, help="questions of the tasks that are not of the field")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    documents, files = read(asked.corpus), packaged_files()
    tokenizer = load_tokenizer(files)
    tasks = [
        *field_tasks(documents),
        questions_task(documents, lambda text: tokenizer.encode(text, add_special_tokens=False).offsets),
        pairs_task(GENERAL, docstring_pairs(asked.queries)),
    ]
    if asked.out_of_field:
        others = pl.read_parquet(asked.out_of_field).filter(
            ~pl.col("categories").str.contains("astro-ph.EP", literal=True)
        )
        rows = others.sort(pl.col("arxiv_id").hash(1)).select("arxiv_id", "title", "abstract").iter_rows()
        pairs = [pair for row in rows for pair in title_pair(*row)][: asked.queries]
        tasks.append(pairs_task(OUT_OF_FIELD, pairs))
    start = time.process_time()
    before = per_task(tasks, Embedder().embed)
    print(
        f"judged in {time.process_time() - start:.0f} CPU-s: "
        + ", ".join(f"{t.name} {len(t.queries)}/{len(t.passages)}" for t in tasks),
        flush=True,
    )
    weights, pairs = packaged_weights(files.network), training_pairs(documents, asked.pairs)
    held = list(dict.fromkeys(text for task in tasks[:1] for text in task.passages[: len(task.queries)]))[:200]
    tokenizer.enable_truncation(MINILM.tokens)
    ids = [e.ids for e in tokenizer.encode_batch(held)]
    print(f"{len(pairs)} pairs of {len({p.document_id for p in pairs})} documents", flush=True)
    for way in asked.ways:
        settings = EmbedderSettings(way, pairs=asked.pairs, epochs=asked.epochs, learning_rate=asked.rate)
        start = time.process_time()
        data = embedder_data(weights, pairs, load_tokenizer(files), settings.tokens)
        fit = teach(data, settings, EmbedderJob(way, SEED), report=lambda epoch: print(epoch, flush=True))
        taught = time.process_time() - start
        with tempfile.TemporaryDirectory() as folder:
            network = Path(folder) / "model.onnx"
            network.write_bytes(exported(fit.weights))
            served = Embedder(MINILM, ModelFiles(network, files.tokenizer))
            cosine = (served.embed(held) * embed_texts(bert(fit.weights), ids)).sum(axis=1)
            after = per_task(tasks, served.embed)
        close = f"cosine of int8 to float32 {cosine.min():.5f} (mean {cosine.mean():.5f})"
        print(f"\n{way}: {taught / 60:.1f} CPU-min, {close}")
        for row in comparison(before, after, tasks, seed=SEED).filter(metric="ndcg_at_10").iter_rows(named=True):
            print(
                "  {task:<38} {before:.3f} -> {after:.3f}  {difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row),
                flush=True,
            )


if __name__ == "__main__":
    main()
