"""Folded views in a request: their names and lengths, and how wrong ones are answered.

Belongs here: the object `views`. Does not belong here: a signal's other fields (request.py), or what is made of views.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from deployments.serve.problems import LONGEST_SHOWN
from exo_assets.features.seen_views import CLIP, SEEN_VIEWS, VIEW_BINS, VIEWS

_Bin = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_VIEWED = {
    "global_view": "the whole orbit, mid-transit in the middle",
    "local_view": "four durations on either side of mid-transit (half a period at most)",
    "odd_view": "as the local view, transits of odd number, on its scale",
    "even_view": "as the local view, transits of even number, on its scale",
    "secondary_view": "as the local view, around the strongest secondary event, on its scale",
}


def _view(name: str) -> Any:
    bins = VIEW_BINS[name]
    return (
        list[_Bin | None],
        Field(
            min_length=bins,
            max_length=bins,
            # One problem says enough of an array; a wrong one has thousands.
            fail_fast=True,
            description=f"{_VIEWED[name]}: {bins} bins, medians of the flat light curve about 0 in units of the "
            f"transit's depth (-1: the transit); null: unknown; cut to {CLIP:g} depths",
        ),
    )


FoldedViews: type[BaseModel] = create_model(
    "FoldedViews",
    __config__=ConfigDict(extra="forbid"),
    __doc__="The folded light curve, all views of it (Shallue & Vanderburg 2018), as `feat_views` has them.",
    **{name: _view(name) for name in SEEN_VIEWS},
)

VIEWS_REMEDY = f"an object with the arrays {', '.join(f'{n} ({b} numbers)' for n, b in VIEW_BINS.items())}"

NOTHING_SEEN = {"field": VIEWS, "problem": "no bin of any view is known", "remedy": "leave the views out"}
"""Views of nothing but null: to the network they would be a flat light curve, not an unknown one."""


SCALED = ("global_view", "local_view")
"""Views whose deepest bin is the unit of their depth."""
SCALE_TOLERANCE = 0.01


def wrong_scale(views: Mapping[str, list[float | None]]) -> list[dict[str, str]]:
    """What is wrong with the unit of finite views: flux about one, or in ppm, looks like views and is none."""
    deepest = {name: min((v for v in views[name] if v is not None), default=-1.0) for name in SCALED}
    return [
        {
            "field": f"{VIEWS}.{name}",
            "problem": f"its deepest bin is {value:.4g}, not -1",
            "remedy": "subtract the view's median and divide by its depth, so that its deepest bin is -1",
        }
        for name, value in deepest.items()
        if abs(value + 1) > SCALE_TOLERANCE
    ]


def wrong_views(error: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the views. Arrays are never shown."""
    kind, loc = str(error["type"]), [str(part) for part in error["loc"]]
    if len(loc) == 1:
        return {"field": VIEWS, "problem": "is not a JSON object", "remedy": f"{VIEWS_REMEDY}; or leave it out"}
    name = loc[1][:LONGEST_SHOWN]
    field, bins = f"{VIEWS}.{name}", VIEW_BINS.get(name)
    if bins is None:
        known = difflib.get_close_matches(name, SEEN_VIEWS, n=1, cutoff=0.5)
        remedy = f"did you mean {known[0]!r}?" if known else VIEWS_REMEDY
        return {"field": field, "problem": "there is no such view", "remedy": remedy}
    remedy = f"{bins} numbers in units of depth, null for an unknown bin"
    if kind == "missing":
        return {"field": field, "problem": "is required beside the other views", "remedy": remedy}
    if len(loc) > 2:
        return {"field": field, "problem": f"bin {loc[2]} is not a finite number", "remedy": remedy}
    if kind in ("too_short", "too_long"):
        found = error["ctx"]["actual_length"]
        has = f"has {found} bins" if found is not None else f"has more than {bins} bins"
        return {"field": field, "problem": f"{has}, not {bins}", "remedy": remedy}
    return {"field": field, "problem": "is not an array of numbers", "remedy": remedy}
