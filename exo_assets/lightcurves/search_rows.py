"""Found signals as rows of `core_search`, and back.

Belongs here: how a signal lies in the table. Does not belong here: finding one (`search.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.search import Secondary, Signal
from exo_assets.lightcurves.single_transits import SingleTransit
from exo_assets.lightcurves.trapezoid import Trapezoid


def without_nan(row: Mapping[str, object]) -> dict[str, object]:
    """The row with None for what is not finite: unknown in a table."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


def place_of(row: Mapping[str, Any]) -> Ephemeris:
    """The ephemeris in a row with period_days, t0_bjd and duration_hours; nan where one is missing."""
    period, t0, hours = (
        float("nan") if row[name] is None else float(row[name]) for name in ("period_days", "t0_bjd", "duration_hours")
    )
    return Ephemeris(period, t0, hours / 24)


def measured(signal: Signal) -> dict[str, object]:
    """The measured columns of a signal; None where unknown."""
    transit, place, second = signal.transit, signal.transit.ephemeris, signal.secondary
    return without_nan(
        {
            "period_days": place.period_days,
            "t0_bjd": place.t0,
            "duration_hours": place.duration_days * 24,
            "period_err_days": transit.period_err_days,
            "t0_err_days": transit.t0_err,
            "duration_err_hours": transit.duration_err_days * 24,
            "depth_ppm": transit.depth * 1e6,
            "depth_err_ppm": transit.depth_err * 1e6,
            "ingress_share": transit.ingress_share,
            "sde": signal.sde,
            "snr": signal.snr,
            "odd_even_sigma": signal.odd_even_sigma,
            "n_transits": signal.n_transits,
            "below_threshold": signal.doubt is not None,
            "below_threshold_reason": signal.doubt,
            "secondary_phase": second.phase if second else None,
            "secondary_depth_ppm": second.depth * 1e6 if second else None,
            "secondary_sigma": second.sigma if second else None,
            "period_alternatives_days": list(signal.period_alternatives_days),
            "variability_ratio": signal.variability_ratio,
            "is_variable": signal.is_variable,
        }
    )


def measured_once(event: SingleTransit) -> dict[str, object]:
    """The measured columns of a single transit; None where unknown."""
    transit, place = event.transit, event.transit.ephemeris
    return without_nan(
        {
            "time_bjd": event.time_bjd,
            "time_err_days": transit.t0_err,
            "duration_hours": place.duration_days * 24,
            "duration_err_hours": transit.duration_err_days * 24,
            "depth_ppm": transit.depth * 1e6,
            "depth_err_ppm": transit.depth_err * 1e6,
            "ingress_share": transit.ingress_share,
            "snr": event.snr,
            "period_low_days": event.period_days[0],
            "period_high_days": event.period_days[1],
        }
    )


def signal_of(row: Mapping[str, object]) -> Signal:
    """The signal that a row of `core_search` tells of, without its odd and even depths."""
    value = {k: float(v) if isinstance(v, int | float) else float("nan") for k, v in row.items()}
    return Signal(
        transit=Trapezoid(
            place_of(row),
            value["ingress_share"],
            value["depth_ppm"] / 1e6,
            value["depth_err_ppm"] / 1e6,
            value["period_err_days"],
            value["t0_err_days"],
            value["duration_err_hours"] / 24,
        ),
        sde=value["sde"],
        snr=value["snr"],
        n_transits=int(np.nan_to_num(value["n_transits"])),
        odd_depth=float("nan"),
        even_depth=float("nan"),
        odd_even_sigma=value["odd_even_sigma"],
        secondary=None
        if row.get("secondary_phase") is None
        else Secondary(value["secondary_phase"], value["secondary_depth_ppm"] / 1e6, value["secondary_sigma"]),
        doubt=None if (doubt := row.get("below_threshold_reason")) is None else str(doubt),
    )
