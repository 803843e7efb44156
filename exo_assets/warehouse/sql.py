"""What can be known of one SELECT without running it: its tables, its canonical form, where its columns come from.

Belongs here: everything that asks sqlglot. Does not belong here: front matter, files, or the rules about models as a
whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.scope import traverse_scope

from exo_assets.warehouse.front_matter import ModelError

DIALECT = "duckdb"
_GENERATORS = (exp.Unnest, exp.GenerateSeries)
_CHANGING = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime, exp.Rand, exp.Uuid)
_CHANGING_NAMES = frozenset({"now", "today", "get_current_timestamp", "get_current_time", "random", "gen_random_uuid"})

Schemas = Mapping[str, Mapping[str, str]]
"""Column types by column by table; the type matters only where a column has fields."""


@dataclass(frozen=True)
class TableUse:
    """A table that a statement reads, and the line where it does."""

    name: str
    line: int


@dataclass(frozen=True)
class Select:
    """One parsed SELECT of the file `path`."""

    path: str
    tree: exp.Query

    @property
    def version(self) -> str:
        """Digest of the canonical syntax tree: comments, white space and keyword case do not change it."""
        return hashlib.sha256(self.tree.sql(DIALECT, comments=False).encode()).hexdigest()[:16]

    @property
    def is_ordered(self) -> bool:
        """Whether the statement itself says in which order its rows come."""
        return self.tree.args.get("order") is not None

    def tables(self) -> list[TableUse]:
        """Tables that are read, each once, in order of appearance; names of CTEs are not tables.

        ModelError for anything that is not a plain table name: a file, a function that reads one, another schema.
        """
        found: dict[str, TableUse] = {}
        for scope in traverse_scope(self.tree):
            for source in scope.sources.values():
                if isinstance(source, exp.Table):
                    use = self._table(source)
                    if use and use.name not in found:
                        found[use.name] = use
        return sorted(found.values(), key=lambda use: (use.line, use.name))

    def _table(self, source: exp.Table) -> TableUse | None:
        line = _line(source)
        if isinstance(source.this, _GENERATORS):
            return None
        if not isinstance(source.this, exp.Identifier):
            raise ModelError(self.path, line, f"{source.sql(DIALECT)} is not a table; a model reads tables only")
        if source.db or source.catalog:
            raise ModelError(
                self.path, line, f"{source.sql(DIALECT)}: write plain table names, so that the file runs on a release"
            )
        return TableUse(source.name, line)

    def lineage(self, schemas: Schemas) -> dict[str, list[tuple[str, str]]]:
        """(table, column) pairs that each output column is computed from.

        ModelError when a column is not among those in `schemas`.
        """
        known = {t.name: dict(schemas[t.name]) for t in self.tables()}
        try:
            nodes = lineage(None, self.tree.copy(), schema=known, dialect=DIALECT)
        except SqlglotError as broken:
            raise ModelError(self.path, 1, f"columns cannot be resolved: {broken}") from broken
        roots: dict[str, Node] = nodes if isinstance(nodes, dict) else {nodes.name: nodes}
        found = {name: sorted(_leaves(root)) for name, root in roots.items()}
        for table, column in sorted({pair for pairs in found.values() for pair in pairs}):
            if column not in known[table]:
                raise ModelError(self.path, 1, f"columns cannot be resolved: {table} has no column {column!r}")
        return found


def parse_select(path: str, text: str) -> Select:
    """The one SELECT that `text` holds; ModelError when it is not exactly one, or could change from run to run."""
    try:
        statements = [s for s in sqlglot.parse(text, dialect=DIALECT) if s is not None]
    except ParseError as broken:
        first = broken.errors[0] if broken.errors else {}
        detail = first.get("description") or str(broken)
        near = first.get("highlight")
        raise ModelError(
            path, first.get("line") or 1, f"SQL syntax: {detail}{f' near {near!r}' if near else ''}"
        ) from broken
    except TokenError as broken:
        raise ModelError(path, 1, f"SQL syntax: {broken}") from broken
    if not statements:
        raise ModelError(path, text.count("\n") + 1, "no statement: a SELECT must follow the front matter")
    if len(statements) > 1:
        raise ModelError(path, _second_statement(text), "more than one statement; a file holds one SELECT")
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise ModelError(path, _line(tree), f"a file holds one SELECT, not {tree.key.upper()}")
    _refuse_changing(path, tree)
    return Select(path, tree)


def _refuse_changing(path: str, tree: exp.Query) -> None:
    for node in tree.walk():
        named = isinstance(node, exp.Anonymous) and node.name.lower() in _CHANGING_NAMES
        if isinstance(node, _CHANGING) or named:
            raise ModelError(
                path,
                _line(node),
                f"{node.sql(DIALECT)} changes from run to run; a model depends on its tables only",
            )


def _second_statement(text: str) -> int:
    tokens = sqlglot.tokenize(text, dialect=DIALECT)
    ended = False
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            ended = True
        elif ended:
            return int(token.line)
    return 1


def _leaves(root: Node) -> set[tuple[str, str]]:
    return {
        (node.source.name, node.name.rsplit(".", 1)[-1].strip('"'))
        for node in root.walk()
        if isinstance(node.source, exp.Table) and isinstance(node.source.this, exp.Identifier) and not node.downstream
    }


def _line(node: exp.Expr) -> int:
    """Line of the first token below `node` that kept its position, else of its nearest such ancestor."""
    current: exp.Expr | None = node
    while current is not None:
        for part in current.walk():
            if "line" in part.meta:
                return int(part.meta["line"])
        current = current.parent
    return 1
