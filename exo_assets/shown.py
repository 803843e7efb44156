"""What is shown of a table in the UI, kept beside it, so that a table that is kept shows it again.

Belongs here: the JSON record of an asset's own metadata, pictures too, and to which version of the table it belongs.
Does not belong here: what an asset shows.

The record is written after the table, atomically. One that belongs to another version, or cannot be read, shows
nothing: the table is right without it, and the next recomputation writes it anew.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg
from dagster_shared.serdes.errors import DeserializationError

if TYPE_CHECKING:
    from exo_resources.lake import TableVersion

ROOT = "shown"


class Blobs(Protocol):
    """The part of the lake that holds files."""

    def put(self, key: str, data: bytes) -> None:
        """Write bytes atomically."""

    def get(self, key: str) -> bytes:
        """Bytes under a key; FileNotFoundError when there are none."""


def keep(blobs: Blobs, version: "TableVersion", metadata: Mapping[str, Any]) -> None:
    """Keep what is shown of a version of a table."""
    keep_as(blobs, version.table, _of(version), metadata)


def kept(blobs: Blobs, version: "TableVersion") -> dict[str, Any]:
    """What was shown of exactly this version of a table; nothing when that was not kept."""
    return kept_as(blobs, version.table, _of(version)) or {}


def keep_as(blobs: Blobs, name: str, version: str, metadata: Mapping[str, Any]) -> None:
    """Keep what is shown of a version of `name`, a table or `table/partition`."""
    blobs.put(_key(name), dg.serialize_value({"version": version, "metadata": dict(metadata)}).encode())


def kept_as(blobs: Blobs, name: str, version: str) -> dict[str, Any] | None:
    """What was shown of exactly this version of `name`; None when that was not kept."""
    try:
        stored = blobs.get(_key(name))
    except FileNotFoundError:
        return None
    try:
        record = dg.deserialize_value(stored.decode(), dict)
        of, metadata = record["version"], dict(record["metadata"])
    except (ValueError, KeyError, TypeError, DeserializationError):
        return None
    return metadata if of == version else None


def _of(version: "TableVersion") -> str:
    return f"{version.digest} {version.fingerprint}"


def _key(name: str) -> str:
    return f"{ROOT}/{name}.json"
