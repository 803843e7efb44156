"""`exo ingest`: documents into the watched folder, and from there into the corpus.

Belongs here: files to the folder, what is in it, and what is printed. Does not belong here: what makes a file a
document (`exo_assets.corpus.read_document`), the folder (`exo_resources.document_folder`), and the run (`session.py`).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import USAGE, CliError, counted, err, out, print_json, read_settings

if TYPE_CHECKING:
    from deployments.cli.execute import Outcome
    from exo_assets.corpus.document import Rejected
    from exo_assets.corpus.folder_files import FoundFile
    from exo_resources.document_folder import DocumentFolder
    from exo_resources.lake import Lake
    from exo_resources.settings import Settings

JOB = "corpus_refresh"
FILES, NEEDED = "raw_documents__files", "core_signals"


def _path(text: str) -> Path:
    """A path as it was typed; an empty one, of a variable that is not set, is not the folder that one is in."""
    if not text:
        raise CliError("a path is empty", "name files or folders; . is this folder", USAGE)
    return Path(text)


def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            parser=_path,
            help="PDF, TXT or Markdown, or folders of them. The id is the file's name.",
        ),
    ] = None,
    *,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="NAME", help="Take a document away; may be given again.")
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="The documents in the folder, and what became of each.")
    ] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Only change the folder; the sensor or the night takes it in.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Run although a run of the daemon seems in progress.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="What was done, or the list, as JSON.")] = False,
) -> None:
    """Put documents into the watched folder (EXO_DOCUMENTS) and refresh the corpus.

    A document of the same name is replaced. A file that could never be read is refused, named on stderr, and the others
    go on; the exit code is 1 then.
    """
    from exo_resources.document_folder import DocumentFolder, FolderError
    from exo_resources.lake import Lake

    if listing == bool(paths or remove):
        raise CliError("name files or folders, --remove NAME, or --list alone", "exo ingest --help", USAGE)
    settings = read_settings()
    folder, lake = DocumentFolder(settings.documents_folder), Lake(settings.lake)
    try:
        if listing:
            _list(_known(folder, lake), folder, as_json=json)
            return
        done = [*_removed(folder, remove or []), *_put(folder, paths or [])]
        run = None if no_run else _refresh(settings, folder, lake, done, anyway=anyway)
    except FolderError as error:
        raise CliError(str(error), code=USAGE) from error
    _report(done, folder, lake, run, as_json=json)
    if any(one.outcome == "refused" for one in done):
        raise typer.Exit(1)


@dataclass
class Done:
    """What became of one file: added, replaced, unchanged, removed or refused (`message` says why).

    What cannot be printed in its names is escaped.
    """

    file: str
    document_id: str
    outcome: str
    reason: str | None = None
    message: str | None = None


def _put(folder: DocumentFolder, paths: Sequence[Path]) -> Iterator[Done]:
    """Put every file into the folder, one after the other."""
    listed = folder.listed()
    there = {file.name: file for file in reversed([*listed.files, *listed.unsettled])}
    taken, files = set[str](), list(_files(paths))
    with counted(f"{{}} of {len(files):,} files") as tell:
        for count, file in enumerate(files, start=1):
            yield file if isinstance(file, Done) else _put_one(folder, file, there, taken)
            tell(count)


def _put_one(folder: DocumentFolder, path: Path, there: dict[str, Any], taken: set[str]) -> Done:
    from exo_resources.folder_walk import is_passed_over

    name = path.name
    try:
        data = _looked_at(path)
    except OSError as error:
        return _refused(path, "unreadable", f"cannot be read ({error.strerror or error})")
    if not isinstance(data, bytes):
        return _rejected(path, data)
    if is_passed_over(name):
        return _refused(path, "bad_name", "is hidden or unfinished by its name; rename it")
    if name in taken:
        return _refused(path, "duplicate_name", "another file of this name came before it")
    taken.add(name)
    known = there.get(name)
    if known is not None and known.size_bytes == len(data) and folder.read(known) == data:
        return Done(str(path), name, "unchanged")
    folder.put(known.path if known else name, data)
    return Done(str(path), name, "replaced" if known else "added")


def _looked_at(path: Path) -> bytes | Rejected:
    """The bytes of a file that may be a document, never more than one may have: not every file tells its size."""
    from exo_assets.corpus.read_document import refused_at_sight, refused_unread
    from exo_assets.corpus.reading import Limits
    from exo_resources.folder_walk import no_file, open_file

    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return no_file(path.name)
    if refused := refused_unread(path.name, found.st_size):
        return refused
    with open_file(path) as file:
        data = file.read(Limits().bytes + 1)
    return refused_at_sight(path.name, data) or data


def _files(paths: Sequence[Path]) -> Iterator[Path | Done]:
    """The files that `paths` name, of a folder those in it; and what in a folder is refused for what it is."""
    from exo_resources.folder_walk import entries

    for path in paths:
        if not _is_folder(path):
            yield path
            continue
        try:
            for entry in sorted(entries(path), key=lambda e: (e.path.count("/"), e.path)):
                place = path / entry.path
                yield _rejected(place, entry.refused) if entry.refused else place
        except OSError as error:
            yield _refused(path, "unreadable", f"cannot be read ({error.strerror or error})")


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:  # it is named when it is to be read
        return False


def _rejected(path: Path, why: Rejected) -> Done:
    from exo_assets.corpus.plain_text import escaped

    return Done(escaped(str(path)), escaped(path.name), "refused", why.reason, why.message)


def _refused(path: Path, reason: str, problem: str) -> Done:
    from exo_assets.corpus.plain_text import escaped

    name = escaped(str(path))
    return Done(name, escaped(path.name), "refused", reason, f"{name}: {problem}")


def _removed(folder: DocumentFolder, names: Sequence[str]) -> list[Done]:
    """Take documents away by name or path, as they are or as `--list` shows them; CliError when one of them is not
    there, before any is taken."""
    from exo_assets.corpus.plain_text import escaped

    listed = folder.listed()
    there = [*listed.files, *listed.unsettled]
    found = {
        name: [file for file in there if name in (file.path, file.name)]
        or [file for file in there if name in (file.key, file.document_id)]
        for name in names
    }
    if missing := [escaped(name) for name in names if not found[name]]:
        raise CliError(f"there is no document {', '.join(missing)}", "exo ingest --list shows what there is", USAGE)
    done = list[Done]()
    for files in found.values():
        for file in files:
            folder.delete(file.path)
            done.append(Done(file.key, file.document_id, "removed"))
    return done


def _refresh(
    settings: Settings, folder: DocumentFolder, lake: Lake, done: Sequence[Done], *, anyway: bool
) -> Outcome | None:
    """Run corpus_refresh where the folder is not what the corpus was made from; None when that is not needed, or not
    possible yet."""
    from deployments.cli.session import failure, session
    from exo_resources.document_reading import taken_in

    folder.settle(one.document_id for one in done)
    if folder.listed().fingerprint == taken_in(lake):
        return None
    if lake.version(NEEDED) is None:
        err().print("note: there is no catalogue yet; the first `exo run` takes the documents in", style="yellow")
        return None
    try:
        with session(settings, anyway=anyway) as here:
            outcome = here.execute(here.job(JOB))
    except CliError as error:
        remedy = f"the documents are in {folder.shown} and the next run takes them in; {error.remedy}"
        raise CliError(error.message, remedy, error.code) from error
    if not outcome.success:
        raise failure(outcome, here.log)
    return outcome


def _known(folder: DocumentFolder, lake: Lake) -> list[dict[str, Any]]:
    """The documents in the folder with what became of each; `waiting` for those that no run has looked at yet. What is
    left out is quarantined already."""
    rows = {row["path"]: row for row in lake.read(FILES).iter_rows(named=True)} if lake.version(FILES) else {}
    listed = folder.listed()
    out = []
    for file in (*listed.files, *listed.unsettled):
        row = rows.get(file.key)
        current = row is not None and row["fingerprint"] == file.fingerprint
        out.append(
            {
                **_named(file),
                "status": row["status"] if row and current else "waiting",
                **{name: row[name] if row and current else None for name in ("title", "reason", "message")},
            }
        )
    for one in listed.left_out:
        said = {"title": None, "reason": one.why.reason, "message": one.why.message}
        out.append({**_named(one.file), "status": "quarantined", **said})
    return out


def _named(file: FoundFile) -> dict[str, Any]:
    return {"document_id": file.document_id, "path": file.key, "size_bytes": file.size_bytes}


def _list(known: list[dict[str, Any]], folder: DocumentFolder, *, as_json: bool) -> None:
    if as_json:
        print_json(known)
        return
    for row in known:
        said = f"{row['status']}: {row['message']}" if row["message"] else row["title"] or row["status"]
        out().print(f"{row['path']}  {row['size_bytes'] / 1e6:,.2f} MB  {said}", markup=False)
    if not known:
        out().print(f"there are no documents in {folder.shown}", markup=False)


def _report(done: Sequence[Done], folder: DocumentFolder, lake: Lake, run: Outcome | None, *, as_json: bool) -> None:
    """What was done; of documents that turned out unreadable in the run, why."""
    if run is not None:
        states = {row["document_id"]: row for row in _known(folder, lake)}
        for one in done:
            state = states.get(one.document_id)
            if one.outcome in ("added", "replaced", "unchanged") and state and state["status"] == "quarantined":
                one.outcome, one.reason, one.message = "refused", state["reason"], state["message"]
    if as_json:
        ran = (
            {"job": run.job, "run_id": run.run_id, "success": run.success, "seconds": round(run.seconds, 1)}
            if run
            else None
        )
        print_json({"folder": folder.shown, "documents": [asdict(one) for one in done], "run": ran})
        return
    for one in done:
        if one.outcome == "refused":
            err().print(one.message, style="red", markup=False)
        else:
            out().print(f"{one.document_id}: {one.outcome}", markup=False)
