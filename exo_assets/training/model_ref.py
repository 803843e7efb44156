"""The small value that stands for a trained model on the edges between assets.

Belongs here: the reference. Does not belong here: the model, or how to fetch it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

MODEL_NAME, EVENT_MODEL_NAME = "exo-vetter", "exo-event-vetter"
"""Names of the vetters of signals and of events in the model registry."""


@dataclass(frozen=True)
class ModelRef:
    """A registered model version: registry name, version, the run that made it and the SHA-256 of its files."""

    name: str
    version: str
    run_id: str
    digest: str

    def as_row(self) -> dict[str, str]:
        """The reference as a row of a table."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ModelRef:
        """The reference in a row that may have other columns too; KeyError when one of its own is missing."""
        return cls(*(str(row[field.name]) for field in fields(cls)))

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.digest[:12]})"
