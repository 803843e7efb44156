"""The arrows of the design, held by test: what may import what, and what must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exo_resources.settings import CHECKOUT

ASSETS = CHECKOUT / "exo_assets"
GLUE = (
    "assets.py",
    "*_assets.py",
    "checks.py",
    "*_checks.py",
    "table_asset.py",
    "star_asset.py",
    "shown.py",
    "retries.py",
    "partitions.py",
)
"""Names, as patterns, of the modules that know Dagster."""
OUTSIDE = {"dagster", "ray", "mlflow", "duckdb", "qdrant_client", "httpx", "requests", "urllib", "socket"}
KERNELS = sorted([*ASSETS.rglob("*_kernels.py"), *ASSETS.rglob("*_torch.py")])
"""What Numba compiles, and torch's layers and loops: the only modules that import them at their top, and heavy
themselves for that."""
HEAVY = {
    *("ray", "torch", "lightgbm", "shap", "mlflow", "sklearn", "llama_index", "optuna", "imblearn", "matplotlib"),
    *("numba", "scipy", "astropy", "exoplanet_core"),
    *(".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in KERNELS),
}
PURE = sorted(p for p in ASSETS.rglob("*.py") if not any(map(p.match, GLUE)) and "snapshot" not in p.parts)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _top_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(node)


@pytest.mark.parametrize("path", PURE, ids=lambda p: p.relative_to(ASSETS).as_posix())
def test_pure_modules_do_not_touch_the_outside_world(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = {name.split(".")[0] for name in _imports(tree)}
    assert not roots & (OUTSIDE | {"exo_resources", "deployments", "jobs", "sensors"})
    reads_environment = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in {"environ", "getenv"}]
    assert not reads_environment, "settings are read in exo_resources/settings.py only"


@pytest.mark.parametrize("package", ["exo_assets", "exo_resources", "jobs", "sensors", "deployments"])
def test_heavy_libraries_are_imported_inside_functions(package: str) -> None:
    heavy = {}
    for path in (CHECKOUT / package).rglob("*.py"):
        if "serve" in path.relative_to(CHECKOUT).parts[:2] and package == "deployments":
            continue  # the Serve application runs inside Ray and is never loaded by Dagster
        if path in KERNELS:
            continue  # themselves on the list of what is imported inside functions
        names = set(_top_level(ast.parse(path.read_text(encoding="utf-8"))))
        found = (names | {n.split(".")[0] for n in names}) & HEAVY
        if found:
            heavy[path.relative_to(CHECKOUT).as_posix()] = sorted(found)
    assert heavy == {}


def test_definitions_load_without_heavy_libraries() -> None:
    code = f"import sys, deployments.definitions; print(','.join(sorted({HEAVY | {'duckdb'}!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == ""


def test_environment_is_read_in_one_place() -> None:
    readers = [
        path.relative_to(CHECKOUT).as_posix()
        for package in ("exo_assets", "exo_resources", "jobs", "sensors", "deployments")
        for path in (CHECKOUT / package).rglob("*.py")
        if 'environ.get("EXO_' in path.read_text(encoding="utf-8") or 'getenv("EXO_' in path.read_text(encoding="utf-8")
    ]
    assert readers == []
