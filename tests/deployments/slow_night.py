"""A code location without science: slow assets of two kinds, in the deployment's executor, that tell when they write.

`EXO_HOME/writes.log` has a line for each beginning and end of an asset: what overlaps in time overlaps there.
No postponed annotations here: Dagster reads the type of an asset's context when it is defined.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from deployments.dagster.executor import turn_executor
from exo_assets.lightcurves.partitions import BUCKETS, buckets_of, one_run
from exo_resources.settings import Settings
from jobs import build_jobs_and_schedules

HOME = Settings().home
LOG = HOME / "writes.log"


@contextmanager
def writing(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Say when an asset is being written, for a second or as long as the file `hold` is there."""

    def say(what: str) -> None:
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"{what} {context.asset_key.to_user_string()} {context.run_id} {os.getpid()}\n")

    say("begin")
    time.sleep(0.5)
    while (HOME / "hold").exists():
        time.sleep(0.1)
    say("end")
    yield


@dg.asset
def core_signals(context: dg.AssetExecutionContext) -> None:
    """What comes before the light curves."""
    with writing(context):
        pass


@dg.asset(partitions_def=BUCKETS, backfill_policy=one_run(), deps=[core_signals])
def raw_mast__light_curves(context: dg.AssetExecutionContext) -> None:
    """A table of stars."""
    with writing(context):
        assert buckets_of(context)


@dg.asset(partitions_def=BUCKETS, backfill_policy=one_run(), deps=[raw_mast__light_curves])
def core_light_curves(context: dg.AssetExecutionContext) -> None:
    """A table of stars that is made from another."""
    with writing(context):
        assert buckets_of(context)


@dg.asset(deps=[core_light_curves])
def follows(context: dg.AssetExecutionContext) -> None:
    """What stands for champion, release and endpoint."""
    with writing(context):
        pass


_, schedules = build_jobs_and_schedules(Settings())
defs = dg.Definitions(
    assets=[core_signals, raw_mast__light_curves, core_light_curves, follows],
    schedules=[schedule for schedule in schedules if schedule.job_name == "nightly_refresh"],
    executor=turn_executor(HOME, lambda: ()),
)
