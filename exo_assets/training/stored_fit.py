"""A trained network as bytes and back, without pickles: arrays of NumPy's, the history as JSON.

Belongs here: the format. Does not belong here: where the bytes are kept, or training.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import numpy as np

from exo_assets.training.neural import Epoch, NeuralFit, NeuralJob, Scaler, below

_PARTS = ("weights", "fisher", "logits")


def fit_bytes(fit: NeuralFit) -> bytes:
    """Everything of `fit` but its job, which the reader knows."""
    arrays = {"knots": fit.scaler.knots, "rows": fit.rows}
    for part in _PARTS:
        arrays |= {f"{part}/{name}": value for name, value in getattr(fit, part).items()}
    history = json.dumps([asdict(epoch) for epoch in fit.history])
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, history=np.frombuffer(history.encode(), dtype=np.uint8), **arrays)
    return out.getvalue()


def read_fit(stored: bytes, job: NeuralJob) -> NeuralFit:
    """The fit of `job` that `fit_bytes` wrote, equal bit for bit."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as read:
        arrays = {name: read[name] for name in read.files}
    history = [Epoch(**epoch) for epoch in json.loads(arrays["history"].tobytes())]
    weights, fisher, logits = (below(arrays, f"{part}/") for part in _PARTS)
    return NeuralFit(job, Scaler(arrays["knots"]), weights, arrays["rows"], logits, fisher, history)
