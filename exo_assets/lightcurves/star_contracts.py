"""Contracts of the tables that are made of light curves.

Belongs here: columns, units and keys. Does not belong here: the contract of the downloaded files (`contracts.py`).
"""

from __future__ import annotations

import polars as pl

from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.contracts import Column, TableContract

F, G, I, S, B = pl.Float64, pl.Float32, pl.Int64, pl.String, pl.Boolean  # noqa: E741 - short names keep the tables readable

STAR_ID = Column(
    "star_id",
    S,
    "Star in the mission's input catalogue: 'KIC 11442793', 'EPIC 201367065', 'TIC 149603524'",
    nullable=False,
)
MISSION = Column("mission", S, "Mission that observed it", nullable=False, allowed=MISSIONS)

_NOISE = tuple(
    Column(f"cdpp_{hours}h_ppm", F, f"Noise of {hours}-hour averages, a robust CDPP without whitening", "ppm", low=0)
    for hours in (1, 3, 6)
)
CURVE_FACTS = (
    STAR_ID,
    MISSION,
    Column(
        "flux_kind",
        S,
        "Column of the files that the flux is: PDCSAP_FLUX, SAP_FLUX where that is absent, or a user's; '(flat)': its trend was taken away before",
        nullable=False,
    ),
    Column("n_files", I, "Files joined", nullable=False, low=1),
    Column("n_points", I, "Points left after cleaning", nullable=False, low=1),
    Column("n_segments", I, "Quarters, campaigns or sectors", nullable=False, low=1),
    Column("first_bjd", F, "Time of the first point, BJD (TDB)", "d", nullable=False, low=2_400_000, high=2_500_000),
    Column("span_days", F, "Time from the first point to the last", "d", nullable=False, low=0),
    Column("n_unusable", I, "Points left out for their quality flags, or without flux", nullable=False, low=0),
    Column("n_outliers", I, "Points left out because they lie far above the trend", nullable=False, low=0),
    Column(
        "window_days", F, "Window in which the trend was found; null: the flux came flat", "d", low=0, low_open=True
    ),
    Column("is_curved", B, "Parabolas were fitted in the window, because the star varies within it", nullable=False),
    Column("star_radius_sun", F, "Radius of the star, as the files' header says", "R_Sun", low=0, low_open=True),
    Column("star_logg_cgs", F, "Surface gravity of the star, as the files' header says", "log10(cm/s2)"),
    Column("star_teff_k", F, "Effective temperature of the star, as the files' header says", "K", low=0, low_open=True),
    *_NOISE,
)

CORE_LIGHT_CURVES = TableContract(
    "core_light_curves",
    "Clean, flat, stitched light curves, one star a row; the transits of catalogued signals were masked while the trend was found.",
    (
        *CURVE_FACTS,
        Column("time_bjd", pl.List(F), "Barycentric (TDB) Julian dates, ascending", "d", nullable=False),
        Column("flux", pl.List(G), "Flux over the trend, about one", nullable=False),
        Column("flux_err", pl.List(G), "Noise of a point, one value per segment", nullable=False),
        Column("trend", pl.List(G), "What the flux was divided by, relative to the segment's median", nullable=False),
        Column("column", pl.List(G), "Centroid, pixel column; NaN where unknown", "pixel", nullable=False),
        Column("row", pl.List(G), "Centroid, pixel row; NaN where unknown", "pixel", nullable=False),
        Column("segment", pl.List(pl.Int32), "Quarter, campaign or sector", nullable=False),
        Column("is_edge", pl.List(B), "Within half a day of a gap", nullable=False),
        Column("is_near_dump", pl.List(B), "Within half a day of a momentum dump", nullable=False),
        Column("is_scattered", pl.List(B), "Flagged for scattered light (TESS, bit 13); null where no point is"),
        Column(
            "unused_files",
            pl.List(pl.Struct({"file_name": S, "reason": S, "message": S})),
            "Files of the star, or parts of them, that are not used, and why: core_light_curves_attrition has them too",
            nullable=False,
        ),
    ),
    key=("star_id",),
)

