"""A real PostgreSQL server for a test session: Debian's programs, a fresh cluster, loopback only, a random port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def programs() -> Path | None:
    """Folder of initdb and postgres, or None when the server is not installed."""
    found = [Path(p).parent for p in [shutil.which("initdb")] if p]
    found += sorted((p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), reverse=True)
    return found[0] if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start a server and yield the URL of its database; it is stopped and its files removed at the end."""
    # PostgreSQL refuses to run as root: there, its own user runs it, or nobody.
    account = _account() if os.geteuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="exo-postgres-"))
    who: dict[str, int] = {}
    if account:
        os.chown(home, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, "cwd": home, **who}
    process = None
    try:
        made = subprocess.run(
            [folder / "initdb", "-D", home / "data", "-U", "exo", "--auth=trust", "--encoding=UTF8", "--no-sync"],
            check=False,
            capture_output=True,
            text=True,
            **quiet,  # type: ignore[call-overload]
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        process = subprocess.Popen(
            [
                folder / "postgres", "-D", home / "data", "-p", str(port), "-k", home,
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **quiet,  # type: ignore[call-overload]
        )  # fmt: skip
        _wait(process, port)
        yield f"postgresql://exo@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            process.send_signal(2)  # fast shutdown
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no user but root to run PostgreSQL as")


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    import psycopg2

    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="exo", dbname="postgres").close()
            return
        except psycopg2.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
