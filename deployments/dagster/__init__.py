"""Dagster's instance: its two files, and how one of them is installed."""
