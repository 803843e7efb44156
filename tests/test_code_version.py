"""The version of a table is that of the code that its tasks lead to, and of nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import grimp
import pytest

from exo_assets.code_version import ROOT, CodeVersionError, Place, Sources, code_of, code_version
from exo_assets.lightcurves import ephemeris
from exo_assets.lightcurves.star_tasks import clean_star, search_one

Tree = Callable[..., Sources]
NAMELESS = (lambda: 1,)
TASK: Place = ("exo_assets.stage.work", "task")
WORK = "from exo_assets.stage.leaf import double\n\ndef task(x):\n    return double(x)\n"
LEAF = "def double(x):\n    return 2 * x\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Sources of files, given as text by their path below `exo_assets`; packages are made as needed."""

    def write(files: dict[str, str]) -> Sources:
        root = tmp_path / f"tree{len(list(tmp_path.iterdir()))}"
        for name, text in files.items():
            path = root / "exo_assets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in [root / "exo_assets", *(p for p in (root / "exo_assets").rglob("*") if p.is_dir())]:
            (folder / "__init__.py").touch()
        return Sources(root)

    return write


def _version(tree: Tree, files: dict[str, str], task: Place = TASK) -> str:
    return tree(files).code([task]).digest


def _task(*imports: str, body: str = "double(x)", more: str = "") -> str:
    return "\n".join([*imports, "", "def task(x):", f"    return {body}", more, ""])


IMPORTED = "from exo_assets.stage.leaf import double"
WAYS = [
    WORK,
    _task("import exo_assets.stage.leaf", body="exo_assets.stage.leaf.double(x)"),
    _task("import exo_assets.stage.leaf as leaf", body="leaf.double(x)"),
    _task("from exo_assets.stage import leaf", body="leaf.double(x)"),
    _task("from .leaf import double"),
    _task("from . import leaf", body="leaf.double(x)"),
    _task("from ..stage.leaf import double"),
    _task("from exo_assets.stage.leaf import *"),
    f"def task(x):\n    {IMPORTED}\n    return double(x)\n",
    "def task(x):\n    from exo_assets.stage.leaf import *\n    return double(x)\n",
    _task("from importlib import import_module", body="import_module('exo_assets.stage.leaf').double(x)"),
    _task("from exo_assets.stage.again import double"),
    _task("from exo_assets.stage.exported import double"),
    _task("from exo_assets.stage import leaf", body="run(leaf, x)", more="def run(m, x):\n    return m.double(x)"),
    _task(IMPORTED, "class Kept:\n    rule = double", body="Kept.rule(x)"),
    _task(IMPORTED, "RULES = {'double': double}", body="RULES['double'](x)"),
    _task(f"try:\n    {IMPORTED}\nexcept ImportError:\n    double = None"),
    _task("import exo_assets.stage.leaf  # registers itself", body="x"),
    _task("from exo_assets.stage import leaf  # registers itself", body="x").replace("  # registers itself", ""),
    _task(IMPORTED, "def twice(x, rule=double):\n    return rule(x)", body="twice(x)"),
    _task(body="(lambda y: _two(y))(x)", more=f"def _two(y):\n    {IMPORTED}\n    return double(y)"),
]


@pytest.mark.parametrize("work", WAYS)
def test_a_change_is_seen_however_it_was_imported(tree: Tree, work: str) -> None:
    files = {
        "stage/work.py": work,
        "stage/leaf.py": LEAF,
        "stage/again.py": "from exo_assets.stage.leaf import double as double\n",
        "stage/exported/__init__.py": "from ..leaf import double\n\n__all__ = ['double']\n",
        "stage/other.py": "def other():\n    return 1\n",
    }
    before = _version(tree, files)
    assert _version(tree, files) == before
    assert _version(tree, files | {"stage/leaf.py": LEAF.replace("2", "3")}) != before
    assert _version(tree, files | {"stage/leaf.py": LEAF + "EDITED = 1\n"}) != before
    assert _version(tree, files | {"stage/other.py": "def other():\n    return 2\n"}) == before


