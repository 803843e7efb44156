"""A small catalogue with stars of every mission, as tables and as a published release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, CORE_SIGNALS, CORE_STARS
from exo_assets.corpus.objects.tables import READ, Tables
from exo_resources.duckdb_build import ReleaseTable
from exo_resources.releases import Release, ReleaseStore

AS_OF = {"cumulative": "2025-09-29", "toi": "2025-09-22", "k2pandc": "2025-09-25", "pscomppars": "2024-10-15"}
_WHERE = {"ra_deg": 10.0, "dec_deg": -5.0, "has_diagnostics": False}


def _signal(signal: str, star: str, label: str, disposition: str, **more: Any) -> dict[str, Any]:
    catalogue, number = star.split() if " " in star else ("EPIC", "246199087")
    mission, own, table = {
        "KIC": ("kepler", "kic_id", "cumulative"),
        "TIC": ("tess", "tic_id", "toi"),
        "EPIC": ("k2", "epic_id", "k2pandc"),
    }[catalogue]
    said = {"disposition_archive": label, "disposition": disposition, "source_table": table, own: int(number)}
    return {"signal_id": signal, "mission": mission, "mission_star_id": star, "star_id": star} | said | _WHERE | more


SIGNALS = [
    _signal(
        "K00841.03", "KIC 5792202", "CONFIRMED", "CONFIRMED", planet_name="Kepler-27 d", period_days=6.54626149,
        period_err_days=2.668e-05, radius_earth=2.19, radius_err_earth=0.15, depth_ppm=655.9,
    ),
    _signal("K00841.04", "KIC 5792202", "CANDIDATE", "CANDIDATE", period_days=36.5, radius_earth=2.1),
    _signal("K00006.01", "KIC 3248033", "FALSE POSITIVE", "FALSE POSITIVE", period_days=1.334),
    _signal(
        "K00351.01", "KIC 11442793", "CONFIRMED", "CONFIRMED", planet_name="Kepler-90 h", period_days=331.600815,
        depth_ppm=8338.6, radius_earth=10.88, star_mass_sun=1.2,
    ),
    _signal(
        "TOI-700.02", "TIC 150428135", "CP", "CONFIRMED", period_days=37.4236838, radius_earth=1.3296571,
        distance_pc=31.1265,
    ),
    _signal("TOI-700.03", "TIC 150428135", "PC", "CANDIDATE", period_days=9.977, radius_earth=1.1),
    _signal("TOI-144.01", "TIC 261136679", "CP", "CONFIRMED", period_days=6.267832, t0_bjd=2458325.5, depth_ppm=321.0),
    _signal("TRAPPIST-1 b", "TRAPPIST-1", "CONFIRMED", "CONFIRMED", planet_name="TRAPPIST-1 b", period_days=1.510826),
]  # fmt: skip
PLANETS = [
    {"pl_name": "pi Men c", "hostname": "HD 39091", "pl_bmasse": "3.63", "pl_bmasseerr1": "0.38",
     "pl_bmasseerr2": "-0.38", "pl_bmassprov": "Mass", "pl_orbper": "6.267852", "disc_year": "2018"},
    {"pl_name": "HD 39091 b", "hostname": "HD 39091", "pl_bmasse": "3909", "pl_bmassprov": "Msini"},
    {"pl_name": "bet Pic b", "hostname": "bet Pic", "pl_bmasse": "3727.80939", "pl_rade": "18.495"},
    {"pl_name": "Proxima Cen b", "hostname": "Proxima Cen", "pl_orbper": "11.1868", "sy_dist": "1.30119"},
    {"pl_name": "Barnard b", "hostname": "Barnard's star", "pl_orbeccen": "0.16", "pl_orbeccenlim": "1"},
    {"pl_name": "PSR B1257+12 b", "hostname": "PSR B1257+12", "pl_orbper": "25.262"},
    {"pl_name": "GJ 1214 b", "hostname": "GJ 1214", "pl_rade": "2.733"},
    {"pl_name": "TOI-700 b", "hostname": "TOI-700", "pl_orbper": "9.9772"},
    {"pl_name": "Teegarden's Star b", "hostname": "Teegarden's Star"},
    {"pl_name": "55 Cnc e", "hostname": "55 Cnc", "pl_bmasse": "7.99"},
    {"pl_name": "KOI-351 h", "hostname": "KOI-351", "pl_bmasse": "203"},
    {"pl_name": "Kepler-90 i", "hostname": "KOI-351", "pl_orbper": "14.44912"},
]  # fmt: skip


def frames(signals: list[dict[str, Any]] = SIGNALS) -> dict[str, pl.DataFrame]:
    """The tables that questions about objects are answered from."""
    rows = CORE_SIGNALS.conform(pl.DataFrame(signals, infer_schema_length=None))
    stars = rows.group_by("star_id", maintain_order=True).agg(
        pl.col("mission").first().alias("missions"), pl.len().alias("n_signals"),
        pl.col("kic_id", "epic_id", "tic_id", "distance_pc", "star_mass_sun").drop_nulls().first(),
    )  # fmt: skip
    stars = CORE_STARS.conform(
        stars.with_columns(
            n_missions=pl.lit(1),
            ra_deg=pl.lit(10.0),
            dec_deg=pl.lit(-5.0),
            position_epoch=pl.lit(2015.5),
            parameters_from="missions",
        )
    )
    identity = [
        ("TOI-700.02", "TIC 150428135", "TOI-700 d"),
        ("TOI-700.03", "TIC 150428135", "TOI-700 b"),
        ("TOI-144.01", "TIC 261136679", "pi Men c"),
    ]
    same = pl.DataFrame(identity, schema=["signal_id", "star_id", "planet_name"], orient="row").with_columns(
        planet_group_id="planet_name", mission=pl.lit("tess"), match_kind=pl.lit("period"), counterparts="planet_name"
    )
    ids = rows["signal_id"].to_list()
    judged = pl.DataFrame(
        {
            "signal_id": ids,
            "probability_planet": [None if name == "K00006.01" else 0.9 - 0.01 * n for n, name in enumerate(ids)],
            "verdict": ["planet" for _ in ids],
            "prediction_set": ["planet" for _ in ids],
            "reasons": [[{"feature": "log_period", "value": 0.8, "contribution": 0.63}] for _ in ids],
            "reason": ["no period" if name == "K00006.01" else None for name in ids],
        }
    )
    candidates = rows.filter(disposition="CANDIDATE").select("signal_id").with_row_index("rank", 1)
    known = {"signal_id": "TOI-700.03", "planet_name": "TOI-700 b", "also_known_as": None, "confirmed_by": "other name"}
    found = {
        "tce_id": "KIC 11442793-02", "star_id": "KIC 11442793", "match": "none", "signal_id": None,
        "probability_planet": 0.75, "verdict": "planet", "not_judged": None, "period_days": 14.4491, "depth_ppm": 220.5,
    }  # fmt: skip
    dossiers = candidates.select("signal_id", made_at=pl.lit("2026-11-28T01:02:03+00:00"))
    return {
        "core_signals": rows,
        "core_stars": stars,
        "core_planet_identity": CORE_PLANET_IDENTITY.conform(same),
        "raw_nea__pscomppars": pl.DataFrame(PLANETS, infer_schema_length=None),
        "out_scores_all": judged,
        "mart_candidates": candidates,
        "out_dossiers": dossiers,
        "mart_known_planets": pl.DataFrame([known]),
        "mart_found_signals": pl.DataFrame([found]),
    }


def tables(given: Mapping[str, pl.DataFrame] | None = None) -> Tables:
    """The tables in memory."""
    return Tables("20261129T000000Z-00000000", "2026-11-29", AS_OF, given if given is not None else frames())


def published(folder: Path, given: Mapping[str, pl.DataFrame] | None = None, digest: str = "d1") -> Release:
    """The tables as the live release of `folder`, built by DuckDB."""
    given = given if given is not None else frames()
    archive = {name: {"as_of": day} for name, day in AS_OF.items()}
    wanted = [
        ReleaseTable(name, f"{digest} {name}", frame.height, frame.to_arrow)
        for name, frame in given.items()
        if name in READ
    ]
    return ReleaseStore(folder).publish(wanted, {"archive": archive}).release
