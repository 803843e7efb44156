"""The embedding model learns the corpus, as assets: candidate, figures, gates, champion.

Belongs here: what is read, where it runs (Ray Train), what is kept. Does not belong here: any recipe, figure or rule.

The group is not the corpus's: the night embeds and indexes, and only `weekly_retrain` teaches. What is promoted is used
by the next run that embeds, which makes a new version of the index; nothing here touches the index.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.code_version import code_version
from exo_assets.corpus import embedder_champion as rules
from exo_assets.corpus.embedder_contracts import (
    ML_EMBEDDER_CANDIDATE,
    ML_EMBEDDER_CHAMPION,
    ML_EMBEDDER_GATES,
    ML_EMBEDDER_METRICS,
)
from exo_assets.corpus.embedding import Vectors
from exo_assets.gate_checks import refusal_fails_run
from exo_assets.table_asset import Table, TableConfig, table_asset

GROUP = "embedder"
EXPERIMENT = "exo-embedder"
GENERAL_QUESTIONS = 500


def _way(resources: Any) -> str:
    settings = resources.settings
    return f"{settings.embedder_learning} {settings.embedding_model} {settings.seed}"


@table_asset(
    ML_EMBEDDER_CANDIDATE,
    group=GROUP,
    kinds=("ray", "pytorch", "mlflow", "parquet"),
    always=True,
    salt=_way,
)
def ml_embedder_candidate(
    context: dg.AssetExecutionContext,
    config: TableConfig,
    *,
    corpus_documents: pl.DataFrame,
    embedder_training: Any,
    embedding_models: Any,
    registry: Any,
    settings: Any,
    lake: Any,
) -> Table:
    """Teach the packaged model the corpus; the candidate in place stays until forced, or the corpus has grown a lot."""
    from exo_assets.corpus.embedder_candidate import recipe_digest, stays
    from exo_assets.corpus.embedder_learning import EmbedderRecipe, EmbedderSettings

    if settings.embedder_learning == "off":
        return Table(ML_EMBEDDER_CANDIDATE.empty(), notes={"absent": "EXO_EMBEDDER_LEARNING is off"})
    if settings.embedding_model is not None:
        absent = "EXO_EMBEDDING_MODEL names a model of its own: only the one that ships is taught"
        return Table(ML_EMBEDDER_CANDIDATE.empty(), notes={"absent": absent})
    plan, base = EmbedderSettings(settings.embedder_learning), embedding_models.packaged
    recipe = recipe_digest(plan, settings.seed, code_version(_taught, EmbedderRecipe), base.digest)
    before = _stored(lake, ML_EMBEDDER_CANDIDATE)
    if not config.force and stays(before, recipe, corpus_documents.height):
        kept = {"kept": f"taught {before['trained_at'][0]}; weekly_retrain teaches anew"}
        return Table(before, notes=kept, stays=True)
    made = _taught(context, corpus_documents, plan, (embedder_training, embedding_models, registry, settings), recipe)
    champion = _stored(lake, ML_EMBEDDER_CHAMPION)
    for row in before.iter_rows(named=True):
        if row["digest"] not in (*champion["digest"], *made.frame["digest"]):
            embedding_models.forget(rules.embedding_ref(row))
    return made


def _taught(
    context: dg.AssetExecutionContext, documents: pl.DataFrame, plan: Any, resources: tuple[Any, ...], recipe: str
) -> Table:
    """Pairs, training, export, files and run."""
    from dataclasses import asdict

    from exo_assets.corpus.bert_weights import packaged_weights
    from exo_assets.corpus.docstrings import docstring_pairs
    from exo_assets.corpus.embedder_candidate import PAIRS, TASKS, closeness, model_files, model_name, pairs_frame
    from exo_assets.corpus.embedder_export_torch import exported
    from exo_assets.corpus.embedder_learning import EmbedderJob, embedder_data
    from exo_assets.corpus.embedder_tasks import GENERAL, field_tasks, pairs_task, questions_task, tasks_bytes
    from exo_assets.corpus.embedding import NETWORK, EmbeddingModel, load_tokenizer
    from exo_assets.corpus.pairs import training_pairs
    from exo_assets.corpus.questions import QuestionsError

    training, models, registry, settings = resources
    base, files = models.packaged, models.files(models.packaged)
    pairs = training_pairs(documents, plan.pairs)
    if len(pairs) < 2 * training.workers.per_model:
        return Table(ML_EMBEDDER_CANDIDATE.empty(), notes={"absent": f"the corpus has only {len(pairs)} pairs"})
    tasks = [*field_tasks(documents), pairs_task(GENERAL, docstring_pairs(GENERAL_QUESTIONS))]
    tokenizer, notes = load_tokenizer(files), dict[str, Any]()
    try:
        tasks.append(questions_task(documents, lambda text: tokenizer.encode(text, add_special_tokens=False).offsets))
    except QuestionsError as missing:
        notes["questions are not asked"] = str(missing)
    data = embedder_data(packaged_weights(files.network), pairs, load_tokenizer(files), plan.tokens)
    epochs, summaries = list[Any](), list[Any]()

    def told(epoch: Any) -> None:
        context.log.info("embedder: %s", epoch)
        epochs.append(epoch)

    (fit,) = training.run(
        data,
        plan,
        [EmbedderJob(plan.way, settings.seed)],
        name="ml_embedder_candidate",
        progress=told,
        summary=summaries.append,
    )
    taught = pairs_frame(pairs)
    parquet = io.BytesIO()
    taught.write_parquet(parquet)
    data_digest = _digest_of(taught)
    model = EmbeddingModel(model_name(plan.way), base.dimensions, base.tokens)
    facts = {"way": plan.way, "base": base.digest, "data_digest": data_digest, "recipe": recipe, "seed": settings.seed}
    made = model_files(exported(fit.weights), files.tokenizer.read_bytes(), model.name, facts)
    ref = models.store(model, {**made, PAIRS: parquet.getvalue(), TASKS: tasks_bytes(tasks)})
    served = models.files(ref)
    close = closeness(fit, served.network, served.tokenizer, tasks)
    run_id = registry.log_training(
        EXPERIMENT,
        ref.digest,
        params={**asdict(plan), "seed": settings.seed, "n_pairs": len(pairs), "n_documents": documents.height},
        metrics={"cosine_min": close.least, "cosine_mean": close.mean, "bytes": len(made[NETWORK])},
        tags={"base": base.digest, "data_digest": data_digest, "recipe": recipe, "folder": str(ref.key)},
        series=[(name, value, epoch.epoch) for epoch in fit.history for name, value in epoch.curves().items()],
    )
    row = {
        **ref.as_row(),
        **facts,
        "version": ref.digest[:12],
        "run_id": run_id,
        "folder_key": ref.key,
        "base_digest": base.digest,
        "n_pairs": len(pairs),
        "n_documents": documents.height,
        "cosine_min": close.least,
        "cosine_mean": close.mean,
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    kinds = dict(taught.group_by("kind").len().sort("kind").iter_rows())
    return Table(
        ML_EMBEDDER_CANDIDATE.conform(pl.DataFrame([row])),
        metadata={"training": dg.MetadataValue.json([asdict(summary) for summary in summaries])},
        notes={**notes, "pairs": kinds, "asked": {task.name: len(task.queries) for task in tasks}},
    )


def _rival(resources: Any) -> str:
    """The model that the candidate is compared with: figures and gates are made again when it is another one."""
    lake = resources.lake
    digest = "".join(_stored(lake, ML_EMBEDDER_CANDIDATE)["digest"])
    before = rules.rival(digest, _stored(lake, ML_EMBEDDER_CHAMPION), resources.embedding_models.packaged)
    return before.digest


def _seed_and_rival(resources: Any) -> str:
    return f"{resources.settings.seed} {_rival(resources)}"


@table_asset(
    ML_EMBEDDER_METRICS,
    group=GROUP,
    kinds=("ray", "parquet"),
    salt=_seed_and_rival,
)
def ml_embedder_metrics(
    ml_embedder_candidate: pl.DataFrame, ray_runtime: Any, embedding_models: Any, settings: Any, lake: Any
) -> Table:
    """The candidate and the model in use on what was held out when the candidate was taught."""
    from exo_assets.corpus.embedder_candidate import TASKS
    from exo_assets.corpus.embedder_tasks import comparison, per_task, read_tasks

    if ml_embedder_candidate.is_empty():
        return Table(ML_EMBEDDER_METRICS.empty(), notes={"absent": "there is no candidate"})
    row = ml_embedder_candidate.row(0, named=True)
    before = rules.rival(row["digest"], _stored(lake, ML_EMBEDDER_CHAMPION), embedding_models.packaged)
    tasks = read_tasks(lake.get(f"{row['folder_key']}/{TASKS}"))
    old, new = (
        per_task(tasks, partial(_embedded, ref, embedding_models, ray_runtime))
        for ref in (before, rules.embedding_ref(row))
    )
    frame = comparison(old, new, tasks, seed=settings.seed).with_columns(
        candidate_digest=pl.lit(row["digest"]), compared_with_digest=pl.lit(before.digest)
    )
    told = frame.filter(metric="ndcg_at_10")
    figures = {r["task"]: f"{r['before']:.3f} -> {r['after']:.3f}" for r in told.iter_rows(named=True)}
    return Table(ML_EMBEDDER_METRICS.conform(frame), notes={"nDCG@10": figures, "compared with": before.name})


@table_asset(
    ML_EMBEDDER_GATES,
    group=GROUP,
    salt=_rival,
)
def ml_embedder_gates(
    ml_embedder_candidate: pl.DataFrame, ml_embedder_metrics: pl.DataFrame, embedding_models: Any, lake: Any
) -> Table:
    """One row per gate, for exactly this candidate; the blocking checks and the champion read it."""
    from exo_assets.corpus.embedder_candidate import PAIRS
    from exo_assets.corpus.embedder_gates import EMBEDDER_GATES, find
    from exo_assets.corpus.embedding import EmbeddingModelError
    from exo_assets.evaluation.gates import judge
    from exo_assets.training.model_ref import ModelRef

    if ml_embedder_candidate.is_empty():
        return Table(ML_EMBEDDER_GATES.empty(), notes={"absent": "there is no candidate"})
    row = ml_embedder_candidate.row(0, named=True)
    before = rules.rival(row["digest"], _stored(lake, ML_EMBEDDER_CHAMPION), embedding_models.packaged)
    try:
        embedding_models.files(rules.embedding_ref(row))
        is_intact = True
    except EmbeddingModelError:
        is_intact = False
    taught = pl.read_parquet(io.BytesIO(lake.get(f"{row['folder_key']}/{PAIRS}")))["document_id"]
    found = find(row, ml_embedder_metrics, taught, is_intact)
    frame = judge(
        ModelRef.from_row(row), rules.as_model(before), found, gates=EMBEDDER_GATES, contract=ML_EMBEDDER_GATES
    )
    return Table(frame, notes={"failed": frame.filter(status="failed")["gate"].to_list()})


@table_asset(
    ML_EMBEDDER_CHAMPION,
    group=GROUP,
    salt=_rival,
)
def ml_embedder_champion(
    context: dg.AssetExecutionContext,
    *,
    ml_embedder_candidate: pl.DataFrame,
    ml_embedder_metrics: pl.DataFrame,
    ml_embedder_gates: pl.DataFrame,
    embedding_models: Any,
    lake: Any,
) -> Table:
    """The candidate if the gates in the lake let exactly it pass, whoever asks; otherwise the champion that stands."""
    champion = _stored(lake, ML_EMBEDDER_CHAMPION)
    if ml_embedder_candidate.is_empty():
        return Table(champion, notes={"candidate": "none"})
    tables = (ml_embedder_candidate, ml_embedder_gates, ml_embedder_metrics, champion)
    with refusal_fails_run():
        frame, refused = rules.crown(*tables, embedding_models.packaged)
    if refused:
        context.log.warning("%s is not promoted: %s", ml_embedder_candidate["name"][0], "; ".join(refused))
    return Table(frame, notes={"refused": refused or None})


def _embedded(ref: Any, models: Any, ray_runtime: Any, texts: Sequence[str]) -> Vectors:
    """Unit vectors (texts, dimensions), made on Ray."""
    from exo_assets.corpus.embedding_tasks import PackedModel, embed_spread

    return embed_spread(PackedModel.of(ref.model, ref.digest, models.files(ref)), texts, ray_runtime.map)


def _stored(lake: Any, contract: Any) -> pl.DataFrame:
    """The table as it stands; empty before it was ever written."""
    frame: pl.DataFrame = lake.read(contract.name) if lake.version(contract.name) else contract.empty()
    return frame


def _digest_of(taught: pl.DataFrame) -> str:
    import hashlib

    digest = hashlib.sha256()
    for row in taught.iter_rows():
        digest.update(repr(row).encode())
    return digest.hexdigest()


ASSETS: list[dg.AssetsDefinition] = [
    ml_embedder_candidate,
    ml_embedder_metrics,
    ml_embedder_gates,
    ml_embedder_champion,
]
