"""A light curve at hand is seen as the night sees it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from exo_assets.features import curve_in_hand
from exo_assets.features.curve_in_hand import beside, seen_on
from exo_assets.features.from_light_curves import CURVE_NAMES, with_diagnostics
from exo_assets.features.plans import view_quanta
from exo_assets.features.seen_views import SEEN_VIEWS, VIEWS, with_views
from exo_assets.features.signal_tasks import Place, SignalWork, diagnose_star, places, view_star
from exo_assets.features.views import ViewError
from exo_assets.lightcurves.curve_rows import of_rows
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.star_tasks import Catalogued
from tests.features.test_signal_tasks import INNER, OUTER, Stored, at

PLACES = (at(INNER), at(OUTER))


def test_what_is_seen_is_what_the_night_keeps() -> None:
    known = (Catalogued("K1.01", PLACES[0]), Catalogued("K1.02", PLACES[1]))
    diagnosed = diagnose_star(Stored(), SignalWork("KIC 1", "kepler-01", 0.8, places(known, [])))
    (quantum,) = view_quanta("kepler-01", {"KIC 1": "digest"}, diagnosed)
    viewed = view_star(Stored(), quantum.work).with_row_index("row")
    signals = pl.DataFrame({"signal_id": ["K1.01", "K1.02"]})
    night = with_diagnostics(signals, diagnosed)
    night = with_views(night, viewed, {name: viewed[name].to_numpy() for name in SEEN_VIEWS})

    here = beside(signals, seen_on(of_rows(Stored().rows), places(known, []), 0.8))
    for name in (*CURVE_NAMES, VIEWS):
        assert here[name].to_list() == night[name].to_list(), name
    assert here[VIEWS].null_count() == 0 and here["lc_snr_red"].null_count() == 0


def test_what_cannot_be_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = of_rows(Stored().rows)
    nowhere = Place("K1.09", None, "catalogue", Ephemeris(5000.0, PLACES[0].t0 + 3000.0, 0.2))
    (beyond,) = seen_on(curve, [nowhere], float("nan"))
    assert beyond.views is None and "in transit" in str(beyond.no_views)
    assert beyond.diagnostics == {} and "too few" in str(beyond.no_diagnostics)

    def none(*_: object) -> None:
        raise ViewError("all bins are alike")

    monkeypatch.setattr(curve_in_hand, "views", none)
    (half,) = seen_on(curve, [Place("K1.01", None, "catalogue", PLACES[0])], float("nan"))
    assert half.no_views == "all bins are alike" and half.diagnostics["snr_red"] and half.no_diagnostics is None
    rows = beside(pl.DataFrame({"signal_id": ["a", "b"]}), [half, beyond])
    assert rows[VIEWS].null_count() == 2 and rows["lc_snr_red"].is_null().to_list() == [False, True]
    assert not np.isnan(rows["lc_snr_red"][0])
