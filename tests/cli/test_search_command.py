"""`exo search`: what people and programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from indexed_corpus import DOCUMENTS
from typer.testing import CliRunner

from deployments.cli.main import app
from exo_resources.lake import Lake
from exo_resources.library_store import CURRENT
from exo_resources.settings import Settings
from tests.one_error import fails


def exo(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["search", *arguments])


def test_passages_with_their_places_and_scores_as_json(released: str) -> None:
    done = exo("Kepler-90 h", "--json", "--limit", "5")
    said = json.loads(done.stdout)
    assert done.exit_code == 0 and (said["query"], said["version"]) == ("Kepler-90 h", released)
    texts = {d.document_id: d.text for d in DOCUMENTS}
    assert {p["document_id"] for p in said["passages"]} == {"arXiv:1710.00001", "arXiv:1310.00001"}
    for passage in said["passages"]:
        assert texts[passage["document_id"]][passage["start"] : passage["end"]] == passage["passage"]
        assert set(passage["scores"]) == {"dense", "keyword", "reranked"} and passage["scores"]["reranked"] is None
        assert passage["source"] == "arxiv" and 0 < passage["score"] <= 1 and passage["names_target"]


def test_what_people_read(released: str) -> None:
    done = exo("clouds and the guide star", "--limit", "1")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and lines[0].startswith(" 1  Notes  ")
    assert lines[1].strip() == "notes.txt · page 1"
    assert lines[2].strip().startswith("Observing notes of a night with clouds.")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--source", "package"), {"exo:README.md"}),
        (("--mission", "tess"), {"arXiv:2001.00001"}),
        (("--target", "K00351.01", "--year-to", "2013"), {"arXiv:1310.00001"}),
        (("--document", "notes.txt", "--document", "exo:README.md"), {"notes.txt", "exo:README.md"}),
        (("--year-from", "2020", "--fusion", "rrf", "--every-passage"), {"arXiv:2001.00001", "arXiv:2203.00001"}),
    ],
)  # fmt: skip
def test_options_restrict_what_is_searched(released: str, options: tuple[str, ...], found: set[str]) -> None:
    done = exo("planets and signals", "--json", *options)
    assert {p["document_id"] for p in json.loads(done.stdout)["passages"]} == found


def test_nothing_found_is_no_error(released: str) -> None:
    done = exo("planets", "--mission", "k2")
    assert done.exit_code == 0 and done.stdout == "" and "no passage was found" in done.stderr
    assert json.loads(exo("planets", "--mission", "k2", "--json").stdout)["passages"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("?!",), "nothing to search for"),
        (("planets", "--fusion", "0.6"), "choose from 0.5/0.5, 0.7/0.3, rrf"),
        (("planets", "--mission", "plato"), "choose from kepler, k2, tess"),
        (("planets", "--target", "the hot one"), "is no name of a star"),
        (("planets", "--year-from", "2020", "--year-to", "2010"), "no year is from 2020 and to 2010"),
        (("planets", "--rerank"), "EXO_RERANKER"),
    ],
)
def test_what_is_asked_wrongly_is_named(released: str, arguments: tuple[str, ...], said: str) -> None:
    assert said in fails(exo(*arguments), 2)


def test_without_an_index_the_remedy_is_named(home: Path) -> None:
    said = fails(exo("planets"), 1)
    assert "no index of the corpus has been released" in said and "exo run --job corpus_refresh" in said


def test_a_damaged_index_is_named(released: str, home: Path) -> None:
    lake = Lake(Settings().lake)
    lake.put(f"corpus/index/{released}/documents.parquet", b"nothing")
    assert "is damaged" in fails(exo("planets"), 1)
    lake.put(CURRENT, json.dumps({"version": "gone", "released_at": "", "previous": None}).encode())
    assert "there is no index gone" in fails(exo("planets"), 1)


def test_a_server_that_is_not_there_is_named(released: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_QDRANT_URL", "http://127.0.0.1:9")
    assert "EXO_QDRANT_URL" in fails(exo("planets"), 1)


def test_a_cross_encoder_that_is_none_is_named(released: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXO_RERANKER", str(tmp_path))
    assert "no cross-encoder" in fails(exo("planets", "--rerank"), 1)
