"""XML of strangers: a tree without entities, external files or endless depth.

Belongs here: parsing. Does not belong here: what elements mean (`arxiv.py`).
"""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

LARGEST_BYTES = 64_000_000
DEEPEST = 64
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
"""Characters that no XML may have, and that servers send all the same where a text has them."""
_INVALID = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]


class XmlError(ValueError):
    """The bytes are not XML that is read here; the message says where and why."""


def parse_xml(data: bytes) -> Element:
    """The root element, tags as `{namespace}name`.

    Control characters are left out: one in one text is no reason to lose the others. XmlError for what is else not
    well-formed, has a document type (the only place where entities are declared), is larger than LARGEST_BYTES or
    deeper than DEEPEST.
    """
    if len(data) > LARGEST_BYTES:
        raise XmlError(f"has {len(data) / 1e6:,.0f} MB, over {LARGEST_BYTES / 1e6:,.0f} MB")
    try:
        return _tree(data)
    except expat.ExpatError as error:
        without = data.translate(None, _CONTROLS) if error.code == _INVALID else data
        if len(without) == len(data):
            raise XmlError(f"is not well-formed XML ({error})") from None
    try:
        return _tree(without)
    except expat.ExpatError as error:
        raise XmlError(f"is not well-formed XML, nor without its control characters ({error})") from None


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
