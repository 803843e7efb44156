"""The network as torch has it, its training and its export, held against the packaged file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exo_assets.corpus.embedder_candidate import closeness, model_files, model_name
from exo_assets.corpus.embedder_gates import LEAST_COSINE
from exo_assets.corpus.embedder_learning import (
    EMBEDDERS,
    WAYS,
    EmbedderData,
    EmbedderEpoch,
    EmbedderFit,
    EmbedderJob,
    EmbedderSettings,
)
from exo_assets.corpus.embedder_tasks import pairs_task
from exo_assets.corpus.embedding import MINILM, Embedder, load_tokenizer, model_from_folder, packaged_files
from tests.corpus.small_pairs import PAIRS, QUICK, small_data

TEXTS = [pair.query for pair in PAIRS] + [" ".join(pair.passage for pair in PAIRS) * 6]
JOB = EmbedderJob("small", seed=5)


@pytest.fixture(scope="module")
def data() -> EmbedderData:
    return small_data()


@pytest.fixture(scope="module")
def fits(data: EmbedderData) -> dict[str, EmbedderFit]:
    import torch

    from exo_assets.corpus.embedder_torch import teach

    torch.set_num_threads(1)
    return {way: teach(data, replace(QUICK, way=way, dropout=0.1), JOB) for way in WAYS}


def test_the_packaged_weights_are_the_packaged_network(data: EmbedderData) -> None:
    from exo_assets.corpus.embedder_torch import bert, embed_texts

    cut = load_tokenizer(packaged_files())
    cut.enable_truncation(MINILM.tokens)
    found = embed_texts(bert(data.weights), [e.ids for e in cut.encode_batch(TEXTS)])
    np.testing.assert_allclose(found, Embedder().embed(TEXTS), atol=2e-6)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_moves_the_weights_and_learns(data: EmbedderData, fits: dict[str, EmbedderFit], way: str) -> None:
    fit = fits[way]
    assert set(fit.weights) == set(data.weights)
    moved = {name for name, value in fit.weights.items() if np.abs(value - data.weights[name]).max() > 1e-7}
    linear = {name for name in data.weights if name.endswith("weight") and "layer." in name and "Norm" not in name}
    assert linear <= moved and (way == "full" or moved == linear), "beside the layers nothing may move"
    assert [epoch.epoch for epoch in fit.history] == [1, 2] and fit.history[1].loss < fit.history[0].loss


def test_broken_off_and_resumed_gives_equal_weights(data: EmbedderData, fits: dict[str, EmbedderFit]) -> None:
    from exo_assets.corpus.embedder_torch import teach

    class BrokenOffError(Exception):
        pass

    class Kept(dict[str, bytes]):
        def load(self, job: str) -> bytes | None:
            return self.get(job)

        def save(self, job: str, state: bytes) -> None:
            self[job] = state

    def broken_off(epoch: EmbedderEpoch) -> None:
        if epoch.epoch == 2:
            raise BrokenOffError

    kept, settings = Kept(), replace(QUICK, dropout=0.1)
    with pytest.raises(BrokenOffError):
        teach(data, settings, JOB, kept=kept, report=broken_off)
    again = teach(data, settings, JOB, kept=kept)
    for name, value in fits["lora"].weights.items():
        np.testing.assert_array_equal(again.weights[name], value, err_msg=name)


def test_a_fit_survives_its_bytes(fits: dict[str, EmbedderFit]) -> None:
    read = EMBEDDERS.unpack(EMBEDDERS.pack(fits["lora"]), JOB)
    assert read.job == JOB and list(read.history) == list(fits["lora"].history)
    for name, value in fits["lora"].weights.items():
        np.testing.assert_array_equal(read.weights[name], value)


def test_what_is_served_is_what_was_taught(fits: dict[str, EmbedderFit], tmp_path: Path) -> None:
    from exo_assets.corpus.embedder_export_torch import exported

    fit, packaged = fits["full"], packaged_files()
    network = exported(fit.weights)
    assert network == exported(fit.weights), "the same weights give the same file"
    assert len(network) < 1.2 * packaged.network.stat().st_size, "its matrices are int8"
    files = model_files(network, packaged.tokenizer.read_bytes(), model_name("full"), {"way": "full"})
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    model, found = model_from_folder(tmp_path)
    assert (model.name, model.dimensions, model.tokens) == ("all-MiniLM-L6-v2-int8-full", 384, 512)
    assert json.loads(files["model.json"])["way"] == "full"
    close = closeness(fit, found.network, found.tokenizer, [pairs_task("title_to_abstract", PAIRS)])
    assert LEAST_COSINE < close.least <= close.mean < 1 + 1e-5
    served = Embedder(model, found)
    alone, together = served.embed(TEXTS[:1]), served.embed(TEXTS)
    np.testing.assert_allclose(alone[0], together[0], atol=2e-6, err_msg="a vector does not depend on its batch")
    other = closeness(fit, packaged.network, packaged.tokenizer, [pairs_task("title_to_abstract", PAIRS)])
    assert other.least < close.least, "the packaged file is not what was taught"


@pytest.mark.parametrize(("shape", "axis"), [((64, 5), 0), ((5, 64), 1), ((7, 5), 0)])
def test_a_matrix_survives_int8_up_to_half_a_step(shape: tuple[int, int], axis: int) -> None:
    from exo_assets.corpus.embedder_export_torch import int8_groups

    matrix = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    int8, scale = int8_groups(matrix, axis)
    assert int8.dtype == np.int8 and int8.size == matrix.size and scale.size == max(1, shape[axis] // 32) * 5
    error = np.abs(int8 * scale - matrix.reshape(int8.shape))
    assert (error <= scale / 2 * 1.001).all() and error.max() > 0


def test_the_loss_is_that_of_finding_ones_own_passage() -> None:
    import torch

    from exo_assets.corpus.embedder_torch import ranking_loss

    random = np.random.default_rng(1)
    queries, passages = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in random.normal(size=(2, 4, 3)))
    document = np.array([0, 1, 1, 2])
    logits = queries @ passages.T / 0.1
    logits[1, 2] = logits[2, 1] = -np.inf  # of one document: not wrong
    there = np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)
    back = np.log(np.exp(logits).sum(axis=0)) - np.diag(logits)
    given = (torch.from_numpy(queries), torch.from_numpy(passages), torch.from_numpy(document), 0.1)
    loss, found = ranking_loss(*given, symmetric=True)
    assert float(loss) == pytest.approx((there.mean() + back.mean()) / 2)
    assert float(found) == pytest.approx((logits.argmax(1) == np.arange(4)).mean())
    assert float(ranking_loss(*given, symmetric=False)[0]) == pytest.approx(there.mean())


def test_too_few_pairs_and_unknown_ways_are_named(data: EmbedderData) -> None:
    from exo_assets.corpus.embedder_torch import teach

    with pytest.raises(ValueError, match="too few"):
        teach(data, replace(QUICK, batch=1), JOB)
    with pytest.raises(ValueError, match="'guess' is no way"):
        EmbedderSettings("guess")


def test_a_file_that_is_another_network_is_refused(tmp_path: Path) -> None:
    import onnx

    from exo_assets.corpus.bert_weights import packaged_weights
    from exo_assets.corpus.embedding import EmbeddingModelError

    graph = onnx.load(str(packaged_files().network))
    first = next(node for node in graph.graph.node if node.op_type == "MatMul")
    graph.graph.node.remove(first)
    other = tmp_path / "other.onnx"
    onnx.save(graph, str(other))
    with pytest.raises(EmbeddingModelError, match="35 linear layers"):
        packaged_weights(other)
