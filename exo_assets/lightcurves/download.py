"""Downloaded files as stars of `raw_mast__light_curves`.

Belongs here: from records of files to stars in buckets, and the words that a night says of them. Does not belong here:
fetching (`exo_resources.mast`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from exo_assets.lightcurves.buckets import bucket_of
from exo_assets.lightcurves.records import Record


def in_buckets(records: Iterable[Record], buckets: Iterable[str]) -> dict[str, dict[str, list[Record]]]:
    """Records by bucket (each of `buckets`) and star, stars and files in the order of their names."""
    out: dict[str, dict[str, list[Record]]] = {bucket: {} for bucket in buckets}
    for record in sorted(records, key=lambda r: (r.star_id, r.file_name)):
        out[bucket_of(record.star_id)].setdefault(record.star_id, []).append(record)
    return out


def made_from(records: Sequence[Record]) -> str:
    """What tells one state of a star's files from another: names, bytes and outcomes, not when they were asked for."""
    state = [(r.file_name, r.sha256, r.status, r.reason, r.fingerprint, r.source) for r in records]
    return hashlib.sha256(repr(state).encode()).hexdigest()[:32]


def outcomes(records: Iterable[Record]) -> Mapping[str, int]:
    """How many files were kept, quarantined or failed, by reason."""
    counts = Counter(r.status if r.status == "kept" else f"{r.status}: {r.reason}" for r in records)
    return dict(sorted(counts.items()))