def test_words_change_nothing(tree: Tree) -> None:
    told = '"""A module."""\n# A comment.\nfrom typing import TYPE_CHECKING\n\n' + LEAF.replace(
        ":\n", ':\n    """Twice x."""\n\n', 1
    )
    unseen = "\nif TYPE_CHECKING:\n    from exo_assets.stage.other import Other\n"
    plain = "from typing import TYPE_CHECKING\n" + LEAF
    same = _version(tree, {"stage/work.py": WORK, "stage/leaf.py": plain, "stage/other.py": "class Other: ..."})
    files = {
        "stage/work.py": "# hello\n" + WORK,
        "stage/leaf.py": told + unseen,
        "stage/other.py": "class Other: x = 1",
    }
    assert _version(tree, files) == same
    assert _version(tree, {"stage/work.py": WORK, "stage/leaf.py": LEAF}) == same
    assert _version(tree, {**files, "stage/leaf.py": told.replace("2 * x", "x * 2")}) != same


def test_a_library_counts_by_what_is_used_of_it(tree: Tree) -> None:
    leaf = "import os.path\nfrom math import sin as f, pi\n\ndef double(x):\n    return f(x)\n"
    versions = [
        _version(tree, {"stage/work.py": WORK, "stage/leaf.py": text})
        for text in (leaf, leaf.replace(", pi", ""), leaf.replace("sin", "cos"), leaf.replace("math", "numpy"))
    ]
    assert versions[0] == versions[1] and len(set(versions)) == 3


def test_a_module_that_moves_changes_nothing(tree: Tree) -> None:
    rest = {"stage/data.csv": "1\n", "stage/base.py": "def one():\n    return 1\n"}
    base = "from exo_assets.stage.base import one"
    leaf = f"import math\n{base}\n\nclass Leaf:\n    def of(self, x):\n        return one() * math.pi\n"
    work = _task(base, "from exo_assets.stage.leaf import Leaf", body="Leaf().of(x) + one()")
    before = _version(tree, {**rest, "stage/work.py": work, "stage/leaf.py": leaf})
    moved = work.replace("exo_assets.stage.leaf", "exo_assets.a.place.sheet").splitlines(keepends=True)
    moved[:2] = reversed(moved[:2])  # imports are sorted by where they lie
    assert _version(tree, {**rest, "stage/work.py": "".join(moved), "a/place/sheet.py": leaf}) == before
    at = {**rest, "other/job.py": work.replace("stage.leaf", "other.leaf"), "other/leaf.py": leaf}
    assert _version(tree, at, ("exo_assets.other.job", "task")) == before
    relative = work.replace("from exo_assets.stage.leaf", "from .leaf")
    assert _version(tree, {**rest, "stage/work.py": relative, "stage/leaf.py": leaf}) == before
    dotted = "import exo_assets.{0}\n\ndef task(x):\n    return exo_assets.{0}.Leaf()\n"
    here = _version(tree, {**rest, "stage/work.py": dotted.format("stage.leaf"), "stage/leaf.py": leaf})
    assert _version(tree, {**rest, "stage/work.py": dotted.format("far.leaf"), "far/leaf.py": leaf}) == here


def test_which_of_two_is_meant_counts(tree: Tree) -> None:
    """Both modules belong to the task either way; only who calls which changed."""
    files = {
        "stage/a.py": "def draw():\n    return 1\n\ndef fill():\n    return 2\n",
        "stage/b.py": "def draw():\n    return 3\n\ndef fill():\n    return 4\n",
    }
    imports = ("from exo_assets.stage import {}", "from exo_assets.stage.{} import draw")
    work = _task(*imports, body="draw(), {}.fill()")
    swapped = [_version(tree, files | {"stage/work.py": work.format(b, a, b)}) for a, b in ("ab", "ba")]
    renamed = "from exo_assets.stage.a import {} as f, {} as g\n\ndef task():\n    return f(), g()\n"
    crossed = [
        _version(tree, files | {"stage/work.py": renamed.format(*names)})
        for names in (("draw", "fill"), ("fill", "draw"))
    ]
    assert len({*swapped, *crossed}) == 4


PARTS = """
from exo_assets.stage.leaf import double
from exo_assets.stage.other import other

def task(x):
    return double(x)

def another(x, task=1):
    return _helped(x)

def _helped(x):
    return other(x)
"""


