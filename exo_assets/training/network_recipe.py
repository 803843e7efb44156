"""The vetter's networks as a recipe that Ray trains.

Belongs here: which functions train and store them. Does not belong here: those functions.
"""

from __future__ import annotations

from collections.abc import Callable

from exo_assets.training.neural import Epoch, NeuralData, NeuralFit, NeuralJob, NeuralSettings
from exo_assets.training.recipe import Checkpoints, Place, Recipe
from exo_assets.training.stored_fit import fit_bytes, read_fit


class NetworkRecipe(Recipe[NeuralData, NeuralSettings, NeuralJob, Epoch, NeuralFit]):
    """`fit_torch.fit`, its outcome stored as `stored_fit` does."""

    def fit(
        self,
        data: NeuralData,
        settings: NeuralSettings,
        job: NeuralJob,
        *,
        place: Place | None = None,
        kept: Checkpoints | None = None,
        report: Callable[[Epoch], None] | None = None,
    ) -> NeuralFit:
        """See `fit_torch.fit`."""
        from exo_assets.training.fit_torch import fit

        return fit(data, settings, job, place=place, kept=kept, report=report)

    def pack(self, fit: NeuralFit) -> bytes:
        """See `fit_bytes`."""
        return fit_bytes(fit)

    def unpack(self, stored: bytes, job: NeuralJob) -> NeuralFit:
        """See `read_fit`."""
        return read_fit(stored, job)


NETWORKS = NetworkRecipe()
