"""The one transformer from signals to model input: training, batch scoring and serving use this object and no other.

Belongs here: what is withheld from the model because only its presence would speak, the features, their order, and
imputation and scaling for the models that need them. Does not belong here: formulas (tabular.py) or models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exo_assets.catalogs.contracts import DIAGNOSTIC_COLUMNS, MEASURED_COLUMNS, MISSIONS, RESOLVED
from exo_assets.features.from_light_curves import CURVE_NAMES, has_curve
from exo_assets.features.registry import FEATURE_NAMES, FEATURES, NUMERIC
from exo_assets.features.tabular import MISSION_TYPE, build_features

Matrix = npt.NDArray[np.float64]

PIPELINE_BLOCK: Mapping[str, tuple[str, ...]] = {
    "kepler": (
        *DIAGNOSTIC_COLUMNS,
        "radius_ratio",
        "radius_ratio_err",
        "star_mass_sun",
        "star_mass_err_sun",
        "star_metallicity_dex",
        "star_metallicity_err_dex",
    )
}
"""Columns that come together or not at all, because another table supplies them (for KOIs the DR25 table).

Whether a signal is in that table says a lot about its label (older KOIs that DR25 lost are mostly false positives), so
inside the block fill rates are compared among signals that have it, and training shows every signal without it too.
"""

FILL_GAP = 0.25
"""Largest difference between the classes in the share of rows that have a column before it is withheld."""

LEAST_CURVES, LEAST_CURVES_PER_CLASS, LEAST_CURVE_SHARE = 200, 50, 0.05
"""Resolved training signals of a mission that must have a light curve before the vetter sees what they tell: in all, of
planets and of false positives, and as a share. With fewer there is nothing to learn, and models must not change with
every star that is downloaded."""

_JUDGED = tuple(f.name for f in FEATURES if f.group not in ("system", "light_curve", "mission"))
"""Features whose fill rates are compared. A star without a second signal has no period ratio: that is the system, not
the paperwork. Those of light curves are compared among the signals that have one."""
_WITHHELD = (*MEASURED_COLUMNS, *CURVE_NAMES)
_COMPUTED = tuple(name for name in NUMERIC if name not in CURVE_NAMES)


def has_block(signals: pl.DataFrame) -> pl.Series:
    """Whether each signal carries any pipeline diagnostic."""
    present = [c for c in DIAGNOSTIC_COLUMNS if c in signals.columns]
    flag = pl.any_horizontal(pl.col(c).is_not_null() for c in present) if present else pl.lit(False)
    return signals.with_columns(flag.alias("_block"))["_block"]


@dataclass(frozen=True)
class SignalTransformer:
    """Fitted on training rows; afterwards a pure function of a signal and its star's other signals.

    `withheld` maps mission -> column or feature -> why it is nulled there. `centre` and `scale` (median and
    interquartile range per feature, mode for the mission) serve `dense` only. `curves_of`: missions with enough light
    curves for the vetter to see their diagnostics.
    """

    withheld: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    centre: Mapping[str, float] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    mode_mission: str = "kepler"
    curves_of: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        signals: pl.DataFrame,
        is_planet: pl.Series,
        star_counts: pl.DataFrame | None = None,
        fill_gap: float = FILL_GAP,
    ) -> SignalTransformer:
        """Fit on resolved training signals; `is_planet` (boolean) is used for the comparison of fill rates only."""
        if signals.height != is_planet.len():
            raise ValueError(f"{signals.height} signals but {is_planet.len()} labels")
        if signals.height == 0:
            raise ValueError("the transformer cannot be fitted on no signals")
        columns = [c for c in MEASURED_COLUMNS if c in signals.columns]
        block = has_block(signals)
        withheld = _uneven(signals.select("mission", *columns), is_planet, block, fill_gap)
        curves_of, uneven = _curves(signals, is_planet, fill_gap)
        for mission, found in uneven.items():
            withheld.setdefault(mission, {}).update(found)
        first = cls(withheld={m: dict(w) for m, w in withheld.items()}, curves_of=curves_of)
        features = first.features(signals, star_counts)
        for mission, found in _uneven(features.select("mission", *_JUDGED), is_planet, block, fill_gap).items():
            withheld.setdefault(mission, {}).update(found)
        features = cls(withheld=withheld, curves_of=curves_of).features(signals, star_counts)
        numeric = features.select(NUMERIC)
        centre, low, high = (numeric.quantile(q).row(0, named=True) for q in (0.5, 0.25, 0.75))
        return cls(
            withheld=withheld,
            centre={n: float(centre[n] or 0.0) for n in NUMERIC},
            scale={n: float((high[n] or 0.0) - (low[n] or 0.0)) or 1.0 for n in NUMERIC},
            mode_mission=str(features["mission"].cast(pl.String).mode().sort()[0]),
            curves_of=curves_of,
        )

    def features(self, signals: pl.DataFrame, star_counts: pl.DataFrame | None = None) -> pl.DataFrame:
        """`signal_id`, `mission_star_id` and every feature, rows in the order given; unknown and withheld are null."""
        features = build_features(self._nulled(signals, _WITHHELD), star_counts)
        return self._nulled(features, _COMPUTED)  # diagnostics of light curves are as they were

    def withhold(self, features: pl.DataFrame) -> pl.DataFrame:
        """Ready-made features without everything that is withheld or computed from something withheld.

        Stricter than `features`, which computes around a withheld column where another one can stand in.
        """
        reached = {
            mission: {f.name: "" for f in FEATURES if f.name in found or set(f.inputs) & set(found)}
            for mission, found in self.withheld.items()
        }
        return SignalTransformer(withheld=reached, curves_of=self.curves_of)._nulled(features, NUMERIC)

    def _nulled(self, frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
        hidden: dict[str, list[str]] = {}
        allowed = set(names) & set(frame.columns)
        for mission, columns in self.withheld.items():
            for column in sorted(allowed & set(columns)):
                hidden.setdefault(column, []).append(mission)
        unseen = [m for m in MISSIONS if m not in self.curves_of]
        for column in CURVE_NAMES:
            if column in allowed and unseen:
                hidden[column] = [*hidden.get(column, []), *unseen]
        if not hidden:
            return frame
        here = pl.col("mission").cast(pl.String)
        return frame.with_columns(pl.when(~here.is_in(ms)).then(pl.col(c)).alias(c) for c, ms in hidden.items())

    @staticmethod
    def matrix(features: pl.DataFrame) -> Matrix:
        """Model input for LightGBM: columns in the order of FEATURES, mission as its code, unknown as NaN."""
        return (
            features.select(
                (pl.col(n).cast(pl.String).cast(MISSION_TYPE).to_physical() if n == "mission" else pl.col(n))
                .cast(pl.Float64)
                .alias(n)
                for n in FEATURE_NAMES
            )
            .to_numpy(order="c")
            .astype(np.float64, copy=False)
        )

    def dense(self, features: pl.DataFrame) -> Matrix:
        """Model input for models that need it: medians for unknowns, robust scaling, the mission one-hot."""
        mission = pl.col("mission").cast(pl.String).fill_null(self.mode_mission)
        scaled = [
            ((pl.col(n).fill_null(self.centre[n]) - self.centre[n]) / self.scale[n]).clip(-20.0, 20.0) for n in NUMERIC
        ]
        return (
            features.select(*scaled, *((mission == m).cast(pl.Float64).alias(f"mission={m}") for m in MISSIONS))
            .to_numpy(order="c")
            .astype(np.float64, copy=False)
        )

    def to_json(self) -> str:
        """Everything fitted, as JSON with sorted keys."""
        return json.dumps(
            {
                "features": list(FEATURE_NAMES),
                "withheld": {m: dict(w) for m, w in self.withheld.items()},
                "centre": dict(self.centre),
                "scale": dict(self.scale),
                "mode_mission": self.mode_mission,
                "curves_of": list(self.curves_of),
            },
            sort_keys=True,
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> SignalTransformer:
        """The transformer that `to_json` wrote; ValueError when it was written for other features."""
        stored: dict[str, Any] = json.loads(text)
        if stored["features"] != list(FEATURE_NAMES):
            changed = sorted(set(stored["features"]) ^ set(FEATURE_NAMES)) or ["their order"]
            raise ValueError(
                f"this model was trained on other features than this code computes ({', '.join(changed)}); "
                "retrain it (`exo run`) or use the code version it was logged with"
            )
        return cls(
            stored["withheld"], stored["centre"], stored["scale"], stored["mode_mission"], tuple(stored["curves_of"])
        )


def seen_missions(signals: pl.DataFrame) -> tuple[str, ...]:
    """Missions with so many light curves of resolved `signals` (core_signals with diagnostics) that a vetter would see
    them."""
    resolved = signals.filter(pl.col("disposition").is_in(RESOLVED))
    return _curves(resolved, resolved["disposition"] == "CONFIRMED", FILL_GAP)[0]


def _curves(
    signals: pl.DataFrame, is_planet: pl.Series, fill_gap: float
) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
    """Missions with enough light curves, and diagnostics known too unevenly among the signals that have one."""
    marked = signals.select(pl.col("mission").cast(pl.String), is_planet.alias("planet"), has_curve(signals).alias("c"))
    enough = []
    for mission in MISSIONS:
        rows = marked.filter(pl.col("mission") == mission, pl.col("planet").is_not_null())
        with_curve = rows.filter("c")
        planets = int(with_curve["planet"].sum())
        if (
            with_curve.height >= max(LEAST_CURVES, LEAST_CURVE_SHARE * rows.height)
            and min(planets, with_curve.height - planets) >= LEAST_CURVES_PER_CLASS
        ):
            enough.append(mission)
    chosen = marked["c"] & marked["mission"].is_in(enough)
    frame = signals.select("mission", *(n for n in CURVE_NAMES if n in signals.columns)).filter(chosen)
    return tuple(enough), _uneven(frame, is_planet.filter(chosen), pl.repeat(False, frame.height, eager=True), fill_gap)


def _uneven(frame: pl.DataFrame, is_planet: pl.Series, block: pl.Series, fill_gap: float) -> dict[str, dict[str, str]]:
    """Columns per mission whose fill rates differ between planets and false positives by more than `fill_gap`."""
    out: dict[str, dict[str, str]] = {}
    names = [c for c in frame.columns if c != "mission"]
    marked = frame.with_columns(is_planet.alias("_planet"), block.alias("_block"))
    for mission in MISSIONS:
        rows = marked.filter((pl.col("mission").cast(pl.String) == mission) & pl.col("_planet").is_not_null())
        inside = rows.filter("_block") if mission in PIPELINE_BLOCK else rows
        if mission in PIPELINE_BLOCK and inside.height:
            rows = inside
        planets, others = rows.filter("_planet"), rows.filter(~pl.col("_planet"))
        if not planets.height or not others.height:
            continue
        a = planets.select(pl.col(names).is_not_null().mean()).row(0, named=True)
        b = others.select(pl.col(names).is_not_null().mean()).row(0, named=True)
        found = {
            n: f"known for {a[n]:.0%} of planets but {b[n]:.0%} of false positives"
            for n in names
            if abs(a[n] - b[n]) > fill_gap
        }
        if found:
            out[mission] = found
    return out