EPHEMERIS = (
    Column("period_days", F, "Orbital period", "d", nullable=False, low=0, low_open=True),
    Column("t0_bjd", F, "Time of a mid-transit, BJD (TDB)", "d", nullable=False, low=2_400_000, high=2_500_000),
    Column("duration_hours", F, "First to last contact", "h", nullable=False, low=0, low_open=True),
)

MATCHES = ("same", "harmonic", "none")
WITH_SCATTERED = "hangs on points flagged for scattered light (bit 13): without them it is not found"
WITHOUT_SCATTERED = "found only without the points flagged for scattered light (bit 13)"

SCATTERED_LIGHT = Column(
    "scattered_light",
    S,
    "Whether it is found only with the points flagged for scattered light, or only without them; null for what does not hang on them",
    allowed=(WITH_SCATTERED, WITHOUT_SCATTERED),
)

CORE_SEARCH = TableContract(
    "core_search",
    "Periodic dips that the search found in clean light curves, the most significant of each star first, and the catalogued signal that each is.",
    (
        Column("tce_id", S, "Name of the threshold-crossing event: star and number, 'KIC 11442793-01'", nullable=False),
        STAR_ID,
        MISSION,
        Column("number", I, "Order in which the star's signals were found, from 1", nullable=False, low=1),
        *EPHEMERIS,
        Column("period_err_days", F, "Uncertainty of the period", "d", low=0),
        Column("t0_err_days", F, "Uncertainty of the epoch", "d", low=0),
        Column("duration_err_hours", F, "Uncertainty of the duration", "h", low=0),
        Column("depth_ppm", F, "Depth of the fitted trapezoid", "ppm"),
        Column("depth_err_ppm", F, "Uncertainty of the depth, white noise", "ppm", low=0),
        Column("ingress_share", F, "Ingress over duration: 0 for a box, 0.5 for a V", low=0, high=0.5),
        Column("sde", F, "Signal detection efficiency (Hippke & Heller 2019)", nullable=False),
        Column("snr", F, "Multiple-event statistic of the matched box", nullable=False, low=0),
        Column("n_transits", I, "Transits with data", nullable=False, low=0),
        Column("odd_even_sigma", F, "Difference of the depths of odd and even transits, white noise", low=0),
        Column(
            "below_threshold",
            B,
            "Weaker than what is ranked: SNR below 7.1 after the fit, or a test of its transits failed",
            nullable=False,
        ),
        Column("below_threshold_reason", S, "What it lacks, in words; null for a signal above the thresholds"),
        Column(
            "secondary_phase", F, "Phase of the second dip of the orbit, in periods after mid-transit", low=0, high=1
        ),
        Column("secondary_depth_ppm", F, "Depth of the second dip; null where none is significant", "ppm"),
        Column("secondary_sigma", F, "Its depth over its uncertainty with red noise (Pont et al. 2006)", "sigma"),
        Column(
            "period_alternatives_days",
            pl.List(F),
            "Other periods that the gaps in the data allow; empty when the period is the only one",
            "d",
            nullable=False,
        ),
        Column(
            "variability_ratio",
            F,
            "Amplitude of the star's sinusoid out of transit, at P/3, P/2, P or 2 P, over the depth: measured before the trend was taken away",
            low=0,
        ),
        Column(
            "is_variable",
            B,
            "The star varies at the signal's period, from crest to trough, by more than the signal's depth: a flag beside the judgement",
            nullable=False,
        ),
        SCATTERED_LIGHT,
        Column(
            "density_sun",
            F,
            "Density of the star that durations were searched for (one where it is unknown)",
            "Sun",
            nullable=False,
            low=0,
            low_open=True,
        ),
        Column(
            "match",
            S,
            "Whether it is a catalogued signal: same period, a harmonic of one, or none",
            nullable=False,
            allowed=MATCHES,
        ),
        Column("signal_id", S, "The catalogued signal"),
        Column("period_ratio", F, "Its period over the catalogued one's", low=0),
    ),
    key=("tce_id",),
)

