"""The trained network as plain files, scored without torch: ONNX graphs, the scaler's knots and the settings.

Belongs here: logits, reasons and files. Does not belong here: training, export (export_torch.py) or calibration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import VIEWS_WIDTH, Floats
from exo_assets.training.attribution import Hiding, Occlusion, Windows, completed, integrated
from exo_assets.training.network_files import MANIFEST, opened, packed, sealed, unpacked
from exo_assets.training.neural import KNOTS, Ints, Matrix, NeuralSettings, Scaler, Start

HEAD_INPUTS = ("scalars", "embeddings", "known")
HEAD_OUTPUTS = ("logits", *(f"gradient_{name}" for name in HEAD_INPUTS))
JUDGED, EXPLAINED = 1024, 128
"""Rows that are judged, and explained, at once."""


@dataclass(frozen=True)
class Member:
    """One network: its scaler, two graphs (ONNX), and what a later training may start from."""

    scaler: Scaler
    head: bytes
    branches: bytes
    start: Start

    @cached_property
    def _sessions(self) -> tuple[Any, Any]:
        return _session(self.head), _session(self.branches)

    def inputs(self, x: Matrix, views: Floats, where: Ints, n_branches: int) -> tuple[Floats, Floats, Floats]:
        """What the head takes: scalars, embeddings and what is known of `x`, whose rows `where` have `views`."""
        known = np.zeros((len(x), n_branches), dtype=np.float32)
        known[where] = 1.0
        embeddings = np.zeros((len(x), self._sessions[1].get_outputs()[0].shape[1]), dtype=np.float32)
        if len(where):
            embeddings[where] = self.embedded(views)
        return self.scaler(x), embeddings, known

    def embedded(self, views: Floats) -> Floats:
        """Embeddings of all branches side by side, of rows of views."""
        given = {"views": np.ascontiguousarray(views, dtype=np.float32)}
        return np.asarray(self._sessions[1].run(None, given)[0])

    def head_outputs(self, inputs: tuple[Floats, ...], outputs: tuple[str, ...]) -> list[Floats]:
        """What the head says of them; nothing is computed that is not among `outputs`."""
        import onnxruntime

        only = onnxruntime.RunOptions()
        only.only_execute_path_to_fetches = True
        fed = dict(zip(HEAD_INPUTS, inputs, strict=True))
        return list(self._sessions[0].run(list(outputs), fed, only))


@dataclass(frozen=True)
class Network:
    """Networks of one architecture whose logits are averaged; scored in one thread.

    `precision` is float32, or int8 after `quantize.quantized`.
    """

    settings: NeuralSettings
    members: tuple[Member, ...]
    precision: str = "float32"

    # -- judging ---------------------------------------------------------------------------------------------------

    def logits(self, x: Matrix, views: Floats, where: Ints) -> Matrix:
        """Logits (rows, 3) of rows `x` of the transformer's matrix. `views` (m, VIEWS_WIDTH), as `stacked_views` makes
        them, are those of the rows `where` (m); branches are run for these alone. ValueError on other shapes."""
        _check(x, views, where)
        out = np.zeros((len(x), 3))
        for part, seen, at in _parts(len(x), where, JUDGED):
            for member in self.members:
                inputs = member.inputs(x[part], views[seen], at, len(self.settings.branches))
                out[part] += member.head_outputs(inputs, HEAD_OUTPUTS[:1])[0]
        return out / len(self.members)

    def log_odds(self, x: Matrix, views: Floats, where: Ints) -> Matrix:
        """Log-odds (rows,) of planet against false positive, before calibration."""
        logits = self.logits(x, views, where)
        return np.asarray(logits[:, 0] - logits[:, 2])

    # -- reasons ---------------------------------------------------------------------------------------------------

    @property
    def reason_names(self) -> tuple[str, ...]:
        """What each column of `contributions` stands for, but the last."""
        return (*FEATURE_NAMES, *self.settings.branches)

    def contributions(self, x: Matrix, views: Floats, where: Ints) -> Matrix:
        """What each feature and each branch adds to the log-odds of a planet: (rows, features + branches + 1).

        Integrated gradients from a signal of which nothing is known; its log-odds are the last column, and rows sum to
        `log_odds`. A feature's column is that of its value and of its mask, a branch's that of its embedding and of its
        being known; a feature that the network does not see adds nothing.
        """
        return self.explained(x, views, where)[1]

    def explained(self, x: Matrix, views: Floats, where: Ints) -> tuple[Matrix, Matrix]:
        """`logits` and `contributions` in one pass over the rows."""
        _check(x, views, where)
        logits, parts = np.zeros((len(x), 3)), np.zeros((len(x), len(self.reason_names) + 1))
        for rows, seen, at in _parts(len(x), where, EXPLAINED):
            for member in self.members:
                judged, found = self._explained(member, x[rows], views[seen], at)
                logits[rows] += judged
                parts[rows] += found
        return logits / len(self.members), parts / len(self.members)

    def _explained(self, member: Member, x: Matrix, views: Floats, where: Ints) -> tuple[Floats, Matrix]:
        n, n_features = len(self.settings.branches), len(FEATURE_NAMES)
        inputs = member.inputs(x, views, where, n)
        scalars, embeddings, known = integrated(lambda at: tuple(member.head_outputs(at, HEAD_OUTPUTS[1:])), inputs)
        parts = np.zeros((len(x), n_features + n))
        feature = np.array([FEATURE_NAMES.index(name) for name in member.scaler.names])
        np.add.at(parts.T, feature, scalars.T)
        parts[:, n_features:] = embeddings.reshape(len(x), n, -1).sum(axis=2) + known
        nothing = tuple(np.zeros_like(values[:1]) for values in inputs)
        logits, unknown = (member.head_outputs(rows, HEAD_OUTPUTS[:1])[0] for rows in (inputs, nothing))
        base = _odds(unknown)
        return logits, np.column_stack([completed(parts, _odds(logits) - base), np.full(len(x), base[0])])

    def occlusion(self, x_row: Matrix, views_row: Floats, windows: Windows | None = None) -> dict[str, Occlusion]:
        """Which part of the light curve argued for a planet or against it, by name of a view.

        `x_row` (features,) and `views_row` (VIEWS_WIDTH,) are one signal's; log-odds that it loses when a window over
        phase is set flat, everything else as it is.
        """
        n, seen = len(self.settings.branches), np.asarray(views_row, dtype=np.float32)
        _check(x_row[None], seen[None], np.zeros(1, dtype=np.int64))
        hiding = Hiding.of(seen, self.settings.branches, windows or Windows())
        odds = np.zeros(1 + sum(len(rows) for _, rows in hiding.taken))
        for member in self.members:
            made = member.embedded(hiding.rows)
            embeddings = hiding.embeddings(made.reshape(len(made), n, -1)).reshape(-1, made.shape[1])
            scalars = np.repeat(member.scaler(x_row[None]), len(embeddings), axis=0)
            known = np.ones((len(embeddings), n), dtype=np.float32)
            odds += _odds(member.head_outputs((scalars, embeddings, known), HEAD_OUTPUTS[:1])[0])
        return hiding.effects(odds / len(self.members))

    # -- files -----------------------------------------------------------------------------------------------------

    def start(self, member: int = 0) -> Start:
        """What a training starts from that goes on with this network: float32 weights and their Fisher information."""
        return self.members[member].start

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the manifest, which holds those of all other files."""
        return hashlib.sha256(self.files()[MANIFEST]).hexdigest()

    def files(self) -> dict[str, bytes]:
        """The network's files by name; the same network always gives the same bytes."""
        files: dict[str, bytes] = {}
        for number, member in enumerate(self.members):
            files |= {
                f"head-{number}.onnx": member.head,
                f"branches-{number}.onnx": member.branches,
                f"start-{number}.npz": packed(member.start),
            }
        knots = [member.scaler.knots.tolist() for member in self.members]
        return sealed(files, {"precision": self.precision, "settings": asdict(self.settings), "knots": knots})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Network:
        """The network of `files`; others among them are left alone. FileNotFoundError when one is missing, ValueError
        when one is damaged or was made for other features or views."""
        facts = opened(files)
        members = []
        for number, stored in enumerate(facts["knots"]):
            scaler = Scaler(np.asarray(stored, dtype=np.float64).reshape(KNOTS, -1))
            start = unpacked(files[f"start-{number}.npz"], scaler)
            members.append(Member(scaler, files[f"head-{number}.onnx"], files[f"branches-{number}.onnx"], start))
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts["settings"].items()}
        return cls(NeuralSettings(**given), tuple(members), facts["precision"])

    def __reduce__(self) -> tuple[Any, ...]:
        return Network.from_files, (self.files(),)


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _check(x: Matrix, views: Floats, where: Ints) -> None:
    if x.ndim != 2 or x.shape[1] != len(FEATURE_NAMES):
        raise ValueError(f"the network takes rows of {len(FEATURE_NAMES)} features, not an array of shape {x.shape}")
    if views.shape != (len(where), VIEWS_WIDTH):
        raise ValueError(f"views of {len(where)} rows are ({len(where)}, {VIEWS_WIDTH}), not {views.shape}")
    if len(where) and (where.min() < 0 or where.max() >= len(x)):
        raise ValueError(f"views are of rows {where.min()} to {where.max()}, but there are {len(x)} rows")


def _parts(rows: int, where: Ints, size: int) -> Iterator[tuple[slice, Ints, Ints]]:
    """Slices of `rows`, which of the views lie in each, and the rows of the slice that they belong to."""
    for begin in range(0, rows, size):
        seen = np.flatnonzero((where >= begin) & (where < begin + size))
        yield slice(begin, min(begin + size, rows)), seen, where[seen] - begin


def _odds(logits: Floats) -> Matrix:
    return logits[:, 0].astype(np.float64) - logits[:, 2]
