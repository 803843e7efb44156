"""Putting a model on the endpoint, and the one before back when it does not prove itself.

Belongs here: the order of steps and what counts as proof. Does not belong here: how the endpoint is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl

from exo_assets.events.vetter import EventVetter
from exo_assets.scoring.event_files import score_events_frame
from exo_assets.scoring.known import NOTHING, Known
from exo_assets.serving.golden import differences, expected_answers, golden_signals
from exo_assets.serving.golden_events import event_differences, golden_events
from exo_assets.training.model_ref import ModelRef
from exo_assets.training.vetter import Vetter

SHOWN = 5
Say = Callable[[str], None]


class DeployedModel(Protocol):
    """A model as it is put on the endpoint."""

    @property
    def ref(self) -> ModelRef:
        """Which model."""

    @property
    def path(self) -> Path:
        """The folder of its files."""

    @property
    def known(self) -> Path | None:
        """The file of what the catalogue knew."""

    @property
    def events(self) -> DeployedModel | None:
        """The model of events beside it."""


M = TypeVar("M", bound=DeployedModel)


class Endpoint(Protocol[M]):
    """The part of `exo_resources.serve_client.ServeClient` that a roll-out uses; its errors are RuntimeErrors."""

    def serves(self, model: M) -> bool:
        """Whether the endpoint is healthy and answers with this model, its catalogue, its model of events and the code
        at hand."""

    def deploy(self, model: M, *, details: Mapping[str, Any] | None = None, progress: Say = ...) -> None:
        """Put a model on the endpoint and wait until it answers."""

    def predict(self, signals: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The endpoint's answers."""

    def predict_table(self, table: bytes) -> bytes:
        """The endpoint's answers to the rows of a CSV, as CSV."""

    def last_good(self) -> M | None:
        """The model to return to."""

    def mark_good(self, model: M) -> None:
        """Remember the model to return to."""

    def stop(self) -> bool:
        """Take the endpoint down."""


class RolloutError(RuntimeError):
    """A model did not prove itself on the endpoint; `restored` is the one that answers instead, if any."""

    def __init__(self, ref: ModelRef, reason: str, restored: ModelRef | None, aftermath: str) -> None:
        super().__init__(f"{ref} was not put on the endpoint: {reason}. {aftermath}")
        self.reason, self.restored = reason, restored


@dataclass(frozen=True)
class Outcome:
    """A model answers, and every golden answer was right."""

    ref: ModelRef
    changed: bool
    answers: int


def roll_out(
    endpoint: Endpoint[M],
    model: M,
    *,
    details: Mapping[str, Any] | None = None,
    say: Say = lambda _: None,
) -> Outcome:
    """Make the endpoint answer with `model`; nothing is touched when it does already.

    When the endpoint does not get healthy, or a golden answer is not what the model itself says, the last good model is
    put back and verified, and RolloutError is raised. Without one the endpoint is stopped rather than left wrong.
    """
    proof = _Proof.of(model)
    if endpoint.serves(model):
        wrong = proof.wrong(endpoint)
        if not wrong:
            endpoint.mark_good(model)
            return Outcome(model.ref, changed=False, answers=len(proof.expected))
        say(f"the endpoint answers wrongly although it has {model.ref}: deploying it again ({wrong[0]})")
    before = endpoint.last_good()
    try:
        endpoint.deploy(model, details=details, progress=say)
        proof.prove(endpoint)
    except RuntimeError as error:
        restored, aftermath = _put_back(endpoint, before, model, say)
        raise RolloutError(model.ref, str(error), restored, aftermath) from error
    endpoint.mark_good(model)
    return Outcome(model.ref, changed=True, answers=len(proof.expected))


@dataclass(frozen=True)
class _Proof:
    """The golden requests, and what must be answered to them."""

    requests: list[dict[str, Any]]
    expected: list[dict[str, Any]]
    events: tuple[pl.DataFrame, pl.DataFrame] | None

    @classmethod
    def of(cls, model: DeployedModel) -> _Proof:
        """By the files of a model, of what the catalogue knows and of its model of events."""
        requests = golden_signals()
        catalogue = Known(pl.read_parquet(model.known)) if model.known else NOTHING
        return cls(requests, expected_answers(Vetter.load(model.path), requests, catalogue), _events(model.events))

    def wrong(self, endpoint: Endpoint[M]) -> list[str]:
        """What the endpoint answers otherwise, in words."""
        wrong = differences(self.expected, endpoint.predict(self.requests))
        if self.events is None:
            return wrong
        asked, expected = self.events
        return [*wrong, *event_differences(expected, endpoint.predict_table(asked.write_csv().encode()))]

    def prove(self, endpoint: Endpoint[M]) -> None:
        """RuntimeError when the endpoint answers otherwise."""
        wrong = self.wrong(endpoint)
        if wrong:
            more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise RuntimeError(f"golden answers differ: {'; '.join(wrong[:SHOWN])}{more}")


def _events(model: DeployedModel | None) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The golden events of a model, and what must be answered to them; None without a model."""
    if model is None:
        return None
    vetter = EventVetter.load(model.path)
    asked = golden_events(vetter)
    return asked, score_events_frame(asked, vetter, pl.read_parquet(model.known) if model.known else None)


def _put_back(endpoint: Endpoint[M], before: M | None, failed: M, say: Say) -> tuple[ModelRef | None, str]:
    """What answers now, and what was done about it in words."""
    if before is None or _models(before) == _models(failed):
        endpoint.stop()
        return None, "There is no other model that proved good: the endpoint was stopped"
    say(f"putting {before.ref} back")
    try:
        endpoint.deploy(before, progress=say)
        _Proof.of(before).prove(endpoint)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        endpoint.stop()
        return None, f"{before.ref} could not be put back either ({error}): the endpoint was stopped"
    return before.ref, f"{before.ref} was put back and answers"


def _models(model: DeployedModel) -> tuple[ModelRef, ModelRef | None]:
    return model.ref, model.events.ref if model.events else None
