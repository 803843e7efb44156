"""The graphs against torch itself, and int8 against float32."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from exo_assets.training.export_torch import FoldedHead, export, trained_network
from exo_assets.training.network import Network
from exo_assets.training.quantize import INT8_TOLERANCE, largest_difference, quantized
from tests.training.tiny_network import TINY, matrix, tiny_fit, tiny_network, views


def _by_torch(fit, x, seen, where):
    network = trained_network(fit, TINY)
    known = torch.zeros(len(x), len(TINY.branches))
    known[where] = 1.0
    with torch.no_grad():
        given = (torch.from_numpy(fit.scaler(x)), torch.from_numpy(seen), torch.from_numpy(where), known)
        return network(*given).numpy()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_gradient_that_is_written_out_is_autograds(layers):
    settings = replace(TINY, layers=layers)
    fit = tiny_fit(3, settings)
    head = trained_network(fit, settings).head
    generator = torch.Generator().manual_seed(1)
    n = len(settings.branches)
    widths = (fit.scaler.width, n * settings.embedding, n)
    inputs = [torch.randn(20, width, generator=generator, requires_grad=True) for width in widths]
    logits = head(*inputs)
    wanted = torch.autograd.grad((logits[:, 0] - logits[:, 2]).sum(), inputs)
    with torch.no_grad():
        found = FoldedHead(head, n)(*inputs)
    assert torch.allclose(found[0], logits, atol=1e-5)
    for gradient, expected in zip(found[1:], wanted, strict=True):
        assert expected.abs().max() > 0.01
        assert torch.allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 50])
def test_graphs_give_torchs_logits(rows):
    rng = np.random.default_rng(5)
    x, where = matrix(rng, rows), np.arange(0, rows, 3)
    seen = views(rng, len(where))
    fit = tiny_fit(1)
    found = export([fit], TINY).logits(x, seen, where)
    wanted = _by_torch(fit, x, seen, where)
    assert np.ptp(found) > 0.1
    assert np.abs(found - wanted).max() < 1e-4


def test_two_exports_are_equal_byte_for_byte_and_silent(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = tiny_network(0, 1), tiny_network(0, 1)
        small, again = quantized(first), quantized(second)
    assert first.files() == second.files()
    assert small.files() == again.files()
    assert capfd.readouterr() == ("", "")
    assert not any(b"exo_assets" in member.head + member.branches for member in first.members)  # no folders of ours


def test_nothing_to_export():
    with pytest.raises(ValueError, match="no trained networks"):
        export([], TINY)


def test_weights_of_other_settings_are_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        export([tiny_fit()], replace(TINY, hidden=8))


def test_int8_is_near_float32_and_smaller():
    # As wide as the real one: the graphs of the tiny one are mostly names.
    wide = replace(TINY, hidden=128)
    network = export([tiny_fit(2, wide)], wide)
    small = quantized(network)
    rng = np.random.default_rng(5)
    x, where = matrix(rng, 300), np.arange(0, 300, 2)
    difference = largest_difference(small, network, x, views(rng, 150), where)
    assert 0 < difference < INT8_TOLERANCE
    assert len(small.members[0].head) < 0.6 * len(network.members[0].head)
    assert Network.from_files(small.files()).precision == "int8"
    sums = small.contributions(x, views(rng, 150), where).sum(axis=1)
    assert np.isfinite(sums).all()


def test_the_largest_difference_is_found():
    one, other = tiny_network(0), tiny_network(1)
    rng = np.random.default_rng(5)
    x, where = matrix(rng, 40), np.arange(10)
    seen = views(rng, 10)
    assert largest_difference(one, one, x, seen, where) == 0
    apart = largest_difference(one, other, x, seen, where)
    odds = [1 / (1 + np.exp(-n.log_odds(x, seen, where))) for n in (one, other)]
    assert apart >= np.abs(odds[0] - odds[1]).max() > INT8_TOLERANCE
    assert largest_difference(one, other, x[:0], seen[:0], where[:0]) == 0
