"""The SQL models: plain SELECT files with front matter, read into models in the order in which they must run.

Belongs here: the files (`staging/`, `marts/`, `tests/`), what each must have, and the rules about all of them together:
no unknown table, no cycle, no name twice. Every mistake is a ModelError with file and line.
Does not belong here: running SQL, or Dagster.

Front matter of a model: `description`, `owner`, `key` (columns that identify a row), `columns` (name: description, or
name: {description, unit, type, tests}), optionally `tests`. Of a test: `description`, `table` (the one that it judges).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from exo_assets.warehouse.data_tests import DataTest, TestReader
from exo_assets.warehouse.front_matter import Located, ModelError, read_front_matter
from exo_assets.warehouse.sql import Schemas, Select, TableUse, parse_select

LAYERS = {"staging": "stg_", "marts": "mart_"}
"""Folder of each layer and the prefix that its tables bear."""

__all__ = ["Model", "ModelColumn", "ModelError", "Project", "load_project"]


@dataclass(frozen=True)
class ModelColumn:
    """A column as the front matter declares it; `type` is DuckDB's name of its type, empty when it is left open."""

    name: str
    description: str
    unit: str = ""
    type: str = ""


@dataclass(frozen=True)
class Model:
    """One SELECT file that makes one table."""

    name: str
    layer: str
    path: str
    sql: str
    select: Select
    uses: tuple[TableUse, ...]
    description: str
    owner: str
    key: tuple[str, ...]
    columns: tuple[ModelColumn, ...]
    tests: tuple[DataTest, ...]

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Tables that the SELECT reads."""
        return tuple(use.name for use in self.uses)

    @property
    def tested_against(self) -> tuple[str, ...]:
        """Other tables that its tests read."""
        return tuple(dict.fromkeys(table for test in self.tests for table in test.depends_on))

    @property
    def must_exist(self) -> tuple[str, ...]:
        """Tables that must be there before the model runs and is tested."""
        return tuple(dict.fromkeys((*self.depends_on, *self.tested_against)))

    @property
    def version(self) -> str:
        """Code version: the canonical syntax tree and the row order; descriptions and tests do not change it."""
        return hashlib.sha256(json.dumps([self.select.version, list(self.key)]).encode()).hexdigest()[:16]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Declared columns, in order."""
        return tuple(c.name for c in self.columns)

    def misfits(self, types: Mapping[str, str]) -> list[str]:
        """Every way the columns of a result differ from the front matter, in words."""
        declared = {c.name: c for c in self.columns}
        undeclared = [n for n in types if n not in declared]
        absent = [n for n in declared if n not in types]
        out = [f"result has columns that the front matter lacks: {undeclared}"] * bool(undeclared)
        out += [f"front matter has columns that the result lacks: {absent}"] * bool(absent)
        if not out and list(types) != list(declared):
            out.append(f"columns come as {list(types)}, the front matter lists {list(declared)}")
        out += [
            f"column {n} is {types[n]}, the front matter says {c.type}"
            for n, c in declared.items()
            if c.type and n in types and types[n].upper() != c.type.upper()
        ]
        out += [f"column {n} is {t}: cast it to BIGINT or DOUBLE" for n, t in types.items() if t.endswith("HUGEINT")]
        return out


