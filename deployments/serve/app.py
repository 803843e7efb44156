"""The live endpoint: a Ray Serve application with a FastAPI ingress.

Belongs here: routes and their replies, and the deployment's options. Does not belong here: what a request may say
(request.py), the model (model.py), scoring (exo_assets.scoring), or bringing a Serve instance up
(exo_resources.serve_application).

No `from __future__ import annotations` here: Serve ships the class by value, and FastAPI would find the names in the
annotations unresolvable on the other side.
"""

import asyncio
import os
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.exceptions import HTTPException

from deployments.serve.answers import explain_request, judge_requests, judge_table
from deployments.serve.body import Bodies, RefusedError
from deployments.serve.events import event_schema, judge_event, parse_event, present
from deployments.serve.library import LibraryEndpoint
from deployments.serve.library_door import LibraryDoor
from deployments.serve.library_routes import router as library_routes
from deployments.serve.model import ModelSlot, Pin
from deployments.serve.problems import LONGEST_SHOWN, InvalidRequestError
from deployments.serve.request import body_schema, parse_signal
from deployments.serve.together import Together
from exo_assets.features.registry import FEATURES
from exo_assets.scoring.read_file import CatalogueFileError
from exo_assets.scoring.view_page import page_of
from exo_resources.serve_application import SERVED_CODE

LARGEST_SIGNAL = 256_000
"""Bytes. Views are 2,805 numbers: 60 kB as doubles in full, 100 kB with each on an indented line of its own."""
LARGEST_TABLE = 32_000_000
FORMATS = ("json", "png")
SLOW_BODIES = 16
"""Bodies for the vetter that are waited for at once."""
MOST_TOGETHER = 32
"""Requests that are scored together when they wait together; a batch of 32 costs little more than one."""

api = FastAPI(
    title="Exo",
    description="Is a transit signal a planet? A calibrated probability, the archive's three dispositions, and why. "
    "What do papers and documentation say? Passages, and answers that cite them.",
    version="1",
)
api.include_router(library_routes)


@api.exception_handler(InvalidRequestError)
async def _invalid(_request: Request, error: InvalidRequestError) -> JSONResponse:
    return JSONResponse({"error": "the request is not valid", "problems": error.problems}, status_code=422)


@api.exception_handler(CatalogueFileError)
async def _unreadable(_request: Request, error: CatalogueFileError) -> JSONResponse:
    remedy = "send a CSV file with a header line, in the archive's KOI, TOI, K2 or TCE layout, or as ExoFOP's"
    return JSONResponse({"error": str(error), "remedy": remedy}, status_code=422)


@api.exception_handler(RefusedError)
async def _refused(_request: Request, error: RefusedError) -> JSONResponse:
    # Who has not sent a body in time may go on sending it: the connection is of no use to anybody else.
    headers = {"Connection": "close"} if error.status == HTTPStatus.REQUEST_TIMEOUT else None
    return JSONResponse({"error": error.problem, "remedy": error.remedy}, status_code=error.status, headers=headers)


@api.exception_handler(HTTPException)
async def _not_routed(request: Request, error: HTTPException) -> JSONResponse:
    """What the router says no to: a path or a method that there is not."""
    problem = f"{request.method} {request.url.path[:LONGEST_SHOWN]}: {str(error.detail).lower()}"
    content = {"error": problem, "remedy": "/docs has every path and its methods"}
    return JSONResponse(content, status_code=error.status_code, headers=error.headers)


