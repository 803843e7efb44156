"""Nothing that a task runs is missing in its table's code: what ran is compared with what was found by reading."""

from __future__ import annotations

import functools
import gzip
import hashlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from exo_assets.archive.contracts import CUMULATIVE, DR25_KOI, DR25_TCE
from exo_assets.archive.parse import parse_csv
from exo_assets.archive.snapshot.shipped import shipped_csv
from exo_assets.archive.snapshots import store_snapshot
from exo_assets.catalogs.assets import ASSETS as CATALOGS
from exo_assets.code_version import MOVERS, ROOT, code_of
from exo_assets.corpus.dossier_assets import ASSETS as DOSSIERS
from exo_assets.events.assets import core_events, ml_event_candidate, ml_event_metrics, out_event_scores
from exo_assets.events.features import build_features
from exo_assets.events.report import metrics_table
from exo_assets.events.scores import event_scores
from exo_assets.events.training import train_events
from exo_assets.features.signal_tasks import Place, SignalWork, diagnose_star, view_star
from exo_assets.features.simulated_tasks import SimulationWork, simulate_star
from exo_assets.lightcurves.page_tasks import PageWork, draw_star
from exo_assets.lightcurves.star_tasks import Catalogued, CleanWork, SearchWork, clean_star, search_one
from exo_assets.scoring.assets import out_scores_all
from exo_assets.scoring.batch import load_model, model_files, score_batch, to_arrow
from exo_assets.scoring.score import prepare
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings import Settings
from tests.corpus.dossier_tables import store, tables
from tests.events.conftest import SMALL
from tests.events.synthetic_events import raw_events, raw_kois
from tests.features.test_signal_tasks import INNER, OUTER, Stored, at
from tests.indexed_corpus import content
from tests.tiny_vetter import koi_signals, tiny_vetter

STAGES = ROOT / "exo_assets"


