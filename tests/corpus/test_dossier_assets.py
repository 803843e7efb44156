"""The dossiers in the lake: made by Dagster from stored tables and a released index, kept when nothing changed, shown
by `exo dossier`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dossier_tables import store, tables, with_found
from indexed_corpus import DOCUMENTS, content
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.serve.dossiers import Dossiers, DossierUnknownError
from exo_assets.archive.parse import parse_csv
from exo_assets.catalogs.identity import planet_identity
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.code_version import code_of
from exo_assets.corpus import dossier_assets, dossier_refresh
from exo_assets.corpus.document import Document
from exo_assets.corpus.dossier_assets import ASSETS, CHECKS
from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
from exo_assets.corpus.identifiers import aliases
from exo_assets.corpus.neighbours import nearest, resolved_signals
from exo_assets.lightcurves.star_contracts import CORE_PAGES
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings
from exo_resources.star_tables import StarEntry, StarRows, StarTables


@pytest.fixture
def library_store(home: Path) -> LibraryStore:
    settings = Settings(home=home)
    return LibraryStore(Lake(settings.lake), settings)


@pytest.fixture
def full(library_store: LibraryStore) -> LibraryStore:
    """A lake with the tables and a released index."""
    store(library_store.lake, tables())
    library_store.release(library_store.build(content())["version"])
    return library_store


def run(of: LibraryStore, raise_on_error: bool = True) -> tuple[dict[str, Any], dict[str, bool], bool]:
    """Metadata of the materialisation, outcomes of the checks, success."""
    result = dg.materialize(
        [*ASSETS, *CHECKS], resources={"lake": of.lake, "library_store": of}, raise_on_error=raise_on_error
    )
    events = result.asset_materializations_for_node("out_dossiers") if result.success else []
    found = {name: value.value for event in events for name, value in event.metadata.items()}
    return found, {c.check_name: c.passed for c in result.get_asset_check_evaluations()}, result.success


def exo(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_dossiers_are_made_once_and_again_when_the_corpus_moves(full: LibraryStore) -> None:
    shown, checks, _ = run(full)
    assert checks == {"contract": True, "every_candidate_has_a_dossier": True}
    assert (shown["dagster/row_count"], shown["made"], shown["searched"], shown["failed"]) == (3, 3, 3, 0)
    assert shown["share_naming_the_star"] == pytest.approx(2 / 3, abs=1e-3) and shown["corpus_version"]
    assert "## K00351.09" in shown["first"] and "### Nearest false positives" in shown["first"]
    assert shown["counts"].splitlines()[2] == "| kepler | 2 | 2 | 1 | 0 |"
    version = full.lake.version("out_dossiers")
    again, _, _ = run(full)
    assert not again["recomputed"] and full.lake.version("out_dossiers") == version

    paper = Document("arXiv:2606.1", "arxiv", "abstract", "TOI-700 again", "New masses of the planets of TOI-700.")
    full.release(full.build(content((*DOCUMENTS, paper)))["version"])
    moved, _, _ = run(full)
    assert moved["recomputed"] and moved["searched"] == 3 and moved["made"] < 3
    released = full.released()
    assert released is not None and moved["corpus_version"] == released["version"]


def test_before_the_first_release_there_are_dossiers_without_passages(library_store: LibraryStore) -> None:
    store(library_store.lake, tables())
    shown, checks, _ = run(library_store)
    assert all(checks.values()) and shown["made"] == 3 and shown["searched"] == 0
    assert "corpus_version" not in shown and shown["share_with_passages"] == 0
    library_store.release(library_store.build(content())["version"])
    assert run(library_store)[0]["share_with_passages"] > 0.6


def test_what_fails_is_bounded_by_a_check_and_all_failing_is_a_failure(
    full: LibraryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = dossier_refresh.dossier, {"TOI-700.05"}

    def failing(inputs: Any) -> Any:
        if inputs.signal["signal_id"] in lost:
            raise ValueError("no such thing")
        return real(inputs)

    monkeypatch.setattr(dossier_refresh, "dossier", failing)
    shown, checks, success = run(full, raise_on_error=False)
    assert success and shown["failed"] == 1 and checks["every_candidate_has_a_dossier"] is False
    refused = exo("dossier", "TOI-700.05")
    assert refused.exit_code == 1 and "could not be made: ValueError: no such thing" in refused.stderr
    lost |= {"K00351.09", "K09001.01"}
    full.lake.write("out_scores", full.lake.read("out_scores").with_columns(probability_planet=pl.lit(0.25)))
    before = full.lake.version("out_dossiers")
    assert run(full, raise_on_error=False)[2] is False
    assert full.lake.version("out_dossiers") == before


def test_a_candidate_that_has_no_row_is_noticed(full: LibraryStore) -> None:
    run(full)
    full.lake.write("out_dossiers", full.lake.read("out_dossiers").head(2))
    job = dg.Definitions(asset_checks=CHECKS, resources={"lake": full.lake}).resolve_implicit_global_asset_job_def()
    (outcome,) = job.execute_in_process(raise_on_error=False).get_asset_check_evaluations()
    assert not outcome.passed and outcome.metadata["missing"].value == 1


# -- exo dossier -----------------------------------------------------------------------------------------------------


def test_exo_dossier_shows_text_markdown_and_json(full: LibraryStore) -> None:
    run(full)
    text = exo("dossier", "KOI-351.09")
    assert text.exit_code == 0 and "K00351.09 on KIC 11442793" in text.stdout and "odd_even_sigma" in text.stdout
    assert "##" not in text.stdout
    markdown = exo("dossier", "Kepler-90", "--markdown")
    assert markdown.exit_code == 0 and markdown.stdout.startswith("# K00351.09") and "Rank 1 of 3" in markdown.stdout
    (told,) = json.loads(exo("dossier", "tic 150428135", "--json").stdout)
    assert (told["signal_id"], told["rank"]) == ("TOI-700.05", 3)
    assert told["dossier"]["passages"][0]["names"] == ["TOI-700", "TOI-700 d"]


def test_exo_dossier_knows_what_the_search_found(library_store: LibraryStore, home: Path) -> None:
    store(library_store.lake, with_found(tables()))
    library_store.release(library_store.build(content())["version"])
    _, checks, _ = run(library_store)
    assert all(checks.values())
    markdown = exo("dossier", "kic 11442793-02", "--markdown")
    assert markdown.exit_code == 0 and markdown.stdout.startswith("# KIC 11442793-02"), markdown.stderr
    assert "Rank 2 of 2 among the signals that the search found" in markdown.stdout
    (told,) = json.loads(exo("dossier", "KIC 5", "--json").stdout)
    assert (told["signal_id"], told["ranked_in"]) == ("KIC 5-01", "mart_found_signals")
    of_star = json.loads(exo("dossier", "Kepler-90", "--json").stdout)
    assert [d["signal_id"] for d in of_star] == ["K00351.09", "KIC 11442793-02"]
    page = home / "page.png"
    none = exo("dossier", "KIC 5-01", "--page", str(page))
    assert none.exit_code == 1 and "there is no page of KIC 5-01 yet" in none.stderr and not page.exists()
    drawn = pl.DataFrame([("KIC 5-01", "KIC 5", 9.0, "t", b"\x89PNG")], schema=CORE_PAGES.schema, orient="row")
    rows = drawn.to_arrow(compat_level=pl.CompatLevel.oldest())
    tables_of = StarTables(library_store.lake)
    tables_of.write("core_pages", "kepler-05", CORE_PAGES.schema, [StarRows(StarEntry("KIC 5", "f"), rows)])
    assert exo("dossier", "KIC 5-01", "--page", str(page)).exit_code == 0 and page.read_bytes() == b"\x89PNG"
    several = exo("dossier", "Kepler-90", "--page", str(page))
    assert several.exit_code == 2 and "2 pages: name one signal" in several.stderr
    known, weak = exo("dossier", "KIC 11442793-01"), exo("dossier", "KIC 5-02")
    assert known.exit_code == 1 and "is K00351.09 of the catalogue (same)" in known.stderr
    assert weak.exit_code == 1 and "below the thresholds" in weak.stderr
    library_store.lake.write(
        "out_dossiers", library_store.lake.read("out_dossiers").filter(ranked_in="mart_candidates")
    )
    job = dg.Definitions(asset_checks=CHECKS, resources={"lake": library_store.lake})
    (outcome,) = (
        job.resolve_implicit_global_asset_job_def()
        .execute_in_process(raise_on_error=False)
        .get_asset_check_evaluations()
    )
    assert not outcome.passed and outcome.metadata["missing"].value == 2


def test_the_endpoints_dossiers_take_the_names_of_found_signals(library_store: LibraryStore) -> None:
    store(library_store.lake, with_found(tables()))
    run(library_store)
    of = tables()
    names = aliases(of.core_signals, of.core_stars, of.core_planet_identity)
    served = Dossiers(library_store.lake)
    assert served.find("KIC 5-01", names)["ranked_in"] == "mart_found_signals"
    assert served.find("kic5-01", names)["signal_id"] == served.find("KIC 5", names)["signal_id"] == "KIC 5-01"
    with pytest.raises(DossierUnknownError, match="2 candidates"):
        served.find("Kepler-90", names)


def test_exo_dossier_says_what_there_is_instead(full: LibraryStore) -> None:
    assert "materialise the asset 'out_dossiers'" in exo("dossier", "K00351.09").stderr
    run(full)
    for arguments, code, said in [
        (("K00351.08",), 2, "near it: K00351.09"),
        (("no such thing",), 2, "SELECT signal_id FROM mart_candidates"),
        (("Kepler-90 h",), 1, "there is no dossier of K00351.01 (CP)"),
        (("K00351.09", "--json", "--markdown"), 2, "exclude each other"),
    ]:
        result = exo("dossier", *arguments)
        assert (result.exit_code, said in result.stderr, result.stdout) == (code, True, ""), result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


# -- the archive's tables --------------------------------------------------------------------------------------------


@pytest.mark.archive
def test_neighbours_in_the_archives_tables(archive_mirror: Path) -> None:
    names = ("cumulative", "q1_q17_dr25_koi", "toi", "k2pandc", "pscomppars")
    raw = {n: parse_csv(gzip.decompress((archive_mirror / "tap" / f"{n}.csv.gz").read_bytes())) for n in names}
    signals = accepted(harmonised_signals(*(raw[n] for n in names[:4])))
    resolved = resolved_signals(signals, planet_identity(signals, raw["pscomppars"]))
    candidates = signals.filter(disposition="CANDIDATE").sort("signal_id").gather_every(10)
    found = nearest(candidates, resolved)
    whole = [of for of in found.values() if len(of["CONFIRMED"]) == len(of["FALSE POSITIVE"]) == 5]
    assert len(whole) > 0.95 * candidates.height > 500
    stars = dict(signals.select("signal_id", "star_id").iter_rows())
    missions = dict(signals.select("signal_id", "mission").iter_rows())
    all_of = [(name, n) for name, of in found.items() for label in of for n in of[label]]
    assert not any(stars[name] == stars[n.signal_id] for name, n in all_of)
    assert sum(missions[name] == n.mission for name, n in all_of) > 0.95 * len(all_of)
    # What is nearest means something: hosts of false positives are nearer to false positives.
    sides = resolved.filter(mission="kepler").gather_every(40)
    near = nearest(sides, resolved)
    right = [
        min(near[s]["CONFIRMED"], key=lambda n: n.distance).distance
        < min(near[s]["FALSE POSITIVE"], key=lambda n: n.distance).distance
        for s, label in sides.select("signal_id", "disposition").iter_rows()
        if label == "CONFIRMED" and near[s]["CONFIRMED"] and near[s]["FALSE POSITIVE"]
    ]
    assert sum(right) > 0.7 * len(right)


def test_dossiers_are_made_again_when_what_they_are_made_by_changes() -> None:
    folder = Path(dossier_assets.__file__).parent
    written = {p.stem for p in folder.glob("dossier*.py")} - {"dossier_markdown", "dossier_lookup", "dossier_assets"}
    counted = code_of(dossier_refresh.refresh, LibraryStore).modules
    assert {f"exo_assets.corpus.{name}" for name in written} <= set(counted)
    assert OUT_DOSSIERS.key == ("signal_id",)
