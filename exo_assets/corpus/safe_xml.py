"""XML of strangers: a tree without entities, external files or endless depth.

Belongs here: parsing. Does not belong here: what elements mean (`arxiv.py`).
"""

from __future__ import annotations

import re
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

LARGEST_BYTES = 64_000_000
DEEPEST = 64
_NOT_XML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
"""Characters that no XML may have, and that servers send all the same where a text of their database has them."""
_REFERENCE = re.compile(r"&#(?:([0-9]{1,7})|x([0-9A-Fa-f]{1,6}));")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,100}?encoding=["']([A-Za-z0-9._-]+)""")


class XmlError(ValueError):
    """The bytes are not XML that is read here; the message says where and why."""


def parse_xml(data: bytes) -> Element:
    """The root element, tags as `{namespace}name`.

    Characters that XML may not have are read as spaces: one in one text is no reason to lose the others. XmlError for
    what is else not well-formed, has a document type (the only place where entities are declared), is larger than
    LARGEST_BYTES or deeper than DEEPEST.
    """
    if len(data) > LARGEST_BYTES:
        raise XmlError(f"has {len(data) / 1e6:,.0f} MB, over {LARGEST_BYTES / 1e6:,.0f} MB")
    try:
        return _tree(data)
    except expat.ExpatError as error:
        mended = _mended(data)
        if mended == data:
            raise XmlError(f"is not well-formed XML ({error})") from None
    try:
        return _tree(mended)
    except expat.ExpatError as error:
        raise XmlError(f"is not well-formed XML, whatever its characters ({error})") from None


def _mended(data: bytes) -> bytes:
    """`data` with spaces for what no XML may have, written out or by number; as it is when it is not UTF-8."""
    declared = _ENCODING.match(data[:200])
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4] or (declared and declared[1].lower() != b"utf-8"):
        return data
    text = data.decode("utf-8", "replace")
    return _REFERENCE.sub(_legal, re.sub(_NOT_XML, " ", text)).encode()


def _legal(reference: re.Match[str]) -> str:
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    return " " if code > 0x10FFFF or re.match(_NOT_XML, chr(code)) else reference[0]


def _tree(data: bytes) -> Element:
    """As `parse_xml`; ExpatError for what is not well-formed."""
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise XmlError(f"line {parser.CurrentLineNumber}: elements are nested deeper than {DEEPEST}")
        builder.start(_name(tag), {_name(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(tag))

    def refuse(*_: object) -> NoReturn:
        raise XmlError(f"line {parser.CurrentLineNumber}: declares a document type or entities, which are not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except (LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, XmlError):
            raise
        raise XmlError(f"is in an encoding that is not known ({error})") from None
    return builder.close()


def _name(tag: str) -> str:
    return "{" + tag if "}" in tag else tag
