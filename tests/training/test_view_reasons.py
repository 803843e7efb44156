"""Which part of a light curve argued: the vetter's occlusions against scoring with that part flat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from exo_assets.features.seen_views import SEEN_VIEWS, VIEW_BINS, VIEWS, branch_slices
from exo_assets.training.blend import Blend
from exo_assets.training.vetter import Vetter
from exo_assets.training.view_reasons import NO_WEIGHT, reach_durations
from tests.training import network_vetter as made


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Kepler's signals with views, planets first, and one without any at the end."""
    seen = made.seen(made.signals())
    planet = seen["disposition"] == "CONFIRMED"
    has = seen[VIEWS].is_not_null()
    return pl.concat([seen.filter(has & planet).head(3), seen.filter(has & ~planet).head(2), seen.filter(~has).head(1)])


def _flat(features: pl.DataFrame, row: int, start: int, stop: int) -> pl.DataFrame:
    """One row of `features` with bins of its views set to 0."""
    views = np.array(features[VIEWS][row], dtype=np.float32)
    views[start:stop] = 0
    return features[row : row + 1].with_columns(pl.Series(VIEWS, [views], dtype=pl.List(pl.Float32)))


def test_an_effect_is_what_the_score_loses_when_the_window_is_flat(rows: pl.DataFrame) -> None:
    vetter = made.small().vetter
    plain = vetter.score(rows)
    found, features = vetter.occlusions(rows), vetter.features(rows)
    assert found[-1] is None and all(one is not None for one in found[:-1])
    at = branch_slices()["local"].start
    middle = np.linspace(-1, 1, VIEW_BINS["local_view"])
    for one, row, before in zip(found[:-1], range(rows.height), plain["log_odds_network"], strict=False):
        assert one is not None and set(one.occlusions) == set(SEEN_VIEWS)
        assert one.log_odds_network == pytest.approx(before, abs=1e-5)
        assert one.views.tolist() == rows[VIEWS][row].to_list()
        local = one.occlusions["local_view"]
        reach = local.centre[-1]
        number = int(np.abs(local.centre).argmin())
        bins = np.flatnonzero(np.abs(middle * reach - local.centre[number]) <= 0.25)
        alone = vetter.score_features(_flat(features, row, at + bins[0], at + bins[-1] + 1))
        assert local.effect[number] == pytest.approx(before - alone["log_odds_network"][0], abs=1e-4)


def test_what_argued_for_the_planets_is_where_their_transits_are(rows: pl.DataFrame) -> None:
    shares = []
    for one in made.small().vetter.occlusions(rows.head(3)):
        assert one is not None
        found = one.occlusions["global_view"]
        inside = np.abs(found.centre) <= 0.04
        shares.append(found.effect[inside].max() - np.abs(found.effect[~inside]).mean())
    assert min(shares) > 0


def test_the_weight_is_the_blends_and_none_is_said(rows: pl.DataFrame) -> None:
    vetter = made.small().vetter
    one = vetter.occlusions(rows.head(1))[0]
    assert one is not None
    layout = vetter.features(rows.head(1))["layout"][0]
    assert one.network_weight == vetter.experts["kepler"].blend[layout].network
    unweighed = {m: replace(e, blend=dict.fromkeys(e.blend, Blend())) for m, e in vetter.experts.items()}
    quiet = replace(vetter, experts=unweighed).occlusions(rows.head(1))[0]
    assert quiet is not None and quiet.network_weight == 0 and quiet.note == NO_WEIGHT
    assert np.array_equal(quiet.occlusions["local_view"].effect, one.occlusions["local_view"].effect)
    shown = one.as_json()["global_view"]
    assert shown["unit"] == "phase" and len(shown["centre"]) == len(shown["effect"])


def test_who_sees_no_views_says_why(rows: pl.DataFrame) -> None:
    vetter = made.small().vetter
    without = Vetter(vetter.transformer, vetter.experts, vetter.fallback)
    assert without.occlusions(rows) == [None] * rows.height
    assert "no network" in str(without.unseen_views("kepler"))
    assert vetter.unseen_views("kepler") is None and "light curves of tess" in str(vetter.unseen_views("tess"))
    elsewhere = rows.with_columns(mission=pl.lit("tess"))
    assert vetter.occlusions(elsewhere) == [None] * rows.height
    assert vetter.occlusions(rows.clear()) == []


@pytest.mark.parametrize(("duty", "reach"), [(None, 4), (0.01, 4), (0.25, 2), (0.0, 4), (float("nan"), 4), (1.5, 4)])
def test_local_views_end_at_half_a_period(duty: float | None, reach: float) -> None:
    assert reach_durations(duty) == reach


def test_the_windows_of_a_short_orbit_are_in_its_own_durations(rows: pl.DataFrame) -> None:
    short = rows.head(1).with_columns(period_days=pl.lit(1.0), duration_hours=pl.lit(6.0))
    one = made.small().vetter.occlusions(short)[0]
    assert one is not None
    assert one.occlusions["local_view"].centre[-1] == 2 and one.occlusions["global_view"].centre[-1] == 0.5
