"""A small vetter that sees light curves of Kepler: trees as `tiny_vetter` has them, and a network that nobody trained.

Whoever needs a network that learned something takes tests/training/network_vetter.py, which costs half a minute.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from exo_assets.training.blend import Blend
from exo_assets.training.vetter import Vetter
from tests.tiny_vetter import tiny_vetter
from tests.training.tiny_network import tiny_network

WEIGHT = 0.3


@cache
def seeing_vetter(weight: float = WEIGHT) -> Vetter:
    """The vetter; its network has `weight` in every blend."""
    plain = tiny_vetter(sees_curves=True)
    assert plain.transformer.curves_of == ("kepler",)
    experts = {m: replace(e, blend=dict.fromkeys(e.blend, Blend(0.8, weight))) for m, e in plain.experts.items()}
    return replace(plain, experts=experts, network=tiny_network())
