"""Questions that have nothing to do with exoplanets: the documentation of Python's own standard library.

Belongs here: reading docstrings from the library's sources. Does not belong here: what is judged by them.

No general benchmark of retrieval comes with any package that is installed. What is on every machine that runs this code
is some thousand docstrings by hundreds of authors over thirty years: the first line says what a thing is for, the rest
explains it. Finding the rest by the first line is general technical English. It is not the breadth of a published
benchmark, and it differs a little between versions of Python: both models are always judged on the same one.
"""

from __future__ import annotations

import ast
import hashlib
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from exo_assets.corpus.pairs import LONGEST_PASSAGE, Pair

_NOT_PROSE = ("test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "turtledemo", "__pycache__")
SHORTEST_LINE, SHORTEST_REST = 25, 120
"""Characters of a first line and of what follows it."""


def docstring_pairs(most: int, library: Path | None = None) -> list[Pair]:
    """At most `most` pairs of first line and rest, chosen and ordered by hash; `library` is a folder of sources.

    A first line, or a rest, that occurs more than once is left out: there would be no telling which is meant.
    """
    root = library or Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, Pair] = {}
    for path in sorted(root.rglob("*.py")):
        if not set(path.relative_to(root).parts) & set(_NOT_PROSE):
            for name, line, rest in _docstrings(path):
                where = f"{path.relative_to(root).as_posix()}:{name}"
                found[where] = Pair("docstring", where, line, rest[:LONGEST_PASSAGE])
    lines, rests = _counted(p.query for p in found.values()), _counted(p.passage for p in found.values())
    once = [p for p in found.values() if lines[p.query] == 1 and rests[p.passage] == 1]
    return sorted(once, key=lambda p: hashlib.sha256(f"{p.query}\0{p.passage}".encode()).digest())[:most]


def _docstrings(path: Path) -> Iterator[tuple[str, str, str]]:
    """(name and line, first line, the rest) of everything in a file that has both; nothing of one that is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old escapes in sources that are not ours
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            line, _, rest = (ast.get_docstring(node) or "").partition("\n")
            line, rest = line.strip(), rest.strip()
            if len(line) >= SHORTEST_LINE and len(rest) >= SHORTEST_REST and " " in line:
                yield f"{getattr(node, 'name', '')}:{getattr(node, 'lineno', 0)}", line, rest


def _counted(texts: Iterator[str]) -> dict[str, int]:
    out: dict[str, int] = {}
    for text in texts:
        out[text] = out.get(text, 0) + 1
    return out
