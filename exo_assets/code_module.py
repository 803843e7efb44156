"""One module's source as code versions see it: its definitions, what each refers to, and its text without words.

Belongs here: reading one file (`ast`; nothing is imported) and the canonical form of what stands in it. Does not belong
here: following references from module to module (`code_version.py`).

The canonical form has no comments, no docstrings, no `if TYPE_CHECKING` block, none of the decorators that make assets,
and no import of the platform's own modules: where a module lies is no part of what it says.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

PACKAGES = ("exo", "exo_assets", "exo_resources", "dbt_like_sql", "jobs", "sensors", "deployments")
"""The platform's own packages; all others are libraries, and their code does not count."""
ASSET_MAKERS = frozenset(("table_asset", "asset", "multi_asset", "asset_check"))
"""Decorators that say where an asset stands, not what it holds."""
DATA = re.compile(r"[\w./-]+\.(csv|json|md|parquet|sql|txt|ya?ml)")
"""Strings that may name a file of data beside their module."""

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class CodeVersionError(ValueError):
    """Code that cannot be followed; the message names the place and the remedy."""


@dataclass(frozen=True)
class Reference:
    """`name` in `module`; without a name the module itself. `alias` is what the place that refers to it calls it, and
    `attributes` what that place uses of it; none: who knows."""

    module: str
    name: str = ""
    alias: str = ""
    attributes: tuple[str, ...] = ()


@dataclass
class Definition:
    """All top-level statements that bind one name: canonical text, and what they refer to."""

    text: str = ""
    own: set[str] = field(default_factory=set)
    others: set[Reference] = field(default_factory=set)
    data: set[str] = field(default_factory=set)
    computed_imports: list[int] = field(default_factory=list)
    """Lines that import a module whose name is computed."""

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical text; empty when there is none."""
        return hashlib.sha256(self.text.encode()).hexdigest() if self.text else ""

    def join(self, other: Definition) -> None:
        """Take up another statement."""
        self.text += other.text
        self.own |= other.own
        self.others |= other.others
        self.data |= other.data
        self.computed_imports += other.computed_imports


class Module:
    """What stands in the file of the module `name`."""

    def __init__(self, name: str, file: Path) -> None:
        self.name, self.file = name, file
        self.definitions: dict[str, Definition] = {}
        self.loose = Definition()
        """What is done when the module is imported, and private values that nothing in it uses."""
        source = file.read_text(encoding="utf-8")
        words = Counter(re.findall(r"[^\W\d]\w*", source))
        tree = _Wordless().visit(ast.parse(source, str(file)))
        top = [_Uses(statement, self._own_imports) for statement in tree.body]
        found = [r for uses in top if not isinstance(uses.statement, FUNCTIONS | ast.ClassDef) for r in uses.imports]
        self.imports = {r.alias: r for r in found if r.alias and r.name != "*"}
        self.stars = [r.module for r in found if r.name == "*"]
        self._libraries = _libraries(tree.body)
        self.loose.others = {r for r in found if not r.alias}
        if not self.is_package:
            self.loose.others |= {r for r in self.imports.values() if words[r.alias] == 1}
        read = [
            (_bound(uses.statement), uses.statement, self._definition(uses))
            for uses in top
            if not isinstance(uses.statement, ast.Import | ast.ImportFrom)
        ]
        used = set[str]().union(*(definition.own for _, _, definition in read))
        for names, statement, definition in read:
            is_loose = not names or (
                isinstance(statement, ast.Assign | ast.AnnAssign)
                and all(name.startswith("_") and name not in used for name in names)
            )
            for into in [self.loose] if is_loose else [self.definitions.setdefault(n, Definition()) for n in names]:
                into.join(definition)

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__` of a package."""
        return self.file.name == "__init__.py"

    @cached_property
    def digest(self) -> str:
        """Digest of all that it says; empty when it says nothing."""
        text = "".join(definition.text for definition in (*self.definitions.values(), self.loose))
        return hashlib.sha256(text.encode()).hexdigest() if text else ""

    def _definition(self, uses: _Uses) -> Definition:
        """What a statement refers to, and its canonical text."""
        found = Definition(computed_imports=uses.computed_imports)
        here = {r.alias or r.module: r for r in uses.imports if r.name != "*"}
        for alias in here.keys() | uses.attributes.keys() | uses.bare:
            reference = here.get(alias) or self.imports.get(alias)
            if reference is None:
                found.own.add(alias)
            else:
                used = () if alias in uses.bare else tuple(sorted(uses.attributes.get(alias, ())))
                found.others.add(Reference(reference.module, reference.name, reference.alias, used))
        found.others |= {Reference(r.module) for r in uses.imports if r.name == "*"}
        found.data = {name for name in uses.data if (self.file.parent / name).is_file()}
        dotted = {r.module for r in self.loose.others if not r.alias}
        called = [f"{name}: {self._libraries[name]}" for name in sorted(found.own & self._libraries.keys())]
        found.text = "\n".join([*called, ast.dump(_Placeless(self._own_imports, dotted).visit(uses.statement)), ""])
        return found

    def _own_imports(self, node: ast.Import | ast.ImportFrom) -> list[Reference]:
        """What an import takes from own modules; that of a dotted name (`import a.b`) has no alias."""
        if isinstance(node, ast.Import):
            return [
                Reference(each.name, alias=each.asname or ("" if "." in each.name else each.name))
                for each in node.names
                if _is_own(each.name)
            ]
        module = node.module or ""
        if node.level:
            package = self.name.split(".")
            package = package[: len(package) - node.level + self.is_package]
            module = ".".join([*package, *([module] if module else [])])
        elif not _is_own(module):
            return []
        return [Reference(module, each.name, each.asname or each.name) for each in node.names]


