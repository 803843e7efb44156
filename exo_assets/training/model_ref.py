"""The small value that stands for a trained model on the edges between assets.

Belongs here: the reference. Does not belong here: the model, or how to fetch it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

MODEL_NAME = "exo-vetter"
"""Name of the vetter in the model registry."""


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

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.digest[:12]})"
