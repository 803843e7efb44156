"""A small lake with every table that the warehouse builds on, and how to materialise the warehouse from it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from exo_assets.warehouse import assets
from exo_assets.warehouse.catalogue import upstream
from exo_resources.lake import Lake
from exo_resources.releases import ReleaseStore

SIGNALS: list[dict[str, Any]] = [
    {"signal_id": "K1.01", "mission": "kepler", "star_id": "KIC 1", "disposition_archive": "CONFIRMED"},
    {"signal_id": "K1.02", "mission": "kepler", "star_id": "KIC 1", "disposition_archive": "CANDIDATE"},
    {"signal_id": "K2.01", "mission": "kepler", "star_id": "KIC 2", "disposition_archive": "FALSE POSITIVE"},
    {"signal_id": "TOI-1.01", "mission": "tess", "star_id": "TIC 1", "disposition_archive": "PC"},
    {"signal_id": "TOI-2.01", "mission": "tess", "star_id": "KIC 1", "disposition_archive": "PC"},
]
HARMONISED = {"PC": "CANDIDATE", "CP": "CONFIRMED", "FP": "FALSE POSITIVE"}
PROBABILITIES = {"K1.01": 0.99, "K1.02": 0.4, "K2.01": 0.02, "TOI-1.01": 0.9, "TOI-2.01": 0.97}


def write(lake: Lake, table: str, rows: list[dict[str, Any]], notes: dict[str, Any] | None = None) -> None:
    """Store `rows` as `table`, in the columns of its contract."""
    contract = upstream()[table]
    frame = pl.DataFrame(rows, schema={k: contract.schema[k] for k in rows[0]}) if rows else contract.empty()
    lake.write(table, contract.conform(frame), notes=notes)


def write_signals(lake: Lake, labels: dict[str, str] | None = None, without: str = "") -> None:
    """core_signals, with some labels changed or a signal left out."""
    rows = []
    for signal in SIGNALS:
        label = (labels or {}).get(signal["signal_id"], signal["disposition_archive"])
        if signal["signal_id"] != without:
            rows.append(
                signal
                | {
                    "mission_star_id": signal["star_id"],
                    "disposition_archive": label,
                    "disposition": HARMONISED.get(label, label),
                    "period_days": 3.5,
                    "snr": 20.0,
                    "ra_deg": 10.0,
                    "dec_deg": 20.0,
                    "source_table": "toi" if signal["mission"] == "tess" else "cumulative",
                    "has_diagnostics": False,
                }
            )
    write(lake, "core_signals", rows)


def write_scores(lake: Lake, probabilities: dict[str, float] | None = None, version: str = "1") -> None:
    """out_scores, some probabilities changed."""
    rows = []
    for signal in SIGNALS:
        p = (PROBABILITIES | (probabilities or {}))[signal["signal_id"]]
        rows.append(
            {
                "signal_id": signal["signal_id"],
                "mission": signal["mission"],
                "star_id": signal["star_id"],
                "probability_planet": p,
                "disposition_confirmed": p / 2,
                "disposition_candidate": p / 2,
                "disposition_false_positive": 1 - p,
                "verdict": "planet" if p > 0.8 else "false positive" if p < 0.2 else "candidate",
                "prediction_set": "planet" if p > 0.9 else "false positive" if p < 0.1 else "unsure",
                "reasons": [
                    {"feature": "depth", "value": 812.25, "contribution": 1.5},
                    {"feature": "impact", "value": None, "contribution": -0.25},
                ],
                "model_version": version,
                "data_version": "0" * 16,
            }
        )
    write(lake, "out_scores", rows)


def snapshot(as_of: str, content: str) -> dict[str, Any]:
    """Notes of a raw table."""
    told = {"source": "mirror", "as_of": as_of, "sha256": content, "url": f"file://{content}", "reason": ""}
    return {**told, "retrieved_at": "now"}


REFUSED = "live: ArchiveHeaderError: missing columns ['pl_orbper']"


def fill(lake: Lake) -> None:
    """Every table before the warehouse."""
    for name, contract in upstream().items():
        write(lake, name, [], snapshot("2025-09-29", name) if name.startswith("raw_") else None)
        del contract
    write(lake, "raw_nea__k2pandc", [], {**snapshot("2025-09-29", "k2"), "source": "last_good", "reason": REFUSED})
    write(lake, "raw_nea__pscomppars", [], {"source": "absent", "as_of": "", "sha256": "", "url": "", "reason": "gone"})
    refused = {
        "archive_table": "k2pandc",
        "source": "live",
        "error": "ArchiveHeaderError",
        "reason": "missing columns ['pl_orbper']",
        "remedy": "adapt the contract",
        "sha256": "5" * 64,
        "size_bytes": 9,
        "refused_at": "2025-10-01T02:00:01+00:00",
        "key": "raw/refused/k2pandc/555555555555.gz",
    }
    write(lake, "raw_archive__refused_copies", [refused])
    write_signals(lake)
    write_scores(lake)
    write(lake, "core_stars", [_star(star) for star in ("KIC 1", "KIC 2", "TIC 1")])
    write(
        lake,
        "core_planet_identity",
        [
            _same("K1.01", "kepler", "CONFIRMED", "Kepler-1 b"),
            _same("TOI-2.01", "tess", "CANDIDATE", "Kepler-1 b"),
        ],
    )
    history = [
        _label("K1.01", "kepler", date(2017, 7, 19), "CANDIDATE", None),
        _label("K1.01", "kepler", date(2025, 9, 29), "CONFIRMED", "CANDIDATE"),
        _label("K1.02", "kepler", date(2025, 9, 29), "CANDIDATE", None),
        _label("K2.01", "kepler", date(2017, 7, 19), "FALSE POSITIVE", None),
        _label("K9.01", "kepler", date(2017, 7, 19), "CANDIDATE", None),
        _label("TOI-1.01", "tess", date(2025, 9, 29), "PC", None),
        _label("TOI-2.01", "tess", date(2025, 9, 29), "PC", None),
    ]
    write(lake, "core_disposition_history", history)
    aside = {"archive_table": "toi", "row_key": "1.01", "as_of": "2025-09-29", "row_json": "{}"}
    write(
        lake,
        "core_archive_quarantine",
        [
            aside | {"reason": "copy_of_another_row", "copies": 2},
            aside | {"reason": "key_of_another_row", "copies": 1},
        ],
    )
    write(
        lake,
        "core_signals_quarantine",
        [{"signal_id": "K8.01", "mission": "kepler", "quarantine_reason": "depth_ppm_above_1e+06;period_days_missing"}],
    )
    write(lake, "core_signals_harmonised", [{"signal_id": f"K{n}", "mission": "kepler"} for n in range(10)])
    champion = {
        "name": "vetter",
        "version": "2",
        "run_id": "r",
        "digest": "d2",
        "promoted_at": "2025-09-30T01:00:00+00:00",
    }
    write(lake, "ml_vetter_champion", [champion])
    write(
        lake, "ml_performance_history", [_figure("1", "d1", 0.90, "2025-09-29"), _figure("2", "d2", 0.95, "2025-09-30")]
    )


def materialise(lake: Lake, folder: Path, **kwargs: Any) -> dg.ExecuteInProcessResult:
    """Run the whole warehouse, checks included, as a night would."""
    resources = {"lake": lake, "releases": ReleaseStore(folder, keep=3)}
    checks = kwargs.pop("checks", assets.CHECKS)
    return dg.materialize(
        [*assets.ASSETS, *checks], resources=resources, raise_on_error=kwargs.pop("raise_on_error", True), **kwargs
    )


def metadata(result: dg.ExecuteInProcessResult, table: str) -> dict[str, Any]:
    """Metadata of the materialisation of `table`."""
    found = result.asset_materializations_for_node(table)[0]
    return {name: value.value for name, value in found.metadata.items()}


def recomputed(result: dg.ExecuteInProcessResult) -> list[str]:
    """Tables that were computed rather than kept."""
    events = [e.materialization for e in result.get_asset_materialization_events() if e.materialization]
    return sorted(e.asset_key.to_user_string() for e in events if e.metadata["recomputed"].value)


def _star(star: str) -> dict[str, Any]:
    return {
        "star_id": star,
        "missions": "kepler",
        "n_missions": 1,
        "n_signals": 1,
        "ra_deg": 10.0,
        "dec_deg": 20.0,
        "position_epoch": 2000.0,
        "parameters_from": "kepler",
    }


def _same(signal: str, mission: str, disposition: str, planet: str) -> dict[str, Any]:
    return {
        "planet_group_id": planet,
        "signal_id": signal,
        "mission": mission,
        "star_id": "KIC 1",
        "planet_name": planet if disposition == "CONFIRMED" else None,
        "disposition": disposition,
        "match_kind": "period",
        "counterparts": planet,
    }


def _label(signal: str, mission: str, as_of: date, label: str, before: str | None) -> dict[str, Any]:
    return {
        "signal_id": signal,
        "mission": mission,
        "archive_name": signal,
        "source_table": "toi" if mission == "tess" else "cumulative",
        "as_of": as_of,
        "change": "changed" if before else "first_seen",
        "disposition_archive": label,
        "disposition": HARMONISED.get(label, label),
        "previous_archive": before,
        "previous_disposition": HARMONISED.get(before, before) if before else None,
    }


def _figure(version: str, digest: str, value: float, day: str) -> dict[str, Any]:
    return {
        "candidate_version": version,
        "candidate_digest": digest,
        "data_digest": "0" * 16,
        "recorded_at": f"{day}T00:00:00+00:00",
        "head": "planet",
        "population": "overall",
        "split": "test",
        "metric": "roc_auc",
        "value": value,
        "low": value - 0.01,
        "high": value + 0.01,
        "n_signals": 100,
        "n_stars": 90,
        "prevalence": 0.4,
    }