def _libraries(body: list[ast.stmt]) -> dict[str, str]:
    """What the names that a module imports from libraries stand for."""
    named: dict[str, str] = {}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            source = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for each in (each for each in node.names if not _is_own(source + each.name)):
                alias = each.asname or each.name.partition(".")[0]
                named[alias] = " ".join(sorted({*named.get(alias, "").split(), source + each.name}))
    return named


class _Uses:
    """What a top-level statement uses, in one look."""

    def __init__(self, statement: ast.stmt, own: Callable[[ast.Import | ast.ImportFrom], list[Reference]]) -> None:
        self.statement, self._own = statement, own
        self.attributes: dict[str, set[str]] = {}
        """Names from outside it of which attributes are used."""
        self.bare: set[str] = set()
        """Names from outside it that are used as they are."""
        self.imports: list[Reference] = []
        self.data: set[str] = set()
        self.computed_imports: list[int] = []
        self._look(statement, frozenset())

    def _look(self, node: ast.AST, hidden: frozenset[str]) -> None:
        inside = hidden
        match node:
            case ast.Attribute(value=ast.Name(id=name)):
                if name not in hidden:
                    self.attributes.setdefault(name, set()).add(node.attr)
                return
            case ast.Name():
                if isinstance(node.ctx, ast.Load) and node.id not in hidden:
                    self.bare.add(node.id)
                return
            case ast.Constant():
                if isinstance(node.value, str) and DATA.fullmatch(node.value):
                    self.data.add(node.value)
                return
            case ast.Import() | ast.ImportFrom():
                self.imports += self._own(node)
                return
            case ast.Call() if _called(node.func) in ("import_module", "__import__"):
                self._imported(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                inside = hidden | _locals(node)
        for name, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    self._look(part, inside if name == "body" else hidden)

    def _imported(self, call: ast.Call) -> None:
        """An import by a function."""
        name = call.args[0] if call.args else None
        if not isinstance(name, ast.Constant):
            self.computed_imports.append(call.lineno)
        elif _is_own(str(name.value)):
            self.imports.append(Reference(str(name.value)))


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _called(node: ast.expr) -> str:
    """The last name of what is called: `asset` for `dg.asset`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _bound(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement binds."""
    if isinstance(statement, FUNCTIONS | ast.ClassDef):
        return [statement.name]
    nodes = list(ast.walk(statement))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return sorted(names | {node.name for node in nodes if isinstance(node, FUNCTIONS | ast.ClassDef)})


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """Names that a function binds: its parameters, and what it assigns outside the functions within it."""
    a = function.args
    names = {each.arg for each in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if each}
    shared = set[str]()
    waiting = list[ast.AST](function.body if isinstance(function.body, list) else [])
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global):
            shared |= set(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, FUNCTIONS | ast.Lambda | ast.ClassDef | COMPREHENSIONS | ast.Constant):
            waiting += ast.iter_child_nodes(node)
    return frozenset(names - shared)


class _OfStatements(ast.NodeTransformer):
    """Visits statements alone."""

    def visit(self, node: ast.AST) -> Any:
        """Leave expressions as they are."""
        return node if isinstance(node, ast.expr) else super().visit(node)


class _Wordless(_OfStatements):
    """Takes away what does not run, and what makes a function an asset."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Docstrings, those of values too."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> Any:
        """Imports for annotations alone."""
        visited: ast.If = self.generic_visit(node)  # type: ignore[assignment]
        return visited.orelse if _called(node.test) == "TYPE_CHECKING" else visited

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Decorators that make assets."""
        node.decorator_list = [
            d for d in node.decorator_list if not (isinstance(d, ast.Call) and _called(d.func) in ASSET_MAKERS)
        ]
        return self.generic_visit(node)


class _Placeless(ast.NodeTransformer):
    """Takes away where own modules lie; `dotted` are those that are called by their whole names."""

    def __init__(self, own: Callable[[ast.Import | ast.ImportFrom], list[Reference]], dotted: set[str]) -> None:
        self._own, self._dotted = own, dotted

    def visit(self, node: ast.AST) -> Any:
        """Expressions matter only where a dotted name may stand in them."""
        return node if isinstance(node, ast.expr) and not self._dotted else super().visit(node)

    def visit_Import(self, node: ast.Import) -> Any:
        """Imports of own modules; of a line that imports others too, the others stay."""
        node.names = [each for each in node.names if not _is_own(each.name)]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """Names out of own modules."""
        return None if self._own(node) else node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """`a.b.c.name` after `import a.b.c`."""
        is_module = ast.unparse(node) in self._dotted
        return ast.Name("<module>", ast.Load()) if is_module else self.generic_visit(node)
