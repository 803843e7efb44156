"""A small catalogue with candidates, planets and false positives, judged: what dossiers are made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import CORE_PLANET_IDENTITY, CORE_SIGNALS, CORE_STARS
from exo_assets.corpus.dossier_refresh import Tables
from exo_assets.features.diagnostics import COLUMNS
from exo_assets.features.signal_contracts import FEAT_SIGNAL_DIAGNOSTICS
from exo_assets.lightcurves.flags import OTHER_PERIODS
from exo_assets.lightcurves.star_contracts import CORE_FOUND_SIGNALS
from exo_assets.scoring.contracts import OUT_FOUND_SCORES, OUT_SCORES
from exo_resources.lake import Lake

PLANETS, FALSE_POSITIVES = 45, 12

CANDIDATES: list[dict[str, Any]] = [
    # Names of real stars, so that the documents of `indexed_corpus` name some of them.
    {"signal_id": "K00351.09", "kic_id": 11442793, "star_id": "KIC 11442793", "period_days": 9.5, "radius_earth": 2.5},
    {"signal_id": "TOI-700.05", "tic_id": 150428135, "star_id": "TIC 150428135", "period_days": 27.8},
    {"signal_id": "K09001.01", "kic_id": 9000001, "star_id": "KIC 9000001", "period_days": 0.7, "radius_earth": 40.0},
]
MEASURES = {
    "period_days": 10.0,
    "period_err_days": 0.001,
    "duration_hours": 3.0,
    "depth_ppm": 500.0,
    "radius_earth": 2.4,
    "snr": 25.0,
    "impact": 0.3,
    "star_teff_k": 5000.0,
    "star_logg_cgs": 4.5,
    "star_radius_sun": 0.8,
}


def signal(**given: Any) -> dict[str, Any]:
    """A row of core_signals with everything that must be there."""
    mission = given.get("mission", "tess" if given["signal_id"].startswith("TOI") else "kepler")
    row = {
        **MEASURES,
        "mission": mission,
        "mission_star_id": given["star_id"],
        "disposition_archive": {"CONFIRMED": "CP", "CANDIDATE": "PC"}.get(given.get("disposition", "CANDIDATE"), "FP"),
        "disposition": "CANDIDATE",
        "ra_deg": 290.0,
        "dec_deg": 45.0,
        "source_table": "toi" if mission == "tess" else "cumulative",
        "has_diagnostics": False,
    }
    return {**row, **given}


def catalogue() -> list[dict[str, Any]]:
    """Rows of core_signals: CANDIDATES, a planet on the first one's star, planets and false positives elsewhere."""
    rows = [signal(**candidate) for candidate in CANDIDATES]
    rows.append(
        signal(
            **CANDIDATES[0] | {"signal_id": "K00351.01"},
            disposition="CONFIRMED",
            planet_name="Kepler-90 h",
        )
    )
    for n in range(PLANETS):
        rows.append(
            signal(
                signal_id=f"K{n + 1000:05d}.01",
                star_id=f"KIC {n + 100_000}",
                kic_id=n + 100_000,
                disposition="CONFIRMED",
                planet_name=f"Kepler-{n + 1500} b",
                period_days=2.0 * 1.1**n,
                radius_earth=1.0 + 0.1 * n,
                depth_ppm=300.0 + 20 * n,
                star_teff_k=4000.0 + 50 * n,
                impact=0.01 * n,
            )
        )
    for n in range(FALSE_POSITIVES):
        rows.append(
            signal(
                signal_id=f"K{n + 2000:05d}.01",
                star_id=f"KIC {n + 200_000}",
                kic_id=n + 200_000,
                disposition="FALSE POSITIVE",
                period_days=0.5 * 1.3**n,
                radius_earth=10.0 + 5 * n,
                depth_ppm=5000.0 + 500 * n,
            )
        )
    return rows


def tables(rows: list[dict[str, Any]] | None = None, probabilities: dict[str, float] | None = None) -> Tables:
    """The tables that dossiers are made from, as the lineage would have made them of these `rows`."""
    signals = CORE_SIGNALS.conform(pl.DataFrame(rows or catalogue(), infer_schema_length=None)).sort("signal_id")
    stars = signals.group_by("star_id").agg(
        pl.col("kic_id", "epic_id", "tic_id").drop_nulls().first(), n_signals=pl.len().cast(pl.Int64)
    )
    chances = pl.col("signal_id").replace_strict(probabilities or {}, default=0.5, return_dtype=pl.Float64)
    scores = signals.select("signal_id", "mission", "star_id").with_columns(
        probability_planet=chances,
        disposition_confirmed=chances / 2,
        disposition_candidate=chances / 2,
        disposition_false_positive=1 - chances,
        verdict=pl.lit("candidate"),
        prediction_set=pl.lit("unsure"),
        reasons=pl.lit(
            pl.Series(
                [[{"feature": "log_depth", "value": 2.699, "contribution": 1.5}, _VIEW]],
                dtype=OUT_SCORES.schema["reasons"],
            )
        ).first(),
        model_version=pl.lit("abcdef012345"),
        data_version=pl.lit("0" * 16),
    )
    ranked = signals.filter(disposition="CANDIDATE").join(
        scores.select("signal_id", "probability_planet"), on="signal_id"
    )
    counts = signals.group_by("star_id").agg(signals_on_star=pl.len().cast(pl.Int64))
    mart = (
        ranked.join(counts, on="star_id")
        .sort("probability_planet", "signal_id", descending=[True, False])
        .select("signal_id", "signals_on_star", rank=pl.row_index() + 1, model_version=pl.lit("abcdef012345"))
        .with_columns(pl.col("rank").cast(pl.Int64))
    )
    return Tables(
        mart_candidates=mart,
        core_signals=signals,
        core_stars=CORE_STARS.conform(stars),
        core_planet_identity=CORE_PLANET_IDENTITY.empty(),
        out_scores=OUT_SCORES.conform(scores),
        core_found_signals=CORE_FOUND_SIGNALS.empty(),
        out_found_scores=OUT_FOUND_SCORES.empty(),
        feat_signal_diagnostics=diagnosed(signals),
    )


