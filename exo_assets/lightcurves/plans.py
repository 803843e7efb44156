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
    kept = joined(files).sort("star_id", "file_name", "sha256")
    for (star,), rows in kept.group_by("star_id", maintain_order=True):
        signals = tuple(s for s in known.get(str(star), UNKNOWN).signals if s.is_placed)
        work = CleanWork(str(star), tuple(rows.select("key", "file_name", "sha256").iter_rows()), signals)
        yield Quantum(str(star), f"{rows['sha256'].to_list()} {_named(signals)}", work)


def joined(files: pl.DataFrame) -> pl.DataFrame:
    """The files that count, of each star and segment one.

    Two light curves of one stretch are not joined: the archive's own goes before a user's, and a user's newer import
    before an older one. A user's curve that does not say its segment is taken where the star has nothing else.
    """
    kept = files.filter(status="kept")
    theirs, own = kept.filter(pl.col("source") != "user"), kept.filter(pl.col("source") == "user")
    own = own.sort("retrieved_at", "key", descending=True).unique(["star_id", "segment"], keep="first")
    told = own.filter(pl.col("segment").is_not_null()).join(theirs, on=["star_id", "segment"], how="anti")
    told = pl.concat([theirs, told])
    return pl.concat([told, own.filter(pl.col("segment").is_null()).join(told, on="star_id", how="anti")])


def search_quanta(bucket: str, curves: Mapping[str, str], known: Mapping[str, KnownStar]) -> Iterator[Quantum]:
    """Stars with a clean curve: `curves` are the digests of their rows."""
    for star, digest in curves.items():
        about = known.get(star, UNKNOWN)
        work = SearchWork(star, bucket, about.density_sun, about.signals)
        yield Quantum(star, f"{digest} {about.density_sun} {_named(about.signals)}", work)


def _named(signals: tuple[Catalogued, ...]) -> str:
    return "; ".join(f"{s.signal_id} {s.place}" for s in signals)
