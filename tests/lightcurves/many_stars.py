"""Parquet files of many stars, for tests."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

NOISE = np.random.default_rng(4).normal(0, 3e-4, 40)
TIME = (180.0 + np.arange(40) / 10).tolist()
FLUX = (NOISE - np.median(NOISE)).tolist()
"""A flat flux about zero."""


def rows(*stars: int, **columns: Any) -> pl.DataFrame:
    """Stars of Kepler's catalogue with the same points; `columns` replace or add to theirs."""
    plain = {"kepid": list(stars), "time": [TIME] * len(stars), "flux": [FLUX] * len(stars)}
    return pl.DataFrame({name: value for name, value in (plain | columns).items() if value is not None}, strict=False)


def packed(frame: pl.DataFrame, **how: Any) -> bytes:
    """A table as a Parquet file."""
    out = io.BytesIO()
    frame.write_parquet(out, **how)
    return out.getvalue()
