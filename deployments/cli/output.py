"""What commands print and write, and how they fail.

Belongs here: the error that ends a command with one clear line, JSON on stdout, consoles, files written whole or not at
all, settings read with clear errors. Does not belong here: any command.
"""

from __future__ import annotations

import json
import math
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from exo_resources.settings import Settings

USAGE = 2
FAILED = 1
INTERRUPTED = 130

TOLD_EVERY_S = 5.0
"""Progress of many, where there is no terminal to show it on."""


class CliError(Exception):
    """Ends a command with one line on stderr: what is wrong and what to do.

    `code` is 2 for what was asked wrongly (usage, input files, settings), 1 for what went wrong.
    """

    def __init__(self, message: str, remedy: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code


def read_settings() -> Settings:
    """The settings of this process; CliError (2) names the variable that cannot be read. A misspelt one is noted."""
    from pydantic import ValidationError

    from exo_resources.settings import Settings, unknown_variables

    for name in unknown_variables():
        err().print(f"note: {name} is no setting of Exo and changes nothing (misspelt?)", style="yellow")
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as invalid:
        wrong = "; ".join(
            f"EXO_{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in invalid.errors()
        )
        raise CliError(f"settings: {wrong}", "correct or unset that environment variable", USAGE) from invalid


def out() -> Console:
    """Where results for people go."""
    return console_on(sys.stdout)


def err() -> Console:
    """Where progress, notes and errors go."""
    return console_on(sys.stderr)


def console_on(file: Any) -> Console:
    """A console on `file`: colours and wrapping on a terminal, plain whole lines elsewhere."""
    from rich.console import Console

    if file.isatty():
        return Console(file=file, highlight=False, emoji=False)
    # Not a terminal: as wide as it takes, so that nothing is cut or wrapped in a log.
    return Console(file=file, highlight=False, emoji=False, width=200, color_system=None)


@contextmanager
def counted(text: str) -> Iterator[Callable[[int], None]]:
    """Counts put into `text` as they are told: live on a terminal, elsewhere a line now and then."""
    console, last = err(), time.monotonic()
    if console.is_terminal:
        with console.status(text.format(0)) as status:
            yield lambda count: status.update(text.format(f"{count:,}"))
        return

    def tell(count: int) -> None:
        nonlocal last
        if time.monotonic() - last > TOLD_EVERY_S:
            last = time.monotonic()
            console.print(text.format(f"{count:,}"), markup=False)

    yield tell


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside the target, then rename it over: a reader sees the old file or the whole new one.

    A link stays a link: the file it points to is replaced. A file's permissions stay. Raises OSError.
    """
    target = target.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".exo-", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def print_json(value: Any) -> None:
    """`value` as JSON, alone on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def regular_bytes(path: Path) -> bytes:
    """The bytes of a regular file, unpacked; CatalogueFileError or OSError for anything else."""
    from exo_assets.scoring.read_file import CatalogueFileError, file_bytes

    if not stat.S_ISREG(path.stat().st_mode):
        raise CatalogueFileError(f"{path}: is a folder, a pipe or a device; name a file")
    return file_bytes(path)


def finite(value: Any) -> Any:
    """`value` with NaN and infinities, which JSON does not know, as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
