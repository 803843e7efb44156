"""Which commit of the checkout is running."""

from __future__ import annotations

import subprocess

from exo_resources.settings import CHECKOUT


def git_commit() -> str | None:
    """The commit, with '+' when tracked files differ from it; None without git or outside a checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}+" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()
