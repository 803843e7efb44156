"""`exo score`: a catalogue file of one's own, scored and explained by the champion, without a server.

Belongs here: finding model and output, and writing it whole or not at all. Does not belong here: reading catalogues
and scoring them (`exo_assets.scoring`).
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.output import USAGE, CliError, err, finite, print_json, read_settings, write_whole

if TYPE_CHECKING:
    import polars as pl

    from exo_assets.events.vetter import EventVetter
    from exo_assets.training.model_ref import ModelRef
    from exo_assets.training.vetter import Vetter
    from exo_resources.registry import ModelKind
    from exo_resources.settings import Settings


def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV (or .csv.gz) in the archive's KOI, TOI or K2 layout, of its planets (ps, pscomppars), or "
            "ExoFOP's TOI table (pipes too), or of threshold-crossing events.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help=".csv, .csv.gz, .parquet or .json. Default: CSV on stdout."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Rows as JSON; with -o, what was done as JSON.")] = False,
) -> None:
    """Score every row of FILE. Its columns and rows stay as they are; the judgement is added beside them.

    Signals of one star are judged together (planets come in families): those that the catalogue knows count, and the
    file's other rows of the star. A row that is a signal of the catalogue is completed by what the catalogue has of it
    and the file has not; the columns known_as, n_signals_known and completed_from say what was joined.
    """
    from exo_assets.scoring.event_files import is_events
    from exo_assets.scoring.read_file import read_catalogue_file

    settings = read_settings()
    write = _writer(output) if output else None
    if output and output.exists() and file.exists() and output.samefile(file):
        raise CliError(f"{output} is the input itself", "name another output", USAGE)
    try:
        raw = read_catalogue_file(file)
    except ValueError as error:
        raise CliError(str(error), code=USAGE) from error
    judged_by, model_version, scored = (_score_events if is_events(raw.columns) else _score_signals)(
        file, raw, settings
    )
    without = scored["verdict"].null_count()
    if output and write:
        try:
            write_whole(output, lambda temporary: write(scored, temporary))
        except OSError as error:
            raise CliError(
                f"{output.resolve()}: cannot be written ({error.strerror or error})", "nothing was changed there"
            ) from error
        if json:
            print_json(
                {
                    "rows": scored.height,
                    "not_scored": without,
                    "output": output,
                    "model": judged_by.as_row(),
                    "model_version": model_version,
                }
            )
    elif json:
        print_json(finite(scored.to_dicts()))
    else:
        sys.stdout.write(scored.write_csv())
    lost = f", {without} of them without a score (see column problems)" if without else ""
    where = f" -> {output}" if output else ""
    err().print(f"{scored.height:,} rows judged by {judged_by.name} v{judged_by.version}{lost}{where}", markup=False)


def _score_signals(file: Path, raw: pl.DataFrame, settings: Settings) -> tuple[ModelRef, str, pl.DataFrame]:
    """Which model judged, its version, and the rows of a table of signals with its judgement."""
    from exo_assets.scoring.files import file_signals, with_judgement
    from exo_resources.known_signals import KnownSignals
    from exo_resources.lake import Lake

    champion, vetter = load_champion(settings)
    try:
        signals = file_signals(raw)
    except ValueError as error:
        raise CliError(f"{file}: {error}", code=USAGE) from error
    known = KnownSignals(Lake(settings.lake)).read(signals)
    try:
        return champion, vetter.version, with_judgement(raw, signals, vetter, known)
    except ValueError as error:
        raise CliError(f"{file}: {error}", code=USAGE) from error


def _score_events(file: Path, raw: pl.DataFrame, settings: Settings) -> tuple[ModelRef, str, pl.DataFrame]:
    """As `_score_signals`, of a table of threshold-crossing events."""
    from exo_assets.events.contracts import CORE_EVENTS
    from exo_assets.scoring.event_files import score_events_frame
    from exo_resources.lake import Lake

    champion, vetter = load_event_champion(settings)
    known = Lake(settings.lake).stored(CORE_EVENTS.name, CORE_EVENTS.schema)
    try:
        return champion, vetter.version, score_events_frame(raw, vetter, known)
    except ValueError as error:
        raise CliError(f"{file}: {error}", code=USAGE) from error


def load_event_champion(settings: Settings) -> tuple[ModelRef, EventVetter]:
    """The champion of events and its model; CliError when there is none."""
    from exo_assets.events.vetter import EventVetter
    from exo_resources.registry import EVENTS

    ref, folder = _champion_files(settings, EVENTS, "ml_event_champion", "judge events with")
    return ref, EventVetter.load(folder)


def load_champion(settings: Settings) -> tuple[ModelRef, Vetter]:
    """The champion and its model; CliError when there is none."""
    from exo_assets.training.vetter import Vetter
    from exo_resources.registry import SIGNALS

    ref, folder = _champion_files(settings, SIGNALS, "ml_vetter_champion", "score with")
    return ref, Vetter.load(folder)


def _champion_files(settings: Settings, kind: ModelKind, table: str, use: str) -> tuple[ModelRef, Path]:
    """The champion of a kind and the folder of its files; CliError, with what it was wanted for, without one."""
    from deployments.cli.facts import champion
    from exo_assets.training.model_ref import ModelRef
    from exo_resources.lake import Lake
    from exo_resources.registry import ModelRegistry

    crowned = champion(Lake(settings.lake), table)
    if crowned is None:
        raise CliError(f"there is no champion to {use}", "exo run trains, judges and promotes one")
    ref = ModelRef.from_row(crowned)
    return ref, ModelRegistry(settings.mlflow, settings.mlflow_artifacts, kind).fetch(ref)


def known_signals(settings: Settings) -> pl.DataFrame | None:
    """The catalogue's signals; None before there is a catalogue."""
    from exo_assets.catalogs.contracts import CORE_SIGNALS
    from exo_resources.lake import Lake

    return Lake(settings.lake).stored(CORE_SIGNALS.name, CORE_SIGNALS.schema)


def _writer(output: Path) -> Callable[[pl.DataFrame, Path], None]:
    """How to write by the name's ending; CliError (2) for an ending or a folder that will not do."""
    name = output.name.lower()
    write = next((write for ending, write in _WRITERS.items() if name.endswith(ending)), None)
    if write is None:
        raise CliError(f"{output}: unknown kind of file", f"end the name in one of {', '.join(_WRITERS)}", USAGE)
    if not output.parent.is_dir():
        raise CliError(f"{output.parent}: there is no such folder", "make it, or name another output", USAGE)
    try:
        target = output.resolve()
    except (RuntimeError, OSError) as error:  # a link to itself
        raise CliError(f"{output}: cannot be written ({error})", "name another output", USAGE) from error
    if target.exists() and not target.is_file():
        raise CliError(
            f"{output}: is a folder, a pipe or a device", "name a file; without -o, CSV goes to stdout", USAGE
        )
    return write


def _csv_gz(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(frame.write_csv().encode(), mtime=0))


def _json(frame: pl.DataFrame, path: Path) -> None:
    import json

    path.write_text(json.dumps(finite(frame.to_dicts()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv.gz": _csv_gz,
    ".csv": lambda frame, path: frame.write_csv(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".json": _json,
}
