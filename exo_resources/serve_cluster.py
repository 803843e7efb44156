"""The small Ray cluster that the endpoint lives on: a head of its own, which outlives whoever started it.

Belongs here: starting, finding and stopping its processes, its ports, its token. Does not belong here: what runs on it
(serve_client.py), or the cluster that training and scoring use (ray_runtime.py).

`ray stop` ends every Ray of the machine, and a driver that calls `ray.init` takes its cluster with it when it exits.
So the head is started as a session of its own, and stopped by that session.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1]
OBJECT_STORE_BYTES = 100_000_000
START_TIMEOUT_S = 180.0
START_TRIES = 3
STOP_TIMEOUT_S = 10.0
"""Ray's dashboard does not end on SIGTERM: this is waited for the replicas, which do."""
REQUEST_TIMEOUT_S = 20.0
LOG_LINES_SHOWN = 15
REPLICA_PORTS, REPLICA_PORTS_EACH, REPLICA_PORT_BLOCKS = 20_000, 100, 100
"""Ports of replicas: above those of Ray's workers, below those that the system gives out. Each home has a block, so
that a replica of another home does not take a port that this home's HAProxy still remembers."""


class ServeError(RuntimeError):
    """The endpoint could not be brought to the state that was asked for; the message says why and what to do."""


class ServeUnreachableError(ServeError):
    """The cluster of the endpoint does not answer."""


@dataclass(frozen=True)
class ClusterState:
    """What is remembered of a started head: its session, where its API is, and what it listens on."""

    session: int
    api: str
    host: str
    port: int
    temp: str


