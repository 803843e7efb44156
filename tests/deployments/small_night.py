"""A small `nightly_refresh`: the deployment's own assets from the archive to clean light curves, and one that follows.

A code location of its own, for tests that start real webservers and daemons: `EXO_*` says which archive it asks.
"""

from __future__ import annotations

import dagster as dg

from deployments.dagster.executor import turn_executor
from deployments.resources import buckets_at_hand, build_resources
from exo_assets.archive import assets as archive
from exo_assets.catalogs.assets import core_k2_hosts, core_signals, core_signals_harmonised
from exo_assets.lightcurves.assets import core_light_curves, raw_mast__light_curves, raw_user__light_curves
from exo_resources.settings import Settings

CATALOGUES = ("cumulative", "q1_q17_dr25_koi", "toi", "k2pandc")


@dg.asset(deps=["core_light_curves"], group_name="serving")
def follows() -> None:
    """What stands for champion, release and endpoint: it is made when the light curves were."""


def build_defs(settings: Settings) -> dg.Definitions:
    """The small lineage, with the resources and the executor of the deployment."""
    return dg.Definitions(
        assets=[
            *(asset for asset in archive.ASSETS if asset.key.to_user_string().removeprefix("raw_nea__") in CATALOGUES),
            core_k2_hosts,
            core_signals_harmonised,
            core_signals,
            raw_mast__light_curves,
            raw_user__light_curves,
            core_light_curves,
            follows,
        ],
        resources=build_resources(settings),
        jobs=[dg.define_asset_job("nightly_refresh")],
        executor=turn_executor(settings.home, lambda: buckets_at_hand(settings)),
    )


defs = build_defs(Settings())
