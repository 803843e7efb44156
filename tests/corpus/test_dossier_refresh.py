"""The table of dossiers: whole, cited, and made again only where something changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from dossier_tables import CANDIDATES, VARIES, catalogue, tables, with_found
from indexed_corpus import DOCUMENTS, content, embedder
from polars.testing import assert_frame_equal

from exo_assets.corpus import dossier_refresh
from exo_assets.corpus.document import Document
from exo_assets.corpus.dossier import NO_INDEX, NO_LITERATURE, NOBODY_NAMES_IT
from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
from exo_assets.corpus.dossier_markdown import as_markdown
from exo_assets.corpus.dossier_passages import QUOTED, Literature, PassageSettings
from exo_assets.corpus.dossier_refresh import Refreshed, Tables, refresh
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import Library, SearchRequest
from exo_assets.lightcurves.flags import OTHER_PERIODS
from exo_resources.passage_store import EmbeddedStore

TEXTS = {d.document_id: d.text for d in DOCUMENTS}


def library(documents: tuple[Document, ...] = DOCUMENTS, version: str = "v1") -> Library:
    parts = content(documents)
    keywords = KeywordIndex.build(parts.chunks["text"].to_list())
    return Library(
        {"version": version},
        chunks=parts.chunks,
        documents=parts.documents.drop("text"),
        aliases=parts.aliases,
        store=EmbeddedStore(parts.vectors, keywords),
        words=keywords,
        embed=embedder().embed,
    )


class Counted(Library):
    """A library that counts its searches and may fail some."""

    searches: int
    failing: str

    @classmethod
    def of(cls, other: Library, failing: str = "") -> Counted:
        made = cls.__new__(cls)
        made.__dict__.update(other.__dict__)
        made.searches, made.failing = 0, failing
        return made

    def search(self, query: str, *how: SearchRequest) -> Any:  # type: ignore[override]
        self.searches += 1
        if self.failing and self.failing in query:
            raise RuntimeError("the index is gone")
        return super().search(query, *how)


def made(
    lib: Library | None, of: Tables | None = None, before: Refreshed | None = None, now: str = "first", **more: Any
) -> Refreshed:
    literature = Literature(lib, PassageSettings(least_cosine=0.2)) if lib else None
    return refresh(of or tables(), before.frame if before else None, literature, code="c", now=now, threads=2, **more)


def dossiers(of: Refreshed) -> dict[str, dict[str, Any]]:
    OUT_DOSSIERS.check(of.frame)
    return {row["signal_id"]: json.loads(row["dossier"]) for row in of.frame.iter_rows(named=True)}


def test_every_candidate_has_a_dossier_in_the_order_of_ranks() -> None:
    done = made(library(), tables(probabilities={"K09001.01": 0.9, "TOI-700.05": 0.7, "K00351.09": 0.6}))
    assert done.frame["signal_id"].to_list() == ["K09001.01", "TOI-700.05", "K00351.09"]
    assert done.frame["rank"].to_list() == [1, 2, 3]
    assert (done.made, done.searched, done.failed) == (3, 3, 0)
    first = dossiers(done)["K00351.09"]
    assert first["title"] == "K00351.09 on KIC 11442793"
    assert {"Kepler-90", "KIC 11442793"} <= set(first["other_names"]["star"])
    assert first["verdict"]["probability_planet"] == 0.6
    assert first["diagnostics"]["notable"][0]["column"] == "odd_even_sigma"
    for label in ("confirmed", "false_positives"):
        near = first["neighbours"][label]
        assert len(near) == 5 and [n["distance"] for n in near] == sorted(n["distance"] for n in near)
    assert "K00351.01" not in {n["signal_id"] for n in first["neighbours"]["confirmed"]}, "a planet of the same star"
    assert first["neighbours"]["confirmed"][0]["planet_name"].startswith("Kepler-")


def test_passages_name_the_star_or_are_marked_as_being_on_its_like() -> None:
    found = dossiers(made(library()))
    on_star = found["K00351.09"]["passages"]
    assert {p["document_id"] for p in on_star} == {"arXiv:1710.00001", "arXiv:1310.00001"}
    assert [p["year"] for p in on_star] == [2017, 2013]
    assert all(p["about_star"] for p in on_star) and on_star[0]["names"] == ["Kepler-90"]
    assert found["K00351.09"]["search_phrase"] is None and NOBODY_NAMES_IT not in found["K00351.09"]["unknown"]
    like = found["K09001.01"]
    assert like["passages"] and not any(p["about_star"] for p in like["passages"])
    assert NOBODY_NAMES_IT in like["unknown"]
    assert like["search_phrase"].startswith("ultra-short-period eclipsing binary")
    assert "arXiv:1801.00001" in {p["document_id"] for p in like["passages"]}, "what is said of eclipsing binaries"
    assert {p["source"] for p in like["passages"]} <= {"arxiv", "file"}


def test_quotations_are_word_for_word_and_whole_sentences() -> None:
    long = (
        "A sentence of no use stands here. " * 60 + "At last the star KIC 11442793 is named. " + "More follows. " * 60
    )
    paper = Document("arXiv:9999.1", "arxiv", "abstract", "A long one", long)
    quoted = [p for d in dossiers(made(library((*DOCUMENTS, paper)))).values() for p in d["passages"]]
    assert any(p["document_id"] == "arXiv:9999.1" for p in quoted)
    for p in quoted:
        text = (TEXTS | {"arXiv:9999.1": long})[p["document_id"]]
        assert p["text"] == text[p["start"] : p["end"]] and len(p["text"]) <= QUOTED
        assert p["start"] == 0 or text[p["start"] - 1] in " \n"
        assert not p["about_star"] or all(name in p["text"] for name in p["names"])
    assert "At last the star KIC 11442793 is named." in next(
        p["text"] for p in quoted if p["document_id"] == "arXiv:9999.1"
    )


def test_a_signal_that_is_named_comes_before_its_star_and_own_texts_are_no_literature() -> None:
    old = Document("old.txt", "file", "text", "Old", "We validate the candidate KOI-351.09 with speckle imaging.")
    own = Document("exo:README.md", "package", "markdown", "Exo", "Try exo dossier KOI-351.09 and see.")
    passages = dossiers(made(library((*DOCUMENTS[:2], old, own))))["K00351.09"]["passages"]
    assert [p["document_id"] for p in passages] == ["old.txt", "arXiv:1710.00001", "arXiv:1310.00001"]
    assert passages[0]["names"] == ["KOI-351.09"]


def test_without_an_index_or_literature_dossiers_say_so() -> None:
    none = made(None)
    assert none.frame["corpus_version"].null_count() == 3 and none.searched == 0
    assert all(d["unknown"][-1] == NO_INDEX and not d["passages"] for d in dossiers(none).values())
    vetting = Document(
        "exo:exo_assets/corpus/vetting.md",
        "package",
        "markdown",
        "Vetting",
        "# Vetting\n\nAn eclipsing binary is too large for a planet and transits with a short period.",
    )
    own = made(library((*(d for d in DOCUMENTS if d.source == "archive_columns"), vetting)))
    said = dossiers(own)["K09001.01"]
    assert NO_LITERATURE in said["unknown"] and [p["source"] for p in said["passages"]] == ["package"]
    assert own.frame["n_about_star"].sum() == 0


# -- only what changed -----------------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Signals whose dossiers are made from now on."""
    calls: list[str] = []
    real = dossier_refresh.dossier

    def noted(inputs: Any) -> Any:
        calls.append(inputs.signal["signal_id"])
        return real(inputs)

    monkeypatch.setattr(dossier_refresh, "dossier", noted)
    return calls


