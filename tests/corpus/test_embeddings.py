from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from exo_assets.corpus.embedding import (
    MINILM,
    TOKENS_PER_BATCH,
    Embedder,
    ModelFiles,
    load_tokenizer,
    packaged_files,
)
from exo_assets.corpus.embedding_in_use import EmbeddingRef, embedding_in_use
from exo_assets.corpus.embeddings import (
    VECTOR_SCHEMA,
    as_matrix,
    batches,
    digests,
    embeddings_table,
    vector_rows,
    vectors_of,
    without_vector,
)
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.network_graph import joined, without_guards
from exo_assets.corpus.sparse_terms import mean_length, of_passage, of_query, term_number
from exo_assets.corpus.terms import english_stemmer, terms

TEXTS = st.lists(st.text(min_size=1, max_size=40), max_size=30)


def _chunks(texts: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"chunk_id": [str(n) for n in range(len(texts))], "text": texts}, schema_overrides={"text": pl.String}
    )


# -- which texts -------------------------------------------------------------------------------------------------------


@given(TEXTS, st.lists(st.booleans(), min_size=30, max_size=30))
def test_exactly_the_texts_without_a_vector_are_embedded_once_each(texts: list[str], had: list[bool]) -> None:
    known = [text for text, there in zip(texts, had, strict=False) if there]
    rows = vector_rows(digests(pl.Series(known, dtype=pl.String)).to_list(), np.ones((len(known), 3), np.float32))
    missing = without_vector(_chunks(texts), rows)
    assert sorted(missing["text"]) == sorted(set(texts) - set(known))
    lengths = missing["text"].str.len_chars().to_list()
    assert lengths == sorted(lengths, reverse=True)


@given(TEXTS, st.integers(1, 5), st.integers(1, 100))
def test_batches_hold_every_text_once_and_keep_their_limits(texts: list[str], most: int, characters: int) -> None:
    missing = without_vector(_chunks(texts), pl.DataFrame(schema=VECTOR_SCHEMA))
    found = list(batches(missing, most, characters))
    assert [t for b in found for t in b["text"]] == missing["text"].to_list()
    for batch in found:
        assert 1 <= batch.height <= most
        assert batch.height == 1 or sum(map(len, batch["text"])) <= characters


def test_equal_texts_share_a_vector_and_every_passage_has_one() -> None:
    chunks = _chunks(["a", "b", "a"])
    made = vector_rows(digests(pl.Series(["b", "a"])).to_list(), np.array([[0, 1], [1, 0]], np.float32))
    table = embeddings_table(chunks, made, "model")
    assert as_matrix(table["vector"], 2).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert table["chunk_id"].to_list() == ["0", "1", "2"] and set(table["model_digest"]) == {"model"}
    with pytest.raises(ValueError, match="1 of 3 passages have no vector"):
        embeddings_table(chunks, made[1:], "model")


def test_vectors_of_another_model_are_not_reused() -> None:
    chunks = _chunks(["a"])
    table = embeddings_table(chunks, vector_rows(digests(pl.Series(["a"])).to_list(), np.ones((1, 2))), "old")
    assert vectors_of("old", [table, table]).height == 1
    assert vectors_of("new", [table]).height == 0 and vectors_of("new", []).height == 0


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="do not have 3 dimensions"):
        as_matrix(vector_rows(["d"], np.ones((1, 2)))["vector"], 3)
    assert as_matrix(pl.Series("vector", [], dtype=pl.List(pl.Float32)), 3).shape == (0, 3)


def test_the_model_in_use() -> None:
    packaged, chosen = EmbeddingRef("packaged", 3, 8, "p"), EmbeddingRef("chosen", 3, 8, "c", "k")
    row = {"name": "learned", "dimensions": 3, "tokens": 8, "digest": "l", "folder_key": "corpus/models/l"}
    champion = pl.DataFrame([row])
    assert embedding_in_use(packaged, chosen=None, champion=None) == packaged
    assert embedding_in_use(packaged, chosen=None, champion=champion.clear()) == packaged
    learned = embedding_in_use(packaged, chosen=None, champion=champion)
    assert learned == EmbeddingRef("learned", 3, 8, "l", "corpus/models/l")
    assert embedding_in_use(packaged, chosen=chosen, champion=champion) == chosen
    assert EmbeddingRef.from_row(learned.as_row()) == learned


# -- the network's graph -----------------------------------------------------------------------------------------------


