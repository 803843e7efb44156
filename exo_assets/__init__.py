"""One package per stage. Pure modules hold the science; only `assets.py` and `checks.py` know Dagster."""
