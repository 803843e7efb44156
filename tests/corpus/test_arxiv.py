"""Listings of arXiv: what becomes of records, errors, tokens, and XML that was made to harm."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.arxiv import LONGEST_ABSTRACT, ArxivError, parse_atom, parse_oai
from exo_assets.corpus.document import documents_table, quarantine_table
from exo_assets.corpus.safe_xml import DEEPEST, XmlError, parse_xml
from tests.corpus.arxiv_answers import atom_entry, atom_feed, oai, oai_answer, oai_deleted, oai_record

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">'
    + b"".join(b'<!ENTITY x%d "&x%s;&x%s;">' % (i, *[b"%d" % (i - 1) if i else b""] * 2) for i in range(40))
    + b"]><a>&x39;</a>"
)
FILE = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>'
REMOTE = b'<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd"><a/>'


def test_an_atom_feed() -> None:
    listing = parse_atom(atom_feed(atom_entry(), atom_entry("astro-ph/0601001v1", "Old & new", "E < 1.")))
    first, second = listing.documents
    assert (first.document_id, first.title, first.text) == ("arXiv:2503.17117", "Eight planets", "We find one more.")
    assert first.authors == ("Théo Bodrito", "A. Vanderburg")
    assert (first.published, first.updated) == (date(2025, 3, 21), date(2025, 4, 2))
    assert first.categories == ("astro-ph.EP", "astro-ph.IM")  # the primary one first
    assert (first.source, first.media, first.url) == ("arxiv", "abstract", "https://arxiv.org/abs/2503.17117")
    assert (second.document_id, second.title, second.text) == ("arXiv:astro-ph/0601001", "Old & new", "E < 1.")
    assert (listing.total, listing.rejected, listing.resumption_token) == (1059, (), None)
    rows = documents_table(listing.documents)
    assert rows["year"].to_list() == [2025, None]  # a day twenty years after the id is not that of the first version
    assert rows.select("mission", "targets", "pages").null_count().row(0) == (2, 2, 2)


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    listing = parse_atom(atom_feed(atom_entry("2503.17117v1", "Old"), atom_entry("2503.17117v2", "New")))
    assert [d.title for d in listing.documents] == ["New"]


def test_records_that_lack_something_are_quarantined_and_the_others_kept() -> None:
    feed = atom_feed(
        atom_entry(),
        atom_entry("2503.00002v1", title=" "),
        atom_entry("2503.00003v1", summary=""),
        atom_entry("nonsense"),
        atom_entry("2503.00004v1", summary="word " * LONGEST_ABSTRACT),
    )
    listing = parse_atom(feed)
    assert len(listing.documents) == 1
    assert [(r.name, r.reason) for r in listing.rejected] == [
        ("arXiv:2503.00002", "incomplete"),
        ("arXiv:2503.00003", "incomplete"),
        ("entry 4 of the feed", "incomplete"),
        ("arXiv:2503.00004", "too_long"),
    ]
    assert "no abstract" in listing.rejected[1].message
    assert quarantine_table(listing.rejected).height == 4


def test_arxivs_own_error_is_an_error() -> None:
    entry = (
        "<entry><id>http://arxiv.org/api/errors#max_results</id><title>Error</title><summary>too many</summary></entry>"
    )
    with pytest.raises(ArxivError, match="refused the query: too many"):
        parse_atom(atom_feed(entry))


def test_an_oai_answer() -> None:
    token = '<resumptionToken cursor="0" completeListSize="2345">6543|1001</resumptionToken>'
    listing = parse_oai(oai_answer(oai_record(), oai_deleted("2503.00009"), oai_deleted("hep-th/9901001"), token=token))
    (paper,) = listing.documents
    assert (paper.document_id, paper.text) == ("arXiv:2503.17117", "We find one more.")
    assert paper.authors == ("Théo Bodrito", "A. B. King Jr")
    assert (paper.published, paper.updated) == (date(2025, 3, 21), date(2025, 4, 1))
    assert paper.categories == ("astro-ph.EP", "astro-ph.IM")
    assert listing.deleted == ("arXiv:2503.00009", "arXiv:hep-th/9901001")
    assert (listing.resumption_token, listing.total) == ("6543|1001", 2345)


@pytest.mark.parametrize(
    ("arxiv_id", "created", "first"),
    [
        ("2503.17117", "2025-03-21", True),
        ("2503.17117", "2025-02-28", True),  # sent in on the last day of a month, listed in the next
        ("2401.00001", "2023-10-30", True),  # held back
        ("2503.17117", "2025-04-01", False),
        ("2202.09848", "2025-12-11", False),
        ("2501.00001", "2024-12-31", True),
        ("hep-th/9901001", "1999-01-04", True),
        ("hep-th/9901001", "2003-01-04", False),
        ("astro-ph/0001001", "1999-12-31", True),
    ],
)
def test_the_day_of_a_later_version_is_not_taken_for_that_of_the_first(
    arxiv_id: str, created: str, first: bool
) -> None:
    record = oai_record(arxiv_id).replace("2025-03-21", created)
    (paper,) = parse_oai(oai_answer(record)).documents
    assert paper.published == (date.fromisoformat(created) if first else None)


@pytest.mark.parametrize(
    "odd", [b"\x0b", b"\x00", b"\x0c\x1f", b"&#1;", b"&#x0B;", b"&#xFFFF;", b"&#xD800;", b"\xef\xbf\xbf", b"&#9999999;"]
)
def test_a_character_that_xml_may_not_have_in_one_record_loses_nothing(odd: bytes) -> None:
    records = oai_answer(oai_record("2503.00001"), oai_record("2503.00002", title="Ł", abstract="An ODDone &#233;."))
    records = records.replace(b"&amp;#233;", b"&#233;")
    found = parse_oai(records.replace(b"ODD", b"odd" + odd)).documents
    assert [d.text for d in found] == ["We find one more.", "An odd one é."] and found[1].title == "Ł"
    with pytest.raises(ArxivError, match="whatever its characters"):
        parse_oai(records.replace(b"ODD", odd)[:-40])


def test_bytes_that_are_no_utf_8_are_shown_as_such() -> None:
    (paper,) = parse_oai(oai_answer(oai_record(title="Poincar?")).replace(b"Poincar?", b"Poincar\xe9 maps")).documents
    assert paper.title == "Poincar\ufffd maps"


def test_other_encodings_are_not_mended() -> None:
    answer = oai_answer(oai_record(title="Ł")).decode().replace("UTF-8", "UTF-16")
    assert parse_oai(answer.encode("utf-16")).documents[0].title == "Ł"
    with pytest.raises(ArxivError, match="not well-formed"):
        parse_oai(answer.replace("Ł", "\x01").encode("utf-16"))
    with pytest.raises(ArxivError, match="not well-formed"):
        parse_oai(answer.replace("Ł", "\x01").replace("UTF-16", "latin-1").encode("latin-1", "replace"))


def test_a_withdrawal_of_an_id_that_arxiv_could_not_have_given_withdraws_nothing() -> None:
    assert parse_oai(oai_answer(oai_deleted("2401.000012"), oai_record())).deleted == ()


def test_of_several_records_of_one_document_the_last_counts() -> None:
    name, day = "2503.00001", "2025-04-05"
    kept = parse_oai(oai_answer(oai_deleted(name), oai_record(name, title=" "), oai_record(name, listed=day)))
    assert (len(kept.documents), kept.rejected, kept.deleted) == (1, (), ())
    assert kept.listed == {"arXiv:2503.00001": date(2025, 4, 5)}
    gone = parse_oai(oai_answer(oai_record(name), oai_deleted(name)))
    assert (gone.documents, gone.deleted) == ((), ("arXiv:2503.00001",))
    broken = parse_oai(oai_answer(oai_record(name), oai_record(name, title=" ")))
    assert (broken.documents, [r.reason for r in broken.rejected]) == ((), ["incomplete"])


def test_ids_are_in_digits_that_arxiv_writes() -> None:
    listing = parse_oai(oai_answer(oai_record("٢٥٠٣.١٧١١٧"), oai_deleted("２５０３.１７１１７")))
    assert (listing.documents, listing.deleted, len(listing.rejected)) == ((), (), 1)


def test_the_last_part_of_a_list_and_a_single_record() -> None:
    assert parse_oai(oai_answer(oai_record(), token="<resumptionToken/>")).resumption_token is None
    assert len(parse_oai(oai_answer(oai_record(), verb="GetRecord")).documents) == 1


def test_oai_errors() -> None:
    assert parse_oai(oai('<error code="noRecordsMatch">none</error>')).documents == ()
    with pytest.raises(ArxivError, match="token expired") as caught:
        parse_oai(oai('<error code="badResumptionToken">token expired</error>'))
    assert caught.value.code == "badResumptionToken"
    with pytest.raises(ArxivError) as endless:
        parse_oai(oai(f'<error code="{"x" * 100_000}">{"y" * 100_000}</error>'))
    assert len(str(endless.value)) < 1_000
    with pytest.raises(ArxivError, match="neither ListRecords nor GetRecord"):
        parse_oai(oai("<Identify/>"))


def test_a_record_in_another_format_is_quarantined() -> None:
    record = oai_record().replace("http://arxiv.org/OAI/arXiv/", "http://www.openarchives.org/OAI/2.0/oai_dc/")
    (rejected,) = parse_oai(oai_answer(record)).rejected
    assert (rejected.name, rejected.reason) == ("2503.17117", "incomplete")


@pytest.mark.parametrize(
    "data", [b"", b"<html><br></html>", b"Rate exceeded.", atom_feed(atom_entry())[:-40], BOMB, FILE]
)
def test_what_is_no_listing(data: bytes) -> None:
    for parse in (parse_atom, parse_oai):
        with pytest.raises(ArxivError, match="the answer is no"):
            parse(data)


def test_one_listing_is_not_the_other() -> None:
    with pytest.raises(ArxivError, match="its root is"):
        parse_atom(oai_answer(oai_record()))
    with pytest.raises(ArxivError, match="its root is"):
        parse_oai(atom_feed(atom_entry()))


@pytest.mark.parametrize("data", [BOMB, FILE, REMOTE, b"<!DOCTYPE a><a/>"])
def test_document_types_are_refused(data: bytes) -> None:
    with pytest.raises(XmlError, match="declares a document type"):
        parse_xml(data)


def test_depth_and_encodings() -> None:
    assert parse_xml(b"<a>" * DEEPEST + b"</a>" * DEEPEST).tag == "a"
    with pytest.raises(XmlError, match="deeper"):
        parse_xml(b"<a>" * 100_000)
    assert parse_xml('<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1")).text == "é"
    with pytest.raises(XmlError, match="encoding"):
        parse_xml(b'<?xml version="1.0" encoding="x-none"?><a/>')


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60))
def test_any_title_makes_a_row(title: str) -> None:
    for listing in (parse_atom(atom_feed(atom_entry(title=title))), parse_oai(oai_answer(oai_record(title=title)))):
        assert documents_table(listing.documents).height + quarantine_table(listing.rejected).height == 1


@given(st.data())
def test_changed_feeds_are_read_or_an_error(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([atom_feed(atom_entry()), oai_answer(oai_record(), oai_deleted("2503.00009"))]))
    changed = bytearray(whole)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        changed[place] = value
    for parse in (parse_atom, parse_oai):
        try:
            listing = parse(bytes(changed))
        except ArxivError:
            continue
        documents_table(listing.documents)
        quarantine_table(listing.rejected)
