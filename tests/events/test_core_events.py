"""The table of events: placeholders, names, labels and the period that a later hand wrote over."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.archive.contracts import CUMULATIVE, DR25_KOI, DR25_TCE
from exo_assets.events.contracts import CORE_EVENTS
from exo_assets.events.core import core_events, period_of_pipeline
from exo_assets.events.labels import LABELS, agreement, join_rule, published_rule
from exo_resources.archive import ArchiveSource
from exo_resources.settings import Settings
from tests.events.synthetic_events import raw_events, raw_kois

DISPOSITIONS = ("CONFIRMED", "CANDIDATE", "FALSE POSITIVE", "NOT DISPOSITIONED", None)


@given(st.lists(st.tuples(st.sampled_from(DISPOSITIONS), st.sampled_from([0.0, 1.0, None])), min_size=1, max_size=30))
def test_the_join_labels_as_documented(rows: list[tuple[str | None, float | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"d": pl.String, "nt": pl.Float64}, orient="row")
    labels = frame.select(join_rule(pl.col("d"), pl.col("nt")).alias("label"))["label"].to_list()
    for (disposition, flag), label in zip(rows, labels, strict=True):
        if disposition is None:
            assert label == "NTP"
        elif disposition == "FALSE POSITIVE":
            assert label == ("NTP" if flag == 1 else "AFP")
        elif disposition == "NOT DISPOSITIONED":
            assert label is None
        else:
            assert label == "PC"


@given(
    st.sampled_from([None, "K00001.01"]),
    st.sampled_from(DISPOSITIONS),
    st.sampled_from(["CERTIFIED FP", "CERTIFIED FA", "POSSIBLE PLANET", "NOT EXAMINED", None]),
)
def test_the_published_rule_labels_what_is_certain(koi: str | None, now: str | None, certified: str | None) -> None:
    frame = pl.DataFrame({"k": [koi], "d": [now], "c": [certified]}, schema=dict.fromkeys("kdc", pl.String))
    label = frame.select(published_rule(pl.col("k"), pl.col("d"), pl.col("c"))).item()
    if koi is None:
        assert label == "NTP"
    elif now == "CONFIRMED":
        assert label == "PC"
    else:
        assert label == {"CERTIFIED FP": "AFP", "CERTIFIED FA": "NTP"}.get(certified or "")


def test_events_are_named_typed_and_joined() -> None:
    raw = raw_events(300)
    events, notes = core_events(raw, raw_kois(raw), CUMULATIVE.empty())
    CORE_EVENTS.check(events)
    row = events.row(0, named=True)
    assert row["event"] == f"{int(raw['kepid'][0]):09d}-01" and row["star_id"] == f"KIC {raw['kepid'][0]}"
    kind = raw.with_columns(event=pl.Series(events["event"]))["kind"].cast(pl.Int64)
    assert events["label"].to_list() == [LABELS[k] for k in kind]
    assert set(events["label_source"]) == {"join"} and notes["published_labels"] == 0 and notes["join_agrees"] is None


def test_placeholders_are_unknown() -> None:
    raw = raw_events(300)
    events, _ = core_events(raw, raw_kois(raw), CUMULATIVE.empty())
    failed = (raw["tce_model_snr"] == "-1.0").to_numpy()
    assert failed.any() and not failed.all()
    assert (events["model_snr"].is_null().to_numpy() == failed).all()
    assert (events["offset_kic_arcsec_err"].is_null().to_numpy() == failed).all()
    assert events["odd_even_statistic"].null_count() == events.height
    assert events["fw_source_ra_arcsec"].null_count() == 0, "an offset of 0 is an offset"


def test_a_labelled_copy_is_used_as_it_is() -> None:
    raw = raw_events(300, labelled=True)
    unlabelled = raw.with_columns(pl.when(pl.int_range(pl.len()) > 4).then("label").alias("label"))
    events, notes = core_events(unlabelled, raw_kois(raw), CUMULATIVE.empty())
    assert events["label"].null_count() == 5 and events["label_join"].null_count() == 0
    assert set(events["label_source"].drop_nulls()) == {"published"}
    assert notes["published_labels"] == 295 and notes["join_agrees"] == 1.0


def test_without_a_source_the_table_is_empty_and_says_why() -> None:
    events, notes = core_events(DR25_TCE.empty(), DR25_KOI.empty(), CUMULATIVE.empty())
    assert events.is_empty() and "EXO_ARCHIVE_MIRROR" in notes["why_empty"]
    CORE_EVENTS.check(events)


def test_without_kois_nothing_is_labelled() -> None:
    events, notes = core_events(raw_events(50), DR25_KOI.empty(), CUMULATIVE.empty())
    assert events["label"].null_count() == 50 and "KOI" in notes["why_unlabelled"]


def test_agreement_counts_what_both_label() -> None:
    assert agreement(pl.Series(["PC", None, "NTP"]), pl.Series(["PC", "PC", "AFP"])) == (2, 0.5)
    assert agreement(pl.Series([None], dtype=pl.String), pl.Series(["PC"])) == (0, None)


@given(
    st.floats(0.5, 1000),
    st.sampled_from([1 / 3, 0.5, 1.0, 2.0, 3.0]),
    st.floats(0.4, 2.0),
    st.floats(-0.01, 0.01),
)
def test_the_pipelines_own_period_is_restored(period: float, multiple: float, mass: float, error: float) -> None:
    """Whoever wrote another period over the pipeline's left its semi-major axis and the star's mass as they were."""
    pipeline = float(f"{period:.5e}")
    axis = (mass * (pipeline / 365.25) ** 2) ** (1 / 3) * (1 + error / 2)
    row = pl.DataFrame({"period_days": [pipeline / multiple], "semi_major_axis_au": [axis], "star_mass_sun": [mass]})
    assert row.select(period_of_pipeline()).item() == pytest.approx(pipeline, rel=1e-5)


@pytest.mark.archive
def test_the_real_table(tmp_path: Path, archive_mirror: Path) -> None:
    archive = ArchiveSource(Settings(home=tmp_path, archive="mirror", archive_mirror=str(archive_mirror)))
    fetched = {t: archive.fetch(t).frame for t in ("q1_q17_dr25_tce", "q1_q17_dr25_koi", "cumulative")}
    events, notes = core_events(*fetched.values())
    CORE_EVENTS.check(events)
    assert events.height == 27_603 and notes["rule_reproduces"] == 1.0 and notes["join_agrees"] > 0.97
    digits = events.select(
        "label",
        n=pl.col("period_days").cast(pl.String).str.replace(".", "", literal=True).str.strip_chars("0").str.len_chars(),
    )
    assert digits["n"].max() <= 6, "a period with more digits is a planet's"
    implied = (pl.col("semi_major_axis_au").pow(3) / pl.col("star_mass_sun")).sqrt() * 365.25 / pl.col("period_days")
    assert events.select((implied - 1).abs().max()).item() < 0.05
