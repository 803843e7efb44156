"""What the papers do to views while a network learns: reflection, noise, small errors of epoch and duration.

Belongs here: changes of a batch of views. Does not belong here: which signals are shown, or transits that never were
(synthetic views).
"""

from __future__ import annotations

import numpy as np

from exo_assets.features.seen_views import BINS, BRANCHES, Floats, branch_slices
from exo_assets.features.views import LOCAL_DURATIONS
from exo_assets.training.neural import NeuralSettings


def jittered(views: Floats, settings: NeuralSettings, rng: np.random.Generator) -> Floats:
    """Rows of `stacked_views`, each reflected in phase half of the time (AstroNet's augmentation), with an error of
    the epoch and of the duration, and with noise.

    The global view is only reflected and made noisy: its bins do not know the duration.
    """
    n = len(views)
    if not n:
        return views
    out = views.copy()
    flip = (rng.random(n) < 0.5) & settings.flip
    shift = rng.uniform(-settings.shift, settings.shift, n)
    stretch = 1 + rng.uniform(-settings.stretch, settings.stretch, n)
    for branch, at in branch_slices().items():
        shaped = out[:, at].reshape(n, len(BRANCHES[branch]), BINS[branch])
        shaped[flip] = shaped[flip, :, ::-1]
        if branch != "global":
            shaped = _resampled(shaped, shift, stretch)
        out[:, at] = shaped.reshape(n, -1)
    return out + rng.normal(0.0, settings.noise, out.shape).astype(np.float32)


def _resampled(views: Floats, shift: np.ndarray, stretch: np.ndarray) -> Floats:
    """Views (rows, channels, bins) about a mid-transit that is `shift` durations late, of a duration `stretch` times
    as long; linear between bins, the last bin beyond the edge."""
    bins = views.shape[2]
    centre, per_duration = (bins - 1) / 2, (bins - 1) / (2 * LOCAL_DURATIONS)
    wanted = centre + (np.arange(bins) - centre) * stretch[:, None] + (shift * per_duration)[:, None]
    wanted = np.clip(wanted, 0, bins - 1)
    low = np.minimum(wanted.astype(np.int64), bins - 2)
    part = (wanted - low).astype(np.float32)[:, None, :]
    index = np.broadcast_to(low[:, None, :], views.shape)
    left, right = np.take_along_axis(views, index, 2), np.take_along_axis(views, index + 1, 2)
    return np.asarray(left * (1 - part) + right * part)