def test_nothing_changed_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Counted.of(library())
    first = made(lib)
    calls = counted(monkeypatch)
    lib.searches = 0
    again = made(lib, before=first, now="later")
    assert calls == [] and lib.searches == 0 and (again.made, again.searched) == (0, 0)
    assert_frame_equal(again.frame, first.frame)


def test_a_new_probability_makes_one_dossier_and_moves_the_ranks_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Counted.of(library())
    first = made(lib)
    calls = counted(monkeypatch)
    lib.searches = 0
    again = made(lib, tables(probabilities={"TOI-700.05": 0.9}), first, "later")
    assert calls == ["TOI-700.05"] and lib.searches == 0
    assert again.frame["signal_id"][0] == "TOI-700.05" and again.frame["rank"].to_list() == [1, 2, 3]
    assert dict(again.frame.select("signal_id", "made_at").iter_rows()) == {
        "TOI-700.05": "later",
        "K00351.09": "first",
        "K09001.01": "first",
    }


def test_facts_that_change_the_search_search_again_for_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Counted.of(library())
    first = made(lib)
    calls = counted(monkeypatch)
    lib.searches = 0
    rows = [r | {"period_days": 300.0} if r["signal_id"] == "K09001.01" else r for r in catalogue()]
    again = made(lib, tables(rows), first, "later")
    assert calls == ["K09001.01"] and lib.searches == 1 and again.searched == 1


