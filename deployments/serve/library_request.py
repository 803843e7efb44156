"""Requests to the library: a search, a question, a turn of a chat; errors that name the field and the remedy.

Belongs here: what such a request may say, as JSON or in a query string, and how a wrong one is answered. Does not
belong here: HTTP, searching or answering.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from deployments.serve.problems import LONGEST_SHOWN, MOST_PROBLEMS, InvalidRequestError, not_told, refuse_repeated
from exo_assets.catalogs.contracts import MISSIONS
from exo_assets.corpus.contracts import SOURCES
from exo_assets.corpus.fusion import FUSIONS
from exo_assets.corpus.library import LONGEST_QUERY, Filters

YEARS = "years_reversed"
MOST_RESULTS = 100
MOST_NAMES = 20
"""Names in one filter."""
LARGEST_REQUEST = 64_000
"""Bytes: a question of LONGEST_QUERY characters and full filters fit whatever they are encoded as."""

_Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
_Names = Annotated[list[_Name], Field(max_length=MOST_NAMES)]


def _one_of(values: Iterable[str]) -> Any:
    return Annotated[list[Literal[tuple(values)]], Field(max_length=MOST_NAMES)]  # type: ignore[misc]


def _years(end: str) -> Any:
    return Field(None, ge=1600, le=2200, strict=True, description=f"{end} year of first publication")


class _Filtered(BaseModel):
    """Which documents count; a filter that is left out restricts nothing."""

    model_config = ConfigDict(extra="forbid")

    missions: _one_of(MISSIONS) = Field([], description="Documents about one of these missions")  # type: ignore[valid-type]
    sources: _one_of(SOURCES) = Field([], description="Documents from one of these sources")  # type: ignore[valid-type]
    targets: _Names = Field(
        [], description="Documents that name one of these stars, planets or signals, in any spelling"
    )
    documents: _Names = Field([], description="These documents only (ids)")
    year_from: int | None = _years("First")
    year_to: int | None = _years("Last")

    @field_validator("year_to")
    @classmethod
    def _ordered(cls, value: int | None, info: ValidationInfo) -> int | None:
        first = info.data.get("year_from")
        if value is not None and first is not None and value < first:
            raise PydanticCustomError(YEARS, "is before year_from ({first})", {"first": first})
        return value

    def filters(self) -> Filters:
        """The search's filters."""
        names = ("missions", "sources", "targets", "documents")
        return Filters(
            **{name: tuple(getattr(self, name)) for name in names}, year_from=self.year_from, year_to=self.year_to
        )


def _text(value: str) -> str:
    """One form of a question, whatever white space and composition it was typed with."""
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if not any(map(str.isalnum, text)):
        raise ValueError("there is no letter or digit in it")
    return text


_Text = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_QUERY)]


class SearchBody(_Filtered):
    """A search over the passages of the corpus."""

    query: _Text = Field(description="Words, a question, or names of stars, planets and signals in any spelling")
    limit: int = Field(10, ge=1, le=MOST_RESULTS, strict=True, description="Most results")
    fusion: Literal[tuple(FUSIONS)] | None = Field(  # type: ignore[valid-type]
        None, description="How vectors and keywords are joined; left out: as this installation does"
    )
    every_passage: bool = Field(False, strict=True, description="Every passage, not the best one of each document")
    rerank: bool = Field(False, strict=True, description="Let the cross-encoder order the best, where there is one")

    _clean = field_validator("query")(_text)


class AskBody(_Filtered):
    """A question to the release and the corpus; with a filter, to documents alone."""

    question: _Text = Field(description="A question; its answer cites rows or passages, or it is declined")
    stream: bool = Field(
        False, strict=True, description="The answer as server-sent events, as with Accept: text/event-stream"
    )

    _clean = field_validator("question")(_text)


T = TypeVar("T", SearchBody, AskBody)
IN_QUERY = {"q": "query"}
"""Names in a query string for fields of a body."""


