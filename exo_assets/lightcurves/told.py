"""What a user says of a light-curve file that does not say it itself.

Belongs here: the words of the user. Does not belong here: what a file says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """What the user says of a file.

    `target` 'EPIC 201367065'; `mission` whose quality flags it has; `time_zero_bjd`, what its times are counted from,
    is added to them, whatever the file says; `segment` quarter, campaign or sector; `is_flat`: the trend was taken out
    of the flux before, which is relative now, about one or about zero. `flux_column`, `time_column` and
    `quality_column` name the columns to read; of a quality column that is named, every value but zero excludes.
    """

    target: str | None = None
    mission: str | None = None
    time_zero_bjd: float | None = None
    segment: int | None = None
    is_flat: bool = False
    flux_column: str | None = None
    time_column: str | None = None
    quality_column: str | None = None