def test_a_new_corpus_is_searched_and_changes_only_dossiers_of_which_it_says_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = made(library())
    calls = counted(monkeypatch)
    paper = Document("arXiv:2606.1", "arxiv", "abstract", "TOI-700 again", "New masses of the planets of TOI-700.")
    lib = Counted.of(library((*DOCUMENTS, paper), "v2"))
    again = made(lib, before=first, now="later")
    assert again.searched == 3 and lib.searches == 1, "one star is not named, the others need no search"
    assert "TOI-700.05" in calls and "K00351.09" not in calls
    assert again.frame["corpus_version"].to_list() == ["v2"] * 3
    kept = again.frame.filter(signal_id="K00351.09")
    assert kept["made_at"][0] == "first"
    assert again.frame.filter(signal_id="TOI-700.05")["n_about_star"][0] == 2


def test_a_new_planet_changes_the_dossiers_that_it_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(None)
    calls = counted(monkeypatch)
    row = catalogue()[0]
    twin = row | {"signal_id": "K05555.01", "star_id": "KIC 5", "mission_star_id": "KIC 5", "kic_id": 5}
    again = made(None, tables([*catalogue(), twin | {"disposition": "CONFIRMED"}]), first, "later")
    assert "K00351.09" in calls
    assert dossiers(again)["K00351.09"]["neighbours"]["confirmed"][0]["signal_id"] == "K05555.01"


def test_other_code_makes_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(None)
    calls = counted(monkeypatch)
    again = refresh(tables(), first.frame, None, code="other", now="later")
    assert len(calls) == 3 == again.made
    broken = refresh(tables(), first.frame.drop("title"), None, code="c", now="later")
    assert broken.made == 3, "a table of another contract is not taken over"


# -- failures --------------------------------------------------------------------------------------------------------


def test_one_that_fails_is_a_row_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Counted.of(library(), failing="ultra-short")
    first = made(lib)
    assert first.failed == 1
    row = first.frame.row(by_predicate=pl.col("signal_id") == "K09001.01", named=True)
    assert row["reason"] == "RuntimeError: the index is gone" and row["dossier"] is None
    assert (row["title"], row["input_digest"], row["search_digest"]) == ("K09001.01", None, None)
    OUT_DOSSIERS.check(first.frame)
    again = made(lib, before=first, now="later")
    assert_frame_equal(again.frame, first.frame)
    lib.failing = ""
    healed = made(lib, before=first, now="later")
    assert healed.failed == 0 and healed.made == 1
    assert healed.frame["made_at"].to_list().count("later") == 1