def test_the_packaged_network_loses_its_guards_and_gives_the_same_vectors() -> None:
    import onnxruntime

    network = onnx.load(str(packaged_files().network))
    guarded = [node.op_type for node in network.graph.node].count("IsNaN")
    before = len(network.graph.node)
    bare = without_guards(network)
    onnx.checker.check_model(bare)
    assert guarded == 6 and "IsNaN" not in {node.op_type for node in bare.graph.node}
    assert len(bare.graph.node) <= before - 2 * guarded
    random = np.random.default_rng(0)
    ids = random.integers(1000, 20_000, (3, 40))
    mask = (np.arange(40) < np.array([40, 17, 1])[:, None]).astype(np.int64)
    feed = {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    runs = [
        onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"]).run(None, feed)[0][mask > 0]
        for given in (str(packaged_files().network), bare.SerializeToString())
    ]
    assert np.abs(runs[0] - runs[1]).max() < 1e-5


def test_the_packaged_network_is_joined_where_onnxruntime_does_not_do_it_itself() -> None:
    network, changes = joined(without_guards(onnx.load(str(packaged_files().network))), MINILM.dimensions)
    kinds = [node.op_type for node in network.graph.node]
    assert changes == 12 and (kinds.count("MultiHeadAttention"), kinds.count("Gelu")) == (6, 6)
    assert not {"Softmax", "Erf"} & set(kinds)
    again, more = joined(network, MINILM.dimensions)
    assert more == 0 and again is network


@pytest.mark.parametrize("changed", ["val_88", "val_111"], ids=["scale", "square root of two"])
def test_a_network_that_computes_something_else_is_run_as_it_is(changed: str, tmp_path: Path) -> None:
    """A constant of the packaged network is another: what is joined by its looks would give something else."""
    import onnxruntime

    network = onnx.load(str(packaged_files().network))
    (constant,) = (tensor for tensor in network.graph.initializer if tensor.name == changed)
    other = np.asarray(2 * numpy_helper.to_array(constant), dtype=np.float32)
    constant.CopyFrom(numpy_helper.from_array(other.reshape(tuple(constant.dims)), changed))
    path = tmp_path / "model.onnx"
    onnx.save(network, str(path))
    texts = ["Kepler-90 has eight planets.", "one"]
    vectors = Embedder(MINILM, ModelFiles(path, packaged_files().tokenizer)).embed(texts)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    encoded = load_tokenizer(packaged_files()).encode_batch(texts)
    mask = np.arange(len(encoded[0].ids)) < np.array([len(e.ids) for e in encoded])[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.concatenate([e.ids for e in encoded])
    feed = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
    tokens = session.run(None, feed)[0]
    wanted = (tokens * mask[..., None]).sum(axis=1)
    assert np.abs(vectors - wanted / np.linalg.norm(wanted, axis=1, keepdims=True)).max() < 1e-4
    plain = Embedder().embed(texts)
    assert np.abs(vectors - plain).max() > 1e-3, "the constant matters"


def _network(nodes: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "graph",
        [value("x", TensorProto.FLOAT, [1, 4])],
        [value(name, TensorProto.BOOL if name == "isnan" else TensorProto.FLOAT, [1, 4]) for name in outputs],
        [zero],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


SOFTMAX = helper.make_node("Softmax", ["x"], ["softmax"])
ISNAN = helper.make_node("IsNaN", ["softmax"], ["isnan"])
GUARD = helper.make_node("Where", ["isnan", "zero", "softmax"], ["guarded"])
DOUBLE = helper.make_node("Add", ["guarded", "guarded"], ["y"])


@pytest.mark.parametrize(
    ("nodes", "outputs", "left"),
    [
        ([SOFTMAX, ISNAN, GUARD, DOUBLE], ["y"], ["Softmax", "Add"]),
        ([SOFTMAX, ISNAN, GUARD, DOUBLE], ["y", "isnan"], ["Softmax", "IsNaN", "Add"]),
        ([SOFTMAX, ISNAN, GUARD], ["guarded"], ["Softmax", "IsNaN", "Where"]),
        (
            [helper.make_node("Relu", ["x"], ["softmax"]), ISNAN, GUARD, DOUBLE],
            ["y"],
            ["Relu", "IsNaN", "Where", "Add"],
        ),
        (
            [SOFTMAX, helper.make_node("IsNaN", ["x"], ["isnan"]), GUARD, DOUBLE],
            ["y"],
            ["Softmax", "IsNaN", "Where", "Add"],
        ),
    ],
)
def test_only_guards_of_softmax_are_taken_out(nodes: list[onnx.NodeProto], outputs: list[str], left: list[str]) -> None:
    network = _network([onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes], outputs)
    bare = without_guards(network)
    onnx.checker.check_model(bare, full_check=True)
    assert [node.op_type for node in bare.graph.node] == left


def test_a_batch_is_never_smaller_than_the_longest_text() -> None:
    assert MINILM.tokens <= TOKENS_PER_BATCH
    assert Embedder(tokens_per_batch=8).embed(["word " * 600]).shape == (1, MINILM.dimensions)


# -- sparse vectors ----------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "zeta"]), max_size=12), min_size=1, max_size=8
    )
)
def test_the_inner_product_of_sparse_vectors_is_bm25(passages: list[list[str]]) -> None:
    texts, stem = [" ".join(words) for words in passages], english_stemmer()
    index = KeywordIndex.build(texts)
    found = [terms(text, stem) for text in texts]
    vectors = [of_passage(each, mean_length(found)) for each in found]
    query = of_query(terms("alpha beta beta zeta", stem), ("gamma", "beta"))
    number = {term_number(term): term for each in found for term in each}
    rarity = dict(zip(number.values(), index.idf(list(number.values())), strict=True))
    wanted = index.scores("alpha beta beta zeta", ("gamma", "beta"))
    for vector, score in zip(vectors, wanted, strict=True):
        weights = dict(zip(vector.indices, vector.values, strict=True))
        asked = zip(query.indices, query.values, strict=True)
        product = sum(weights.get(n, 0.0) * value * rarity.get(number.get(n, ""), 0.0) for n, value in asked)
        assert product == pytest.approx(float(score), abs=1e-4)


def test_numbers_of_terms_stay_what_they_are() -> None:
    assert (term_number("planet"), term_number("koi351.01")) == (4_105_659_236, 2_196_722_796)
    assert of_query(["b", "a", "b"]).indices == tuple(sorted((term_number("a"), term_number("b"))))
