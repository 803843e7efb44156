"""Resource keys and the domain objects behind them.

Belongs here: turning `Settings` into the objects that assets receive. Each is built when a run first needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import dagster as dg

from exo_resources.settings import Settings


def build_resources(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """Resource definitions by key. Nothing is opened or connected here."""

    def lake() -> object:
        from exo_resources.lake import Lake

        return Lake(settings.lake)

    def archive() -> object:
        from exo_resources.archive import ArchiveSource

        return ArchiveSource(settings)

    def arxiv() -> object:
        from exo_resources.arxiv import ArxivSource

        return ArxivSource(settings)

    def documents() -> object:
        from exo_resources.document_folder import DocumentFolder

        return DocumentFolder(settings.documents_folder)

    def light_curves() -> object:
        from exo_resources.mast import LightCurveSource

        return LightCurveSource(settings)

    def star_tables() -> object:
        from exo_resources.lake import Lake
        from exo_resources.star_tables import StarTables

        return StarTables(Lake(settings.lake))

    def signal_views() -> object:
        from exo_resources.lake import Lake
        from exo_resources.signal_views import SignalViews

        return SignalViews(Lake(settings.lake))

    def ray_runtime() -> object:
        from exo_resources.ray_runtime import RayRuntime

        return RayRuntime(settings.ray_address, settings.home)

    def networks() -> object:
        from exo_resources.lake import Lake
        from exo_resources.network_store import NetworkStore

        return NetworkStore(Lake(settings.lake))

    def neural_training() -> object:
        from exo_resources.lake import Lake
        from exo_resources.ray_runtime import RayRuntime
        from exo_resources.ray_train import NeuralTraining, Workers

        return NeuralTraining(
            RayRuntime(settings.ray_address, settings.home),
            Lake(settings.lake),
            settings.home,
            Workers(settings.train_workers, settings.train_workers_per_model),
        )

    def embedder_training() -> object:
        from exo_assets.corpus.embedder_learning import EMBEDDERS
        from exo_resources.lake import Lake
        from exo_resources.ray_runtime import RayRuntime
        from exo_resources.ray_train import RayTraining, Workers

        return RayTraining(
            EMBEDDERS,
            RayRuntime(settings.ray_address, settings.home),
            Lake(settings.lake),
            settings.home,
            Workers(settings.train_workers, settings.train_workers_per_model),
        )

    def embedding_models() -> object:
        from exo_resources.embedding_models import EmbeddingModels
        from exo_resources.lake import Lake

        return EmbeddingModels(Lake(settings.lake), settings)

    def releases() -> object:
        from exo_resources.releases import ReleaseStore

        return ReleaseStore(settings.releases, settings.releases_kept)

    def serve() -> object:
        from exo_resources.serve_client import ServeClient

        return ServeClient(settings)

    def library_endpoint() -> object:
        from exo_resources.library_client import LibraryClient

        return LibraryClient(settings)

    def library_store() -> object:
        from exo_resources.lake import Lake
        from exo_resources.library_store import LibraryStore

        return LibraryStore(Lake(settings.lake), settings)

    def notifier() -> object:
        from exo_resources.notifier import Notifier

        return Notifier(settings.home / "logs" / "alerts.jsonl", settings.webhook_url, ui_url=settings.ui_url)

    def alert_book() -> object:
        from exo_resources.alert_book import AlertBook

        return AlertBook(settings.alert_book)

    return {
        "settings": dg.ResourceDefinition.hardcoded_resource(settings, "Exo's settings (EXO_*)"),
        "lake": _lazy(lake, "Parquet tables and blobs"),
        "archive": _lazy(archive, "NASA Exoplanet Archive, live, mirrored or shipped"),
        "arxiv": _lazy(arxiv, "arXiv's abstracts, harvested or mirrored"),
        "documents": _lazy(documents, "The watched folder of documents"),
        "light_curves": _lazy(light_curves, "MAST's light curves, live, mirrored or shipped"),
        "star_tables": _lazy(star_tables, "Tables of many stars, a row group each"),
        "signal_views": _lazy(signal_views, "Folded views of signals, mapped from the lake"),
        "ray_runtime": _lazy(ray_runtime, "Ray, joined or started when first used"),
        "networks": _lazy(networks, "Trained networks that a later training may go on from"),
        "neural_training": _lazy(neural_training, "Training of networks on Ray Train"),
        "embedder_training": _lazy(embedder_training, "Training of the embedding model on Ray Train"),
        "embedding_models": _lazy(embedding_models, "Embedding models: the one in use, and their files"),
        "registry": _lazy(_registry(settings, "SIGNALS"), "MLflow model registry: vetters of signals"),
        "event_registry": _lazy(_registry(settings, "EVENTS"), "MLflow model registry: vetters of events"),
        "releases": _lazy(releases, "DuckDB releases"),
        "serve": _lazy(serve, "The live endpoint"),
        "library_endpoint": _lazy(library_endpoint, "The live endpoint's library"),
        "library_store": _lazy(library_store, "Versions of the corpus's index, and the released one"),
        "notifier": _lazy(notifier, "Alerts: log file and webhook"),
        "alert_book": _lazy(alert_book, "Alerts that are open: what was told and is not over"),
    }


def buckets_at_hand(settings: Settings) -> list[str]:
    """The buckets of stars that there are light curves for, or will be asked for, as far as is known now."""
    from exo_resources.lake import Lake
    from exo_resources.mast import LightCurveSource
    from exo_resources.mast.discovery import buckets_wanted

    lake = Lake(settings.lake)
    return buckets_wanted(LightCurveSource(settings, lake), lake)


def _registry(settings: Settings, kind: Literal["SIGNALS", "EVENTS"]) -> Callable[[], object]:
    """What opens the registry of a kind of model; the name is of a constant of `exo_resources.registry`."""

    def registry() -> object:
        from exo_resources import registry as models

        return models.ModelRegistry(settings.mlflow, settings.mlflow_artifacts, getattr(models, kind))

    return registry


def _lazy(make: Callable[[], object], description: str) -> dg.ResourceDefinition:
    def create(_context: Any) -> object:
        return make()

    return dg.ResourceDefinition(create, description=description)
