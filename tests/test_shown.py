"""A table that is kept shows what it showed: pictures, figures and notes, of tables and of partitions of stars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

from exo_assets import shown
from exo_assets.contracts import Column, TableContract
from exo_assets.lightcurves.partitions import register, run_tags
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_asset import star_asset
from exo_assets.pictures import image
from exo_assets.table_asset import Table, table_asset
from exo_resources.lake import Lake
from exo_resources.star_tables import StarTables

NUMBERS = TableContract("numbers", "Numbers.", (Column("x", pl.Int64, "X"),))
STARS = TableContract("stars", "Stars.", (Column("star_id", pl.String, "Star"), Column("x", pl.Int64, "X")))
PICTURE = image(b"\x89PNG", "a plot")


class _Given:
    """What the function of `numbers` finds, and how often it was asked."""

    def __init__(self, x: int = 1) -> None:
        self.x, self.calls = x, 0


@table_asset(NUMBERS, group="test", salt=lambda resources: str(resources.given.x))
def numbers(given: Any) -> Table:
    given.calls += 1
    rows = pl.DataFrame({"x": [given.x]}, schema=NUMBERS.schema)
    metadata = {
        "plot": dg.MetadataValue.md(PICTURE),
        "rows": dg.MetadataValue.json([{"x": given.x}]),
        "where": dg.MetadataValue.url("https://example.org/a"),
        "share": 0.25,
        "many": given.x,
        "said": "so",
    }
    return Table(rows, metadata=metadata, notes={"note": ["a"]})


def _seen(lake: Lake, given: _Given) -> dict[str, Any]:
    result = dg.materialize([numbers], resources={"lake": lake, "given": given})
    return dict(result.asset_materializations_for_node("numbers")[0].metadata)


def test_a_kept_table_shows_what_it_showed(lake: Lake) -> None:
    given = _Given()
    first, second = _seen(lake, given), _seen(lake, given)
    assert given.calls == 1 and not second["recomputed"].value
    assert {**first, "recomputed": None} == {**second, "recomputed": None}
    assert second["plot"].value == PICTURE and second["many"].value == 1


def test_another_version_shows_its_own(lake: Lake) -> None:
    _seen(lake, _Given(1))
    assert _seen(lake, _Given(2))["many"].value == 2
    assert _seen(lake, _Given(2))["many"].value == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda lake: lake.delete("shown/numbers.json"),
        lambda lake: lake.put("shown/numbers.json", b"{"),
        lambda lake: lake.put("shown/numbers.json", b"\xff\xfe"),
        lambda lake: lake.put("shown/numbers.json", b"[1]"),
        lambda lake: lake.put("shown/numbers.json", b'{"version": "another", "metadata": {"plot": "a"}}'),
        lambda lake: lake.put("shown/numbers.json", b'{"metadata": {"plot": {"__class__": "Gone", "x": 1}}}'),
    ],
)
def test_a_record_that_is_not_this_versions_shows_nothing_and_stops_nothing(
    lake: Lake, damage: Callable[[Lake], None]
) -> None:
    given = _Given()
    first = _seen(lake, given)
    damage(lake)
    second = _seen(lake, given)
    assert given.calls == 1 and second.keys() == first.keys() - {"plot", "rows", "where", "share", "many", "said"}


def test_what_a_function_leaves_as_it_is_keeps_its_notes_too(lake: Lake) -> None:
    @table_asset(NUMBERS, group="test", always=True)
    def taught(given: Any) -> Table:
        if lake.version("numbers"):
            return Table(lake.read("numbers"), notes={"kept": "as it was"}, stays=True)
        return Table(pl.DataFrame({"x": [1]}), metadata={"plot": dg.MetadataValue.md(PICTURE)}, notes={"pairs": 3})

    resources = {"lake": lake, "given": None}
    nights = [
        dg.materialize([taught], resources=resources).asset_materializations_for_node("numbers") for _ in range(3)
    ]
    for (night,) in nights[1:]:
        assert night.metadata["plot"].value == PICTURE
        assert (night.metadata["pairs"].value, night.metadata["kept"].value) == (3, "as it was")


def measured(_reader: Any, work: int) -> pl.DataFrame:
    return pl.DataFrame({"star_id": [f"KIC {work}"], "x": [work]})


def _plan(resources: Any) -> Callable[[str], Iterator[Quantum]]:
    return lambda bucket: (Quantum(f"KIC {x}", str(x), x) for x in resources.settings[bucket])


def _largest(tables: StarTables, bucket: str) -> dict[str, Any]:
    rows = tables.partition(STARS.name, bucket, STARS.empty())
    return {"largest": dg.MetadataValue.md(image(str(rows["x"].max()).encode(), bucket))}


stars = star_asset(STARS, measured, group="test", deps=[], plan=_plan, reader="lake", pages=_largest)


def test_a_kept_partition_shows_its_pages(lake: Lake) -> None:
    planned = {"kepler-01": [1, 2], "kepler-02": [3]}
    ray = SimpleNamespace(stream=lambda task, shared, quanta: (task(shared, quantum) for quantum in quanta))
    resources = {"lake": lake, "star_tables": StarTables(lake), "ray_runtime": ray, "settings": planned}

    def night() -> dict[str, tuple[int, str]]:
        with dg.DagsterInstance.ephemeral() as instance:
            register(instance, planned)
            result = dg.materialize([stars], instance=instance, tags=run_tags(instance), resources=resources)
            made = result.asset_materializations_for_node("stars")
            return {str(m.partition): (m.metadata["stars_worked_on"].value, m.metadata["largest"].value) for m in made}

    first, second = night(), night()
    assert {bucket: done for bucket, (done, _) in first.items()} == {"kepler-01": 2, "kepler-02": 1}
    assert {bucket: done for bucket, (done, _) in second.items()} == {"kepler-01": 0, "kepler-02": 0}
    assert {bucket: page for bucket, (_, page) in first.items()} == {
        bucket: page for bucket, (_, page) in second.items()
    }
    planned["kepler-01"].append(7)
    third = night()
    assert third["kepler-01"] == (1, image(b"7", "kepler-01")) and third["kepler-02"] == second["kepler-02"]
    shown.keep_as(lake, "stars/kepler-02", "another version", {"largest": "old"})
    assert night()["kepler-02"] == second["kepler-02"], "pages of another version are drawn again"
