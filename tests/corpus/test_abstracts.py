"""Abstracts as rows: what listings change in the table, and files of abstracts."""

from __future__ import annotations

import io
import json
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.abstract_files import AbstractFileError, parse_abstracts
from exo_assets.corpus.abstracts import GONE, documents, newest_listed, news, of_categories, rejected, updated
from exo_assets.corpus.arxiv import canonical_name, parse_oai, year_of
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS
from tests.corpus.arxiv_answers import oai_answer, oai_deleted, oai_record

EP = ("astro-ph.EP",)
EMPTY = RAW_ARXIV__ABSTRACTS.empty()


def test_rows_give_back_the_documents_that_they_were_made_of() -> None:
    listing = parse_oai(oai_answer(oai_record(), oai_record("2503.00001", title=" ")))
    rows = RAW_ARXIV__ABSTRACTS.check(updated(EMPTY, news([listing], EP)))
    assert list(documents(rows)) == list(listing.documents) and list(rejected(rows)) == list(listing.rejected)
    assert rows["listed"].to_list() == [date(2025, 4, 2)] * 2


def test_news_of_records_that_count_no_more() -> None:
    listing = parse_oai(
        oai_answer(
            oai_deleted("2503.00001", "2025-04-05"),
            oai_record("2503.00002", categories="astro-ph.SR cs.LG"),
            oai_record("2503.00003"),
        )
    )
    found = news([listing], EP)
    assert found.select("document_id", "status").rows() == [
        ("arXiv:2503.00001", GONE),
        ("arXiv:2503.00002", GONE),
        ("arXiv:2503.00003", "kept"),
    ]
    assert newest_listed(found, date(2025, 4, 6)) == date(2025, 4, 5)
    assert newest_listed(found, date(2025, 4, 4)) == date(2025, 4, 2)  # the other is dated in the future
    assert newest_listed(EMPTY, date(2025, 4, 6)) is None
    before = updated(EMPTY, news([parse_oai(oai_answer(*(oai_record(f"2503.0000{i}") for i in (1, 2, 4))))], EP))
    assert updated(before, found)["document_id"].to_list() == ["arXiv:2503.00003", "arXiv:2503.00004"]


def test_categories() -> None:
    listing = parse_oai(oai_answer(oai_record("2503.00001"), oai_record("2503.00002", categories="astro-ph.SR")))
    rows = updated(EMPTY, news([listing], (*EP, "astro-ph.SR")))
    assert of_categories(rows, ("astro-ph.SR",))["document_id"].to_list() == ["arXiv:2503.00002"]
    assert of_categories(rows, ("astro-ph.IM",))["document_id"].to_list() == ["arXiv:2503.00001"]
    assert of_categories(rows, ()).is_empty()


_CHANGES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["kept", "deleted", "moved"])), max_size=8)


@given(st.lists(_CHANGES, max_size=4))
def test_the_last_word_on_each_record_counts(nights: list[list[tuple[int, str]]]) -> None:
    made = {
        "deleted": lambda n, t: oai_deleted(f"2503.0000{n}"),
        "moved": lambda n, t: oai_record(f"2503.0000{n}", t, categories="cs.LG"),
        "kept": lambda n, t: oai_record(f"2503.0000{n}", t),
    }
    table, expected = EMPTY, dict[str, str]()
    for number, night in enumerate(nights):
        last = dict(night)  # a service lists a record once
        answer = oai_answer(*(made[what](n, f"Title {number}") for n, what in last.items()))
        part = news([parse_oai(answer)], EP)
        table = updated(table, part)
        assert updated(table, part).equals(table)
        for n, what in last.items():
            expected.pop(f"arXiv:2503.0000{n}", None)
            if what == "kept":
                expected[f"arXiv:2503.0000{n}"] = f"Title {number}"
    assert dict(table.select("document_id", "title").iter_rows()) == expected


