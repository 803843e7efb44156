"""Which files a star's curve is made from."""

from __future__ import annotations

import polars as pl

from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.plans import clean_quanta, joined


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


def used(*rows: tuple[str, int | None, str, str]) -> list[str]:
    return sorted(joined(files(*rows))["file_name"])


def test_an_import_never_takes_the_place_of_the_archives_file() -> None:
    assert used(("live", 1, "a", "kept"), ("user", 1, "b", "kept")) == ["f0"]
    assert used(("live", 1, "a", "kept"), ("user", None, "b", "kept")) == ["f0"]
    assert used(("live", 1, "a", "kept"), ("user", 2, "b", "kept")) == ["f0", "f1"]
    assert used(("live", 1, "a", "quarantined"), ("user", None, "b", "kept")) == ["f1"]


def test_of_two_imports_of_one_stretch_the_newer_is_used() -> None:
    assert used(("user", None, "2026-01-01", "kept"), ("user", None, "2026-02-01", "kept")) == ["f1"]
    assert used(("user", 3, "2026-02-01", "kept"), ("user", 3, "2026-01-01", "kept")) == ["f0"]


def test_a_quantum_names_what_its_star_is_made_from() -> None:
    (quantum,) = clean_quanta(files(("live", 1, "a", "kept"), ("live", 2, "a", "kept")), {})
    assert quantum.work.files == (("k0", "f0", "s0"), ("k1", "f1", "s1")) and "s0" in quantum.made_from
