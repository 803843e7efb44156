"""The files of a trained network: a manifest with the SHA-256 of every file, and weights without pickle.

Belongs here: bytes, and whether they are sound. Does not belong here: what the network does with them (network.py).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from exo_assets.features.registry import FEATURE_NAMES
from exo_assets.features.seen_views import VIEWS_WIDTH
from exo_assets.training.neural import Scaler, Start, below

FORMAT = 1
MANIFEST = "network.json"


def sealed(files: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, bytes]:
    """`files` with a manifest that holds `facts` (floats exactly), what the network takes, and digests of it all."""
    body = {
        **facts,
        "format": FORMAT,
        "features": list(FEATURE_NAMES),
        "views": VIEWS_WIDTH,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return {**files, MANIFEST: _text({**body, "sha256": hashlib.sha256(_text(body)).hexdigest()})}


def opened(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The facts of the manifest among `files`. FileNotFoundError when a file is missing, ValueError when one is damaged
    or the network was made for other features or views."""
    if MANIFEST not in files:
        raise FileNotFoundError(f"there is no network: {MANIFEST} is missing")
    try:
        body = dict(json.loads(files[MANIFEST]))
        digest = body.pop("sha256")
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"the network's file {MANIFEST} is damaged: it is no manifest") from None
    if digest != hashlib.sha256(_text(body)).hexdigest():
        raise ValueError(f"the network's file {MANIFEST} is damaged: its SHA-256 is another")
    if body["format"] != FORMAT:
        raise ValueError(f"the network's files are of format {body['format']}; this version reads {FORMAT}")
    if body["features"] != list(FEATURE_NAMES) or body["views"] != VIEWS_WIDTH:
        raise ValueError("the network was trained on other features or views than there are now")
    for name, expected in body["files"].items():
        if name not in files:
            raise FileNotFoundError(f"the network's file {name} is missing")
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ValueError(f"the network's file {name} is damaged: its SHA-256 is not the manifest's")
    return body


def packed(start: Start) -> bytes:
    """Weights and Fisher information, the scaler apart (npz: a zip of arrays with fixed dates)."""
    out = io.BytesIO()
    parts = {"weights": start.weights, "fisher": start.fisher}
    arrays: dict[str, Any] = {f"{kind}/{name}": v for kind, part in parts.items() for name, v in sorted(part.items())}
    np.savez(out, **arrays)
    return out.getvalue()


def unpacked(stored: bytes, scaler: Scaler) -> Start:
    """What `packed` packed."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as read:
        arrays = {name: read[name] for name in read.files}
    return Start(scaler, below(arrays, "weights/"), below(arrays, "fisher/"))


def _text(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True).encode()
