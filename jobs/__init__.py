"""Jobs and schedules.

Belongs here: what can be run and when. Does not belong here: reactions to events; those are sensors.
"""

from jobs.definitions import build_jobs_and_schedules

__all__ = ["build_jobs_and_schedules"]
