"""A model registry in memory, and gates that pass."""

from __future__ import annotations

from pathlib import Path

from exo_assets.evaluation.gates import GATES, Finding, Gate
from exo_assets.training.model_ref import ModelRef


class MemoryRegistry:
    """Aliases as the real registry moves them; `folders` maps digest -> folder of the model's files."""

    def __init__(self, champion: ModelRef | None = None, previous: ModelRef | None = None) -> None:
        self._champion, self._previous = champion, previous
        self.folders: dict[str, Path] = {}
        self.moves: list[str] = []

    def champion(self) -> ModelRef | None:
        return self._champion

    def previous(self) -> ModelRef | None:
        return self._previous

    def fetch(self, ref: ModelRef) -> Path:
        return self.folders[ref.digest]

    def promote(self, ref: ModelRef) -> None:
        self.moves.append(f"promote {ref.version}")
        self._champion, self._previous = ref, self._champion

    def rollback(self) -> ModelRef:
        assert self._previous is not None
        self.moves.append(f"rollback to {self._previous.version}")
        self._champion, self._previous = self._previous, self._champion
        assert self._champion is not None
        return self._champion


def passing(gate: Gate) -> Finding:
    return Finding(gate.lowest if gate.lowest is not None else gate.highest, "as demanded")


def findings(**changed: Finding) -> dict[str, Finding]:
    return {gate.name: passing(gate) for gate in GATES} | changed
