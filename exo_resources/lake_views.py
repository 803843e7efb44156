"""Views of the lake as memory-mapped arrays, wherever a worker is.

Belongs here: from a table's digest to arrays that are mapped from files. Does not belong here: how views are made, or
who learns from them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping

import numpy as np

from exo_assets.features.seen_views import SEEN_VIEWS, Floats
from exo_assets.features.view_arrays import ROOT, array_key
from exo_resources.lake import Lake


class LakeViews(Mapping[str, Floats]):
    """Arrays by name of a view, each mapped when it is first asked for; `keys` say where they are in the lake.

    It is sent to other processes as the names of its files: each maps them itself. FileNotFoundError when the lake
    does not hold one.
    """

    def __init__(self, lake: Lake, keys: Mapping[str, str]) -> None:
        self.lake, self.keys_in_lake = lake, dict(keys)
        self._mapped: dict[str, Floats] = {}

    @classmethod
    def of(cls, lake: Lake, digest: str, root: str = ROOT) -> LakeViews:
        """The views that the network sees, made from the table with `digest`."""
        return cls(lake, {name: array_key(digest, name, root) for name in SEEN_VIEWS})

    def __reduce__(self) -> tuple[type[LakeViews], tuple[Lake, dict[str, str]]]:
        return type(self), (self.lake, self.keys_in_lake)

    def __getitem__(self, name: str) -> Floats:
        if name not in self._mapped:
            self._mapped[name] = mapped(self.lake, self.keys_in_lake[name])
        return self._mapped[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_in_lake)

    def __len__(self) -> int:
        return len(self.keys_in_lake)


def mapped(lake: Lake, key: str) -> Floats:
    """The `.npy` file under `key`, mapped read-only; a bucket's is copied to this machine's disk first.

    The copy has no name any more once it is mapped: its space is free when this process ends, however it ends.
    """
    path = lake.local_path(key)
    if path is not None:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    with tempfile.NamedTemporaryFile(prefix="exo-views-", suffix=".npy") as copy:
        with lake.fs.open_input_stream(lake.path(key), compression=None) as source:
            shutil.copyfileobj(source, copy, 2**22)
        copy.flush()
        return np.asarray(np.load(copy.name, mmap_mode="r", allow_pickle=False))