CORE_PAGES = TableContract(
    "core_pages",
    "A page of plots of every threshold-crossing event: measured flux and trend, flat curve, periodogram, folded transit, odd and even, half an orbit later.",
    (
        Column("tce_id", S, "Threshold-crossing event", nullable=False),
        STAR_ID,
        Column("sde", F, "Signal detection efficiency", nullable=False),
        Column("title", S, "What the page is called", nullable=False),
        Column("png", pl.Binary, "The picture", nullable=False),
    ),
    key=("tce_id",),
)

CORE_SEARCHED_STARS = TableContract(
    "core_searched_stars",
    "Stars with a clean light curve: its extent and noise, and what the search found; one row a star.",
    (
        *CURVE_FACTS,
        Column("bucket", S, "Partition that the star is in", nullable=False),
        Column("is_searched", B, "Whether the search went through", nullable=False),
        Column("n_found", I, "Signals found", nullable=False, low=0),
        Column("n_catalogued", I, "Found signals that are catalogued ones", nullable=False, low=0),
        Column(
            "is_varying",
            B,
            "Whether the star varies at the period of a found signal by more than its depth",
            nullable=False,
        ),
    ),
    key=("star_id",),
)

CORE_FOUND_SIGNALS = TableContract(
    "core_found_signals",
    "Every threshold-crossing event of every searched star: core_search in one table.",
    CORE_SEARCH.columns,
    key=CORE_SEARCH.key,
)

CORE_SINGLE_SEARCH = TableContract(
    "core_single_search",
    "Dips that happen once in a star's data: no period is known, so that no vetter judges them; the range of periods that they allow is given.",
    (
        Column("event_id", S, "Name of the event: star and number, 'TIC 55525572-S1'", nullable=False),
        STAR_ID,
        MISSION,
        Column("number", I, "Order by significance, from 1", nullable=False, low=1),
        Column("time_bjd", F, "Time of mid-transit, BJD (TDB)", "d", nullable=False, low=2_400_000, high=2_500_000),
        Column("time_err_days", F, "Uncertainty of the time", "d", low=0),
        Column("duration_hours", F, "First to last contact", "h", nullable=False, low=0, low_open=True),
        Column("duration_err_hours", F, "Uncertainty of the duration", "h", low=0),
        Column("depth_ppm", F, "Depth of the fitted trapezoid", "ppm", nullable=False),
        Column("depth_err_ppm", F, "Uncertainty of the depth, white noise", "ppm", low=0),
        Column("ingress_share", F, "Ingress over duration: 0 for a box, 0.5 for a V", low=0, high=0.5),
        Column("snr", F, "Depth over its uncertainty with red noise (Pont et al. 2006)", nullable=False, low=0),
        Column("period_low_days", F, "Shortest period that the data and the density allow", "d", low=0),
        Column(
            "period_high_days",
            F,
            "Longest: that of a circular orbit with this duration at an impact parameter of 0.9",
            "d",
            low=0,
        ),
        SCATTERED_LIGHT,
        Column(
            "density_sun",
            F,
            "Density of the star that the periods are for; null where it is unknown: 0.1 to 3",
            "Sun",
            low=0,
            low_open=True,
        ),
        Column("signal_id", S, "The catalogued signal that transits then, if there is one"),
    ),
    key=("event_id",),
)

CORE_SINGLE_TRANSITS = TableContract(
    "core_single_transits",
    "Every transit that happens once in the data of every searched star: core_single_search in one table.",
    CORE_SINGLE_SEARCH.columns,
    key=CORE_SINGLE_SEARCH.key,
)

CORE_LIGHT_CURVES_ATTRITION = TableContract(
    "core_light_curves_attrition",
    "What was lost on the way from files to diagnostics, and why: quarantined, failed and unused files, and stars that a stage could not process.",
    (
        Column("stage", S, "Table that it is missing from", nullable=False),
        Column("bucket", S, "Partition", nullable=False),
        STAR_ID,
        Column("file_name", S, "File, where a file was lost"),
        Column("reason", S, "Code of the reason", nullable=False),
        Column("message", S, "The reason in words", nullable=False),
    ),
)
