from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from indexed_corpus import content
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from exo_assets.corpus import rerank
from exo_assets.corpus.library import SearchRequest
from exo_assets.corpus.rerank import CrossEncoder, RerankerError
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "planet", "star", "the", "eclipse", "secondary", "light", "transit"]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def _write_network(path: Path, inputs: Sequence[str] = INPUTS, outputs: int = 1) -> None:
    """A cross-encoder that counts the known words of a passage: (pairs, tokens) to (pairs, outputs)."""
    unknown = helper.make_tensor("unknown", TensorProto.INT64, [], [WORDS.index("[UNK]")])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Greater", ["input_ids", "unknown"], ["is_known"]),
        helper.make_node("Cast", ["is_known"], ["known"], to=TensorProto.INT64),
        helper.make_node("Mul", ["known", inputs[-1]], ["counted"]),
        helper.make_node("Cast", ["counted"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats", "axis"], ["sum"], keepdims=1),
        helper.make_node("Concat", ["sum"] * outputs, ["logits"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "counts",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", outputs])],
        [unknown, axis],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "encoder"
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_network(folder / "model.onnx")
    return folder


def test_question_and_passage_are_read_together(folder: Path) -> None:
    passages = ["the planet", "unheard of", "light light light of the star", *["star"] * 40, ""]
    scores = CrossEncoder(folder).scores("planet star light", passages)
    assert scores.tolist() == [2.0, 0.0, 5.0, *[1.0] * 40, 0.0], "in the passages' order, whatever the batches"


def test_no_passage_no_score(folder: Path) -> None:
    assert CrossEncoder(folder).scores("planet", []).shape == (0,)


def test_a_long_passage_is_cut_not_the_question(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerank, "TOKENS", 10)
    scores = CrossEncoder(folder).scores("planet planet planet", ["star " * 50])
    assert scores.tolist() == [4.0], "ten tokens less three marks and the question's three"


def test_a_network_that_takes_less_is_given_less(folder: Path) -> None:
    _write_network(folder / "model.onnx", INPUTS[:2])
    assert CrossEncoder(folder).scores("planet", ["star", "star light", "nothing"]).tolist() == [2.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "model.onnx").unlink(), r"there is no model.onnx in it. None ships with Exo: EXO_RERANKER"),
        (lambda f: (f / "tokenizer.json").unlink(), "there is no tokenizer.json"),
        (lambda f: (f / "model.onnx").write_bytes(b"nothing"), "not a network that onnxruntime can load"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "not a tokenizer file"),
        (lambda f: _write_network(f / "model.onnx", ("input_ids", "pixels")), "takes .*pixels"),
    ],
)
def test_what_is_no_cross_encoder_is_refused(folder: Path, spoil: object, said: str) -> None:
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(RerankerError, match=said):
        CrossEncoder(folder)


def test_more_than_one_number_a_pair_is_refused(folder: Path) -> None:
    _write_network(folder / "model.onnx", outputs=2)
    with pytest.raises(RerankerError, match=r"gives \(1, 2\) for 1 pairs"):
        CrossEncoder(folder).scores("planet", ["star"])


def test_the_library_re_ranks_with_the_encoder_of_the_settings(folder: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", reranker=folder)
    store = LibraryStore(Lake(settings.lake), settings)
    library = store.open(store.build(content())["version"])
    hits = library.search("secondary eclipse", SearchRequest(limit=5, rerank=True))
    assert library.can_rerank and hits[0].reranked is not None
    wanted = CrossEncoder(folder).scores("secondary eclipse", [h.text for h in hits])
    assert np.array_equal([h.score for h in hits], wanted) and sorted(wanted, reverse=True) == wanted.tolist()
