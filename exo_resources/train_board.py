"""Progress of trainings as TensorBoard's event files.

Belongs here: which curves are drawn. Does not belong here: where progress comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from exo_resources.train_worker import Told


class Board:
    """Event files below `folder`, one folder a job. To be closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def add(self, told: Told) -> None:
        """Draw an epoch."""
        epoch = told.epoch
        if epoch.job not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            self._writers[epoch.job] = SummaryWriter(str(self.folder / quote(epoch.job, safe="")))
        writer = self._writers[epoch.job]
        curves = {
            **epoch.curves(),
            "speed/samples_per_s": epoch.samples_per_s,
            "speed/waited": epoch.waited,
        }
        if told.gpu_busy == told.gpu_busy:  # nan where there is no GPU
            curves["speed/gpu_busy"] = told.gpu_busy
        for name, value in curves.items():
            writer.add_scalar(name, value, epoch.epoch)
        writer.flush()

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()
