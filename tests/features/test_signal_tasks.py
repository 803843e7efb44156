"""Diagnostics and views of a star from stored rows: which signals, under which names, and what cannot be measured."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from exo_assets.features.assets import feat_view_index
from exo_assets.features.signal_contracts import FEAT_DIAGNOSTICS, FEAT_VIEWS
from exo_assets.features.signal_tasks import Place, SignalWork, diagnose_star, others_of, places, view_star
from exo_assets.features.view_arrays import array_key
from exo_assets.features.views import GLOBAL_BINS, LOCAL_BINS
from exo_assets.lightcurves.clean import cleaned
from exo_assets.lightcurves.curve_rows import to_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.star_tasks import Catalogued
from exo_resources.lake import Lake
from exo_resources.star_tables import StarEntry, StarRows, StarTables
from tests.lightcurves.simulated import curve as simulated
from tests.lightcurves.simulated import light_curve

INNER, OUTER = Ephemeris(3.21, 101.5, 0.13), Ephemeris(11.87, 105.0, 0.21)
ZERO = 2_454_833.0


class Stored:
    """One star's clean curve, as the lake has it."""

    def __init__(self) -> None:
        time, flux, _ = simulated((INNER, 1e-3), (OUTER, 2e-3), span_days=120.0, noise=1e-4)
        self.rows = to_rows(cleaned([light_curve(time + ZERO, flux)]), "KIC 1", 1)

    def star(self, table: str, partition: str, star_id: str) -> pl.DataFrame:
        assert (table, partition, star_id) == ("core_light_curves", "kepler-01", "KIC 1")
        return self.rows


def at(place: Ephemeris) -> Ephemeris:
    return Ephemeris(place.period_days, place.t0 + ZERO, place.duration_days)


def found(place: Ephemeris, tce: str, match: str, signal: str | None) -> dict[str, object]:
    return {
        "tce_id": tce,
        "match": match,
        "signal_id": signal,
        "period_days": place.period_days,
        "t0_bjd": place.t0 + ZERO,
        "duration_hours": place.duration_days * 24,
    }


def test_signals_are_those_of_the_catalogue_and_those_that_only_the_search_found() -> None:
    catalogued = (
        Catalogued("K1.01", at(INNER)),
        Catalogued("K1.02", at(OUTER)),
        Catalogued("K1.03", Ephemeris(7.0, float("nan"), float("nan"))),
    )
    rows = [
        found(INNER, "KIC 1-01", "same", "K1.01"),
        found(OUTER, "KIC 1-02", "harmonic", "K1.02"),
        found(Ephemeris(5.0, 103.0, 0.1), "KIC 1-03", "none", None),
    ]
    seen = places(catalogued, rows)
    assert [(p.signal_id, p.tce_id, p.origin, p.form_of) for p in seen] == [
        ("K1.01", "KIC 1-01", "search", None),
        ("K1.02", None, "catalogue", None),
        ("KIC 1-02", "KIC 1-02", "search", "K1.02"),
        ("KIC 1-03", "KIC 1-03", "search", None),
    ]
    # A harmonic and its signal say nothing against each other; the star's other signals are left out for both.
    assert others_of(seen[1], seen) == [seen[0].ephemeris, seen[3].ephemeris]
    assert others_of(seen[2], seen) == [seen[0].ephemeris, seen[3].ephemeris]
    assert others_of(seen[0], seen) == [p.ephemeris for p in seen[1:]]


def test_a_catalogued_signal_found_twice_is_measured_twice() -> None:
    rows = [found(INNER, "KIC 1-01", "same", "K1.01"), found(INNER, "KIC 1-02", "same", "K1.01")]
    seen = places((Catalogued("K1.01", at(INNER)),), rows)
    assert [(p.signal_id, p.form_of) for p in seen] == [("K1.01", None), ("KIC 1-02", "K1.01")]
    assert others_of(seen[0], seen) == others_of(seen[1], seen) == []


