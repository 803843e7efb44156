"""The composition root: every asset as agreed, every policy on all of them.

After a change that is meant, write the new file with: python tests/deployments/test_definitions.py
"""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg

from deployments.definitions import OWNER, build_defs, defs

AGREED = Path(__file__).with_name("assets.json")


def assets() -> dict[str, dict[str, object]]:
    """Keys, groups, upstream keys and checks of everything in the lineage."""
    graph = defs.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    return {
        spec.key.to_user_string(): {
            "group": spec.group_name,
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "checks": sorted(checks.get(spec.key.to_user_string(), [])),
        }
        for spec in sorted(defs.resolve_all_asset_specs(), key=lambda s: s.key)
    }


def test_the_lineage_is_as_agreed() -> None:
    assert assets() == json.loads(AGREED.read_text(encoding="utf-8"))


def test_every_asset_is_owned_described_and_versioned() -> None:
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert list(spec.owners) == [OWNER], name
        assert spec.description, name
        assert spec.group_name != "default", name
        assert spec.code_version, name


def test_overrides_replace_resources_by_key() -> None:
    fake = object()
    made = build_defs(resource_overrides={"serve": fake})
    assert made.resources is not None and made.resources["serve"] is fake
    dg.Definitions.validate_loadable(made)


if __name__ == "__main__":
    AGREED.write_text(json.dumps(assets(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
