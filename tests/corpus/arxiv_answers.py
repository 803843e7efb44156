"""Answers of arXiv for tests, written by hand in the form of the real ones."""

from __future__ import annotations

from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def atom_entry(
    arxiv_id: str = "2503.17117v2", title: str = "Eight planets", summary: str = "We find\n  one more.", more: str = ""
) -> str:
    return f"""  <entry>
    <id>http://arxiv.org/abs/{arxiv_id}</id>
    <updated>2025-04-02T10:00:00Z</updated>
    <published>2025-03-21T17:59:59Z</published>
    <title>{escape(title)}</title>
    <summary>{escape(summary)}</summary>
    <author><name>Théo Bodrito</name><arxiv:affiliation>Paris</arxiv:affiliation></author>
    <author><name>A. Vanderburg</name></author>
    <arxiv:primary_category term="astro-ph.EP" scheme="http://arxiv.org/schemas/atom"/>
    <category term="astro-ph.IM" scheme="http://arxiv.org/schemas/atom"/>
    <category term="astro-ph.EP" scheme="http://arxiv.org/schemas/atom"/>
    {more}
  </entry>
"""


def atom_feed(*entries: str, total: str = "1059") -> bytes:
    return (
        f'{_HEAD}<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">\n'
        f"  <opensearch:totalResults>{total}</opensearch:totalResults>\n{''.join(entries)}</feed>\n"
    ).encode()


def oai_record(
    arxiv_id: str = "2503.17117",
    title: str = "Eight planets",
    abstract: str = "We find one more.",
    *,
    listed: str = "2025-04-02",
    categories: str = "astro-ph.EP astro-ph.IM",
) -> str:
    return f"""<record>
<header><identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>{listed}</datestamp><setSpec>physics:astro-ph:EP</setSpec></header>
<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/">
 <id>{arxiv_id}</id><created>2025-03-21</created><updated>2025-04-01</updated>
 <authors><author><keyname>Bodrito</keyname><forenames>Théo</forenames></author>
 <author><keyname>King</keyname><forenames>A. B.</forenames><suffix>Jr</suffix></author></authors>
 <title>{escape(title)}</title><categories>{categories}</categories>
 <abstract>{escape(abstract)}</abstract></arXiv></metadata>
</record>"""


def oai_deleted(arxiv_id: str, listed: str = "2025-04-02") -> str:
    head = f"<identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>{listed}</datestamp>"
    return f'<record><header status="deleted">{head}</header></record>'


def oai_answer(*records: str, token: str = "", verb: str = "ListRecords") -> bytes:
    return oai(f"<{verb}>{''.join(records)}{token}</{verb}>")


def oai(body: str) -> bytes:
    return (
        f'{_HEAD}<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2025-04-03T00:00:00Z</responseDate>'
        f"{body}</OAI-PMH>"
    ).encode()
