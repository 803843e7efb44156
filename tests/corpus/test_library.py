from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from indexed_corpus import DOCUMENTS, content, documents_of, embedder

from exo_assets.catalogs.identity import planet_identity
from exo_assets.catalogs.signals import accepted, harmonised_signals
from exo_assets.catalogs.stars import host_stars
from exo_assets.corpus.document import Document
from exo_assets.corpus.fusion import EQUAL, MOSTLY_DENSE, RECIPROCAL, Fusion
from exo_assets.corpus.identifiers import aliases
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.library import LONGEST_QUERY, Filters, Library, QueryError, Rerank, SearchRequest
from exo_resources.passage_store import EmbeddedStore

OF_KEPLER_90 = {"arXiv:1710.00001", "arXiv:1310.00001"}
OF_TOI_700 = {"arXiv:2001.00001"}
EVERY_PASSAGE = SearchRequest(limit=1000, every_passage=True)


def _library(parts: IndexContent, rerank: Rerank | None = None) -> Library:
    keywords = KeywordIndex.build(parts.chunks["text"].to_list())
    return Library(
        {"version": parts.version()},
        chunks=parts.chunks,
        documents=parts.documents,
        aliases=parts.aliases,
        store=EmbeddedStore(parts.vectors, keywords),
        words=keywords,
        embed=embedder().embed,
        rerank=rerank,
    )


@pytest.fixture(scope="module")
def library() -> Library:
    return _library(content())


def _found(library: Library, query: str, request: SearchRequest = EVERY_PASSAGE) -> set[str]:
    return {hit.document_id for hit in library.search(query, request)}


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "documents"),
    [
        (
            ("KOI-351", "Kepler-90", "Kepler-90 h", "Kepler-90 g", "KIC 11442793", "K00351.01", "KOI-351.02", "K00351"),
            OF_KEPLER_90,
        ),
        (("TOI-700", "TOI-700 d", "TIC 150428135", "TOI-700.02", "TOI-700.03"), OF_TOI_700),
    ],
)
def test_every_name_of_a_star_finds_the_same_passages(
    library: Library, names: Sequence[str], documents: set[str]
) -> None:
    found = [{h.chunk_id for h in library.search(name, EVERY_PASSAGE)} for name in names]
    assert all(each == found[0] for each in found) and len(found[0]) >= len(documents)
    assert _found(library, names[0]) == documents
    assert all(h.names_target for h in library.search(names[0]))


_SPELLINGS = st.sampled_from(
    [
        ("KOI", "351", "", OF_KEPLER_90),
        ("KOI", "351", ".01", OF_KEPLER_90),
        ("Kepler", "90", "h", OF_KEPLER_90),
        ("KIC", "11442793", "", OF_KEPLER_90),
        ("TIC", "150428135", "", OF_TOI_700),
        ("TOI", "700", "d", OF_TOI_700),
        ("TOI", "700", ".02", OF_TOI_700),
    ]
)


