"""The corpus that ships: this package's own documentation and the definitions in it.

Belongs here: which texts of the package are documents, and how tables and features are worded. Does not belong here:
the archive's columns (`archive_columns.py`), the words of the field (`glossary.py`), documents from outside.
"""

from __future__ import annotations

import re
from pathlib import Path

from exo_assets.corpus.archive_columns import column_documents
from exo_assets.corpus.document import Document
from exo_assets.corpus.glossary import glossary_documents
from exo_assets.corpus.plain_text import clean_text
from exo_assets.corpus.read_document import read_document

CHECKOUT = Path(__file__).resolve().parents[2]
TEXTS = ("README.md", "dbt_like_sql/README.md")
"""Texts of the checkout; those below `exo_assets` are found by their ending."""
_NOTES = "TRIED.md"
"""Notes on what was tried while Exo was developed: they speak of nothing that people ask."""
_USAGE = re.compile(r"^```.*?^```[ \t]*$\n?", re.MULTILINE | re.DOTALL)
"""Commands of the README, which would be quoted as if they answered the question that stands in one of them."""

_GROUPS = {
    "transit": "the transit",
    "error": "the uncertainties of the transit",
    "star": "the star",
    "star_error": "the uncertainties of the star",
    "system": "the other signals on the star",
    "diagnostics": "the pipeline's diagnostics",
    "light_curve": "the light curve",
    "mission": "the mission",
}


def own_documents() -> list[Document]:
    """Everything that the package knows of itself and of the archive, ordered by id; the same as long as it is.

    Texts are `exo:<path>`, words `exo:glossary/<word>`, tables `exo:table/<name>`, features `exo:features/<group>`, the
    archive's columns `archive:<column>`.
    """
    found = [*_texts(), *glossary_documents(), *_tables(), *_features(), *column_documents()]
    return sorted(found, key=lambda document: document.document_id)


def _texts() -> list[Document]:
    """The Markdown files of the package, notes of its development aside, and in a checkout its README without
    commands."""
    paths = [CHECKOUT / name for name in TEXTS if (CHECKOUT / name).is_file()]
    paths += sorted(path for path in (CHECKOUT / "exo_assets").rglob("*.md") if path.name != _NOTES)
    documents = list[Document]()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        text = _USAGE.sub("", text) if path.name == TEXTS[0] and path.parent == CHECKOUT else text
        read = read_document(path.name, text.encode())
        if not isinstance(read, Document):
            raise ValueError(f"a text of the package cannot be read: {read.message}")
        documents.append(_own(f"exo:{path.relative_to(CHECKOUT).as_posix()}", read.title, read.text))
    return documents


def _tables() -> list[Document]:
    """Every table of the release with its columns, the archive's verbatim ones aside."""
    from exo_assets.warehouse.catalogue import documentation, project

    documents = list[Document]()
    for table in documentation(project()).values():
        if table.name.startswith("raw_nea__"):
            continue
        lines = [f"# Table {table.name}", "", table.description, ""]
        if table.key:
            lines += [f"One row for each {', '.join(table.key)}.", ""]
        lines += [f"- {table.name}.{column}: {table.comment(column)}" for column in table.columns]
        documents.append(_own(f"exo:table/{table.name}", f"Table {table.name}", "\n".join(lines)))
    return documents


def _features() -> list[Document]:
    """What the vetter sees, by group, with formula and source."""
    from exo_assets.features.registry import FEATURES

    documents = list[Document]()
    for group, about in _GROUPS.items():
        title = f"Features of the vetter: {about}"
        lines = [f"# {title}", ""]
        for f in FEATURES:
            if f.group == group:
                unit = f" [{f.unit}]" if f.unit not in ("", "1") else ""
                lines.append(f"- {f.name}{unit}: {f.formula}. Source: {f.source}.")
        documents.append(_own(f"exo:features/{group}", title, "\n".join(lines)))
    return documents


def _own(document_id: str, title: str, text: str) -> Document:
    return Document(document_id, "package", "markdown", title, clean_text(text))