@dataclass(frozen=True)
class Project:
    """All models in running order, the tests that stand in files of their own, and the columns of every table."""

    models: tuple[Model, ...]
    tests: tuple[DataTest, ...]
    schemas: Schemas

    def model(self, name: str) -> Model:
        """The model called `name`; KeyError when there is none."""
        return {m.name: m for m in self.models}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models, in running order."""
        return tuple(m.name for m in self.models)

    @property
    def all_tests(self) -> tuple[DataTest, ...]:
        """The tests in front matter and those in files."""
        return (*(t for m in self.models for t in m.tests), *self.tests)

    def lineage(self, name: str) -> dict[str, list[tuple[str, str]]]:
        """(table, column) pairs that each column of a model is computed from; ModelError when one does not exist."""
        return self.model(name).select.lineage(self.schemas)

    def digest(self) -> str:
        """Digest of the models, documentation included: what the dictionary and the lineage tables are made from."""
        said = [
            [m.name, m.version, m.description, m.owner, [[c.name, c.description, c.unit, c.type] for c in m.columns]]
            for m in self.models
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def load_project(root: Path, known: Schemas) -> Project:
    """Read `root/{staging,marts,tests}/**/*.sql`. `known` has the columns of every table that is made elsewhere."""
    models = _unique(
        _read_model(path, _shown(root, path), folder) for folder in LAYERS for path in _files(root / folder)
    )
    for model in models.values():
        if model.name in known:
            raise ModelError(model.path, 1, f"table {model.name!r} is already made elsewhere; choose another name")
    schemas = {**known, **{m.name: {c.name: c.type or "UNKNOWN" for c in m.columns} for m in models.values()}}
    for model in models.values():
        _refuse_unknown(model.path, model.uses, schemas)
        for test in model.tests:
            _refuse_unknown(test.path, [TableUse(t, test.line) for t in test.depends_on], schemas)
    tests = _unique(_read_test(path, _shown(root, path), schemas, models) for path in _files(root / "tests"))
    return Project(_in_order(models), tuple(tests.values()), schemas)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.sql")) if folder.is_dir() else []


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root.parent).as_posix()


def _unique(found: Iterable[Any]) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for item in found:
        if item.name in by_name:
            raise ModelError(item.path, 1, f"{item.name!r} is also the name of {by_name[item.name].path}")
        by_name[item.name] = item
    return by_name


def _read_model(path: Path, shown: str, layer: str) -> Model:
    text, name, prefix = _text(path, shown), path.stem, LAYERS[layer]
    if not name.startswith(prefix) or not name.isidentifier() or name != name.lower():
        raise ModelError(shown, 1, f"a file in {layer}/ is named {prefix}<lower_case_name>.sql, not {path.name}")
    matter = read_front_matter(shown, text)
    matter.allow(("description", "owner", "key", "columns", "tests"))
    columns, tests = [], list[DataTest]()
    listed = matter.mapping("columns")
    reader = TestReader(shown, name, list(listed))
    if "key" not in matter:
        raise matter.error("front matter lacks 'key': the column or columns that identify a row")
    key = matter.names("key")
    tests += reader.key(key, matter.lines["key"])
    for column in listed:
        columns.append(_read_column(column, listed))
        declared = listed[column]
        if isinstance(declared, Located) and "tests" in declared:
            tests += reader.of_column(column, declared["tests"], declared)
    if "tests" in matter:
        tests += reader.of_table(matter["tests"], matter)
    _once(tests)
    select = parse_select(shown, text)
    return Model(
        name=name,
        layer=layer,
        path=shown,
        sql=text,
        select=select,
        uses=tuple(select.tables()),
        description=matter.text("description"),
        owner=matter.text("owner"),
        key=key,
        columns=tuple(columns),
        tests=tuple(tests),
    )


def _read_column(name: str, listed: Located) -> ModelColumn:
    declared = listed[name]
    if isinstance(declared, Located):
        declared.allow(("description", "unit", "type", "tests"))
        return ModelColumn(
            name, declared.text("description"), declared.text("unit", ""), declared.text("type", "").upper()
        )
    return ModelColumn(name, listed.text(name))


def _read_test(path: Path, shown: str, schemas: Schemas, models: Mapping[str, Model]) -> DataTest:
    text = _text(path, shown)
    matter = read_front_matter(shown, text)
    matter.allow(("description", "owner", "table"))
    select = parse_select(shown, text)
    uses, table = select.tables(), matter.text("table")
    _refuse_unknown(shown, uses, schemas)
    if table not in models:
        raise matter.error(f"'table' must be a model, not {table!r}", "table")
    if table not in {use.name for use in uses}:
        raise matter.error(f"the test judges {table!r} but does not read it", "table")
    others = tuple(use.name for use in uses if use.name != table)
    return DataTest(path.stem, table, text, matter.text("description"), shown, 1, others)


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise ModelError(shown, 1, f"not UTF-8: {broken}") from broken


def _once(tests: Iterable[DataTest]) -> None:
    seen: dict[str, DataTest] = {}
    for test in tests:
        if test.name in seen:
            raise ModelError(test.path, test.line, f"test {test.name!r} is already there (line {seen[test.name].line})")
        seen[test.name] = test


def _refuse_unknown(path: str, uses: Iterable[TableUse], schemas: Schemas) -> None:
    for use in uses:
        if use.name not in schemas:
            close = difflib.get_close_matches(use.name, schemas, n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise ModelError(path, use.line, f"unknown table {use.name!r}{hint}")


def _in_order(models: Mapping[str, Model]) -> tuple[Model, ...]:
    graph = {name: sorted(t for t in model.must_exist if t in models) for name, model in sorted(models.items())}
    try:
        return tuple(models[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        loop = list(cycle.args[1])
        reader = models[loop[1]]
        line = next((use.line for use in reader.uses if use.name == loop[0]), 1)
        raise ModelError(reader.path, line, f"cycle of models: {' -> '.join(reversed(loop))}") from None
