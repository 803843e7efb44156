"""Objects are answered from the release that is live, whichever door asks."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from release_of_objects import SIGNALS, frames, published
from small_library import document, small_library
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.serve.corpus_answerer import corpus_answerer
from exo_assets.corpus.library import Filters
from exo_resources.release_objects import LOOKED_AT_EVERY_S, ReleaseObjects, release_objects
from exo_resources.releases import ReleaseStore
from exo_resources.settings import Settings

PERIOD = "What is the period of KOI-351.01?"


def said(objects: ReleaseObjects, question: str = PERIOD) -> str | None:
    told = objects.told(question)
    return " ".join(s.text for s in told.sentences) if told else None


def test_the_live_release_is_read_and_the_next_one_is_seen(tmp_path: Path) -> None:
    now = [0.0]
    objects = ReleaseObjects(ReleaseStore(tmp_path), lambda: now[0])
    assert (objects.version, said(objects)) == ("", None)
    first = published(tmp_path)
    now[0] += LOOKED_AT_EVERY_S + 1
    assert objects.version == first.id
    assert "331.600815 days" in str(said(objects))
    told = objects.told(PERIOD)
    assert told is not None and {row.release for s in told.sentences for row, _ in s.rests_on} == {first.id}
    moved = [s if s["signal_id"] != "K00351.01" else {**s, "period_days": 331.7} for s in SIGNALS]
    second = published(tmp_path, frames(moved), "d2")
    assert "331.600815 days" in str(said(objects))
    now[0] += LOOKED_AT_EVERY_S + 1
    assert objects.version == second.id and "331.7 days" in str(said(objects))


def test_a_release_without_some_tables_tells_what_it_has(tmp_path: Path) -> None:
    some = {
        name: frame
        for name, frame in frames().items()
        if name in ("core_signals", "core_stars", "core_planet_identity")
    }
    published(tmp_path, some)
    objects = ReleaseObjects(ReleaseStore(tmp_path))
    assert said(objects, "Is K00841.03 a planet?") == (
        "K00841.03 (Kepler-27 d) is a confirmed planet; the archive's table cumulative of 2025-09-29 lists it as "
        "CONFIRMED."
    )
    assert (objects.told("mass of bet Pic b") or pl).declined == "no table of the release has bet Pic b"  # type: ignore[union-attr]


def test_a_damaged_release_leaves_questions_to_the_corpus(tmp_path: Path) -> None:
    release = published(tmp_path)
    release.database.chmod(0o644)
    release.database.write_bytes(b"no database")
    assert said(ReleaseObjects(ReleaseStore(tmp_path, lock_timeout_s=0.1))) is None


def test_the_command_and_the_endpoint_give_the_same_answer(released: str, home: Path) -> None:
    published(Settings().releases)
    answerer = corpus_answerer(Settings(), "test")
    assert release_objects(Settings()).version in answerer.name
    library = small_library([document("paper.md", "Kepler-90 hosts eight planets.")], version=released)
    for question in (PERIOD, "Is Kepler-27 d a planet?", "Which candidates of TOI-700?", "mass of β Pictoris b"):
        done = CliRunner().invoke(app, ["ask", question, "--json"])
        assert done.exit_code == 0, done.stderr
        events = list(answerer.events(question, [], Filters(), library, lambda: False))
        assert [name for name, _ in events][-1] == "done"
        assert json.loads(done.stdout) == json.loads(json.dumps(events[-1][1]))
        streamed = [content["sentence"] for name, content in events if name == "sentence"]
        assert streamed == list(events[-1][1]["sentences"])
    shown = CliRunner().invoke(app, ["ask", PERIOD])
    assert "The orbital period of K00351.01 (Kepler-90 h) is 331.600815 days. [1]" in shown.stdout
    assert "signal_id = 'K00351.01'" in shown.stdout and "Table core_signals, K00351.01, of 2025-09-29" in shown.stdout
    unknown = CliRunner().invoke(app, ["ask", "mass of Fomalhaut b"])
    assert (unknown.exit_code, unknown.stdout) == (0, "Not answered: no table of the release has Fomalhaut b.\n")