@pytest.mark.parametrize("name", ["assets", "some_assets", "contracts", "star_contracts", "plans", "star_tasks"])
def test_a_module_of_several_tables_counts_part_by_part(tree: Tree, name: str) -> None:
    place, other = (f"exo_assets.stage.{name}", "task"), (f"exo_assets.stage.{name}", "another")
    files = {f"stage/{name}.py": PARTS, "stage/leaf.py": LEAF, "stage/other.py": "def other(x):\n    return x\n"}
    before = {at: _version(tree, files, at) for at in (place, other)}

    def changed(**edits: str) -> set[Place]:
        edited = {f"stage/{key}.py": text for key, text in edits.items()}
        return {at for at in before if _version(tree, files | edited, at) != before[at]}

    assert changed(leaf=LEAF.replace("2", "3")) == {place}
    assert changed(other="def other(x):\n    return -x\n") == {other}
    assert changed(**{name: PARTS.replace("other(x)", "other(-x)")}) == {other}
    assert changed(**{name: PARTS + "_EDITED = 1\n"}) == {place, other}
    assert changed(**{name: PARTS + "print('imported')\n"}) == {place, other}


def test_what_an_asset_is_called_does_not_count(tree: Tree) -> None:
    asset = "from exo_assets.table_asset import table_asset\n\n@table_asset(C, group={})\ndef task(x):\n    return x\n"
    frame = "def table_asset(*a, **k):\n    return {}\n"
    versions = {
        _version(
            tree,
            {"stage/assets.py": asset.format(n), "table_asset.py": frame.format(n)},
            ("exo_assets.stage.assets", "task"),
        )
        for n in (1, 2)
    }
    assert len(versions) == 1


def test_a_parameter_does_not_stand_for_the_table_of_its_name(tree: Tree) -> None:
    text = f"{IMPORTED}\n\ndef first():\n    return double(1)\n\ndef second(first):\n    return [first]\n"
    second = ("exo_assets.stage.assets", "second")

    def modules(text: str) -> tuple[str, ...]:
        return tree({"stage/assets.py": text, "stage/leaf.py": LEAF}).code([second]).modules

    assert modules(text) == ("exo_assets.stage.assets",)
    for used in ("[(lambda first: 1)(0), first()]", "[[first for first in ()], first()]"):
        assert modules(text.replace("second(first)", "second()").replace("[first]", used)) != modules(text)


def test_data_beside_the_code_counts(tree: Tree) -> None:
    leaf = "from pathlib import Path\n\ndef double(x):\n    return Path(__file__).with_name('rules.yaml').read_text()\n"
    files = {"stage/work.py": WORK, "stage/leaf.py": leaf, "stage/rules.yaml": "a: 1\n", "stage/more.yaml": "a: 1\n"}
    before = _version(tree, files)
    assert _version(tree, files | {"stage/rules.yaml": "a: 2\n"}) != before
    assert _version(tree, files | {"stage/more.yaml": "a: 2\n"}) == before


def test_what_cannot_be_followed_is_refused(tree: Tree) -> None:
    computed = "from importlib import import_module\n\ndef double(x):\n    return import_module(f'exo_assets.{x}')\n"
    with pytest.raises(CodeVersionError, match=r"exo_assets.stage.leaf, line 4: .*computed.*import it by a statement"):
        _version(tree, {"stage/work.py": WORK, "stage/leaf.py": computed})
    with pytest.raises(CodeVersionError, match=r"exo_assets.stage.leaf is imported, and there is no source"):
        _version(tree, {"stage/work.py": WORK})
    with pytest.raises(CodeVersionError, match=r"a lambda in .* has no name; define a function"):
        code_version(*NAMELESS)


def test_tasks_are_functions_classes_partials_modules_and_instances() -> None:
    assert code_version(clean_star) == code_version(partial(clean_star, None)) != code_version(search_one)
    assert code_version(Sources) == code_version(Sources(ROOT))
    assert code_of(ephemeris).modules == ("exo_assets.lightcurves.ephemeris",)


def test_a_function_of_a_test_may_be_a_task() -> None:
    assert code_of(_version).modules == (__name__,)


# -- the platform's own tables -----------------------------------------------------------------------------------


@cache
def _tables() -> dict[str, tuple[Place, ...]]:
    """Tasks of every table, as its asset tells."""
    from deployments.definitions import defs

    specs = [spec for spec in defs.resolve_all_asset_specs() if "exo/code" in spec.metadata]
    return {
        spec.key.to_user_string(): tuple(
            (module, name)
            for module, _, name in (task.rpartition(".") for task in spec.metadata["exo/code"].value["tasks"])
        )
        for spec in specs
    }


