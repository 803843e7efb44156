"""Code versions: a digest of the code that computes a table, found by following imports from its task functions.

Belongs here: which code belongs to a task, and its digest. Does not belong here: reading one file (`code_module.py`).

A task is a function or a class that an asset names. From its definition every name that it uses is followed: to other
definitions of its module, through imports (those inside functions too, relative ones, re-exports of a package's
`__init__`, `import_module("a.literal")`) to definitions of other modules, and so on. A module that is reached counts
whole. Counted definition by definition are only modules that hold several tables' parts: assets, contracts, plans and
tasks (`PARTED`); an edit for one of them must not recompute the others. Everywhere what a module does when it is
imported counts, and so does a file of data that the code names beside its module.

Resources (`exo_resources`) move values: their own code does not count, but it is followed to the science that it uses.
An asset names the class of such a resource as the annotation of its parameter. What makes tables of functions
(`table_asset.py`) and versions of code does not count either: it computes no value.

The digest names no module and no path: it is made of texts, and of which text is called what by which other. A module
that moves to another place, its imports adapted, changes nothing. Sources are parsed, never imported.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from exo_assets.code_module import CodeVersionError, Definition, Module, Reference

ROOT = Path(__file__).resolve().parents[1]
PARTED = re.compile(r"(.*_)?(assets?|checks|contracts|plans|tasks)")
"""Names of modules that hold parts of several tables."""
MOVERS = re.compile(r"exo_resources(\..*)?|.*\.(table_asset|star_asset|shown|retries|code_version|code_module)")
"""Modules that move values, or make assets of functions."""

Place = tuple[str, str]
"""A module, and a definition in it; '' is what it does when it is imported."""

Edge = tuple[Place, str]
"""What a definition leads to, and what it calls it; '' for what has the same name in its own module."""


@dataclass(frozen=True)
class Code:
    """The code of some tasks: its digest, where they are defined, and all modules that count."""

    digest: str
    tasks: tuple[Place, ...]
    modules: tuple[str, ...]


def code_version(*tasks: Any) -> str:
    """Digest of the code of `tasks`: functions, classes, modules, and instances, which count as their classes.

    CodeVersionError for code that cannot be followed: a task without a name, a module without a source, an import of a
    computed name.
    """
    return code_of(*tasks).digest


def program_version(module: str) -> str:
    """Digest of all code, that of resources too, that the module `module` leads to: what a program started by its name
    runs."""
    return _SOURCES.code(((module, "*"),), movers=None).digest


def code_of(*tasks: Any) -> Code:
    """The code of `tasks`; see `code_version`."""
    return _code(frozenset(map(_named, tasks)))


@cache
def _code(tasks: frozenset[Place]) -> Code:
    return _SOURCES.code(tasks)


def _named(task: Any) -> Place:
    """Where a task is defined."""
    while isinstance(task, partial):
        task = task.func
    if inspect.ismodule(task):
        return task.__name__, "*"
    if not (inspect.isroutine(task) or inspect.isclass(task)):
        task = type(task)
    name = task.__qualname__.partition(".")[0]
    if name == "<lambda>":
        raise CodeVersionError(f"a lambda in {task.__module__} is no task: its code has no name; define a function")
    if not _SOURCES.has(task.__module__):
        _SOURCES.add(task.__module__, Path(inspect.getsourcefile(task) or ""))
    return task.__module__, name


@dataclass(frozen=True)
class Sources:
    """The sources of the platform below `root`, and of `added` modules that do not belong to it, such as tests."""

    root: Path
    added: dict[str, Path] = field(default_factory=dict)
    _modules: dict[str, Module | None] = field(default_factory=dict)
    _followed: dict[Place, tuple[Edge, ...]] = field(default_factory=dict)

    def add(self, module: str, file: Path) -> None:
        """Name the file of a module that does not belong to the platform; again, when it changed."""
        if not file.is_file():
            raise CodeVersionError(f"module {module} has no source file; what it defines cannot be a task")
        self.added[module] = file
        self._modules.pop(module, None)
        self._followed.clear()

    def has(self, name: str) -> bool:
        """Whether there is a source of the module."""
        if name not in self._modules:
            folder = self.root.joinpath(*name.split("."))
            files = (self.added.get(name), folder / "__init__.py", folder.with_suffix(".py"))
            file = next((file for file in files if file and file.is_file()), None)
            self._modules[name] = Module(name, file) if file else None
        return self._modules[name] is not None

    def module(self, name: str) -> Module:
        """What stands in a module."""
        module = self._modules[name] if self.has(name) else None
        if module is None:
            raise CodeVersionError(f"{name} is imported, and there is no source of it below {self.root}")
        return module

    def code(self, tasks: Iterable[Place], movers: re.Pattern[str] | None = MOVERS) -> Code:
        """The code of tasks, each the name of a module and of a definition in it ('*': all); that of `movers` does not
        count."""
        tasks = tuple(sorted(tasks))
        references = [Reference(module, "" if name == "*" else name) for module, name in tasks]
        waiting = [place for reference in references for place in self._places(reference)]
        reached: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place not in reached:
                reached.add(place)
                waiting += [target for target, _ in self._follow(place)]
        counted = {p: d for p in reached if not (movers and movers.fullmatch(p[0])) and (d := self._digest(p))}
        said = {*counted.values(), *(digest for place in counted for digest in self._data(place))}
        for place, digest in counted.items():
            said |= {f"{digest} {call} {counted[to]}" for to, call in self._follow(place) if call and to in counted}
        digest = hashlib.sha256("\n".join(sorted(said)).encode()).hexdigest()[:16]
        return Code(digest, tasks, tuple(sorted({module for module, _ in counted})))

    def _follow(self, place: Place) -> tuple[Edge, ...]:
        """What a definition leads to; and what is done when it is imported, its module's and its packages' part."""
        if place not in self._followed:
            module, definition = self.module(place[0]), self._definition(place)
            if definition.computed_imports:
                raise CodeVersionError(
                    f"{module.name}, line {definition.computed_imports[0]}: imports a module whose name is computed, "
                    "so what it is made by cannot be known; import it by a statement"
                )
            parts = module.name.split(".")
            around = [name for end in range(1, len(parts) + 1) if self.has(name := ".".join(parts[:end]))]
            edges = {((name, ""), "") for name in around}
            edges |= {((module.name, name), "") for name in definition.own if name in module.definitions}
            edges |= {(target, "") for star in module.stars for target in self._whole(star)}
            edges |= {(target, f"{o.alias} {o.name}") for o in definition.others for target in self._places(o)}
            self._followed[place] = tuple(edges)
        return self._followed[place]

    def _places(self, reference: Reference) -> list[Place]:
        """The definitions that a reference means."""
        name, attributes = reference.name, reference.attributes
        module = self.module(reference.module)
        if not name and not attributes:
            return self._whole(module.name)
        if name and name not in module.definitions and self.has(f"{module.name}.{name}"):
            return self._places(Reference(f"{module.name}.{name}", attributes=attributes))
        return [place for each in ([name] if name else attributes) for place in self._name(module, each)]

    def _name(self, module: Module, name: str) -> list[Place]:
        """What a name in a module means; the whole module, when that cannot be seen."""
        if name in module.definitions:
            return [(module.name, name)]
        if name in module.imports:
            return [(module.name, ""), *self._places(module.imports[name])]
        return self._whole(f"{module.name}.{name}" if self.has(f"{module.name}.{name}") else module.name)

    def _whole(self, name: str) -> list[Place]:
        module = self.module(name)
        imported = [place for reference in module.imports.values() for place in self._places(reference)]
        return [(name, ""), *((name, each) for each in module.definitions), *(imported if module.is_package else [])]

    def _definition(self, place: Place) -> Definition:
        module = self.module(place[0])
        return module.definitions[place[1]] if place[1] else module.loose

    def _digest(self, place: Place) -> str:
        """Digest of what counts of a place: its module, or in a parted one its definition; '' when nothing does."""
        module = self.module(place[0])
        is_parted = module.is_package or PARTED.fullmatch(module.name.rpartition(".")[2])
        return self._definition(place).digest if is_parted else module.digest

    def _data(self, place: Place) -> list[str]:
        """Digests of the files that a definition names."""
        folder = self.module(place[0]).file.parent
        return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in self._definition(place).data]


_SOURCES = Sources(ROOT)