@contextmanager
def traced() -> Iterator[set[str]]:
    """Modules of `exo_assets` whose functions run meanwhile, in any thread that is started meanwhile; what a module
    calls when it is imported is no task's."""
    ran: set[str] = set()
    files: dict[str, str] = {}
    here = threading.local()

    def saw(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if code.co_name == "<module>":
            here.imports = getattr(here, "imports", 0) + {"call": 1, "return": -1}.get(event, 0)
        elif event == "call" and not getattr(here, "imports", 0):
            if code.co_filename not in files:
                path = Path(code.co_filename)
                of = path.relative_to(ROOT).with_suffix("").parts if path.is_relative_to(STAGES) else ()
                files[code.co_filename] = ".".join(of)
            ran.add(files[code.co_filename])

    threading.setprofile(saw)
    sys.setprofile(saw)
    try:
        yield ran
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        ran.discard("")


def _missing(ran: set[str], counted: Sequence[str]) -> set[str]:
    return {module for module in ran - set(counted) if not MOVERS.fullmatch(module)}


def _function(asset: dg.AssetsDefinition) -> Any:
    """The cell in which `table_asset` keeps the function of an asset."""
    made_by: Any = asset.op.compute_fn
    wrapped: Any = inspect.unwrap(made_by.decorated_fn)
    return wrapped.__closure__[wrapped.__code__.co_freevars.index("function")]


def _materialised(assets: Sequence[dg.AssetsDefinition], resources: dict[str, Any]) -> dict[str, set[str]]:
    """What ran of `exo_assets` in the function of each table."""
    ran: dict[str, set[str]] = {}

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(**given: Any) -> Any:
            with traced() as seen:
                ran[name] = seen
                return function(**given)

        return run

    kept = [(cell := _function(asset), cell.cell_contents) for asset in assets]
    try:
        for asset, (cell, function) in zip(assets, kept, strict=True):
            cell.cell_contents = watched(asset.key.to_user_string(), function)
        assert dg.materialize(assets, resources=resources).success
    finally:
        for cell, function in kept:
            cell.cell_contents = function
    return ran


def _complete(assets: Sequence[dg.AssetsDefinition], ran: dict[str, set[str]]) -> None:
    for asset in assets:
        (spec,) = asset.specs
        name = spec.key.to_user_string()
        assert ran[name], name
        assert _missing(ran[name], spec.metadata["exo/code"].value["modules"]) == set(), name


def test_the_catalogue(lake: Lake) -> None:
    data, told = (
        shipped_csv("q1_q17_dr25_koi"),
        {"source": "snapshot", "url": "", "retrieved_at": "2017-07-19T00:00:00"},
    )
    store_snapshot(lake, "q1_q17_dr25_koi", data, parse_csv(data), as_of="2017-07-19", **told)
    for name in ("cumulative", "toi", "k2pandc", "pscomppars", "q1_q17_dr25_koi"):
        absent = pl.DataFrame(schema={"nothing": pl.String})
        lake.write(f"raw_nea__{name}", parse_csv(data) if name == "q1_q17_dr25_koi" else absent)
    _complete(CATALOGS, _materialised(CATALOGS, {"lake": lake}))


def test_events(lake: Lake) -> None:
    raw = raw_events(700)
    for name, frame in ((DR25_TCE.name, raw), (DR25_KOI.name, raw_kois(raw)), (CUMULATIVE.name, CUMULATIVE.empty())):
        lake.write(name, frame)
    _complete([core_events], _materialised([core_events], {"lake": lake}))
    events = lake.read("core_events")
    with traced() as taught:
        trained = train_events(events, build_features(events), SMALL)
    with traced() as scored:
        event_scores(trained.vetter, trained.vetter.digest, events)
    with traced() as measured:
        metrics_table(trained.predictions, trained.published, seed=1)
    for asset, ran in ((ml_event_candidate, taught), (out_event_scores, scored), (ml_event_metrics, measured)):
        (spec,) = asset.specs
        assert ran
        assert _missing(ran, spec.metadata["exo/code"].value["modules"]) == set(), spec.key


def test_dossiers(home: Path) -> None:
    settings = Settings(home=home)
    library_store = LibraryStore(Lake(settings.lake), settings)
    store(library_store.lake, tables())
    library_store.release(library_store.build(content())["version"])
    resources = {"lake": library_store.lake, "library_store": library_store}
    _complete(DOSSIERS, _materialised(DOSSIERS, resources))


def test_scores(tmp_path: Path) -> None:
    tiny_vetter().save(tmp_path / "model")
    (spec,) = out_scores_all.specs
    signals = koi_signals().head(50)
    with traced() as ran:
        files = model_files(tmp_path / "model")
        prepared = prepare(signals, load_model(files))
        scored = score_batch(to_arrow(prepared.features), files=files)
        prepared.judged(pl.DataFrame(pl.from_arrow(scored)))
    assert "exo_assets.training.forest_kernels" in ran
    assert _missing(ran, spec.metadata["exo/code"].value["modules"]) == set()


def test_stars() -> None:
    stored, star, bucket = Stored(), "KIC 1", "kepler-01"
    found: dict[str, pl.DataFrame] = {"core_light_curves": stored.rows}
    reader = SimpleNamespace(star=lambda table, *_: found[table])
    known = (Catalogued("K1.01", at(INNER)), Catalogued("K1.02", at(OUTER)))
    places = tuple(Place(k.signal_id, None, "catalogue", k.place) for k in known)
    sample = next((STAGES / "lightcurves" / "sample").glob("kplr010002792-2009*.gz"))
    data = gzip.decompress(sample.read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    files = (("key", sample.name.removesuffix(".gz"), digest),)
    tasks: list[tuple[Callable[..., pl.DataFrame], Any, Any]] = [
        (clean_star, SimpleNamespace(get=lambda _key: data), CleanWork("KIC 10002792", files, known)),
        (search_one, reader, SearchWork(star, bucket, np.nan, known)),
        (draw_star, reader, PageWork(star, bucket)),
        (diagnose_star, reader, SignalWork(star, bucket, 1.0, places)),
        (view_star, reader, SignalWork(star, bucket, 1.0, places)),
        (simulate_star, reader, SimulationWork(star, bucket, star, (at(INNER), at(OUTER)))),
    ]
    for task, read, work in tasks:
        with traced() as ran:
            rows = task(read, work)
        assert rows.height, task
        if task is search_one:
            found["core_search"] = rows
        assert _missing(ran, code_of(task).modules) == set(), task
