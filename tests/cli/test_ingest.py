"""`exo ingest`: files into the watched folder, what is refused, what is listed, and the run that follows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deployments.cli.main import app
from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, CORE_SIGNALS, CORE_STARS
from exo_resources.lake import Lake
from tests.corpus.pdf_files import encrypted_pdf, pdf_of


def exo(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EXO_ARCHIVE", "snapshot")
    return tmp_path / "home"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "more").mkdir(parents=True)
    (folder / "note.md").write_text("# Kepler-90\n\nEight planets.")
    (folder / "more" / "paper.pdf").write_bytes(pdf_of(["TOI-700 d is a planet."]))
    (folder / ".hidden.txt").write_text("x")
    (folder / "half.pdf.part").write_text("x")
    return folder


def outcomes(done: Result) -> dict[str, str]:
    return {d["document_id"]: d["outcome"] for d in json.loads(done.stdout)["documents"]}


def test_files_and_folders_are_copied_replaced_and_left(home: Path, papers: Path) -> None:
    done = exo("ingest", str(papers), "--no-run", "--json")
    assert done.exit_code == 0, done.stderr
    assert outcomes(done) == {"note.md": "added", "paper.pdf": "added"}
    assert json.loads(done.stdout)["run"] is None
    assert sorted(p.name for p in (home / "documents").iterdir()) == ["note.md", "paper.pdf"]
    (papers / "note.md").write_text("# Kepler-90\n\nNine planets.")
    done = exo("ingest", str(papers / "note.md"), str(papers / "more"), "--no-run")
    assert done.exit_code == 0 and done.stdout.split("\n")[:2] == ["note.md: replaced", "paper.pdf: unchanged"]
    assert (home / "documents" / "note.md").read_text().endswith("Nine planets.")


def test_a_document_in_a_subfolder_is_replaced_there(home: Path, papers: Path) -> None:
    place = home / "documents" / "library"
    place.mkdir(parents=True)
    (place / "note.md").write_text("# Old")
    assert outcomes(exo("ingest", str(papers / "note.md"), "--no-run", "--json")) == {"note.md": "replaced"}
    assert "Eight" in (place / "note.md").read_text() and not (home / "documents" / "note.md").exists()


def test_what_could_never_be_read_is_refused_and_the_others_go_on(home: Path, papers: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "table.csv").write_text("a,b")
    (bad / "empty.txt").write_text("")
    (bad / "latin.txt").write_bytes(b"caf\xe9")
    (bad / "arXiv:2503.17117").write_text("mine")
    (bad / "note.md").write_text("# Another note")
    with (bad / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    done = exo("ingest", str(papers), str(bad), str(tmp_path / "no.pdf"), "--no-run", "--json")
    assert done.exit_code == 1
    found = {
        Path(d["file"]).name: d["reason"] for d in json.loads(done.stdout)["documents"] if d["outcome"] == "refused"
    }
    assert found == {
        "table.csv": "unknown_format",
        "empty.txt": "empty",
        "latin.txt": "encoding",
        "arXiv:2503.17117": "bad_name",
        "note.md": "duplicate_name",
        "huge.txt": "too_large",
        "no.pdf": "unreadable",
    }
    assert sorted(p.name for p in (home / "documents").iterdir()) == ["note.md", "paper.pdf"]
    hidden = exo("ingest", str(papers / ".hidden.txt"), "--no-run")
    assert hidden.exit_code == 1 and "hidden or unfinished" in hidden.stderr


def test_what_is_no_file_is_refused_and_not_waited_for(home: Path, papers: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    os.mkfifo(papers / "pipe.md")
    (papers / "zero.txt").symlink_to("/dev/zero")
    (papers / "gone.pdf").symlink_to("nowhere")
    (papers / "secret.txt").symlink_to("/etc/passwd")
    long, endless = "n" * 300 + ".txt", Path("/proc/self/maps")  # a file that says it has no bytes
    done = exo("ingest", *map(str, (papers, tmp_path / "pipe.txt", "/dev/zero", long, endless)), "--no-run", "--json")
    assert done.exit_code == 1 and done.stderr == ""
    found = {d["document_id"]: d["reason"] for d in json.loads(done.stdout)["documents"] if d["outcome"] == "refused"}
    assert found == {
        "pipe.md": "not_a_file",
        "pipe.txt": "not_a_file",
        "zero.txt": "not_a_file",
        "zero": "not_a_file",
        "gone.pdf": "not_a_file",
        "secret.txt": "leads_out",
        long: "unreadable",
        "maps": "unknown_format",
    }
    assert sorted(p.name for p in (home / "documents").iterdir()) == ["note.md", "paper.pdf"]
    (tmp_path / "named.txt").symlink_to(papers / "note.md")  # who names a link means what it leads to
    assert outcomes(exo("ingest", str(tmp_path / "named.txt"), "--no-run", "--json")) == {"named.txt": "added"}


def test_an_empty_path_is_not_this_folder(home: Path, papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(papers)
    done = exo("ingest", "", "--no-run")
    assert done.exit_code == 2 and done.stderr.startswith("exo: a path is empty") and not (home / "documents").exists()
    assert outcomes(exo("ingest", ".", "--no-run", "--json")) == {"note.md": "added", "paper.pdf": "added"}


def test_names_that_are_no_text_are_escaped(home: Path, papers: Path) -> None:
    raw = os.fsdecode(b"\xff.md")
    (papers / raw).write_text("# Raw")
    done = exo("ingest", str(papers), "--no-run", "--json")
    assert done.exit_code == 1
    assert outcomes(done) == {"note.md": "added", "paper.pdf": "added", "\\udcff.md": "refused"}
    (home / "documents" / raw).write_text("# Raw")
    os.mkfifo(home / "documents" / "pipe.md")
    listed = {d["path"]: d["status"] for d in json.loads(exo("ingest", "--list", "--json").stdout)}
    assert listed == dict.fromkeys(("note.md", "paper.pdf", "\\udcff.md"), "waiting") | {"pipe.md": "quarantined"}
    missing = exo("ingest", "--remove", os.fsdecode(b"\xfe.md"))
    assert missing.exit_code == 2 and "there is no document \\udcfe.md" in missing.stderr
    done = exo("ingest", "--remove", "\\udcff.md", "--no-run", "--json")
    assert outcomes(done) == {"\\udcff.md": "removed"} and not (home / "documents" / raw).exists()


def test_documents_are_taken_away_by_name(home: Path, papers: Path) -> None:
    exo("ingest", str(papers), "--no-run")
    missing = exo("ingest", "--remove", "note.md", "--remove", "other.md", "--no-run")
    assert missing.exit_code == 2 and "other.md" in missing.stderr and (home / "documents" / "note.md").exists()
    done = exo("ingest", "--remove", "note.md", "--no-run", "--json")
    assert outcomes(done) == {"note.md": "removed"}
    assert [p.name for p in (home / "documents").iterdir()] == ["paper.pdf"]


@pytest.mark.parametrize("wrong", [(), ("--list", "--remove", "a.md"), ("--list", "a.md")])
def test_usage(wrong: tuple[str, ...]) -> None:
    done = exo("ingest", *wrong)
    assert done.exit_code == 2 and "--remove NAME, or --list" in done.stderr


def test_without_a_catalogue_the_documents_wait_for_the_first_run(papers: Path) -> None:
    done = exo("ingest", str(papers / "note.md"))
    assert done.exit_code == 0 and "first `exo run` takes the documents in" in done.stderr
    listed = json.loads(exo("ingest", "--list", "--json").stdout)
    assert [(d["document_id"], d["status"]) for d in listed] == [("note.md", "waiting")]


def test_a_bucket_that_cannot_be_reached_is_one_line(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_DOCUMENTS", "s3://nowhere/x?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    done = exo("ingest", str(papers / "note.md"), "--no-run")
    assert done.exit_code == 2 and done.stderr.startswith("exo: the documents at s3://nowhere/x cannot be reached")


def test_the_corpus_takes_them_in(home: Path, papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(home / "lake"))
    for contract in (CORE_SIGNALS, CORE_STARS, CORE_PLANET_IDENTITY):
        lake.write(contract.name, contract.empty())
    # The run itself, of the sources alone: what is made of them afterwards has tests of its own.
    (papers / "locked.pdf").write_bytes(encrypted_pdf())
    made = _only_sources(monkeypatch)
    done = exo("ingest", str(papers), "--json")
    assert made == ["corpus_refresh"], done.stderr
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["run"]["success"] and said["run"]["job"] == "corpus_refresh"
    assert outcomes(done) == {"locked.pdf": "refused", "note.md": "added", "paper.pdf": "added"}
    assert {"paper.pdf", "note.md"} <= set(lake.read("corpus_documents")["document_id"])
    listed = exo("ingest", "--list").stdout
    assert "quarantined: locked.pdf: needs a password" in listed and "note.md" in listed
    unchanged = exo("ingest", str(papers / "note.md"))
    assert unchanged.exit_code == 0 and made == ["corpus_refresh"]  # nothing new: no run


def _only_sources(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has runs stop after the sources, and records them."""
    import dagster as dg

    from exo_assets.corpus import assets

    asked = list[str]()

    def job_definition(defs: dg.Definitions, name: str) -> Any:
        asked.append(name)
        wanted = dg.AssetSelection.assets(*(a.key for a in assets.ASSETS))
        job = dg.define_asset_job(name, wanted, executor_def=dg.in_process_executor)
        own = dg.Definitions(assets=assets.ASSETS, resources=defs.resources, jobs=[job])
        return own.resolve_job_def(name)

    monkeypatch.setattr("deployments.cli.session.job_definition", job_definition)
    return asked


def test_a_run_in_progress_keeps_the_documents_and_says_so(home: Path, papers: Path) -> None:
    lake = Lake(str(home / "lake"))
    lake.write(CORE_SIGNALS.name, CORE_SIGNALS.empty())
    from deployments.cli.execute import alone
    from exo_resources.settings import Settings

    with alone(Settings(home=home)):
        done = exo("ingest", str(papers / "note.md"))
    assert done.exit_code == 1 and "a run is in progress" in done.stderr and "next run takes them in" in done.stderr
    assert (home / "documents" / "note.md").exists()
