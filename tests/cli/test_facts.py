"""What the closing summary and `exo status` are made of."""

import io
import json
import shutil
from pathlib import Path

import polars as pl
from indexed_corpus import content
from rich.console import Console

from deployments.cli.facts import candidates, library, performance, sources
from deployments.cli.summary import print_sources, print_summary
from exo_assets.corpus.embedding import packaged_files
from exo_assets.evaluation.contracts import ML_PERFORMANCE_HISTORY, ML_VETTER_CHAMPION
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings


def crown(lake: Lake, version: str, previous: str | None) -> None:
    row = {
        "name": "exo-vetter",
        "version": version,
        "run_id": "r",
        "digest": f"digest{version}",
        "promoted_at": "2026-01-01T00:00:00+00:00",
        "previous_version": previous,
        "previous_digest": f"digest{previous}" if previous else None,
    }
    lake.write("ml_vetter_champion", ML_VETTER_CHAMPION.conform(pl.DataFrame([row])))


def history(lake: Lake, *rows: tuple[str, str, str, str, str, float]) -> None:
    """(version, recorded_at, head, split, metric, value)."""
    frame = pl.DataFrame(
        [
            {
                "candidate_version": version,
                "candidate_digest": f"digest{version}",
                "data_digest": recorded_at[:7],
                "recorded_at": recorded_at,
                "head": head,
                "population": "overall",
                "split": split,
                "metric": metric,
                "value": value,
                "low": value - 0.01,
                "high": value + 0.01,
                "n_signals": 10,
                "n_stars": 9,
                "prevalence": 0.4,
            }
            for version, recorded_at, head, split, metric, value in rows
        ]
    )
    lake.write("ml_performance_history", ML_PERFORMANCE_HISTORY.check(ML_PERFORMANCE_HISTORY.conform(frame)))


def test_the_champions_newest_figures_beside_those_of_the_model_before_it(lake: Lake) -> None:
    crown(lake, "3", "1")
    history(
        lake,
        ("1", "2025-12-31", "planet", "test", "brier", 0.04),  # on other data: not to be compared
        ("1", "2026-01-01", "planet", "test", "roc_auc", 0.95),
        ("1", "2026-02-01", "planet", "test", "roc_auc", 0.94),
        ("2", "2026-01-02", "planet", "test", "roc_auc", 0.10),  # refused: neither the champion nor before it
        ("3", "2025-12-03", "planet", "test", "roc_auc", 0.96),
        ("3", "2026-01-04", "planet", "test", "roc_auc", 0.97),
        ("3", "2026-01-04", "planet", "unseen", "roc_auc", 0.50),
        ("3", "2026-01-04", "disposition", "test", "roc_auc", 0.60),
        ("3", "2026-01-04", "planet", "test", "brier", 0.05),
    )
    found = performance(lake)
    assert found is not None and (found["version"], found["previous_version"]) == ("3", "1")
    figures = found["figures"]["overall"]
    assert figures.keys() == {"roc_auc", "brier"}
    assert (figures["roc_auc"]["value"], figures["roc_auc"]["previous"]) == (0.97, 0.95)
    assert figures["brier"]["previous"] is None


def test_no_champion_no_figures(lake: Lake) -> None:
    assert performance(lake) is None
    crown(lake, "1", None)
    assert performance(lake) is None


def test_the_best_candidates_come_first(lake: Lake) -> None:
    assert candidates(lake) == []
    n = 30
    marts = pl.DataFrame(
        {
            "rank": range(1, n + 1),
            "signal_id": [f"K{i:05d}.01" for i in range(n)],
            "mission": ["kepler"] * n,
            "period_days": [float(i) for i in range(n)],
            "probability_planet": [1 - i / n for i in range(n)],
            "verdict": ["planet"] * n,
            "radius_earth": [1.0] * n,
            "reasons": ["depth = 1 (+0.50)"] * n,
        }
    ).reverse()
    lake.write("mart_candidates", marts)
    found = candidates(lake)
    assert [row["signal_id"] for row in found] == [f"K{i:05d}.01" for i in range(10)]


