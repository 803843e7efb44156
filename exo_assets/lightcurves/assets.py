"""Light curves as assets: files, clean curves, the search, and what was lost on the way.

Belongs here: which tables and resources the stage takes. Does not belong here: what is done with a star
(`star_tasks.py`), and how it is spread over machines (`star_asset.py`).

No postponed annotations here: Dagster reads those of the asset functions at definition time.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import dagster as dg

from exo_assets.lightcurves.contracts import RAW_MAST__LIGHT_CURVES
from exo_assets.lightcurves.planning import KnownStar, known_stars
from exo_assets.lightcurves.plans import clean_quanta, search_quanta
from exo_assets.lightcurves.quantum import Quantum
from exo_assets.lightcurves.star_asset import star_asset
from exo_assets.lightcurves.star_contracts import CORE_LIGHT_CURVES, CORE_SEARCH
from exo_assets.lightcurves.star_tasks import clean_star, search_one

GROUP = "lightcurves"
FILES = ("lightcurves/contracts.py", "lightcurves/mast_names.py", "lightcurves/records.py")
READING = ("lightcurves/curve.py", "lightcurves/fits_file.py", "lightcurves/stored.py")
CLEANING = (
    *("lightcurves/clean.py", "lightcurves/detrend.py", "lightcurves/detrend_kernels.py"),
    *("lightcurves/ephemeris.py", "lightcurves/curve_rows.py", "lightcurves/star_contracts.py"),
    *("lightcurves/star_tasks.py", "lightcurves/plans.py", "lightcurves/planning.py"),
)
SEARCHING = (
    *("lightcurves/chain.py", "lightcurves/search.py", "lightcurves/fold_kernels.py", "lightcurves/periods.py"),
    *("lightcurves/trapezoid.py", "lightcurves/matching.py"),
)

Planned = Callable[[str], Iterable[Quantum]]


def known_of(resources: Any) -> Callable[[str], dict[str, KnownStar]]:
    """What the catalogue says of the stars in a bucket; it is read once."""
    return partial(known_stars, resources.lake.read("core_signals"))


def curves_of(resources: Any, bucket: str) -> dict[str, str]:
    """Stars of a bucket that have a clean curve, and the digests of their rows."""
    index = resources.star_tables.index(CORE_LIGHT_CURVES.name, bucket)
    return {star: entry.digest for star, entry in index.items() if entry.rows}


def _clean_plan(resources: Any) -> Planned:
    known = known_of(resources)

    def plan(bucket: str) -> Iterable[Quantum]:
        files = resources.star_tables.partition(RAW_MAST__LIGHT_CURVES.name, bucket, RAW_MAST__LIGHT_CURVES.empty())
        return clean_quanta(files, known(bucket))

    return plan


core_light_curves = star_asset(
    CORE_LIGHT_CURVES,
    clean_star,
    group=GROUP,
    code=(*FILES, *READING, *CLEANING),
    deps=[RAW_MAST__LIGHT_CURVES.name, "core_signals"],
    plan=_clean_plan,
    reader="lake",
)


def _search_plan(resources: Any) -> Planned:
    known = known_of(resources)
    return lambda bucket: search_quanta(bucket, curves_of(resources, bucket), known(bucket))


core_search = star_asset(
    CORE_SEARCH,
    search_one,
    group=GROUP,
    code=(*CLEANING, *SEARCHING),
    deps=[CORE_LIGHT_CURVES.name, "core_signals"],
    plan=_search_plan,
    reader="star_tables",
)


ASSETS: list[dg.AssetsDefinition] = [core_light_curves, core_search]