def body_schema(body: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a request body, without references."""
    return body.model_json_schema()


def query_parameters() -> list[dict[str, Any]]:
    """GET /v1/search's parameters, as OpenAPI has them."""
    schema = SearchBody.model_json_schema()
    short = {name: q for q, name in IN_QUERY.items()}
    return [
        {
            "name": short.get(name, name),
            "in": "query",
            "required": name in schema["required"],
            "description": about.get("description", ""),
            "schema": {k: v for k, v in about.items() if k not in ("description", "title")},
        }
        for name, about in schema["properties"].items()
    ]


def parse_search(body: bytes) -> SearchBody:
    """A search; InvalidRequestError when it is none."""
    return _parsed(SearchBody, body)


def parse_question(body: bytes) -> AskBody:
    """A question; InvalidRequestError when it is none."""
    return _parsed(AskBody, body)


def parse_query_string(pairs: Iterable[tuple[str, str]]) -> SearchBody:
    """A search in a query string (q=..., names of lists repeat); InvalidRequestError when it is none."""
    lists = {name for name, field in SearchBody.model_fields.items() if field.default == []}
    values: dict[str, Any] = {}
    for given, text in pairs:
        name = IN_QUERY.get(given, given)
        if name in lists:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise InvalidRequestError(
                [{"field": given[:LONGEST_SHOWN], "problem": "is given more than once", "remedy": "give it once"}]
            )
        else:
            values[name] = _typed(name, text)
    try:
        return SearchBody.model_validate(values)
    except ValidationError as error:
        raise InvalidRequestError(_problems(SearchBody, error, short={n: q for q, n in IN_QUERY.items()})) from None


def _typed(name: str, text: str) -> Any:
    """The value that `text` stands for; itself when it stands for none, which validation then names."""
    if name in ("limit", "year_from", "year_to") and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if name in ("every_passage", "rerank"):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def _parsed(kind: type[T], body: bytes) -> T:
    try:
        parsed = kind.model_validate_json(body)
    except ValidationError as error:
        raise InvalidRequestError(_problems(kind, error)) from None
    refuse_repeated(body)
    return parsed


def _problems(
    kind: type[BaseModel], error: ValidationError, short: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    errors = error.errors(include_url=False)
    told = [_explained(kind, e, short or {}) for e in errors[:MOST_PROBLEMS]]
    return [*told, *not_told(len(errors) - len(told))]


def _explained(kind: type[BaseModel], error: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, str]:
    loc = [str(part) for part in error["loc"]]
    if loc:
        loc[0] = short.get(loc[0], loc[0])
    field = ".".join(loc)[:LONGEST_SHOWN] or "(body)"
    what = str(error["type"])
    if what == "extra_forbidden":
        names = [short.get(name, name) for name in kind.model_fields]
        close = difflib.get_close_matches(field, names, n=1, cutoff=0.5)
        remedy = f"did you mean {close[0]!r}?" if close else f"the fields are {', '.join(names)}"
        return {"field": field, "problem": "there is no such field", "remedy": remedy}
    if what == "missing":
        return {"field": field, "problem": "is required", "remedy": _about(kind, error)}
    if what == "json_invalid":
        return {"field": "(body)", "problem": str(error["msg"]), "remedy": "send one JSON object, UTF-8"}
    if what in ("model_type", "model_attributes_type"):
        return {"field": "(body)", "problem": "is not a JSON object", "remedy": f"the fields are {_fields(kind)}"}
    shown = repr(error.get("input"))
    shown = shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "..."
    said = str(error["msg"]).removeprefix("Value error, ")
    problem = said if not error["loc"] else f"{shown}: {said}"
    return {"field": field, "problem": problem, "remedy": _about(kind, error)}


def _about(kind: type[BaseModel], error: Mapping[str, Any]) -> str:
    """What the field is, and which numbers it takes."""
    if error["type"] == YEARS:
        return "give the earlier year as year_from, or leave one of them out"
    field = kind.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    if field is None:
        return f"the fields are {_fields(kind)}"
    return f"{field.description or ''}{_range(field)}"


def _range(field: FieldInfo) -> str:
    low, high = (next((getattr(m, end) for m in field.metadata if hasattr(m, end)), None) for end in ("ge", "le"))
    return "" if low is None or high is None else f": a whole number from {low} to {high}"


def _fields(kind: type[BaseModel]) -> str:
    return ", ".join(kind.model_fields)