@dataclass(frozen=True)
class Copy:
    """A copy of the platform's sources, to be edited."""

    root: Path
    sources: Sources
    before: dict[str, str]

    def versions(self) -> dict[str, str]:
        return {table: self.sources.code(tasks).digest for table, tasks in _tables().items()}

    def stale(self, module: str, edit: Callable[[str], str]) -> set[str]:
        """Tables that another version has when a module is edited."""
        path = self.root.joinpath(*module.split(".")).with_suffix(".py")
        text = path.read_text()
        try:
            path.write_text(edit(text))
            self.sources.add(module, path)
            return {table for table, version in self.versions().items() if version != self.before[table]}
        finally:
            path.write_text(text)
            self.sources.add(module, path)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("platform")
    left_out = shutil.ignore_patterns("__pycache__", "*.parquet", "*.gz")
    for package in ("exo_assets", "exo_resources"):
        shutil.copytree(ROOT / package, root / package, ignore=left_out)
    made = Copy(root, Sources(root), {})
    made.before.update(made.versions())
    return made


JUDGING = {
    *("ml_vetter_candidate", "ml_vetter_predictions", "ml_vetter_metrics", "ml_vetter_gates", "ml_leakage_probe"),
    *("ml_forward_test", "out_scores_all", "out_found_scores", "out_view_explanations"),
    *("ml_event_candidate", "ml_event_gates", "out_event_scores"),
}
"""Tables made by a forest of trees, or with a model that has one."""
LEAVES = {
    "exo_assets.training.forest_kernels": JUDGING,
    "exo_assets.lightcurves.fold_kernels": {"core_search", "core_pages", "core_injections", "core_false_alarms"},
    "exo_assets.lightcurves.page": {"core_pages"},
    "exo_assets.features.view_kernels": {"feat_views", "feat_simulated_views"},
    "exo_assets.events.features": {"ml_event_candidate", "ml_event_gates", "out_event_scores"},
    "exo_assets.corpus.dossier_verdict": {"out_dossiers"},
}


@pytest.mark.parametrize("module", LEAVES)
def test_a_leaf_makes_the_tables_stale_that_use_it_and_no_others(platform: Copy, module: str) -> None:
    assert platform.stale(module, lambda text: text + "\nEDITED = 1\n") == LEAVES[module]
    assert platform.stale(module, lambda text: "# A remark.\n" + text) == set()


def test_the_contract_of_one_table_makes_no_other_stale(platform: Copy) -> None:
    """Nor does it recompute light curves; what describes all tables is made again."""
    contracts = "exo_assets.lightcurves.star_contracts"
    stale = platform.stale(
        contracts,
        lambda text: text.replace('"core_pages",', '"core_pages", ', 1).replace(
            "CORE_PAGES = TableContract(", "CORE_PAGES = TableContract(*(), ", 1
        ),
    )
    assert {name for name in stale if name.startswith(("core_", "feat_"))} == {
        "core_pages",
        "core_light_curves_attrition",
    }


def test_a_leaf_that_lies_elsewhere_makes_nothing_stale(platform: Copy) -> None:
    """Moved to another package of the platform, and imported from there."""
    old, new = "exo_assets.training.forest_kernels", "exo_assets.evaluation.kernels_of_trees"
    moved = platform.root / "exo_assets" / "evaluation" / "kernels_of_trees.py"
    source = platform.root / "exo_assets" / "training" / "forest_kernels.py"
    users = [path for path in platform.root.rglob("*.py") if f"from {old} import" in path.read_text()]
    texts = {path: path.read_text() for path in (*users, source)}
    assert users
    try:
        source.rename(moved)
        for path in users:
            path.write_text(texts[path].replace(old, new))
        sources = Sources(platform.root)
        assert {table: sources.code(tasks).digest for table, tasks in _tables().items()} == platform.before
    finally:
        moved.unlink()
        for path, text in texts.items():
            path.write_text(text)


def test_nothing_counts_that_no_import_leads_to() -> None:
    """Held against another reader of imports; what runs is held against the code in test_code_runs.py."""
    graph = grimp.build_graph("exo_assets", "exo_resources", exclude_type_checking_imports=True, cache_dir=None)
    sources = Sources(ROOT)
    for table, tasks in _tables().items():
        modules = {module for module, _ in tasks}
        reachable = modules.union(*(graph.find_upstream_modules(module) for module in modules))
        assert set(sources.code(tasks).modules) <= reachable, table
