"""What serves the network fastest: torch as it is, ONNX in float32, or ONNX in int8. One thread, one process, CPU time.

The network has the settings that are trained, and random weights (they do not change the time). Timed is what a
request needs: rows of the transformer's matrix to logits, the scaler included; alone and 1,024 at once, without views
and with views of every row. The three take turns; the median of the rounds is printed, and the ratio to torch. Then the
reasons (integrated gradients, occlusion), and the sizes of the files.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import VIEWS_WIDTH
from exo_assets.training.export_torch import export, torch_logits, trained_network
from exo_assets.training.fit_torch import arrays
from exo_assets.training.network import Network
from exo_assets.training.network_torch import VetterNetwork
from exo_assets.training.neural import NeuralFit, NeuralJob, NeuralSettings, Scaler
from exo_assets.training.quantize import quantized

ROUNDS, LEAST_S = 9, 0.1
SETTINGS = NeuralSettings()


def random_fit(x: Any) -> NeuralFit:
    """A network that nobody trained, of the settings that are trained."""
    scaler = Scaler.fit(x)
    torch.manual_seed(0)
    weights = arrays(VetterNetwork(scaler.width, SETTINGS).state_dict())
    return NeuralFit(NeuralJob("random", 0, None), scaler, weights, np.empty(0, dtype=np.int64), {})


def in_turns(functions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median CPU seconds of one call of each, after one that is not counted."""
    repeats, seconds = {}, {name: [] for name in functions}
    for name, function in functions.items():
        function()
        start = time.process_time()
        function()
        repeats[name] = max(1, int(LEAST_S / max(time.process_time() - start, 1e-5)))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                function()
            seconds[name].append((time.process_time() - start) / repeats[name])
    return {name: float(np.median(each)) for name, each in seconds.items()}


def main() -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1024, len(FEATURE_NAMES)))
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:, FEATURE_NAMES.index("mission")] = rng.integers(0, len(MISSIONS), len(x))
    views = np.clip(rng.normal(0, 0.5, (len(x), VIEWS_WIDTH)), -3, 3).astype(np.float32)
    every = np.arange(len(x))
    fit = random_fit(x)
    plain = export([fit], SETTINGS)
    small = quantized(plain)
    by_torch = partial(torch_logits, trained_network(fit, SETTINGS), fit.scaler)
    ways: dict[str, Callable[..., Any]] = {
        "torch": by_torch,
        "ONNX float32": plain.logits,
        "ONNX int8": small.logits,
    }
    print(f"{fit.scaler.width} scalars, {VIEWS_WIDTH} bins of views; load {os.getloadavg()[0]:.2f}")
    for rows in (1, 1024):
        for seen in (0, rows):
            given = (x[:rows], views[:seen], every[:seen])
            found = in_turns({name: lambda way=way, given=given: way(*given) for name, way in ways.items()})
            print(f"\n{rows} at once, {'with' if seen else 'without'} views")
            for name, seconds in found.items():
                ms, rate = seconds / rows * 1e3, rows / seconds
                print(f"  {name:14s} {ms:9.4f} ms/row {rate:10,.0f} rows/s {found['torch'] / seconds:6.2f} x torch")
            print(f"  fastest: {min(found, key=lambda name: found[name])}")
    print("\nalone:")
    scaled = in_turns({"scaler, 1,024 rows": lambda: fit.scaler(x), "scaler, 1 row": lambda: fit.scaler(x[:1])})
    explained = {
        f"{what}, {name}": call
        for name, network in (("float32", plain), ("int8", small))
        for what, call in _reasons(network, x, views, every).items()
    }
    for name, seconds in {**scaled, **in_turns(explained)}.items():
        print(f"  {name:44s} {seconds * 1e3:9.3f} ms")
    print("\nbytes:")
    for name, network in (("float32", plain), ("int8", small)):
        member = network.members[0]
        print(f"  {name:10s} head {len(member.head):9,d}, branches {len(member.branches):9,d}")
    print(f"  {'torch':10s} {sum(value.nbytes for value in fit.weights.values()):,d} of weights")


def _reasons(network: Network, x: Any, views: Any, every: Any) -> dict[str, Callable[[], Any]]:
    return {
        "integrated gradients, 1 row": lambda: network.contributions(x[:1], views[:1], every[:1]),
        "integrated gradients, 128 rows": lambda: network.contributions(x[:128], views[:128], every[:128]),
        "occlusion, 1 row": lambda: network.occlusion(x[0], views[0]),
    }


if __name__ == "__main__":
    main()