def test_a_harmonic_is_measured_though_its_own_transits_are_the_catalogues() -> None:
    twice = Ephemeris(2 * OUTER.period_days, OUTER.t0, OUTER.duration_days)
    known = (Catalogued("K1.01", at(INNER)), Catalogued("K1.02", at(OUTER)))
    rows = [found(INNER, "KIC 1-01", "same", "K1.01"), found(twice, "KIC 1-02", "harmonic", "K1.02")]
    measured = diagnose_star(Stored(), SignalWork("KIC 1", "kepler-01", 1.0, places(known, rows)))
    assert measured["signal_id"].to_list() == ["K1.01", "K1.02", "KIC 1-02"]
    assert measured["reason"].null_count() == 3 and (measured["snr_red"] > 20).all()


def test_diagnostics_and_views_of_both_planets_are_rows_that_keep_their_contracts() -> None:
    work = SignalWork(
        "KIC 1", "kepler-01", 1.0, places((Catalogued("K1.01", at(INNER)), Catalogued("K1.02", at(OUTER))), [])
    )
    measured = FEAT_DIAGNOSTICS.check(diagnose_star(Stored(), work))
    assert measured["signal_id"].to_list() == ["K1.01", "K1.02"] and measured["reason"].null_count() == 2
    assert measured["n_transits_observed"].to_list() == pytest.approx([120 / 3.21, 120 / 11.87], abs=5)
    assert (measured["snr_red"] > 20).all() and (measured["odd_even_sigma"] < 4).all()
    seen = FEAT_VIEWS.check(view_star(Stored(), work))
    assert seen["depth"].to_list() == pytest.approx([1e-3, 2e-3], rel=0.15)
    local = seen["local_view"].to_numpy()
    assert local.shape == (2, LOCAL_BINS) and seen["global_view"].to_numpy().shape == (2, GLOBAL_BINS)
    assert (np.abs(local.argmin(axis=1) - LOCAL_BINS // 2) < 12).all() and local.min() == -1


def test_a_signal_without_data_in_transit_is_a_row_with_the_reason() -> None:
    beyond = Place("K1.09", None, "catalogue", Ephemeris(5000.0, ZERO + 3000.0, 0.2))
    work = SignalWork("KIC 1", "kepler-01", float("nan"), (beyond, Place("K1.01", None, "catalogue", at(INNER))))
    for rows in (diagnose_star(Stored(), work), view_star(Stored(), work)):
        assert rows["signal_id"].to_list() == ["K1.09", "K1.01"]
        assert "transit" in rows["reason"][0] and rows["reason"][1] is None


def test_signals_that_cover_the_whole_orbit_leave_the_curve_as_it_was() -> None:
    wide = tuple(Place(f"K1.0{i}", None, "search", Ephemeris(1.0, ZERO + 101 + i / 4, 0.4)) for i in range(4))
    rows = view_star(Stored(), SignalWork("KIC 1", "kepler-01", float("nan"), wide))
    assert rows.height == 4


def test_views_are_mapped_into_memory_row_by_row(tmp_path: Path) -> None:
    known = (Catalogued("K1.02", at(OUTER)), Catalogued("K1.01", at(INNER)))
    work = SignalWork("KIC 1", "kepler-01", 1.0, places(known, []))
    lake = Lake(str(tmp_path))
    tables = StarTables(lake)
    rows = view_star(Stored(), work).to_arrow(compat_level=pl.CompatLevel.oldest())
    tables.write("feat_views", "kepler-01", FEAT_VIEWS.schema, [StarRows(StarEntry("KIC 1", "f"), rows)])
    lake.put("views/old/global_view.npy", b"of another night")
    done = dg.materialize([feat_view_index], resources={"lake": lake, "star_tables": tables})
    assert done.success and not lake.has("views/old/global_view.npy")
    index = lake.read("feat_view_index")
    assert index["signal_id"].to_list() == ["K1.01", "K1.02"]
    stored = tables.read("feat_views").sort("signal_id")
    for view, shape in {"global_view": (2, 2001), "odd_view": (2, 201), "stack_view": (2, 20, 31)}.items():
        path = lake.path(array_key(index["digest"][0], view))
        mapped = np.load(path, mmap_mode="r")
        assert isinstance(mapped, np.memmap) and mapped.shape == shape and mapped.dtype == np.float32
        expected = stored[view].to_numpy().reshape(shape)
        np.testing.assert_array_equal(mapped[index["row"].to_numpy()], expected)
