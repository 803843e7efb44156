"""Sensors: reactions to what happened.

Belongs here: noticing an event and asking for a job, or telling people. Does not belong here: the jobs themselves.
Every evaluation is cheap; what cannot be asked is a skipped tick with the reason, not an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.archive_changed import archive_changed_sensor
from sensors.champion_moved import champion_moved
from sensors.documents_changed import documents_changed
from sensors.gate_refused import gate_refused
from sensors.light_curves_found import light_curves_found
from sensors.night_overdue import night_overdue
from sensors.run_digest import run_digest
from sensors.served_version import served_version

if TYPE_CHECKING:
    import dagster as dg

    from exo_resources.settings import Settings

__all__ = ["ARCHIVE_TABLES", "build_sensors"]

ARCHIVE_TABLES = ("cumulative", "toi", "k2pandc", "pscomppars", "q1_q17_dr25_koi")


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Every sensor. All are RUNNING from the start: an installation does its work without a click."""
    del settings  # sensors reach the world through resources, which carry the settings
    return [
        archive_changed_sensor(ARCHIVE_TABLES),
        light_curves_found,
        documents_changed,
        champion_moved,
        gate_refused,
        run_digest,
        night_overdue,
        served_version,
    ]
