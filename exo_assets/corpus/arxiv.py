"""Listings of arXiv as documents: the export API's Atom feed and OAI-PMH records in the `arXiv` format.

Belongs here: what their elements mean. Does not belong here: asking for them (no address is opened here), XML itself.

arXiv's metadata are CC0. A record is a document with the abstract as its text; the id has no version, so that a new
version takes the place of the old one. Formulas stay as LaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from xml.etree.ElementTree import Element

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.plain_text import has_words, one_line, shown
from exo_assets.corpus.safe_xml import LARGEST_BYTES, XmlError, parse_xml
from exo_assets.corpus.tex import without_tex

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
RECORD = "{http://arxiv.org/OAI/arXiv/}"

_ID = re.compile(r"([0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7})(?:v[0-9]+)?")
LONGEST_ABSTRACT = 20_000
"""Characters; arXiv takes no more than 1,920 today."""
_MOST_AUTHORS = 5_000
_NO_RECORDS = "noRecordsMatch"


class ArxivError(ValueError):
    """An answer of arXiv is no listing. `code` is OAI-PMH's error code (badResumptionToken, ...) where it gave one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Listing:
    """One answer of arXiv.

    `deleted` has ids of documents that arXiv withdrew from its records. `resumption_token` asks for the next part of an
    OAI-PMH list; None: this was the last. `total` is the size of the whole list where it is told. `listed` has the day
    of the last change of each record, deleted ones included, by the name that it has here, where OAI-PMH told it.
    """

    documents: tuple[Document, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    deleted: tuple[str, ...] = ()
    resumption_token: str | None = None
    total: int | None = None
    listed: Mapping[str, date] = field(default_factory=dict)


def parse_atom(data: bytes) -> Listing:
    """The documents of a page of the export API's Atom feed; ArxivError when it is none, or arXiv's own error.

    `total` is opensearch:totalResults: a feed that is empty before `total` is reached is to be asked for again.
    """
    root = _root(data, f"{ATOM}feed", "Atom feed")
    entries = root.findall(f"{ATOM}entry")
    for entry in entries:
        if "arxiv.org/api/errors" in _text(entry, f"{ATOM}id"):
            raise ArxivError(f"arXiv refused the query: {_text(entry, f'{ATOM}summary') or 'it does not say why'}")
    found = [_atom_entry(entry, number) for number, entry in enumerate(entries, start=1)]
    return _listing(found, total=_whole(_text(root, f"{SEARCH}totalResults")))


def parse_oai(data: bytes) -> Listing:
    """The documents of an OAI-PMH answer (ListRecords or GetRecord, metadataPrefix=arXiv).

    Of several records of one document the last one counts. An empty list is no error; every other error of the protocol
    is an ArxivError with its code.
    """
    root = _root(data, f"{OAI}OAI-PMH", "OAI-PMH answer")
    for error in root.findall(f"{OAI}error"):
        code = one_line(error.get("code", ""), 40)
        if code == _NO_RECORDS:
            return Listing(total=0)
        raise ArxivError(f"arXiv's OAI-PMH answers {code or 'an error'}: {one_line(error.text or '')}", code)
    body = next((e for verb in ("ListRecords", "GetRecord") if (e := root.find(OAI + verb)) is not None), None)
    if body is None:
        raise ArxivError("the OAI-PMH answer holds neither ListRecords nor GetRecord; ask with one of these verbs")
    last = dict[str, _Said]()
    for number, record in enumerate(body.findall(f"{OAI}record"), start=1):
        if said := _said(record, number):
            last.pop(canonical_name(said.name), None)
            last[canonical_name(said.name)] = said
    token = body.find(f"{OAI}resumptionToken")
    return _listing(
        [said.what for said in last.values() if said.what is not None],
        deleted=tuple(said.name for said in last.values() if said.what is None),
        listed={said.name: said.listed for said in last.values() if said.listed},
        resumption_token=((token.text or "").strip() or None) if token is not None else None,
        total=_whole(token.get("completeListSize", "")) if token is not None else None,
    )


def _root(data: bytes, tag: str, what: str) -> Element:
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise ArxivError(f"the answer is no {what}: {error}; is it an error page?") from None
    if root.tag != tag:
        raise ArxivError(f"the answer is no {what}: its root is {shown(root.tag)}")
    return root


def _listing(
    found: list[Document | Rejected],
    *,
    deleted: tuple[str, ...] = (),
    resumption_token: str | None = None,
    total: int | None = None,
    listed: Mapping[str, date] | None = None,
) -> Listing:
    last = {d.document_id: d for d in found if isinstance(d, Document)}  # a list may have two versions of one
    rejected = tuple(d for d in found if isinstance(d, Rejected))
    return Listing(tuple(last.values()), rejected, deleted, resumption_token, total, listed or {})


def _atom_entry(entry: Element, number: int) -> Document | Rejected:
    primary = [e.get("term", "") for e in entry.findall(f"{ARXIV}primary_category")]
    others = [e.get("term", "") for e in entry.findall(f"{ATOM}category")]
    return abstract_document(
        _text(entry, f"{ATOM}id").rpartition("/abs/")[2],
        f"entry {number} of the feed",
        title=_text(entry, f"{ATOM}title"),
        abstract=_text(entry, f"{ATOM}summary", LARGEST_BYTES),
        authors=[_text(a, f"{ATOM}name") for a in entry.findall(f"{ATOM}author")[:_MOST_AUTHORS]],
        dates=(_text(entry, f"{ATOM}published"), _text(entry, f"{ATOM}updated")),
        categories=[*primary, *others],
    )


@dataclass(frozen=True)
class _Said:
    """What a record says of the document `name`; `what` is None of one that was withdrawn."""

    name: str
    what: Document | Rejected | None
    listed: date | None


def _said(record: Element, number: int) -> _Said | None:
    """None for a withdrawn record that has no id."""
    day = _day(_text(record, f"{OAI}header/{OAI}datestamp"))
    if _status(record) == "deleted":
        match = _ID.fullmatch(_oai_id(record))
        return _Said(f"arXiv:{match[1]}", None, day) if match else None
    one = _oai_record(record, number)
    return _Said(one.document_id if isinstance(one, Document) else one.name, one, day)


def _oai_record(record: Element, number: int) -> Document | Rejected:
    about = record.find(f"{OAI}metadata/{RECORD}arXiv")
    if about is None:
        return _incomplete(_oai_id(record) or f"record {number} of the list", "metadata in the arXiv format")
    created = _text(about, f"{RECORD}created")
    return abstract_document(
        _text(about, f"{RECORD}id"),
        _oai_id(record) or f"record {number} of the list",
        title=_text(about, f"{RECORD}title"),
        abstract=_text(about, f"{RECORD}abstract", LARGEST_BYTES),
        authors=[_author(a) for a in about.findall(f"{RECORD}authors/{RECORD}author")[:_MOST_AUTHORS]],
        dates=(created, _text(about, f"{RECORD}updated") or created),
        categories=_text(about, f"{RECORD}categories").split(),
    )


def year_of(document_id: str) -> int | None:
    """Year of the first version as the id tells it (arXiv:2503.17117, arXiv:astro-ph/0601001); None: no such id."""
    match = _ID.fullmatch(document_id.removeprefix("arXiv:"))
    if match is None:
        return None
    short = int(match[1].rpartition("/")[2][:2])
    return short + (1900 if short > 90 else 2000)


def canonical_name(name: str) -> str:
    """The id of the document that a record of this name would be; the name itself when it holds no id."""
    match = _ID.fullmatch(name.removeprefix("arXiv:"))
    return f"arXiv:{match[1]}" if match else name


def abstract_document(
    arxiv_id: str,
    place: str,
    *,
    title: str,
    abstract: str,
    authors: list[str],
    dates: tuple[str, str],
    categories: list[str],
) -> Document | Rejected:
    """The document of one record; `place` names it where its id does not. `dates` (ISO): first version, this one."""
    match = _ID.fullmatch(arxiv_id)
    if match is None:
        return _incomplete(place, "an id that arXiv could have given")
    name = f"arXiv:{match[1]}"
    for what, value in (("a title", title), ("an abstract", abstract)):
        if not has_words(value):
            return _incomplete(name, what)
    if len(abstract) > LONGEST_ABSTRACT:
        said = (
            f"{name}: the abstract has {len(abstract):,} characters, over {LONGEST_ABSTRACT:,}; look at it at arxiv.org"
        )
        return Rejected(name, "arxiv", "too_long", said)
    return Document(
        document_id=name,
        source="arxiv",
        media="abstract",
        title=without_tex(title),
        text=without_tex(abstract),
        authors=tuple(a for a in authors if a),
        published=_first_day(match[1], _day(dates[0])),
        updated=_day(dates[1]),
        url=f"https://arxiv.org/abs/{match[1]}",
        categories=tuple(dict.fromkeys(one_line(c, 40) for c in categories if has_words(c))),
    )


def _first_day(arxiv_id: str, day: date | None) -> date | None:
    """`day`, if it can be that of the first version; else None.

    The OAI-PMH service that arXiv has since 2025 gives the latest version's day as `created`. An id has the month in
    which a paper was listed, which is never before it was sent in.
    """
    if day is None:
        return None
    short = arxiv_id.rpartition("/")[2]
    months = 12 * (year_of(arxiv_id) or 0) + int(short[2:4]) - (12 * day.year + day.month)
    return day if months >= 0 else None


def _incomplete(name: str, what: str) -> Rejected:
    said = shown(name)
    return Rejected(
        said,
        "arxiv",
        "incomplete",
        f"{said}: the record has no {what.removeprefix('an ').removeprefix('a ')}; look it up at arxiv.org",
    )


def _text(element: Element, path: str, longest: int = 1000) -> str:
    """The text at `path` on one line; empty where there is none."""
    return one_line(element.findtext(path) or "", longest)


def _author(author: Element) -> str:
    parts: Iterator[str] = (_text(author, f"{RECORD}{part}") for part in ("forenames", "keyname", "suffix"))
    return " ".join(part for part in parts if part)


def _status(record: Element) -> str:
    header = record.find(f"{OAI}header")
    return header.get("status", "") if header is not None else ""


def _oai_id(record: Element) -> str:
    return _text(record, f"{OAI}header/{OAI}identifier").removeprefix("oai:arXiv.org:")


def _day(value: str) -> date | None:
    try:
        day = date.fromisoformat(value[:10])
    except ValueError:
        return None
    return day if 1900 <= day.year <= 2200 else None


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None
