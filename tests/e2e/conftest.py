"""End-to-end runs: the real command line in real processes, on real input, in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exo_resources.settings import CHECKOUT
from tests.ports import free_port


@dataclass(frozen=True)
class Installation:
    """One EXO_HOME and the settings that go with it."""

    home: Path
    env: dict[str, str]

    def exo(self, *arguments: str, check: bool = True, timeout: float = 2400) -> subprocess.CompletedProcess[str]:
        """Run `exo ARGUMENTS`; fails the test with the output when the exit code is not 0."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("exo")), *arguments],
            capture_output=True,
            text=True,
            env=os.environ | self.env,
            cwd=CHECKOUT,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"exo {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def json(self, *arguments: str) -> Any:
        """The JSON that `exo ARGUMENTS --json` prints."""
        return json.loads(self.exo(*arguments, "--json").stdout)


def installation(home: Path, **settings: str) -> Iterator[Installation]:
    """An installation whose endpoint is stopped at the end."""
    env = {"EXO_HOME": str(home), "EXO_SERVE_PORT": str(free_port())} | settings
    made = Installation(home, env)
    yield made
    made.exo("serve", "stop", check=False)


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A fresh machine without network: the shipped snapshot only."""
    yield from installation(tmp_path_factory.mktemp("offline"), EXO_ARCHIVE="snapshot")
