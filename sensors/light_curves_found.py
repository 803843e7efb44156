"""A source has light curves of stars in a bucket that is not registered yet: register it.

Belongs here: registering partitions. Does not belong here: which buckets are wanted (`exo_resources.mast`), and running
anything: the next night takes all registered buckets in one run, so new ones never start a storm of runs.
"""

from __future__ import annotations

import dagster as dg

from exo_assets.lightcurves.partitions import BUCKETS, missing
from sensors.common import in_words


@dg.sensor(
    minimum_interval_seconds=3600,
    required_resource_keys={"lake", "light_curves"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers buckets of stars that light curves were found for. Launches nothing: the night does.",
)
def light_curves_found(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Register the buckets that are wanted and not registered."""
    from exo_resources.mast.discovery import buckets_wanted

    try:
        wanted = buckets_wanted(context.resources.light_curves, context.resources.lake)
    except Exception as error:
        return dg.SkipReason(f"the sources of light curves cannot be asked ({in_words(error)}); trying again")
    new = missing(context.instance, wanted)
    if not new:
        return dg.SkipReason(f"all {len(wanted)} buckets that have light curves are registered")
    return dg.SensorResult(dynamic_partitions_requests=[BUCKETS.build_add_request(new)])