@serve.deployment(
    name="Vetter",
    num_replicas=1,
    # Of these, no more than library_door.AT_ONCE wait for the library, library_door.SLOW_BODIES and SLOW_BODIES for
    # their bodies: the rest are the vetter's.
    max_ongoing_requests=96,
    max_queued_requests=512,
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=10,
    graceful_shutdown_wait_loop_s=0.5,
    # Logical CPUs: the endpoint's own small cluster runs nothing else.
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress(api)
class VetterEndpoint:
    """Answers with the pinned model; `reconfigure` puts another in its place while requests go on."""

    def __init__(self, library: DeploymentHandle) -> None:
        self.library = LibraryDoor(library)
        self._bodies = Bodies(SLOW_BODIES)
        slot = self._slot = ModelSlot()
        self._together: Together[dict[str, Any], dict[str, Any]] = Together(
            lambda signals: judge_requests(signals, slot.loaded), MOST_TOGETHER
        )
        self._tables, self._explained = asyncio.Semaphore(1), asyncio.Semaphore(1)
        self._replica = serve.get_replica_context().replica_id.unique_id

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Load and verify the pinned model beside the one in use, then swap. A refused model leaves it in use."""
        await asyncio.to_thread(self._slot.put, Pin.of(user_config))

    def check_health(self) -> None:
        """Healthy means: there is a model."""
        _ = self._slot.loaded

    @api.get("/healthz", summary="Is the endpoint answering, and with which model?")
    async def healthz(self) -> JSONResponse:
        """`ok`, or `degraded` when the newest model was refused and the one before answers; `library` has its own."""
        library = await self.library.state()
        loaded, rejected = self._slot.loaded, self._slot.rejected
        return JSONResponse(
            {
                "status": "degraded" if rejected else "ok",
                "model": loaded.pin.ref.as_row(),
                "catalogue": loaded.catalogue(),
                "events": loaded.events.pin.as_dict() if loaded.events else None,
                "rejected": {"model": rejected[0].ref.as_row(), "reason": rejected[1]} if rejected else None,
                "deployment_id": self._slot.deployment_id,
                "replica": self._replica,
                "code": os.environ.get(SERVED_CODE),
                "library": library,
            }
        )

    @api.get("/v1/model", summary="The model in use")
    async def model(self) -> JSONResponse:
        """Name, version, digest, features, what is known of its training, and the catalogue that signals are joined
        with; `events` is the same of the model that judges threshold-crossing events, null when there is none."""
        loaded = self._slot.loaded
        features = [{"name": f.name, "unit": f.unit, "formula": f.formula, "source": f.source} for f in FEATURES]
        return JSONResponse(
            {
                **loaded.pin.ref.as_row(),
                "model_version": loaded.vetter.version,
                "facts": dict(loaded.vetter.facts),
                "verdicts": loaded.vetter.verdict_thresholds(),
                "details": dict(loaded.pin.details),
                "catalogue": loaded.catalogue(),
                "events": loaded.events.described() if loaded.events else None,
                "features": features,
            }
        )

    @api.post(
        "/v1/predict",
        summary="Judge one signal, or one threshold-crossing event",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"anyOf": [body_schema(), event_schema()]}}},
            }
        },
    )
    async def predict(self, request: Request) -> JSONResponse:
        """One signal in physical units, with its light curve if you like: probability, dispositions, verdict, reasons.

        A signal that names itself or its star is joined with the catalogue, as in the release: `known_as`,
        `n_signals_known` and `completed_from` say how, `unknown_because` why not. `views_used` says whether the folded
        views moved the probability, `views_unused_because` why not.

        An object of the archive's columns of a threshold-crossing event (kepid, tce_plnt_num, tce_period, ...) is
        judged by the events vetter, as a row of such a table by /v1/predict_batch; 503 when there is none.
        """
        body = await self._bodies.json(request, LARGEST_SIGNAL)
        if (event := parse_event(body)) is not None:
            async with self._tables:
                return JSONResponse(await asyncio.to_thread(judge_event, event, present(self._slot.loaded.events)))
        signal = parse_signal(body)
        reply = await self._together.ask(signal)
        return JSONResponse(reply, status_code=500 if "error" in reply else 200)

    @api.post(
        "/v1/explain",
        summary="Judge one signal, and say which part of its light curve argued for what",
        openapi_extra={
            "parameters": [
                {
                    "name": "format",
                    "in": "query",
                    "schema": {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
                    "description": "json, or the views as a picture",
                }
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": body_schema(explain=True)}},
            },
        },
        responses={200: {"content": {"image/png": {}}}, 409: {"description": "The model sees no views of the mission"}},
    )
    async def explain(self, request: Request) -> Response:
        """The reply of /v1/predict, and by view `centre` and `effect` of windows over phase: log-odds of a planet that
        the network loses when the window is flat. `network_weight` is the weight of these in the probability."""
        wanted = request.query_params.get("format", FORMATS[0])
        if wanted not in FORMATS:
            raise RefusedError(422, "there is no such format", f"format is one of {', '.join(FORMATS)}")
        body = await self._bodies.json(request, LARGEST_SIGNAL)
        if parse_event(body) is not None:
            raise RefusedError(
                409, "a threshold-crossing event has no views to explain", "/v1/predict tells its reasons"
            )
        signal = parse_signal(body, explain=True)
        loaded = self._slot.loaded
        unseen = loaded.vetter.unseen_views(signal["mission"])
        if unseen:
            raise RefusedError(409, f"there is nothing to explain: {unseen}", "/v1/predict judges by what it does see")
        async with self._explained:
            reply, found = await asyncio.to_thread(explain_request, signal, loaded)
            if found is None:
                return JSONResponse(reply, status_code=500)
            if wanted == "json":
                return JSONResponse(reply)
            picture = await asyncio.to_thread(page_of, found, signal["signal_id"] or "your signal")
        return Response(picture, media_type="image/png", headers={"X-Exo-Model": loaded.pin.ref.digest})

    @api.post(
        "/v1/predict_batch",
        summary="Judge a table",
        openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def predict_batch(self, request: Request) -> Response:
        """A CSV in the archive's KOI, TOI or K2 layout, of its planets, or of ExoFOP's TOIs comes back with the
        judgement beside its own columns, as `exo score` gives it. So does a table of threshold-crossing events, judged
        by the events vetter; 503 when there is none."""
        data, name = await self._bodies.csv(request, LARGEST_TABLE)
        async with self._tables:
            loaded = self._slot.loaded
            text, judged_by = await asyncio.to_thread(judge_table, data, name, loaded)
        return Response(text, media_type="text/csv", headers={"X-Exo-Model": judged_by.digest})


app = VetterEndpoint.bind(LibraryEndpoint.bind())  # type: ignore[attr-defined]