@given(
    _SPELLINGS,
    st.sampled_from(["-", "‐", "‑", "–", "−", " ", "\u00a0", "_"]),
    st.sampled_from([str.upper, str.lower, str.title, str]),
    st.sampled_from(["", "0", "00"]),
    st.sampled_from([("", ""), ("(", ")"), ("  ", "?"), ("\t", ".")]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_name_is_found_however_it_is_spelled(
    library: Library,
    name: tuple[str, str, str, set[str]],
    gap: str,
    case: object,
    zeros: str,
    around: tuple[str, str],
    apart: bool,
) -> None:
    catalogue, number, tail, documents = name
    widest = {"KOI": 5, "KIC": 9}.get(catalogue, 0)
    written = case(catalogue) + gap + zeros[: max(0, widest - len(number))] + number  # type: ignore[operator]
    written += (" " if apart and tail.isalpha() else "") + tail
    query = around[0] + written + around[1]
    assert _found(library, query, SearchRequest(limit=50)) == documents, query


def test_a_name_in_a_question_brings_its_passages_up_without_shutting_others_out(library: Library) -> None:
    hits = library.search("How long is the period of the planet of KOI-351 that is as large as the Earth?")
    assert hits[0].document_id == "arXiv:1710.00001" and hits[0].names_target
    assert "KOI" not in hits[0].text, "the passage has another name of the star"
    assert any(not h.names_target for h in hits)


def test_a_name_that_no_document_has_finds_nothing_and_a_question_with_it_still_searches(library: Library) -> None:
    assert library.search("Kepler-452 b") == []
    hits = library.search("Is Kepler-452 b in the habitable zone?")
    assert hits[0].document_id == "arXiv:2001.00001" and not hits[0].names_target


def test_a_name_that_no_table_knows_is_found_by_itself(library: Library) -> None:
    for name in ("WASP-18 b", "wasp 18b", "WASP-18", "wasp18"):
        assert _found(library, name) == {"arXiv:2203.00001"}, name


def test_two_names_find_the_passages_of_both(library: Library) -> None:
    assert _found(library, "KOI-351, TIC 150428135") == OF_KEPLER_90 | OF_TOI_700


def test_stars_of_a_text(library: Library) -> None:
    assert library.stars("K00351.01 and TOI-700 d, not Kepler-452") == {"KIC 11442793", "TIC 150428135"}


# -- filters -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "documents"),
    [
        (Filters(sources=("package", "file")), {"exo:README.md", "notes.txt"}),
        (Filters(missions=("tess",)), OF_TOI_700),
        (Filters(documents=("archive:koi_depth",)), {"archive:koi_depth"}),
        (Filters(year_from=2018), {"arXiv:1801.00001", "arXiv:2001.00001", "arXiv:2203.00001"}),
        (Filters(year_from=2011, year_to=2013), {"arXiv:1102.00001", "arXiv:1310.00001"}),
        (Filters(targets=("koi 351.02",)), OF_KEPLER_90),
        (Filters(targets=("Kepler-90 h", "TOI-700")), OF_KEPLER_90 | OF_TOI_700),
        (Filters(targets=("Kepler-90",), year_to=2013), {"arXiv:1310.00001"}),
        (Filters(missions=("k2",)), set()),
        (Filters(targets=("Kepler-452",)), set()),
    ],
)
def test_filters(library: Library, filters: Filters, documents: set[str]) -> None:
    request = dataclasses.replace(EVERY_PASSAGE, filters=filters)
    assert _found(library, "planets of a star and the light that they block", request) == documents


def test_a_filter_holds_for_names_too(library: Library) -> None:
    request = SearchRequest(filters=Filters(year_to=2013))
    assert _found(library, "Kepler-90", request) == {"arXiv:1310.00001"}


def test_a_target_that_is_no_name_is_refused(library: Library) -> None:
    with pytest.raises(QueryError, match="'the hot one' is no name of a star"):
        library.search("planets", SearchRequest(filters=Filters(targets=("the hot one",))))


# -- ranking -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_or_is_not_there_is_named(library: Library) -> None:
    with pytest.raises(QueryError, match=r"no document 'nosuch\.md' in the index"):
        library.search("planets", SearchRequest(filters=Filters(documents=("notes.txt", "nosuch.md"))))
    broken = b"\xff transit".decode(errors="surrogateescape")
    with pytest.raises(QueryError, match="the query is not UTF-8 text"):
        library.search(broken)
    for filters in (Filters(documents=(broken,)), Filters(targets=(broken,))):
        with pytest.raises(QueryError, match="a filter is not UTF-8 text"):
            library.search("planets", SearchRequest(filters=filters))


def test_one_passage_a_document_unless_every_one_is_asked_for() -> None:
    long = Document(
        "long.md", "file", "markdown", "Long",
        "# Eclipses\n\nA secondary eclipse is deep.\n\n# More eclipses\n\nAnother secondary eclipse is shallow.",
    )  # fmt: skip
    library = _library(content((*DOCUMENTS, long)))
    one = library.search("secondary eclipse", SearchRequest(limit=50))
    every = library.search("secondary eclipse", dataclasses.replace(EVERY_PASSAGE, limit=50))
    assert [h.document_id for h in one].count("long.md") == 1
    assert [h.document_id for h in every].count("long.md") == 2
    best = next(h for h in every if h.document_id == "long.md")
    assert next(h for h in one if h.document_id == "long.md") == best


@pytest.mark.parametrize("fusion", [EQUAL, MOSTLY_DENSE, RECIPROCAL, Fusion({"dense": 1.0, "keyword": 0.0})], ids=repr)
def test_results_are_ordered_by_the_score_that_they_show(library: Library, fusion: Fusion) -> None:
    hits = library.search("planets that vary in transit timing", SearchRequest(limit=20, fusion=fusion))
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True) and len(hits) > 3
    if fusion.weights and fusion.weights["keyword"] == 0:
        assert [h.dense for h in hits] == sorted((h.dense or -1 for h in hits), reverse=True)


