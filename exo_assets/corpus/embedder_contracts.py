"""Contracts of the tables of the embedding model that learns the corpus (`ml_embedder_*`).

Belongs here: columns, units and keys. Does not belong here: how a figure is computed or what a gate demands.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from exo_assets.contracts import Column, TableContract
from exo_assets.corpus.embedder_learning import WAYS
from exo_assets.corpus.retrieval_metrics import RETRIEVAL_METRICS
from exo_assets.evaluation.contracts import ML_VETTER_GATES

F, N, S = pl.Float64, pl.Int64, pl.String

_MODEL = (
    Column("name", S, "Name of the model", nullable=False),
    Column("version", S, "First 12 digits of its digest", nullable=False),
    Column("run_id", S, "MLflow run of its training", nullable=False),
    Column("digest", S, "SHA-256 of name, dimensions, tokens and files: what vectors depend on", nullable=False),
    Column("dimensions", N, "Length of a vector", nullable=False, low=1),
    Column("tokens", N, "Tokens after which a text is cut", nullable=False, low=1),
    Column("folder_key", S, "Folder of its files in the lake", nullable=False),
    Column("way", S, "How it was taught", nullable=False, allowed=WAYS),
)

ML_EMBEDDER_CANDIDATE = TableContract(
    "ml_embedder_candidate",
    "The embedding model that was last taught the corpus (EXO_EMBEDDER_LEARNING); no row while none was.",
    (
        *_MODEL,
        Column("base_digest", S, "SHA-256 of the model that it was taught from", nullable=False),
        Column("recipe", S, "Digest of code, settings and seed: what it depends on beside the corpus", nullable=False),
        Column("data_digest", S, "Digest of the pairs that it learned from", nullable=False),
        Column("n_pairs", N, "Pairs that it learned from", nullable=False, low=0),
        Column("n_documents", N, "Documents of the corpus when it was taught", nullable=False, low=0),
        Column("cosine_min", F, "Least cosine of a held-out text's vector as served (int8) and as taught (float32)", nullable=False, low=-1, high=1.001),
        Column("cosine_mean", F, "Mean of those cosines", nullable=False, low=-1, high=1.001),
        Column("trained_at", S, "When (ISO 8601, UTC)", nullable=False),
    ),
    key=("digest",),
)  # fmt: skip

ML_EMBEDDER_METRICS = TableContract(
    "ml_embedder_metrics",
    "How well the candidate finds, beside the model in use: held-out titles and sentences, the judged questions, and documentation of another field.",
    (
        Column("candidate_digest", S, "SHA-256 of the candidate", nullable=False),
        Column("compared_with_digest", S, "SHA-256 of the model it is compared with", nullable=False),
        Column("task", S, "What is asked for what; held_out: titles and sentences together; _among_held_out: among passages that were never learned", nullable=False),
        Column("metric", S, "Name of the figure", nullable=False, allowed=RETRIEVAL_METRICS),
        Column("before", F, "The figure of the model it is compared with", nullable=False, low=0, high=1),
        Column("after", F, "The figure of the candidate", nullable=False, low=0, high=1),
        Column("difference", F, "after less before", nullable=False, low=-1, high=1),
        Column("low", F, "Lower end of the difference's 95 % interval, paired by question", nullable=False),
        Column("high", F, "Upper end", nullable=False),
        Column("n_queries", N, "Questions", nullable=False, low=1),
        Column("n_passages", N, "Passages among which they are answered", nullable=False, low=1),
    ),
    key=("task", "metric"),
)  # fmt: skip

ML_EMBEDDER_GATES = replace(
    ML_VETTER_GATES,
    name="ml_embedder_gates",
    description="One row per gate between an embedding model and its use: what was demanded, what was found, for exactly which model.",
)

ML_EMBEDDER_CHAMPION = TableContract(
    "ml_embedder_champion",
    "The embedding model that learned the corpus and was promoted: the corpus is embedded with it; no row: with the one that ships.",
    (
        *_MODEL,
        Column("promoted_at", S, "When it became the champion (ISO 8601, UTC)", nullable=False),
        Column("compared_with", S, "The model before it, as a reference (JSON)", nullable=False),
        Column("metrics", S, "nDCG@10 by task, before and after (JSON)", nullable=False),
    ),
    key=("name",),
)

CONTRACTS = (ML_EMBEDDER_CANDIDATE, ML_EMBEDDER_METRICS, ML_EMBEDDER_GATES, ML_EMBEDDER_CHAMPION)
