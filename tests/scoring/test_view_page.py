"""The picture of what the views argued for, by its pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from exo_assets.features.seen_views import SEEN_VIEWS, VIEWS_WIDTH
from exo_assets.scoring.view_page import page
from exo_assets.training.attribution import Occlusion

FLAT = np.zeros(VIEWS_WIDTH, dtype=np.float32)


def _occlusions(effect: float) -> dict[str, Occlusion]:
    out = {}
    for name in SEEN_VIEWS:
        reach, unit = (0.5, "phase") if name == "global_view" else (4.0, "durations")
        out[name] = Occlusion(np.linspace(-reach, reach, 9), np.full(9, effect), unit)
    return out


def _pixels(png: bytes) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(png), format="png"))[..., :3]


@pytest.mark.parametrize(("effect", "most", "least"), [(0.5, 2, 0), (-0.5, 0, 2)])
def test_what_argued_for_a_planet_is_blue_and_against_is_red(effect, most, least):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = _pixels(page(FLAT, _occlusions(effect), "K00001.01", 1.0))
    # Without the bar of colours at the right, which has both.
    colour = shown[:, : int(shown.shape[1] * 0.9)].mean(axis=(0, 1))
    assert colour[most] > colour[least] + 0.1


def test_views_that_say_nothing_look_like_it():
    shown = _pixels(page(FLAT, _occlusions(1e-4), "K00001.01", 1.0))[:, :1100]
    assert np.ptp(shown.mean(axis=(0, 1))) < 0.02


def test_only_the_views_that_the_network_sees():
    local = {"local_view": _occlusions(0.1)["local_view"]}
    both = {**local, "global_view": _occlusions(0.1)["global_view"]}
    one, two = (_pixels(page(FLAT, shown, "K00001.01", 1.0)) for shown in (local, both))
    assert one.shape[0] < two.shape[0]


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="shape"):
        page(FLAT[1:], _occlusions(0.1), "K00001.01", 1.0)
    with pytest.raises(ValueError, match="no views"):
        page(FLAT, {}, "K00001.01", 1.0)