@pytest.mark.parametrize(
    ("name", "year"),
    [("arXiv:2503.17117", 2025), ("arXiv:astro-ph/0601001", 2006), ("arXiv:hep-th/9901001", 1999), ("note.md", None)],
)
def test_years_of_ids(name: str, year: int | None) -> None:
    assert year_of(name) == year


def test_names_of_records() -> None:
    assert [canonical_name(n) for n in ("2503.17117", "arXiv:2503.17117v2", "record 3 of the list")] == [
        "arXiv:2503.17117",
        "arXiv:2503.17117",
        "record 3 of the list",
    ]


# -- files -------------------------------------------------------------------------------------------------------------


def row(**more: Any) -> dict[str, Any]:
    return {"id": "2503.17117", "title": "Eight planets", "abstract": "We find one more."} | more


def lines(*rows: Any) -> bytes:
    return "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows).encode()


def parquet(*rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(list(rows)).write_parquet(out)
    return out.getvalue()


def test_columns_as_different_files_write_them() -> None:
    listing = parse_abstracts(
        "a.jsonl",
        lines(
            row(categories="astro-ph.EP cs.LG", authors="A. B; C. D", created="2025-03-01", update_date="2025-03-05"),
            row(id="2503.00002v3", categories=["astro-ph.EP"], authors=["E. F"], source_file="data/2025-03-24.jsonl"),
            row(id="2503.00003", categories="cs.LG"),
            row(id="2503.00004", authors=None, categories=None),
        ),
        EP,
    )
    assert listing is not None and listing.rejected == ()
    first, second, fourth = listing.documents
    assert (first.authors, first.published, first.updated) == (("A. B", "C. D"), date(2025, 3, 1), date(2025, 3, 5))
    assert first.categories == ("astro-ph.EP", "cs.LG")
    assert (second.document_id, second.authors, second.updated) == ("arXiv:2503.00002", ("E. F",), date(2025, 3, 24))
    assert (fourth.document_id, fourth.published, fourth.categories) == ("arXiv:2503.00004", None, ())


def test_the_same_rows_from_json_and_parquet() -> None:
    rows = [row(categories="astro-ph.EP", authors="A. B"), row(id="2503.00002", categories="astro-ph.EP", authors=None)]
    assert parse_abstracts("a.jsonl", lines(*rows), EP) == parse_abstracts("a.parquet", parquet(*rows), EP)


def test_files_without_abstracts_are_left_alone() -> None:
    assert parse_abstracts("docs.jsonl", lines({"table": "toi", "column": "tid", "description": "TIC"}), EP) is None
    assert parse_abstracts("empty.jsonl", b"", EP) is None
    assert parse_abstracts("numbers.parquet", parquet({"x": 1}), EP) is None


def test_what_is_wrong_with_single_rows() -> None:
    listing = parse_abstracts(
        "a.jsonl", lines(row(), "{cut", "[1]", row(id="no id"), row(id="2503.00005", title="")), EP
    )
    assert listing is not None and len(listing.documents) == 1
    assert [(r.name, r.reason) for r in listing.rejected] == [
        ("a.jsonl, line 2", "broken"),
        ("a.jsonl, line 3", "broken"),
        ("a.jsonl, row 4", "incomplete"),
        ("arXiv:2503.00005", "incomplete"),
    ]
    with pytest.raises(AbstractFileError, match="no Parquet file"):
        parse_abstracts("a.parquet", b"PAR1", EP)


@given(st.binary(max_size=300), st.sampled_from(["a.jsonl", "a.parquet"]))
def test_any_bytes_are_a_listing_none_or_an_error(data: bytes, name: str) -> None:
    try:
        listing = parse_abstracts(name, lines(row()) + b"\n" + data if name == "a.jsonl" else data, EP)
    except AbstractFileError:
        return
    if listing is not None:
        RAW_ARXIV__ABSTRACTS.check(updated(EMPTY, news([listing], EP)))
