"""A table of threshold-crossing events is judged by the events vetter, each row as its event among all others."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from exo_assets.events.training import Trained
from exo_assets.events.vetter import PROBABILITIES
from exo_assets.scoring.event_files import EVENT_ADDED, EVENTS, NAMELESS, NOTHING, is_events, score_events_frame
from tests.events.synthetic_events import raw_events

S11 = (
    *("kepid", "tce_plnt_num", "tce_period", "tce_time0bk", "tce_duration", "tce_depth", "tce_model_snr", "tce_prad"),
    *("tce_steff", "tce_slogg", "tce_sradius"),
)
SAID = (*PROBABILITIES, "verdict", "prediction_set")


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    return raw_events(900, labelled=True)[:40]


def test_the_archive_s_rows_are_answered_as_the_vetter_judges_them(
    raw: pl.DataFrame, events: pl.DataFrame, trained: Trained
) -> None:
    scored = score_events_frame(raw, trained.vetter, events)
    assert_frame_equal(scored.select(raw.columns), raw)
    assert scored.columns == [*raw.columns, *EVENT_ADDED]
    judged = trained.vetter.judge(events).join(scored.select("event"), on="event", how="semi")
    assert judged.height == raw.height
    assert_frame_equal(scored.select("event", *SAID).sort("event"), judged.select("event", *SAID).sort("event"))
    impossible = scored.filter(~pl.col("prediction_set").str.contains("PC"))
    assert impossible.height and scored["reasons"].null_count() == 0, "whoever asks is told why, planet or not"
    assert judged["reasons"].null_count() == impossible.height, "the night tells of possible planets"
    assert set(scored["problems"]) == {None} and set(scored["model_version"]) == {trained.vetter.version}


def test_a_short_table_is_completed_where_the_period_is_the_archive_s(
    raw: pl.DataFrame, events: pl.DataFrame, trained: Trained
) -> None:
    whole = score_events_frame(raw, trained.vetter, events)
    short = raw.select(name for name in S11 if name in raw.columns)
    assert is_events(short.columns) and not is_events(["kepid", "koi_period"])
    completed = score_events_frame(short, trained.vetter, events)
    assert set(completed["completed_from"]) == {EVENTS}
    assert_frame_equal(completed.select(SAID), whole.select(SAID))
    alone = score_events_frame(short, trained.vetter)
    assert alone["completed_from"].null_count() == raw.height and alone["verdict"].null_count() == 0
    assert not alone.select(SAID).equals(whole.select(SAID))
    other = short.with_columns((pl.col("tce_period").cast(pl.Float64) * 1.5).cast(pl.String))
    assert score_events_frame(other, trained.vetter, events)["completed_from"].null_count() == raw.height


def test_repeated_nameless_and_empty_rows_come_back(raw: pl.DataFrame, events: pl.DataFrame, trained: Trained) -> None:
    once = score_events_frame(raw, trained.vetter, events)
    nameless = raw[:1].with_columns(kepid=pl.lit(None, pl.String))
    empty = raw[:1].with_columns(
        pl.lit(None, pl.String).alias(name) for name in raw.columns if name not in ("kepid", "tce_plnt_num")
    )
    mixed = score_events_frame(pl.concat([raw, raw, nameless, empty]), trained.vetter, events)
    assert_frame_equal(mixed[: raw.height], once)
    assert_frame_equal(mixed[raw.height : 2 * raw.height], once)
    assert mixed["problems"][-2:].to_list() == [NAMELESS, NOTHING]
    assert mixed["verdict"][-2:].to_list() == [None, None]
    with pytest.raises(ValueError, match="'verdict'"):
        score_events_frame(once, trained.vetter)
    assert score_events_frame(raw.clear(), trained.vetter, events).height == 0


@pytest.mark.parametrize("kepid", ["1e30", "-5", "12.5", "KOI 5"])
def test_what_is_no_number_of_a_star_is_told(raw: pl.DataFrame, trained: Trained, kepid: str) -> None:
    told = score_events_frame(raw.head(1).with_columns(kepid=pl.lit(kepid)), trained.vetter)
    assert told.select("event", "verdict").row(0) == (None, None)
    assert told["problems"][0] == f"{NAMELESS}; unreadable: kepid"


def test_impossible_and_unreadable_values_are_told_and_count_as_unknown(raw: pl.DataFrame, trained: Trained) -> None:
    row = raw.head(1).with_columns(pl.format("KIC {}", "kepid").alias("kepid"))
    wrong = row.with_columns(tce_period=pl.lit("-3.5"), tce_depth=pl.lit("deep"), tce_model_snr=pl.lit("-1"))
    told = score_events_frame(wrong, trained.vetter)
    assert told["problems"][0] == "unreadable: tce_depth; taken as unknown: tce_period below 0"
    unknown = row.with_columns(tce_period=None, tce_depth=None, tce_model_snr=None).cast(pl.String)
    same = ["event", "verdict", "prediction_set", "reasons"]
    assert told.select(same).row(0) == score_events_frame(unknown, trained.vetter).select(same).row(0)
    assert told["verdict"][0] is not None
