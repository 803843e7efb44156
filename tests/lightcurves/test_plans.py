"""Which files a star's curve is made from, and in which order they go before each other."""

from __future__ import annotations

import polars as pl

from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.plans import clean_quanta, counting


def files(*rows: tuple[str, int | None, str, str]) -> pl.DataFrame:
    """(source, segment, retrieved_at, status) of files of one star, named in their order."""
    return RAW_MAST__LIGHT_CURVES.conform(
        pl.DataFrame(
            [
                {
                    "file_name": f"f{i}",
                    "mission": "tess",
                    "star_id": "TIC 7",
                    "segment": segment,
                    "source": source,
                    "key": f"k{i}",
                    "sha256": f"s{i}",
                    "retrieved_at": at,
                    "status": status,
                }
                for i, (source, segment, at, status) in enumerate(rows)
            ]
        )
    )


def order(*rows: tuple[str, int | None, str, str]) -> list[str]:
    return counting(files(*rows))["file_name"].to_list()


def test_every_kept_file_counts_the_archives_first_and_newer_imports_before_older() -> None:
    assert order(("user", None, "b", "kept"), ("live", 1, "a", "kept")) == ["f1", "f0"]
    assert order(("live", 1, "a", "quarantined"), ("user", None, "b", "kept"), ("live", 2, "a", "unused")) == ["f1"]
    assert order(("user", 3, "2026-01-01", "kept"), ("user", 3, "2026-02-01", "kept")) == ["f1", "f0"]
    assert order(("live", 2, "b", "kept"), ("live", 1, "a", "kept")) == ["f0", "f1"], "of the archive's by name"


def test_a_quantum_names_what_its_star_is_made_from() -> None:
    (quantum,) = clean_quanta(files(("live", 1, "a", "kept"), ("live", 2, "a", "kept")), {})
    assert quantum.work.files == (("k0", "f0", "s0"), ("k1", "f1", "s1")) and "s0" in quantum.made_from
