"""Views as plain arrays: what training maps into memory.

Belongs here: from rows of `feat_views` to arrays and their bytes. Does not belong here: where they are kept.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from exo_assets.features.views import STACK_BINS, STACK_TRANSITS


class Arrays(Protocol):
    """The part of the lake that holds arrays."""

    def put(self, key: str, data: bytes) -> None:
        """Write bytes under a key, atomically."""

    def keys(self, under: str) -> Sequence[str]:
        """Keys below one."""

    def delete(self, key: str) -> None:
        """Remove what is under a key."""


VIEWS = ("global_view", "local_view", "odd_view", "even_view", "secondary_view", "stack_view")
ROOT, SIMULATED_ROOT = "views", "simulated_views"


def view_arrays(frame: pl.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Each view of all signals of `feat_views` rows that have views, in their order: (signals, bins), the stack
    (signals, transits, bins); single precision, C order."""
    arrays = {name: np.ascontiguousarray(frame[name].to_numpy(), dtype=np.float32) for name in VIEWS}
    arrays["stack_view"] = arrays["stack_view"].reshape(frame.height, STACK_TRANSITS, STACK_BINS)
    return arrays


def npy_bytes(array: NDArray[np.float32]) -> bytes:
    """The array in NumPy's format, which `numpy.load(..., mmap_mode="r")` maps without reading it."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def array_key(digest: str, view: str, root: str = ROOT) -> str:
    """Where a view's array lies in the lake; `digest` is that of the table it was made from."""
    return f"{root}/{digest}/{view}.npy"


def keep_arrays(lake: Arrays, root: str, digest: str, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write `arrays` under `root`, and delete those of other digests."""
    for view, array in arrays.items():
        lake.put(array_key(digest, view, root), npy_bytes(array))
    for key in lake.keys(root):
        if not key.startswith(f"{root}/{digest}/"):
            lake.delete(key)
