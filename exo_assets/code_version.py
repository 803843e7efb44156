"""Code versions: a digest of the pure modules that a table is computed by.

Belongs here: turning source files into a version. An edit to a comment changes nothing; an edit to code does.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent


@cache
def code_version(*stages: str) -> str:
    """Digest of the pure modules of `stages` (folders or files below `exo_assets`), docstrings and comments aside.

    Dagster glue (`assets.py`, `checks.py`) counts too: it decides what is passed to the science.
    """
    digest = hashlib.sha256()
    for stage in sorted(set(stages)):
        path = _ROOT / stage
        if not path.exists():
            raise FileNotFoundError(f"code version of {stage!r}: there is no exo_assets/{stage}")
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(_ROOT).as_posix().encode())
            digest.update(_canonical(file))
    return digest.hexdigest()[:16]


@cache
def _canonical(file: Path) -> bytes:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0].value
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                body[0] = ast.Pass()
    return ast.dump(tree).encode()
