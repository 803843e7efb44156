"""The front matter of an SQL file: a YAML document in the comment that the file begins with.

Belongs here: finding it, parsing it, and remembering the line of every key so that an error can name it.
Does not belong here: what the keys mean (`models.py`, `data_tests.py`).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

_BLOCK = re.compile(r"\A\s*/\*\s*---[ \t]*\n(?P<yaml>.*?)\n[ \t]*---\s*\*/", re.DOTALL)


class ModelError(ValueError):
    """An SQL file that cannot be used; says where (`file:line`) and why."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.reason = message


class Located(dict[str, Any]):
    """A YAML mapping that knows the file, its own line and the line of each of its keys."""

    path: str
    line: int
    lines: dict[str, int]

    def error(self, message: str, key: str | None = None) -> ModelError:
        """A ModelError at the line of `key`, or of the mapping."""
        return ModelError(self.path, self.lines.get(key, self.line) if key else self.line, message)

    def allow(self, keys: Iterable[str]) -> None:
        """ModelError when there is a key that is not among `keys`."""
        known = list(keys)
        for key in self:
            if key not in known:
                raise self.error(f"unknown key {key!r}; known are: {', '.join(known)}", key)

    def text(self, key: str, default: str | None = None) -> str:
        """The text under `key`; ModelError when it is neither there nor defaulted, or is not text."""
        value = self.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(f"{key!r} must be a text" if key in self else f"front matter lacks {key!r}", key)
        return " ".join(value.split())

    def names(self, key: str) -> tuple[str, ...]:
        """A name or a list of names under `key`."""
        value = self[key]
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not listed or not all(isinstance(v, str) for v in listed):
            raise self.error(f"{key!r} must be a name or a list of names", key)
        return tuple(listed)

    def mapping(self, key: str) -> Located:
        """The mapping under `key`."""
        value = self.get(key)
        if not isinstance(value, Located):
            raise self.error(f"{key!r} must be a mapping" if key in self else f"front matter lacks {key!r}", key)
        return value


def read_front_matter(path: str, text: str) -> Located:
    """The front matter of the file `path` with content `text`; ModelError when it is absent or no YAML mapping."""
    block = _BLOCK.match(text)
    if block is None:
        raise ModelError(
            path, 1, "no front matter: the file must begin with '/* ---', YAML (description, owner, ...), '--- */'"
        )
    first = text.count("\n", 0, block.start("yaml"))

    class Loader(yaml.SafeLoader):
        """Safe YAML whose mappings know their lines and refuse a key given twice."""

    def construct(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Located:
        found = Located()
        found.path, found.line, found.lines = path, first + node.start_mark.line + 1, {}
        for key_node, value_node in node.value:
            key: Hashable = loader.construct_object(key_node, deep=True)
            line = first + key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ModelError(path, line, f"key {key!r} must be a text (quote it)")
            if key in found:
                raise ModelError(path, line, f"key {key!r} is given twice")
            found.lines[key] = line
            found[key] = loader.construct_object(value_node, deep=True)
        return found

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct)
    try:
        parsed = yaml.load(block["yaml"], Loader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        raise ModelError(
            path, first + (mark.line if mark else 0) + 1, f"front matter is not valid YAML: {broken.problem}"
        ) from broken
    if not isinstance(parsed, Located):
        raise ModelError(path, first + 1, "front matter must be a YAML mapping (description: ..., owner: ...)")
    return parsed
