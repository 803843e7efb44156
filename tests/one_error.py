"""Commands that fail as they should: one line that says why, and nothing else."""

from __future__ import annotations

from typing import Any


def fails(done: Any, code: int) -> str:
    """The line that a command which ended with `code` wrote."""
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == code and done.stdout == "" and len(lines) == 1 and lines[0].startswith("exo: "), (
        done.output
    )
    return str(lines[0])
