"""The corpus's assets on a real lake: sources to passages, only what changed made again, what checks say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from deployments.resources import build_resources
from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, CORE_SIGNALS, CORE_STARS
from exo_assets.corpus import chunking
from exo_assets.corpus.assets import ASSETS
from exo_assets.corpus.checks import CHECKS, OLDEST_DAYS, _freshness
from exo_assets.corpus.chunking import chunked, chunking_digest, tokenizer_files
from exo_assets.corpus.chunks import ChunkSettings
from exo_assets.corpus.contracts import CORPUS_CHUNKS, CORPUS_DOCUMENTS, CORPUS_QUARANTINE
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.tokens import plain_tokens
from exo_resources.document_folder import DocumentFolder
from exo_resources.lake import Lake
from exo_resources.settings import Settings
from tests.corpus.pdf_files import pdf_of
from tests.resources.test_arxiv_source import row
from tests.resources.test_document_folder import write


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    (folder / "corpus").mkdir(parents=True)
    rows = [row(i, title=f"Kepler-{90 + i} and TESS") for i in range(3)]
    pl.DataFrame(rows).write_parquet(folder / "corpus" / "abstracts.parquet")
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    signals = pl.DataFrame(
        {
            "signal_id": ["K00351.01"],
            "mission": ["kepler"],
            "mission_star_id": ["KIC 11442793"],
            "star_id": ["KIC 11442793"],
            "kic_id": [11442793],
            "planet_name": ["Kepler-90 h"],
        }
    )
    made.write(CORE_SIGNALS.name, CORE_SIGNALS.conform(signals))
    made.write(CORE_STARS.name, CORE_STARS.conform(signals.select("star_id", "kic_id")))
    made.write(CORE_PLANET_IDENTITY.name, CORE_PLANET_IDENTITY.empty())
    return made


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(tmp_path: Path, lake: Lake, mirror: Path) -> Run:
    def made(**settings: Any) -> dg.ExecuteInProcessResult:
        given = {"archive": "mirror", "archive_mirror": str(mirror), "lake_url": lake.root, "home": tmp_path}
        resources = build_resources(Settings(**(given | settings)))
        resources["documents"] = dg.ResourceDefinition.hardcoded_resource(_folder(tmp_path))
        return dg.materialize([*ASSETS, *CHECKS], resources=resources, raise_on_error=False)

    return made


def _folder(tmp_path: Path) -> DocumentFolder:
    return DocumentFolder(str(tmp_path / "documents"))


def _made_anew(result: dg.ExecuteInProcessResult) -> set[str]:
    assert result.success
    events = {a.op.name: result.asset_materializations_for_node(a.op.name)[0].metadata for a in ASSETS}
    return {name for name, metadata in events.items() if metadata["recomputed"].value}


def _cut(result: dg.ExecuteInProcessResult) -> Any:
    return result.asset_materializations_for_node("corpus_chunks")[0].metadata["documents_cut_anew"].value


def _warnings(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {e.check_name: e.description or "" for e in result.get_asset_check_evaluations() if not e.passed}


ALWAYS = {"raw_arxiv__abstracts", "raw_documents__files"}


def test_sources_become_documents_and_passages(tmp_path: Path, lake: Lake, run: Run) -> None:
    folder = _folder(tmp_path)
    write(folder, "note.md", "# On Kepler-90\n\nKOI-351 is the same star, and Kepler-90000 is not.")
    write(folder, "sub/paper.pdf", pdf_of(["A page on TOI-700 d.", "Another page."]))
    write(folder, "cut.pdf", b"%PDF-1.4")
    first = run()
    assert _made_anew(first) == {a.op.name for a in ASSETS}
    documents = CORPUS_DOCUMENTS.check(lake.read("corpus_documents"))
    assert set(documents["source"]) == {"arxiv", "archive_columns", "package", "file"}
    found = {d: (m, t) for d, m, t in documents.select("document_id", "mission", "targets").iter_rows()}
    assert found["note.md"] == ("kepler", ["KIC 11442793"])
    assert found["paper.pdf"] == ("tess", ["toi700"])
    assert found["arXiv:2601.00001"] == ("tess", ["kepler91"])
    assert documents.filter(pl.col("document_id") == "arXiv:2601.00001")["year"].item() == 2026
    assert documents["targets"].null_count() == 0
    quarantine = CORPUS_QUARANTINE.check(lake.read("corpus_quarantine"))
    assert quarantine.select("document", "reason").rows() == [("cut.pdf", "broken")]
    chunks = CORPUS_CHUNKS.check(lake.read("corpus_chunks"))
    assert set(chunks["document_id"]) == set(documents["document_id"])
    assert chunks.filter(pl.col("document_id") == "paper.pdf")["page"].to_list() == [1]
    assert _warnings(first).keys() == {"abstracts_are_fresh"}

    versions = {a.op.name: lake.version(a.op.name) for a in ASSETS}
    assert _made_anew(run()) == ALWAYS
    assert {a.op.name: lake.version(a.op.name) for a in ASSETS} == versions

    (folder.root / "note.md").unlink()
    write(folder, "new.txt", "Kepler-90 h is a planet of eight.")
    changed = run()
    assert _made_anew(changed) == {"corpus_documents", "corpus_chunks", "corpus_quarantine", *ALWAYS}
    assert _cut(changed) == 1
    after = lake.read("corpus_chunks")
    assert "note.md" not in set(after["document_id"]) and "new.txt" in set(after["document_id"])
    assert after.filter(pl.col("document_id") == "paper.pdf").equals(
        chunks.filter(pl.col("document_id") == "paper.pdf")
    )
    assert _cut(run(chunk_tokens=64, chunk_overlap=8)) == lake.read("corpus_documents").height
    assert lake.read("corpus_chunks")["n_tokens"].max() == 64


def test_a_new_name_in_the_catalogue_finds_old_documents(tmp_path: Path, lake: Lake, run: Run) -> None:
    run()
    known = lake.read(CORE_SIGNALS.name)
    added = known.with_columns(planet_name=pl.lit("Kepler-91 b"))
    lake.write(CORE_SIGNALS.name, added)
    assert "corpus_documents" in _made_anew(again := run())
    documents = lake.read("corpus_documents")
    assert documents.filter(pl.col("document_id") == "arXiv:2601.00001")["targets"].to_list() == [["KIC 11442793"]]
    assert _cut(again) == 0


def test_the_packages_own_documents_are_part_of_what_the_table_is_made_from(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr(
        "exo_assets.corpus.own_documents.own_documents",
        lambda: [Document("exo:new.md", "package", "markdown", "New", "A new text of the package.")],
    )
    assert {"corpus_documents", "corpus_chunks"} <= _made_anew(run())


def test_outages_fail_nothing_and_are_said(tmp_path: Path, lake: Lake, mirror: Path, run: Run) -> None:
    folder = _folder(tmp_path)
    for name in "abcd":
        write(folder, f"{name}.pdf", b"%PDF-1.4 cut")
    write(folder, "good.txt", "Kepler-90 h")
    warned = _warnings(run())
    assert warned["quarantine_share"] == "80.0% of raw_documents__files are quarantined"
    shutil.rmtree(mirror)
    folder.root.rename(tmp_path / "unmounted")
    result = run()
    assert result.success and lake.read("raw_arxiv__abstracts").height == 3
    assert lake.read("raw_documents__files").height == 5
    warned = _warnings(result)
    assert warned["abstracts_are_fresh"].startswith("the abstracts of last time were kept")
    assert "is not there any more" in warned["folder_is_reachable"]


def test_without_any_source_the_package_speaks_for_itself(lake: Lake, run: Run) -> None:
    result = run(archive="snapshot", archive_mirror=None)
    assert result.success and set(lake.read("corpus_documents")["source"]) == {"archive_columns", "package"}
    assert "ship" in _warnings(result)["abstracts_are_fresh"]


def test_freshness_of_abstracts() -> None:
    from datetime import date, timedelta

    today = date(2026, 3, 18)
    young = {"source": "live", "as_of": (today - timedelta(days=OLDEST_DAYS)).isoformat()}
    assert _freshness(young, today)[0]
    assert not _freshness({**young, "as_of": "2026-03-01"}, today)[0]
    assert not _freshness({**young, "reason": "live: 2 of 4 spans came"}, today)[0]
    assert not _freshness({"source": "live", "as_of": ""}, today)[0]
    assert not _freshness({}, today)[0]


def test_passages_of_the_same_documents_are_not_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Document(n, "file", "text", n, f"The text of {n}. It has two sentences.") for n in ("a.txt", "b.txt"))
    sizes = ChunkSettings(8, 2)
    whole, cut = chunked(documents_table([one, two]), plain_tokens, sizes)
    assert cut == 2
    asked = list[str]()

    def counting(text: str) -> list[tuple[int, int]]:
        asked.append(text)
        return plain_tokens(text)

    longer = Document("b.txt", "file", "text", "b.txt", "Another text altogether.")
    again, cut = chunked(documents_table([one, longer]), counting, sizes, whole)
    assert (cut, asked) == (1, [longer.text])
    assert again.equals(chunked(documents_table([one, longer]), plain_tokens, sizes)[0])
    renamed = Document("a.txt", "file", "text", "Another title", one.text)  # the same passages, of another digest
    same, cut = chunked(documents_table([renamed, two]), plain_tokens, sizes, whole)
    assert cut == 1 and same["chunk_id"].to_list() == whole["chunk_id"].to_list()


def test_what_passages_depend_on(tmp_path: Path) -> None:
    packaged = tokenizer_files(None)
    other = tmp_path / "tokenizer.json"
    other.write_text("{}")
    digests = {
        chunking_digest(ChunkSettings(), packaged),
        chunking_digest(ChunkSettings(256), packaged),
        chunking_digest(ChunkSettings(512, 0), packaged),
        chunking_digest(ChunkSettings(), tokenizer_files(tmp_path)),
        chunking_digest(ChunkSettings(), tokenizer_files(tmp_path / "nowhere")),
    }
    assert len(digests) == 5
    offsets = chunking.offsets_of(packaged)
    assert offsets("Kepler-90 h")[0] == (0, 6)