def test_a_hit_says_where_its_passage_is(library: Library) -> None:
    texts = {d.document_id: d.text for d in DOCUMENTS}
    for hit in library.search("eclipse of a planet", EVERY_PASSAGE):
        assert texts[hit.document_id][hit.start : hit.end] == hit.text
        assert library.passage(hit.chunk_id)["text"] == hit.text
        assert hit.dense is not None or hit.keyword is not None
    note = library.search("guide star", SearchRequest(limit=1))[0]
    assert (note.document_id, note.page, note.source, note.year) == ("notes.txt", 1, "file", None)
    with pytest.raises(KeyError):
        library.passage("0" * 32)


def test_limits(library: Library) -> None:
    assert len(library.search("planets", SearchRequest(limit=2))) == 2
    for limit in (0, -1, 1001):
        with pytest.raises(QueryError, match="limit must be from 1 to 1000"):
            SearchRequest(limit=limit)


@pytest.mark.parametrize("query", ["", "  \n\t", "?!…", "—", "(  )"])
def test_a_query_without_a_word_is_refused(library: Library, query: str) -> None:
    with pytest.raises(QueryError, match="nothing to search for"):
        library.search(query)


def test_a_query_that_is_too_long_is_refused_and_the_longest_is_not(library: Library) -> None:
    with pytest.raises(QueryError, match="shorten it"):
        library.search("a" * (LONGEST_QUERY + 1))
    assert library.search(("planet " * LONGEST_QUERY)[: LONGEST_QUERY - 1])


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_searched_for_or_refused(library: Library, text: str) -> None:
    try:
        hits = library.search(text, SearchRequest(limit=3))
    except QueryError:
        return
    assert len({h.document_id for h in hits}) == len(hits) <= 3


# -- re-ranking --------------------------------------------------------------------------------------------------------


def _shortest_first(question: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([-float(len(text)) for text in texts])


def test_a_cross_encoder_orders_what_was_found() -> None:
    library = _library(content(), rerank=_shortest_first)
    assert library.can_rerank
    hits = library.search("planets", SearchRequest(limit=3, rerank=True))
    assert (
        [h.score for h in hits] == [-float(len(h.text)) for h in hits] == sorted((h.score for h in hits), reverse=True)
    )
    assert all(h.reranked == h.score for h in hits)
    everything = library.search("planets", SearchRequest(limit=50))
    assert len(hits[0].text) == min(len(h.text) for h in everything), "the best of all that was found, not of the first"
    assert library.search("planets", SearchRequest(limit=3))[0].reranked is None


def test_without_a_cross_encoder_re_ranking_is_refused(library: Library) -> None:
    assert not library.can_rerank
    with pytest.raises(QueryError, match="EXO_RERANKER"):
        library.search("planets", SearchRequest(rerank=True))


# -- the archive's own names -------------------------------------------------------------------------------------------


@pytest.mark.archive
def test_names_of_the_archive_s_own_tables_find_the_same_host(archive_mirror: Path) -> None:
    def table(name: str) -> pl.DataFrame:
        data = gzip.decompress((archive_mirror / "tap" / f"{name}.csv.gz").read_bytes())
        return pl.read_csv(data, infer_schema=False)

    planets = table("pscomppars").filter(pl.col("pl_name").str.contains("TOI-700|Kepler-11 |Kepler-18 "))
    hosts = ("Kepler-11 ", "Kepler-18 ")
    signals = accepted(
        harmonised_signals(
            table("cumulative").filter(pl.any_horizontal(pl.col("kepler_name").str.starts_with(h) for h in hosts)),
            pl.DataFrame(),
            table("toi").filter(pl.col("toi").str.starts_with("700.")),
            pl.DataFrame(),
        )
    )
    names = aliases(signals, host_stars(signals), planet_identity(signals, planets))
    documents = (
        Document("a", "arxiv", "abstract", "One", "TOI-700 d lies in the habitable zone."),
        Document("b", "arxiv", "abstract", "Two", "A spectrum of TIC 150428135 was taken."),
        Document("c", "arxiv", "abstract", "Three", "Kepler-11 e is a light planet."),
        Document("d", "arxiv", "abstract", "Four", "The star KIC 6541920 has six planets."),
    )
    frame = documents_of(documents, names)
    library = _library(dataclasses.replace(content(documents), documents=frame, aliases=names))
    for name in ("TOI-700", "TOI-700 d", "TIC 150428135", "TOI-700.01"):
        assert _found(library, name) == {"a", "b"}, name
    of_kepler_11 = signals.filter(pl.col("kic_id") == 6541920)["signal_id"].to_list()
    assert len(of_kepler_11) >= 5
    for name in ("Kepler-11", "Kepler-11 b", "KIC 6541920", "KOI-157", "KOI-157.01", *of_kepler_11):
        assert _found(library, name) == {"c", "d"}, name
