"""Synthetic signals for the tests of the feature stage."""

from __future__ import annotations

import polars as pl
import pytest

from tests.features.synthetic import catalogue


@pytest.fixture(scope="session")
def signals() -> pl.DataFrame:
    return catalogue(600)
