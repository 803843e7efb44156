"""The graphs against torch itself, and int8 against float32."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from exo_assets.training.export_torch import FoldedHead, export, torch_logits, trained_network
from exo_assets.training.network import Network
from exo_assets.training.quantize import INT8_TOLERANCE, largest_difference, quantized
from tests.training.tiny_network import TINY, matrix, tiny_fit, tiny_network, views


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
    wanted = torch_logits(trained_network(fit, TINY), fit.scaler, x, seen, where)
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
    # As wide as the real one, and as calm: the graphs of the tiny one are mostly names.
    wide = replace(TINY, hidden=128)
    network = export([tiny_fit(3, wide, gain=1.5)], wide)
    small = quantized(network)
    rng = np.random.default_rng(5)
    given = matrix(rng, 300), views(rng, 150), np.arange(0, 300, 2)
    assert 0 < largest_difference(small.logits(*given), network.logits(*given)) < INT8_TOLERANCE
    assert np.ptp(network.log_odds(*given)) > 0.5
    assert len(small.members[0].head) < 0.6 * len(network.members[0].head)
    read = Network.from_files(small.files())
    assert read.precision == "int8"
    assert read.digest != network.digest
    found, wanted = read.contributions(*given), network.contributions(*given)
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_the_largest_difference_is_found():
    a = np.array([[0.0, 0, 0], [3.0, 0, 0], [0.0, 50, 0]])
    b = a + np.array([[0.0, 0, 0], [0.5, 0, 0], [0.0, 0, 0]])
    # The third class hides nothing from planet against false positive.
    hidden = a + np.array([[0.0, 0, 0], [0.0, 0, 0], [2.0, 0, 0]])
    p = np.exp([3.0, 3.5]) / (np.exp([3.0, 3.5]) + 2)
    assert largest_difference(a, a + 7) < 1e-12
    assert largest_difference(a, b) == pytest.approx(p[1] - p[0])
    assert largest_difference(a, hidden) == pytest.approx(1 / (1 + np.exp(-2)) - 0.5)
    assert largest_difference(a[:0], b[:0]) == 0
    b[0, 0] = np.nan
    assert not largest_difference(a, b) <= INT8_TOLERANCE


def test_int8_of_a_row_depends_on_its_company_and_float32_does_not():
    # Why int8 needs more than to be near: said in `quantized`.
    network = tiny_network(2)
    rng = np.random.default_rng(5)
    x, none = matrix(rng, 40), (views(rng, 0), np.arange(0))
    off = []
    for one in (network, quantized(network)):
        alone = np.concatenate([one.logits(x[i : i + 1], *none) for i in range(len(x))])
        off.append(np.abs(alone - one.logits(x, *none)).max())
    assert off[0] < 1e-5
    assert off[1] > 1e-4
