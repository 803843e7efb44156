"""Which stars each stage works on, and what each is made from.

Belongs here: from the tables before a stage to its quanta. Does not belong here: the work itself (`star_tasks.py`), and
reading tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from exo_assets.lightcurves.planning import UNKNOWN, KnownStar
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_tasks import Catalogued, CleanWork, SearchWork


def clean_quanta(files: pl.DataFrame, known: Mapping[str, KnownStar]) -> Iterator[Quantum]:
    """Stars with files that count: `files` are rows of `raw_mast__light_curves`, and users' in the same form."""
    for (star,), rows in counting(files).group_by("star_id", maintain_order=True):
        signals = tuple(s for s in known.get(str(star), UNKNOWN).signals if s.is_placed)
        work = CleanWork(str(star), tuple(rows.select("key", "file_name", "sha256").iter_rows()), signals)
        yield Quantum(str(star), f"{rows['sha256'].to_list()} {_named(signals)}", work)


def counting(files: pl.DataFrame) -> pl.DataFrame:
    """The files that count, by star, in the order in which those of one product go before each other: the archive's
    own, by name, then users', the newer import before the older. What is used of them `joining.py` says."""
    kept = files.filter(status="kept").with_columns(is_own=pl.col("source") == "user")
    at = pl.when("is_own").then("retrieved_at")
    order = kept.sort("star_id", "is_own", at, "file_name", "sha256", descending=[False, False, True, False, False])
    return order.drop("is_own")


def search_quanta(bucket: str, curves: Mapping[str, str], known: Mapping[str, KnownStar]) -> Iterator[Quantum]:
    """Stars with a clean curve: `curves` are the digests of their rows."""
    for star, digest in curves.items():
        about = known.get(star, UNKNOWN)
        work = SearchWork(star, bucket, about.density_sun, about.signals)
        yield Quantum(star, f"{digest} {about.density_sun} {_named(about.signals)}", work)


def _named(signals: tuple[Catalogued, ...]) -> str:
    return "; ".join(f"{s.signal_id} {s.place}" for s in signals)