class ServeCluster:
    """The Ray head of the endpoint below `home`, listening on `host`:`port`."""

    def __init__(self, home: Path, host: str, port: int) -> None:
        self.folder = home / "serve"
        self.host, self.port = host, port
        self.log = self.folder / "serve.log"
        self._state_file = self.folder / "state.json"
        self._token_file = self.folder / "token"
        # Unix socket paths hold about 100 bytes, and Ray's and HAProxy's are long: they cannot live below any home.
        self._name = hashlib.sha256(f"{os.getuid()} {home}".encode()).hexdigest()[:8]
        self._temp = Path("/tmp") / f"exo-{self._name}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time starts, stops or deploys."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def state(self) -> ClusterState | None:
        """What the last start left behind; it may be dead. None, too, when it is of a home that this is a copy of."""
        try:
            found = ClusterState(**json.loads(self._state_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.temp == str(self._temp) else None

    def alive(self) -> bool:
        """Whether the head answers."""
        try:
            self.request("GET", "/api/serve/applications/")
        except ServeError:
            return False
        return True

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> dict[str, Any]:
        """Call the cluster's REST API. ServeUnreachableError when nobody answers, ServeError when it refuses."""
        import httpx

        state = self.state
        if state is None:
            raise ServeUnreachableError("the endpoint has not been started")
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            with httpx.Client(trust_env=False, timeout=timeout_s, headers=headers) as client:
                reply = client.request(method, state.api + path, json=body)
        except httpx.HTTPError as error:
            raise ServeUnreachableError(f"the endpoint's cluster at {state.api} does not answer ({error})") from error
        if reply.status_code >= 500:
            raise ServeUnreachableError(
                f"the endpoint's cluster answered {reply.status_code}: {reply.text.strip()[-500:]}"
            )
        if reply.status_code != 200:
            raise ServeError(f"the endpoint's cluster refused ({reply.status_code}): {reply.text.strip()[-500:]}")
        return dict(reply.json()) if reply.content and "json" in reply.headers.get("content-type", "") else {}

    def start(self) -> bool:
        """Make sure that the head runs where it should; whether it had to be started."""
        state = self.state
        if state and (state.host, state.port) == (self.host, self.port) and self.alive():
            return False
        self.stop()
        self._check_port()
        self._temp.mkdir(mode=0o700, exist_ok=True)
        if self._temp.stat().st_uid != os.getuid():
            raise ServeError(f"{self._temp}, which the endpoint needs, belongs to another user; remove it")
        self._token(create=True)
        for tries_left in reversed(range(START_TRIES)):
            code = self._launch()
            if code == 0:
                return True
            said = self._log_end()
            self.stop()
            if code is None or not tries_left:
                break  # else: a port that was free a moment ago may have been taken since; others are tried
        what = f"did not start within {START_TIMEOUT_S:g} s" if code is None else f"failed to start (exit {code})"
        raise ServeError(f"the endpoint's Ray head {what}; the end of {self.log}:\n{said}")

    def _launch(self) -> int | None:
        """Start the head on free ports and wait for `ray start` to end: its exit code, None when it takes too long."""
        ports = _free_ports(5)
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--disable-usage-stats"]
        options = {
            "--node-ip-address": "127.0.0.1",
            "--dashboard-host": "127.0.0.1",
            "--port": ports[0],
            "--dashboard-port": ports[1],
            "--dashboard-agent-listen-port": ports[2],
            "--metrics-export-port": ports[3],
            "--ray-client-server-port": ports[4],
            "--num-cpus": 1,
            "--num-gpus": 0,
            "--object-store-memory": OBJECT_STORE_BYTES,
            "--include-log-monitor": "false",
            "--temp-dir": self._temp,
        }
        command += [f"{name}={value}" for name, value in options.items()]
        with open(self.log, "ab") as log:
            started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
            )
        state = ClusterState(started.pid, f"http://127.0.0.1:{ports[1]}", self.host, self.port, str(self._temp))
        write_private(self._state_file, json.dumps(asdict(state)))
        try:
            return started.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> bool:
        """End every process of the head's session; whether there were any."""
        state = self.state
        if state is None:
            return False
        ours = _session(state)
        for number, patience in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, STOP_TIMEOUT_S)):
            for pid in _session(state):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + patience
            while _session(state) and time.monotonic() < deadline:
                time.sleep(0.1)
        if _session(state):
            raise ServeError(f"processes {_session(state)} of the endpoint do not end; end them by hand")
        self._state_file.unlink(missing_ok=True)
        shutil.rmtree(state.temp, ignore_errors=True)
        return bool(ours)

    def _environment(self) -> dict[str, str]:
        """The caller's environment without its Ray, and with this cluster's."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        path = [str(SOURCE), *filter(None, [inherited.get("PYTHONPATH")])]
        return inherited | {
            "PYTHONPATH": os.pathsep.join(path),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._token_file),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Serve replaces a proxy that takes longer, again and again on a busy machine.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
            "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
            "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": "120",
            **self._ha_proxy(),
            # Ray's own 15 is for what may wait. A night's workers have it: they must not go before who answers.
            "RAY_worker_niceness": "0",
            "OMP_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
        }

    def _ha_proxy(self) -> dict[str, str]:
        """Requests go through HAProxy straight to the replica, not through Serve's proxy in Python."""
        stats, metrics, fallback, grpc_fallback = _free_ports(4)
        first = REPLICA_PORTS + int(self._name, 16) % REPLICA_PORT_BLOCKS * REPLICA_PORTS_EACH
        return {
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            # While no replica answers, requests go to Serve's own proxy. Its port may be shared (SO_REUSEPORT): on the
            # default one, another endpoint of this machine would get a part of them and answer with its own model.
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(grpc_fallback),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + REPLICA_PORTS_EACH - 1),
            "RAY_SERVE_HAPROXY_NBTHREAD": "1",
            "RAY_SERVE_HAPROXY_MAXCONN": "1024",
            # Who sends half a head or half a body and then nothing held a connection for an hour. It does not count
            # while a client waits for its answer.
            "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
            "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(self._temp / "h" / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(self._temp / "h" / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(self._temp / "h" / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(self._temp / "h"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(self._temp / "h" / "server-state"),
        }

    def _token(self, create: bool = False) -> str:
        if create and not self._token_file.exists():
            write_private(self._token_file, secrets.token_hex(32))
        try:
            return self._token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ServeUnreachableError(f"the endpoint's token {self._token_file} cannot be read ({error})") from error

    def _check_port(self) -> None:
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise ServeError(
                    f"the endpoint cannot listen on {self.host}:{self.port} ({error.strerror}): another program may be "
                    "using the port; stop it, or choose another with EXO_SERVE_PORT (interface: EXO_SERVE_HOST)"
                ) from error

    def _log_end(self) -> str:
        with suppress(OSError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])
        return "(no log)"


def _session(state: ClusterState) -> list[int]:
    """Processes of the head's session. None when the session, after a restart of the machine, is somebody else's."""
    pids = [pid for pid in _processes() if _session_of(pid) == state.session]
    return pids if any(state.temp in _traces(pid) for pid in pids) else []


def _processes() -> list[int]:
    if Path("/proc/self/stat").exists():
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in found if not _ended(pid)]
    listed = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=True)
    return [int(pid) for pid in listed.stdout.split()]


def _ended(pid: int) -> bool:
    """Whether the process is a zombie or gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _traces(pid: int) -> str:
    """The process's command line and environment, where this head's folder and token appear."""
    if not Path("/proc/self/stat").exists():
        shown = subprocess.run(
            ["ps", "-Eww", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True
        )
        return shown.stdout
    found = ""
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            found += Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    return found


def _free_ports(count: int) -> list[int]:
    """Ports that are free on loopback now; held together so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for sock in held:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in held]
    finally:
        for sock in held:
            sock.close()


def write_private(path: Path, text: str) -> None:
    """Write atomically, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(temporary, path)
