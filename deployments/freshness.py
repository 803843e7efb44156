"""How old the sources, the release and the endpoint may be before the UI says so.

Belongs here: which assets have a deadline, and how long it is. Does not belong here: whether a source gave what it has
now (the checks `source_is_fresh`), and who is told (sensors).

Every night materialises these assets, also when their content is kept. So what is late is the night, not the archive.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg

from exo_assets.archive.contracts import CONTRACTS
from exo_assets.corpus.source_contracts import RAW_ARXIV__ABSTRACTS, RAW_DOCUMENTS__FILES
from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_resources.settings import Settings

SOURCES = tuple(c.name for c in (*CONTRACTS, RAW_MAST__LIGHT_CURVES, RAW_ARXIV__ABSTRACTS, RAW_DOCUMENTS__FILES))
RELEASE, ENDPOINT = "out_warehouse", ("serve_vetter", "serve_events", "serve_library")
EXPECTED = frozenset((*SOURCES, RELEASE, *ENDPOINT))
"""Assets that every night is expected to materialise."""
SLACK = timedelta(hours=2)
"""How long a night may take. A warning comes when one night is late, a failure when the next is too."""
LOOKED_AT = 40
"""Nights in which the longest wait is looked for: more than a month of weekdays."""


def freshness(settings: Settings) -> dict[str, dg.FreshnessPolicy]:
    """Policy by the name of the asset, from the schedule of the nights."""
    wait = longest_wait(settings.nightly_at, settings.timezone)
    policy = dg.FreshnessPolicy.time_window(fail_window=2 * wait + SLACK, warn_window=wait + SLACK)
    return dict.fromkeys(sorted(EXPECTED), policy)


def longest_wait(cron: str, timezone: str) -> timedelta:
    """The longest time from one night of a schedule to the next."""
    nights = dg.TimeWindowPartitionsDefinition(
        start=datetime(2026, 1, 1), fmt="%Y-%m-%dT%H:%M:%S%z", cron_schedule=cron, timezone=timezone
    )
    window, longest = nights.get_first_partition_window(), timedelta(0)
    for _ in range(LOOKED_AT):
        if window is None:
            break
        longest = max(longest, window.end - window.start)
        window = nights.get_next_partition_window(window.end, respect_bounds=False)
    return longest
