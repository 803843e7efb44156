"""Random signals to train tiny networks on, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import BINS, BRANCHES, Floats
from exo_assets.training.neural import NeuralData, NeuralSettings

TINY = NeuralSettings(
    hidden=8, layers=1, fused=8, embedding=2, channels=(2, 2), branches=("local", "secondary"), epochs=3, batch=64
)
SIGNALS, COPIES = 240, 2


def small_data(views: Mapping[str, Floats] | None = None) -> NeuralData:
    """Signals of which a third are planets, half with views; two copies of each, the second without its views."""
    rng = np.random.default_rng(5)
    label = np.arange(SIGNALS) % 3
    x = rng.normal(size=(SIGNALS, len(FEATURE_NAMES))) + 0.5 * label[:, None]
    x[:, FEATURE_NAMES.index("mission")] = 0
    x[rng.random(x.shape) < 0.1] = np.nan
    view = np.where(np.arange(SIGNALS) % 2 == 0, np.arange(SIGNALS) // 2, -1)
    first = np.repeat([True, False], SIGNALS)
    return NeuralData(
        x=np.concatenate([x, x]),
        row=np.tile(np.arange(SIGNALS), COPIES),
        weight=np.full(SIGNALS * COPIES, 1 / COPIES),
        shows=first,
        plain=first,
        label=label,
        fold=(np.arange(SIGNALS) // 3) % 3,
        inner=rng.random(SIGNALS),
        view=view,
        views=small_views() if views is None else views,
        judged={"full": x},
        judged_shows={"full": view >= 0},
    )


def small_views() -> dict[str, Floats]:
    rng = np.random.default_rng(6)
    return {
        name: rng.normal(size=(SIGNALS // 2, BINS[branch])).astype(np.float32)
        for branch, names in BRANCHES.items()
        for name in names
    }


class WatchedViews(Mapping[str, Floats]):
    """Views that do something in the worker process that looks at them for the `looks`-th time."""

    def __init__(self, mark: Path, looks: int) -> None:
        self.views, self.mark, self.looks, self.driver, self.seen = small_views(), mark, looks, os.getpid(), 0

    def __getitem__(self, name: str) -> Floats:
        self.seen += 1
        if os.getpid() != self.driver and self.seen == self.looks and not self.mark.exists():
            self.act()
        return self.views[name]

    def act(self) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(self.views)

    def __len__(self) -> int:
        return len(self.views)


class FatalViews(WatchedViews):
    """The worker is killed, once in all: `mark` says so."""

    def act(self) -> None:
        self.mark.write_text(str(os.getpid()), encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)


class WaitingViews(WatchedViews):
    """The worker waits until `mark` is there."""

    def act(self) -> None:
        while not self.mark.exists():
            time.sleep(0.05)
