"""The request of one signal: physical units, ranges from the table contract, errors that name the field and the remedy.

Belongs here: what a request may say and how a wrong one is answered. Does not belong here: HTTP or scoring.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from deployments.serve.problems import (
    LONGEST_SHOWN,
    MOST_PROBLEMS,
    InvalidRequestError,
    not_told,
    refuse_repeated,
)
from deployments.serve.view_request import (
    NOTHING_SEEN,
    VIEWS_REMEDY,
    FoldedViews,
    wrong_scale,
    wrong_views,
)
from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.catalogs.layouts import LAYOUTS
from exo_assets.contracts import Column
from exo_assets.corpus.designators import key
from exo_assets.features.from_light_curves import CURVE_COLUMNS
from exo_assets.features.seen_views import VIEWS
from exo_assets.scoring.measured import MEASURED, TELLING

LONGEST_ID = 200
MOST_ON_STAR = 1000
COLUMNS = {**MEASURED, **{c.name: c for c in CURVE_COLUMNS}}
"""Every quantity that a request may give."""


def _field(column: Column) -> Any:
    limits: dict[str, Any] = {}
    if column.low is not None:
        limits["gt" if column.low_open else "ge"] = column.low
    if column.high is not None:
        limits["le"] = column.high
    unit = f" [{column.unit}]" if column.unit else ""
    # Strict: the text "3.5" or true where a number belongs is a mistake of the caller, not a number.
    return (
        float | None,
        Field(None, strict=True, allow_inf_nan=False, description=column.description + unit, **limits),
    )


def _mission() -> Any:
    return (
        str,
        Field(
            description="Mission that saw the signal: " + ", ".join(MISSIONS),
            pattern=f"^({'|'.join(MISSIONS)})$",
            json_schema_extra={"enum": list(MISSIONS)},
        ),
    )


def _views() -> Any:
    return FoldedViews | None, Field(None, description="Folded views of the signal's light curve")


Signal: type[BaseModel] = create_model(
    "Signal",
    __config__=ConfigDict(extra="forbid"),
    __doc__="One transit signal in physical units; what is left out counts as unknown.",
    mission=_mission(),
    signal_id=(
        str | None,
        Field(
            None,
            max_length=LONGEST_ID,
            description="Name of the signal, given back as it is; a name of the catalogue (K00752.01, TOI-1000.01, "
            "K2-3 b; in any spelling) joins the request with what the catalogue knows of it",
        ),
    ),
    mission_star_id=(
        str | None,
        Field(
            None,
            max_length=LONGEST_ID,
            description="Its star in the mission's own naming (KIC 10797460, TIC 50365310, K2-3, EPIC 201367065): the "
            "catalogue's other signals of the star count",
        ),
    ),
    kepid=(
        int | None,
        Field(None, ge=1, strict=True, description="KIC number of its star, in place of mission_star_id"),
    ),
    n_signals_on_star=(
        int | None,
        Field(
            None, ge=1, le=MOST_ON_STAR, strict=True, description="Transit signals known on the star, this one included"
        ),
    ),
    **{name: _field(column) for name, column in COLUMNS.items()},
    views=_views(),
)
"""The request body of /v1/predict; that of /v1/explain has views."""


def body_schema(*, explain: bool = False) -> dict[str, Any]:
    """JSON schema of the request body, without references: in an OpenAPI document they would point elsewhere."""
    schema = Signal.model_json_schema()
    (views,) = schema.pop("$defs").values()
    about = schema["properties"][VIEWS]
    if explain:
        schema["properties"][VIEWS] = {**views, "description": about["description"]}
        schema["required"] = [*schema["required"], VIEWS]
    else:
        about["anyOf"] = [views, {"type": "null"}]
    return schema


def parse_signal(body: bytes, *, explain: bool = False) -> dict[str, Any]:
    """The fields of one signal, all present, unknown ones None. InvalidRequestError when it is not one, and where views
    are needed to `explain` when it has none."""
    try:
        signal = Signal.model_validate_json(body)
    except ValidationError as error:
        raise InvalidRequestError(_problems(error)) from None
    refuse_repeated(body)
    values = signal.model_dump()
    values["mission_star_id"] = _star(values)
    if all(values[name] is None for name in TELLING):
        raise InvalidRequestError(
            [
                {
                    "field": "(body)",
                    "problem": "no measured quantity is given",
                    "remedy": "give at least one, for example period_days, duration_hours, depth_ppm, radius_earth",
                }
            ]
        )
    views = values[VIEWS]
    if views is not None and all(value is None for view in views.values() for value in view):
        raise InvalidRequestError([NOTHING_SEEN])
    if views is not None and (problems := wrong_scale(views)):
        raise InvalidRequestError(problems)
    if explain and views is None:
        raise InvalidRequestError(
            [{"field": VIEWS, "problem": "is required: they are what is explained", "remedy": VIEWS_REMEDY}]
        )
    return values


def _star(values: Mapping[str, Any]) -> str | None:
    """The star that is named; InvalidRequestError when two are."""
    star: str | None = values["mission_star_id"]
    if values["kepid"] is None:
        return star
    by_number = f"KIC {values['kepid']}"
    if (star is not None and key(star) != key(by_number)) or values["mission"] != "kepler":
        other = f"mission_star_id is {star!r}" if star else f"the mission is {values['mission']!r}"
        raise InvalidRequestError(
            [{"field": "kepid", "problem": f"is a star of Kepler, but {other}", "remedy": "give one of them"}]
        )
    return by_number


def _problems(error: ValidationError) -> list[dict[str, str]]:
    errors = error.errors(include_url=False)
    told = [wrong_views(e) if e["loc"][:1] == (VIEWS,) else _explained(e) for e in errors[:MOST_PROBLEMS]]
    return [*told, *not_told(len(errors) - len(told))]


def _explained(error: Mapping[str, Any]) -> dict[str, str]:
    field = ".".join(str(part) for part in error["loc"])[:LONGEST_SHOWN] or "(body)"
    shown = repr(error.get("input"))
    shown = shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "..."
    kind = str(error["type"])
    if kind == "extra_forbidden":
        return {"field": field, "problem": "there is no such field", "remedy": _suggestion(field)}
    if kind == "missing":
        return {"field": field, "problem": "is required", "remedy": f"one of {', '.join(MISSIONS)}"}
    if kind == "json_invalid":
        return {"field": "(body)", "problem": str(error["msg"]), "remedy": "send one JSON object, UTF-8"}
    if kind in ("model_type", "model_attributes_type"):
        return {
            "field": "(body)",
            "problem": "is not a JSON object",
            "remedy": "send one object with a field per quantity",
        }
    if field == "mission":
        return {"field": field, "problem": f"{shown} is no mission", "remedy": f"one of {', '.join(MISSIONS)}"}
    remedy = f"{_allowed(field)}; leave the field out (or null) when it is unknown"
    return {"field": field, "problem": f"{shown}: {error['msg']}", "remedy": remedy}


def _allowed(field: str) -> str:
    column = COLUMNS.get(field)
    if column is None:
        return "see /docs"
    unit = f" {column.unit}" if column.unit else ""
    low = "" if column.low is None else f" {'above' if column.low_open else 'at least'} {column.low:g}"
    high = "" if column.high is None else f" at most {column.high:g}"
    return f"a finite number{unit and f' in{unit}'}{low}{' and' if low and high else ''}{high}"


@cache
def _archive_names() -> dict[str, tuple[str, bool]]:
    """The archive's column names: the field that each is, and whether its number is another (unit, zero point)."""
    return {
        quantity.source: (quantity.column, quantity.scale != 1.0 or quantity.offset != 0.0)
        for layout in LAYOUTS.values()
        for quantity in layout.quantities
    }


def _suggestion(field: str) -> str:
    if field in _archive_names():
        name, converted = _archive_names()[field]
        note = " (in another unit or zero point: see its description)" if converted else ""
        return (
            f"{field!r} is the archive's name; here it is {name!r}{note}; /v1/predict_batch takes the archive's tables"
        )
    close = difflib.get_close_matches(field, list(Signal.model_fields), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "the fields are listed at /docs"