def test_a_candidate_without_a_score_is_a_row_with_the_reason() -> None:
    of = tables()
    done = made(None, replace(of, out_scores=of.out_scores.filter(pl.col("signal_id") != "TOI-700.05")))
    assert done.failed == 1 and done.frame.drop_nulls("reason")["signal_id"].to_list() == ["TOI-700.05"]


def test_what_only_the_search_found_has_a_dossier_too() -> None:
    done = made(library(), with_found(tables()))
    assert done.failed == 0 and done.frame.select("signal_id", "rank", "ranked_in").rows()[3:] == [
        ("KIC 11442793-02", 2, "mart_found_signals"),
        ("KIC 5-01", 3, "mart_found_signals"),
    ]
    on_known, on_unknown = (dossiers(done)[name] for name in ("KIC 11442793-02", "KIC 5-01"))
    assert on_known["star_id"] == "KIC 11442793" and "Kepler-90" in on_known["other_names"]["star"]
    assert all(p["about_star"] for p in on_known["passages"]) and len(on_known["passages"]) == 2
    assert on_known["verdict"]["probability_planet"] == 0.8
    assert on_known["description"].startswith("A signal that Exo's search found in Kepler data")
    assert "beside 2 other signals of the star" in on_known["description"], "the planet and the candidate"
    facts = {fact["column"]: fact for fact in on_known["facts"]}
    assert facts["period_days"]["value"] == 14.4 and facts["star_radius_sun"]["value"] == 0.8
    assert {fact["archive_column"] for fact in on_known["facts"]} == {None}
    near = [n["signal_id"] for n in on_known["neighbours"]["confirmed"]]
    assert len(near) == 5 and "K00351.01" not in near, "never the star's own planet"
    assert on_unknown["star_id"] == "KIC 5" and on_unknown["catalogue"]["table"] == "core_found_signals"
    assert on_known["as_found"] == {
        "tce_id": "KIC 11442793-02",
        "flags": [VARIES, OTHER_PERIODS],
        "period_alternatives_days": [7.2, 28.8],
    }
    shown = as_markdown(on_known)
    assert f"found it as KIC 11442793-02. To be known of that:\n\n- {VARIES}\n- {OTHER_PERIODS} (7.2, 28.8 d)" in shown
    also = dossiers(done)["K00351.09"]["as_found"]
    assert also == {"tce_id": "KIC 11442793-01", "flags": [], "period_alternatives_days": []}, (
        "the catalogue has it too"
    )
    assert "To be known" not in as_markdown({k: v for k, v in on_known.items() if k != "as_found"}), (
        "of before there were"
    )
    unseen = dossiers(done)["K09001.01"]
    assert unseen["as_found"] is None and "search found it" not in as_markdown(unseen)
    text = as_markdown(on_unknown, rank=3, of=2)
    assert "no catalogue has the signal" in text and "among the signals that the search found" in text
    assert made(None, with_found(tables()), made(None, with_found(tables()))).made == 0


def test_no_candidates_no_rows() -> None:
    of = tables()
    done = made(library(), replace(of, mart_candidates=of.mart_candidates.head(0)))
    assert done.frame.is_empty() and OUT_DOSSIERS.check(done.frame) is done.frame


# -- Markdown --------------------------------------------------------------------------------------------------------


def test_the_whole_as_markdown() -> None:
    nasty = Document(
        "evil.md", "file", "markdown", "# <b>Title", "TOI-700 ![x](http://evil.example) `rm`\n\n# No heading"
    )
    for name, made_ in dossiers(made(library((*DOCUMENTS, nasty)))).items():
        text = as_markdown(made_, rank=2, of=3)
        assert text.startswith(f"# {name}") and "Rank 2 of 3" in text
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == [
            f"# {made_['title']}",
            "## Verdict",
            "## Catalogue",
            "## Light curve",
            "## Nearest confirmed planets",
            "## Nearest false positives",
            "## Literature",
            "## Not known",
        ]
        assert "![x](" not in text and "<b>" not in text
        for said in made_["unknown"]:
            assert said in text
    assert len(CANDIDATES) == 3
