"""Qdrant's engine behind HTTP, for tests of what Exo does with a Qdrant server by its URL.

    python tests/qdrant_engine.py FOLDER --port 6333 [--key KEY]

Not Qdrant's server, which comes in no package: its engine (`qdrant-edge-py`: segments, graphs of vectors, sparse
vectors with IDF, indexes of payloads) behind those of the server's calls which Exo makes. Requests are read by the
models that Qdrant's client has from the server's own OpenAPI document: what the server does not know is refused.
Collections and aliases are this file's; everything that is found, counted or filtered is the engine's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qdrant_edge as edge
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from qdrant_client import models

GRAPH_FROM_KB = 10
"""Size of a segment's vectors from which the engine makes and follows a graph; Qdrant's own is 10,000, beyond tests."""


class Engine:
    """Collections under `root`, each a shard of the engine, and the names that stand for them."""

    def __init__(self, root: Path, graph_from_kb: int = GRAPH_FROM_KB) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self._graph_from = root, graph_from_kb
        self._names = root / "aliases"
        self.shards = {p.name: edge.EdgeShard.load(str(p)) for p in root.iterdir() if p.is_dir()}
        self.aliases: dict[str, str] = json.loads(self._names.read_text()) if self._names.exists() else {}

    def about(self, name: str) -> models.CollectionInfo:
        """What the server tells of a collection, as far as the engine knows it."""
        shard = self.shard(name)
        asked = models.CreateCollection.model_validate_json(self._asked(self.aliases.get(name, name)).read_text())
        return models.CollectionInfo(
            status=models.CollectionStatus.GREEN,
            optimizer_status=models.OptimizersStatusOneOf.OK,
            points_count=shard.info().points_count,
            segments_count=shard.info().segments_count,
            config=models.CollectionConfig(
                params=models.CollectionParams(vectors=asked.vectors, sparse_vectors=asked.sparse_vectors),
                hnsw_config=models.HnswConfig(m=16, ef_construct=100, full_scan_threshold=self._graph_from),
                optimizer_config=models.OptimizersConfig(
                    deleted_threshold=0.2,
                    vacuum_min_vector_number=1000,
                    default_segment_number=0,
                    flush_interval_sec=5,
                ),
            ),
            payload_schema={},
        )

    def _asked(self, name: str) -> Path:
        """The file with what a collection was created with."""
        return self.root / f"{name}.json"

    def shard(self, name: str) -> edge.EdgeShard:
        """The collection of that name or alias."""
        found = self.shards.get(self.aliases.get(name, name))
        if found is None:
            raise HTTPException(404, f"Not found: Collection `{name}` doesn't exist!")
        return found

    def create(self, name: str, wanted: models.CreateCollection) -> None:
        if name in self.shards or name in self.aliases:
            raise HTTPException(409, f"Wrong input: Collection `{name}` already exists!")
        graph = edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=self._graph_from)
        dense = {
            n: edge.EdgeVectorParams(size=p.size, distance=getattr(edge.Distance, p.distance.value))
            for n, p in (wanted.vectors or {}).items()
        }
        sparse = {
            n: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if p.modifier is models.Modifier.IDF else None)
            for n, p in (wanted.sparse_vectors or {}).items()
        }
        self._asked(name).write_text(wanted.model_dump_json())
        folder = self.root / name
        folder.mkdir()
        self.shards[name] = edge.EdgeShard.create(
            str(folder),
            edge.EdgeConfig(
                vectors=dense,
                sparse_vectors=sparse,
                hnsw_config=graph,
                optimizers=edge.EdgeOptimizersConfig(indexing_threshold=self._graph_from),
            ),
        )

    def delete(self, name: str) -> None:
        self.shard(name)
        name = self.aliases.get(name, name)
        self.shards.pop(name).close()
        self._use({a: n for a, n in self.aliases.items() if n != name})
        shutil.rmtree(self.root / name)
        self._asked(name).unlink()

    def change_aliases(self, operations: models.ChangeAliasesOperation) -> None:
        changed = dict(self.aliases)
        for operation in operations.actions:
            if isinstance(operation, models.DeleteAliasOperation):
                changed.pop(operation.delete_alias.alias_name, None)
            elif isinstance(operation, models.CreateAliasOperation):
                self.shard(operation.create_alias.collection_name)
                if operation.create_alias.alias_name in self.shards:
                    raise HTTPException(400, "Wrong input: Alias cannot have the name of a collection")
                changed[operation.create_alias.alias_name] = operation.create_alias.collection_name
            else:
                raise HTTPException(501, f"not here: {operation}")
        self._use(changed)

    def _use(self, aliases: dict[str, str]) -> None:
        self.aliases = aliases
        self._names.write_text(json.dumps(aliases))


def application(engine: Engine, key: str | None = None) -> FastAPI:
    """The server's calls over `engine`; with `key`, only for those who send it."""
    app = FastAPI()

    @app.middleware("http")
    async def looked_at(request: Request, go_on: Any) -> Any:
        if key is not None and request.headers.get("api-key") != key:
            return JSONResponse({"status": {"error": "Must provide an API key"}, "time": 0.0}, 401)
        return await go_on(request)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"status": {"error": error.detail}, "time": 0.0}, error.status_code)

    @app.get("/collections")
    def collections() -> Any:
        return _answer({"collections": [{"name": name} for name in sorted(engine.shards)]})

    @app.get("/aliases")
    def aliases() -> Any:
        pairs = [{"alias_name": alias, "collection_name": name} for alias, name in engine.aliases.items()]
        return _answer({"aliases": pairs})

    @app.post("/collections/aliases")
    def change_aliases(asked: models.ChangeAliasesOperation) -> Any:
        engine.change_aliases(asked)
        return _answer(True)

    @app.get("/collections/{name}/exists")
    def exists(name: str) -> Any:
        return _answer({"exists": engine.aliases.get(name, name) in engine.shards})

    @app.get("/collections/{name}")
    def about(name: str) -> Any:
        return _answer(engine.about(name))

    @app.put("/collections/{name}")
    def create(name: str, asked: models.CreateCollection) -> Any:
        engine.create(name, asked)
        return _answer(True)

    @app.delete("/collections/{name}")
    def delete(name: str) -> Any:
        engine.delete(name)
        return _answer(True)

    @app.put("/collections/{name}/index")
    def index(name: str, asked: models.CreateFieldIndex) -> Any:
        kind = getattr(edge.PayloadSchemaType, models.PayloadSchemaType(asked.field_schema).value.capitalize())
        engine.shard(name).update(edge.UpdateOperation.create_field_index(asked.field_name, kind))
        return _done()

    @app.put("/collections/{name}/points")
    def upsert(name: str, asked: models.PointsList) -> Any:
        points = [edge.Point(p.id, {n: _vector(v) for n, v in p.vector.items()}, p.payload) for p in asked.points]
        engine.shard(name).update(edge.UpdateOperation.upsert_points(points))
        return _done()

    @app.post("/collections/{name}/points/delete")
    def delete_points(name: str, asked: models.PointIdsList) -> Any:
        engine.shard(name).update(edge.UpdateOperation.delete_points(asked.points))
        return _done()

    @app.post("/collections/{name}/points/count")
    def count(name: str, asked: models.CountRequest) -> Any:
        shard = engine.shard(name)
        # The server does so by itself, some time after points have come.
        shard.optimize()
        return _answer({"count": shard.count(edge.CountRequest(exact=asked.exact, filter=_filter(asked.filter)))})

    @app.post("/collections/{name}/points")
    def retrieve(name: str, asked: models.PointRequest) -> Any:
        found = engine.shard(name).retrieve(asked.ids, with_payload=True, with_vector=False)
        return _answer([{"id": str(p.id), "payload": p.payload} for p in found])

    @app.post("/collections/{name}/points/query")
    def query(name: str, asked: models.QueryRequest) -> Any:
        return _answer(found(name, asked))

    @app.post("/collections/{name}/points/query/batch")
    def queries(name: str, asked: models.QueryRequestBatch) -> Any:
        return _answer([found(name, each) for each in asked.searches])

    def found(name: str, asked: models.QueryRequest) -> dict[str, Any]:
        params = asked.params and edge.SearchParams(hnsw_ef=asked.params.hnsw_ef, exact=bool(asked.params.exact))
        wanted = edge.QueryRequest(
            limit=asked.limit,
            query=edge.Query.Nearest(_vector(_nearest(asked.query)), asked.using),
            filter=_filter(asked.filter),
            params=params,
            with_payload=bool(asked.with_payload),
        )
        points = engine.shard(name).query(wanted)
        shown = [{"id": str(p.id), "version": p.version, "score": p.score, "payload": p.payload} for p in points]
        return {"points": shown}

    return app