def test_the_summary_shows_all_of_it(lake: Lake, tmp_path: Path) -> None:
    crown(lake, "3", "1")
    history(
        lake,
        ("1", "2026-01-01", "planet", "test", "roc_auc", 0.95),
        ("3", "2026-01-03", "planet", "test", "roc_auc", 0.96),
    )
    shown = io.StringIO()
    print_summary(
        Console(file=shown, width=200),
        {
            "job": "nightly_refresh",
            "success": True,
            "seconds": 61.2,
            "recomputed": ["core_signals"],
            "problems": ["table 'out_scores' cannot be read: it is damaged"],
            "published_with_standing_champion": True,
            "candidate_refused_by": ["floor_auc_kepler"],
            "home": "/somewhere",
            "sources": {"toi": {"source": "absent", "as_of": None, "rows": 0}},
            "tables": {"core_signals": {"rows": 9564}, "core_stars": {"rows": 8000}},
            "champion": lake.read("ml_vetter_champion").row(0, named=True),
            "performance": performance(lake),
            "comparison": "0.02 better (0.01 to 0.03)",
            "candidates": [
                {"signal_id": "K00001.01", "mission": "kepler", "probability_planet": 0.99, "reasons": "depth"}
            ],
            "library": {
                **{"version": "abc", "chunks": 1500, "documents": 1200, "model": "MiniLM", "store": "in each process"},
                "waiting": "def",
                "problem": None,
                **{"next_model": "another-model", "model_problem": None},
            },
            "release": {
                **{"file": "/r/exo.duckdb", "created_at": "2026-01-03", "tables": 20},
                "champion_digest": "digest3",
                "set_aside": ["/r/changed-20260101T000000Z-00000000"],
            },
            "found": {
                **{"in_catalogue": 2, "ranked_in_no_catalogue": 1, "below_threshold": 4, "not_judged": 1},
                "new_when_judged": 1,
                "best": [
                    {
                        **{"rank": 3, "tce_id": "KIC 1-02", "mission": "kepler", "probability_planet": 0.875},
                        **{"verdict": "candidate", "period_days": 3.21, "depth_ppm": 812.0, "snr": 9.2},
                        **{"flags": "the data allow other periods", "reasons": "depth"},
                    }
                ],
            },
            "endpoint": {
                **{"healthy": True, "url": "http://127.0.0.1:8100"},
                **{"model_version": "1", "model_digest": "digest1"},
                "library": {"status": "degraded", "version": "xyz", "rejected": {"version": "abc", "reason": "torn"}},
            },
        },
    )
    said = shown.getvalue()
    for expected in (
        "! toi                 absent",
        "core_signals                           9,564 rows  recomputed",
        "core_stars                             8,000 rows  kept",
        "exo-vetter v3",
        "0.9600 (0.9500 to 0.9700)  [0.9500]",
        "against v1: 0.02 better (0.01 to 0.03)",
        "! the endpoint is not of the champion v3 yet",
        "1  K00001.01",
        "found tonight, in no catalogue: 0 new; 1 ranked in all, 4 below the thresholds and not ranked",
        "3  KIC 1-02              kepler  0.8750  candidate       3.21 d, 812 ppm, SNR 9.2  (the data allow other",
        "! 1 not judged",
        "2 more that it found are catalogued",
        "! /r/changed-20260101T000000Z-00000000 was changed after its publication",
        "/r/exo.duckdb",
        "abc  1,500 passages of 1,200 documents, MiniLM, searched in each process",
        "! the index def is built and not released",
        "! texts are embedded by another-model now: exo run --job corpus_refresh makes its index",
        "! the endpoint's library: index xyz; index abc was refused: torn; exo run --job corpus_refresh puts abc on it",
        "http://127.0.0.1:8100/v1/predict",
        "refused by the gates (floor_auc_kepler)",
        "nightly_refresh done in 61 s: 1 recomputed, 1 kept",
    ):
        assert expected in said, f"{expected!r} is not in:\n{said}"


def test_an_index_that_another_model_will_replace_is_told_of(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert library(settings)["next_model"] is None, "there is no index yet"
    store = LibraryStore(Lake(settings.lake), settings)
    store.release(str(store.build(content())["version"]))
    assert (library(settings)["next_model"], library(settings)["model_problem"]) == (None, None)
    folder = tmp_path / "model"
    chosen = settings.model_copy(update={"embedding_model": folder})
    found = library(chosen)
    assert found["next_model"] is None and "is no embedding model" in found["model_problem"]
    folder.mkdir()
    shutil.copy(packaged_files().network, folder / "model.onnx")
    shutil.copy(packaged_files().tokenizer, folder / "tokenizer.json")
    (folder / "model.json").write_text(json.dumps({"name": "mine", "dimensions": 384, "tokens": 64}))
    assert (library(chosen)["next_model"], library(chosen)["model_problem"]) == ("mine", None)


def test_a_stale_and_an_empty_source_are_shown_with_the_reason(lake: Lake) -> None:
    reason = "live: ArchiveHeaderError: missing columns ['pl_orbper']"
    for table, source in (("toi", "last_good"), ("k2pandc", "absent"), ("cumulative", "live")):
        notes = {"source": source, "as_of": "2025-09-22", "reason": "" if source == "live" else reason}
        lake.write(f"raw_nea__{table}", pl.DataFrame({"x": ["1"]}), notes=notes)
    found = sources([v for v in map(lake.version, lake.tables()) if v])
    assert {table: one["reason"] for table, one in found.items()} == {
        "toi": reason,
        "k2pandc": reason,
        "cumulative": "",
    }
    shown = io.StringIO()
    print_sources(Console(file=shown, width=200), found)
    lines = shown.getvalue().splitlines()
    assert sum(reason in line for line in lines) == 2
    assert any("NOT AVAILABLE" in line for line in lines) and any("last good copy" in line for line in lines)