_VIEW = {"feature": "local_view", "value": None, "contribution": -0.25}


def diagnosed(signals: pl.DataFrame) -> pl.DataFrame:
    """Diagnostics of the planets and of K00351.09, whose odd and even transits differ; of K09001.01 none could be
    measured."""
    known = signals.filter(
        (pl.col("disposition") == "CONFIRMED") | pl.col("signal_id").is_in(["K00351.09", "K09001.01"])
    )
    odd = known["signal_id"] == "K00351.09"
    told = {"modshift_4": -1.0, "model_vs_line_aic": -100.0, "snr_red": 20.0, "chi_sigma": 10.0}
    told |= {"max_ses_over_mes": 0.5, "shp": 0.3}
    rows = known.select("signal_id", "mission", "star_id", origin=pl.lit("catalogue")).with_columns(
        **{c.name: pl.lit(told.get(c.name, 1.0)).cast(c.dtype) for c in COLUMNS if c.name != "odd_even_sigma"},
        odd_even_sigma=pl.when(odd).then(5.0).otherwise(1.0),
    )
    lost = pl.col("signal_id") == "K09001.01"
    nothing = [pl.when(~lost).then(pl.col(c.name)).alias(c.name) for c in COLUMNS]
    reason = pl.when(lost).then(pl.lit("no transit was observed")).alias("reason")
    return FEAT_SIGNAL_DIAGNOSTICS.conform(rows.with_columns(*nothing, reason))


VARIES = "the star varies at this period by more than the signal's depth"


def with_found(of: Tables) -> Tables:
    """`of` with what the search found: another signal of Kepler-90's star, one of a star that no catalogue has, one
    that the catalogue has, and one below the thresholds."""
    names = {
        "KIC 11442793-01": {"signal_id": "K00351.09", "match": "same", "rank": 1},
        "KIC 11442793-02": {
            **{"rank": 2, "probability_planet": 0.8, "period_days": 14.4, "is_variable": True},
            **{"period_alternatives_days": [7.2, 28.8], "flags": [VARIES, OTHER_PERIODS]},
        },
        "KIC 5-01": {"rank": 3, "star_id": "KIC 5", "host_id": None, "probability_planet": 0.3},
        "KIC 5-02": {"star_id": "KIC 5", "host_id": None, "below_threshold": True},
    }
    plain = {
        **{"star_id": "KIC 11442793", "host_id": "KIC 11442793", "mission": "kepler", "number": 1, "match": "none"},
        **{
            "period_days": 3.3,
            "t0_bjd": 2_455_000.0,
            "duration_hours": 2.5,
            "depth_ppm": 120.0,
            "sde": 12.0,
            "snr": 11.0,
        },
        **{"n_transits": 30, "density_sun": 1.0, "below_threshold": False, "is_variable": False, "flags": []},
        **{"period_alternatives_days": [], "probability_planet": 0.6, "disposition_confirmed": 0.6},
        **{"disposition_candidate": 0.2, "disposition_false_positive": 0.2, "verdict": "candidate", "rank": None},
        **{"prediction_set": "unsure", "has_diagnostics": False, "has_views": False, "model_version": "abcdef012345"},
        **{"data_version": "0" * 16, "signal_id": None, "first_found_at": "2026-01-01T00:00:00+00:00"},
    }
    rows = pl.DataFrame([plain | {"tce_id": name} | more for name, more in names.items()], infer_schema_length=None)
    scores = OUT_FOUND_SCORES.check(OUT_FOUND_SCORES.conform(rows))
    return replace(
        of, core_found_signals=CORE_FOUND_SIGNALS.check(CORE_FOUND_SIGNALS.conform(rows)), out_found_scores=scores
    )


def store(lake: Lake, made: Tables) -> None:
    """Write every table into the lake."""
    for name, frame in vars(made).items():
        lake.write(name, frame)
