"""The words of the field: what they mean, as Exo uses them.

Belongs here: reading `glossary.yaml`, a word's names in one form, and each word as a document. Does not belong here:
which words a question asks for (`definitions.py`), how signals are vetted (`vetting.md`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exo_assets.corpus.contracts import GLOSSARY
from exo_assets.corpus.document import Document
from exo_assets.corpus.plain_text import clean_text

FILE = Path(__file__).with_name("glossary.yaml")
_OTHER_NAMES = "Other names: "
_ABBREVIATION = re.compile(r"[A-Z][A-Za-z0-9/+-]*[A-Z0-9][A-Za-z]?|[A-Z]{1,2}")


class GlossaryError(ValueError):
    """The file of words breaks its rules; the message lists how."""


@dataclass(frozen=True)
class Term:
    """A word with its other names, abbreviations among them, and what it means."""

    name: str
    also: tuple[str, ...]
    says: str

    @property
    def document_id(self) -> str:
        """Id of its document: exo:glossary/transit-depth."""
        return GLOSSARY + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def title(self) -> str:
        """The word, with its abbreviation where it has one that is not the word itself."""
        first = self.also[0] if self.also else ""
        return f"{self.name} ({first})" if _ABBREVIATION.fullmatch(first) else self.name


@cache
def terms() -> tuple[Term, ...]:
    """All words in the file's order. GlossaryError."""
    return parse(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def parse(content: Sequence[Mapping[str, Any]]) -> tuple[Term, ...]:
    """Words of the file's `content`; GlossaryError with every name that two words have, and every definition that does
    not name its word first."""
    found = tuple(Term(e["term"], tuple(map(str, e.get("also", ()))), " ".join(e["says"].split())) for e in content)
    owner: dict[str, str] = {}
    wrong = []
    for term in found:
        for name in (term.name, *term.also):
            if owner.setdefault(word_key(name), term.name) != term.name:
                wrong.append(f"{name!r} is of {owner[word_key(name)]!r} and of {term.name!r}")
        if word_key(term.name) not in word_key(term.says.split(". ")[0]):
            wrong.append(f"the definition of {term.name!r} does not begin with it")
    if wrong:
        raise GlossaryError("; ".join(wrong))
    return found


def word_key(name: str) -> str:
    """The form in which names of words are compared: small letters, no hyphens, quotes or brackets."""
    text = re.sub(r"[-‐-―−_/\s]+", " ", name.lower())
    return re.sub(r"[\"'“”‘’()\[\]`*]", "", text).strip(" .,:;?!")


def find(name: str) -> Term | None:
    """The word of that name, in the singular or the plural; None where there is none."""
    wanted = word_key(name)
    return next((found for form in _singulars(wanted) if (found := _by_key().get(form))), None)


@cache
def _by_key() -> dict[str, Term]:
    return {word_key(name): term for term in terms() for name in (term.name, *term.also)}


def _singulars(wanted: str) -> list[str]:
    """`wanted` and what it is the plural of, if it is one."""
    out = [wanted]
    for ending, singular in (("ies", "y"), ("es", ""), ("s", ""), ("es", "is")):
        if wanted.endswith(ending) and len(wanted) > len(ending) + 1:
            out.append(wanted.removesuffix(ending) + singular)
    return out


def glossary_documents() -> list[Document]:
    """A document for each word: its names, and the definition."""
    return [_document(term) for term in terms()]


def _document(term: Term) -> Document:
    lines = [f"# {term.title}", "", term.says]
    shown = [name for name in term.also if name not in term.title]
    if shown:
        lines += ["", f"{_OTHER_NAMES}{', '.join(shown)}."]
    return Document(term.document_id, "package", "markdown", term.title, clean_text("\n".join(lines)))


def says_what_it_means(sentence: str) -> bool:
    """Whether a sentence of such a document is of the definition: neither heading nor list of names."""
    return not sentence.startswith(("#", _OTHER_NAMES))
