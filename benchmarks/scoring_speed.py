"""How long the champion takes to score and explain every signal: one thread, this process, no Ray start-up."""

from __future__ import annotations

import time

from exo_assets.training.vetter import Vetter
from exo_resources.lake import Lake
from exo_resources.registry import ModelRegistry
from exo_resources.settings import Settings


def main() -> None:
    """Print seconds and signals per second."""
    settings = Settings()
    registry = ModelRegistry(settings.mlflow, settings.mlflow_artifacts)
    champion = registry.champion()
    if champion is None:
        raise SystemExit("there is no champion to measure: run `exo run` first")
    signals = Lake(settings.lake).read("core_signals")
    vetter = Vetter.load(registry.fetch(champion))
    vetter.score(signals.head(10))
    wall, cpu = time.perf_counter(), time.process_time()
    vetter.score(signals)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = signals.height / wall
    print(f"{signals.height} signals scored and explained: {wall:.1f} s wall, {cpu:.1f} s CPU, {rate:.0f}/s")


if __name__ == "__main__":
    main()