def _answer(result: Any) -> dict[str, Any]:
    return {"result": result, "status": "ok", "time": 0.0}


def _done() -> dict[str, Any]:
    return _answer({"operation_id": 0, "status": "completed"})


def _nearest(query: Any) -> Any:
    return query.nearest if isinstance(query, models.NearestQuery) else query


def _vector(vector: Any) -> Any:
    return edge.SparseVector(vector.indices, vector.values) if isinstance(vector, models.SparseVector) else vector


def _filter(asked: models.Filter | None) -> edge.Filter | None:
    """Conditions that Exo makes; any other is refused, not passed over."""
    if asked is None:
        return None
    if asked.should or asked.must_not or asked.min_should:
        raise HTTPException(501, "not here: conditions other than `must`")
    return edge.Filter(must=[_condition(c) for c in asked.must or []])


def _condition(asked: Any) -> edge.FieldCondition:
    if isinstance(asked, models.FieldCondition) and isinstance(asked.match, models.MatchAny):
        return edge.FieldCondition(asked.key, match=edge.MatchAny(asked.match.any))
    if isinstance(asked, models.FieldCondition) and isinstance(asked.range, models.Range):
        of = asked.range
        return edge.FieldCondition(asked.key, range=edge.RangeFloat(of.gte, of.gt, of.lte, of.lt))
    raise HTTPException(501, f"not here: {TypeAdapter(Any).dump_json(asked)!r}")


@contextlib.contextmanager
def serving(engine: Engine, key: str | None = None, port: int = 0) -> Iterator[str]:
    """Serve `engine` from a thread, at a port of its own by default; gives the URL."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        server = uvicorn.Server(uvicorn.Config(application(engine, key), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def main() -> None:
    """Serve until stopped, for a look by hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where collections are kept")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument("--key")
    parser.add_argument("--graph-from-kb", type=int, default=10_000, help="as Qdrant's own setting")
    asked = parser.parse_args()
    engine = Engine(asked.folder, asked.graph_from_kb)
    uvicorn.run(application(engine, asked.key), host="127.0.0.1", port=asked.port, log_level="info")


if __name__ == "__main__":
    main()
