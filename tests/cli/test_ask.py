"""`exo ask`: what people and programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from indexed_corpus import DOCUMENTS
from typer.testing import CliRunner

from deployments.cli.main import app
from tests.one_error import fails
from tests.openai_server import MODEL, Reply, openai_server

PERIOD = "Which period has the new planet of Kepler-90?"


def exo(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["ask", *arguments])


def test_an_answer_as_json(released: str) -> None:
    done = exo(PERIOD, "--json", "--limit", "3")
    answer = json.loads(done.stdout)
    assert done.exit_code == 0 and done.stderr == ""
    assert (answer["corpus_version"], answer["generator"], answer["declined"]) == (released, "extractive", None)
    assert "14.4 days" in answer["text"] and len(answer["sources"]) <= 3
    texts = {d.document_id: d.text for d in DOCUMENTS}
    sources = {s["number"]: s for s in answer["sources"]}
    for sentence in answer["sentences"]:
        for quote in sentence["quotes"]:
            document = texts[sources[quote["number"]]["document_id"]]
            assert document[quote["start"] : quote["end"]] == quote["text"] == sentence["text"]


def test_an_answer_as_people_read_it(released: str) -> None:
    done = exo(PERIOD)
    assert done.exit_code == 0 and done.stderr == ""
    said, sources = done.stdout.split("\n\n")
    assert "The new planet has a period of 14.4 days and is 1.3 times as large as the Earth.” [1]" in said
    assert "[1] An eighth planet" in sources and "arXiv:1710.00001 · 2017 · " in sources and "characters 0-" in sources


def test_what_the_corpus_does_not_answer_is_said_and_no_failure(released: str) -> None:
    done = exo("What is the mass of WASP-12 b?")
    assert (done.exit_code, done.stdout) == (0, "Not answered: none of the passages found names WASP-12 b.\n")
    as_json = exo("What is the mass of WASP-12 b?", "--json")
    assert (
        as_json.exit_code == 0
        and json.loads(as_json.stdout)["declined"] == "none of the passages found names WASP-12 b"
    )


def test_filters_choose_the_documents(released: str) -> None:
    answer = json.loads(exo(PERIOD, "--json", "--year-to", "2013").stdout)
    assert {s["document_id"] for s in answer["sources"]} <= {"arXiv:1310.00001", "arXiv:1102.00001"}
    assert "choose from kepler, k2, tess" in fails(exo(PERIOD, "--mission", "hubble"), 2)


def test_what_cannot_be_asked(released: str) -> None:
    assert "nothing to search for" in fails(exo("  ?"), 2)
    assert "EXO_RERANKER" in fails(exo(PERIOD, "--rerank"), 2)


def test_without_an_index_the_remedy_is_told(home: Path) -> None:
    assert "exo run --job corpus_refresh" in fails(exo(PERIOD), 1)


def test_a_models_answer_is_verified_and_shown(released: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["The new planet of Kepler-90 has a period ", "of 14.4 days [1]. ", "It is made \x1b[31mof iron [1]."]
    with openai_server(lambda _: Reply(said)) as server:
        monkeypatch.setenv("EXO_GENERATOR", "remote")
        monkeypatch.setenv("EXO_LLM_URL", server.url)
        monkeypatch.setenv("EXO_LLM_MODEL", MODEL)
        done = exo(PERIOD)
    assert done.exit_code == 0 and done.stdout.startswith(
        "The new planet of Kepler-90 has a period of 14.4 days. [1]\n"
    )
    assert "iron" not in done.stdout and "\x1b" not in done.stdout
    assert "of tiny's sentences 1 left out: no passage says so (1)" in done.stderr


def test_a_model_that_fails_shows_the_passages_and_the_failure(released: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with openai_server(lambda _: Reply(status=401, body=b"{}")) as server:
        monkeypatch.setenv("EXO_GENERATOR", "remote")
        monkeypatch.setenv("EXO_LLM_URL", server.url)
        monkeypatch.setenv("EXO_LLM_MODEL", MODEL)
        done, as_json = exo(PERIOD), exo(PERIOD, "--json")
    assert done.exit_code == 1 and "An eighth planet" in done.stdout and "14.4" not in done.stdout
    assert "EXO_LLM_API_KEY" in done.stderr and "EXO_GENERATOR=extractive" in done.stderr
    assert as_json.exit_code == 1 and json.loads(as_json.stdout)["error"]["reason"] == "refused"


def test_a_local_model_without_its_file_is_told(released: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_GENERATOR", "local")
    assert "EXO_LLM_MODEL" in fails(exo(PERIOD), 2)
