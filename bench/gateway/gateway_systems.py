"""What `gateway.py` measures side by side: the upstream asked directly, nginx as proxy, Freehold.

Each system is started anew for each of the two upstreams: nginx with one static answer for plain calls, and a small
server of its own for streams. Not covered: the gateways by others (`gateway_peers`), the measuring (`gateway_measure`).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway_chat import KEY, MODEL, completion
from gateway_host import BenchError, Cores, Processes, find_tool, free_port

from freehold import __version__

HERE = Path(__file__).parent
CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how a client sends its chat requests."""

    port: int
    path: str = CHAT
    model: str = MODEL
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def header_lines(self) -> list[str]:
        """All headers of a request, as `name: value`."""
        fixed = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        return [f"{name}: {value}" for name, value in {**fixed, **self.headers}.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a system is started: an empty folder, the upstream's port, the cores, how long it may take."""

    folder: Path
    upstream_port: int
    cores: Cores
    processes: Processes
    timeout_s: float

    @property
    def upstream_url(self) -> str:
        """The upstream as an OpenAI client's base URL."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started system; `recorded` counts the calls in its record, where it keeps one."""

    endpoint: Endpoint
    process: subprocess.Popen[bytes] | None = None
    recorded: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One line of the tables."""

    name: str
    version: Callable[[], str]
    keeps: str
    start: Callable[[Site], Running]
    kind: Literal["baseline", "freehold", "peer"]
    gateways: int = 1
    is_quick: bool = True


def own_systems(workers: int) -> list[System]:
    """The systems that need no setting up, in the order of the tables.

    Several workers are measured on cores of their own, and on the one core of a single worker: what they take there
    from each other is what more cores cannot give.
    """
    many = f"freehold x{workers}"
    return [
        System(name="direct", version=_nginx_version, keeps="-", start=_direct, kind="baseline"),
        System(name="nginx", version=_nginx_version, keeps="nothing", start=_nginx, kind="baseline"),
        System(name="freehold", version=lambda: __version__, keeps="bodies", start=_freehold(1), kind="freehold"),
        System(
            name=many,
            version=lambda: __version__,
            keeps="bodies",
            start=_freehold(workers),
            kind="freehold",
            gateways=workers,
            is_quick=False,
        ),
        System(
            name=on_one_core(workers),
            version=lambda: __version__,
            keeps="bodies",
            start=_freehold(workers),
            kind="freehold",
            is_quick=False,
        ),
    ]


def on_one_core(workers: int) -> str:
    """The name of several workers that share a core."""
    return f"freehold x{workers} on 1 core"


def start_static_upstream(folder: Path, processes: Processes, cores: Cores, timeout_s: float) -> int:
    """Start nginx with the static answer and return its port."""
    answer = completion().decode()
    if "'" in answer or "$" in answer or "\\" in answer:
        raise BenchError("the static answer has a character that nginx reads as its own")
    port = free_port()
    location = f"default_type application/json; add_header x-request-id req_bench; return 200 '{answer}';"
    process = _start_nginx("upstream", port, location, "", folder, processes, cores.load)
    processes.wait_until_listening(process, port, timeout_s=timeout_s)
    return port


def start_stream_upstream(processes: Processes, cores: Cores, timeout_s: float) -> int:
    """Start the server of streams and return its port."""
    port = free_port()
    command = [sys.executable, str(HERE / "gateway_stream.py"), "--port", str(port)]
    process = processes.start("upstream-stream", command, cores=cores.load)
    processes.wait_until_listening(process, port, timeout_s=timeout_s)
    return port


def count_rows(database: Path, table: str) -> int:
    """Rows of a table in an SQLite file that another process writes; 0 while there is no such table."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) if known else 0


def _direct(site: Site) -> Running:
    return Running(endpoint=Endpoint(port=site.upstream_port))


def _nginx(site: Site) -> Running:
    port = free_port()
    upstream = (
        f"upstream answers {{ server 127.0.0.1:{site.upstream_port}; keepalive 64; keepalive_requests 1000000000; }}"
    )
    location = 'proxy_pass http://answers; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;'
    process = _start_nginx("nginx", port, location, upstream, site.folder, site.processes, site.cores.gateway)
    site.processes.wait_until_listening(process, port, timeout_s=site.timeout_s)
    return Running(endpoint=Endpoint(port=port), process=process)


def _freehold(workers: int) -> Callable[[Site], Running]:
    """Freehold as a user runs it: a settings file, `freehold up`, recording on."""

    def start(site: Site) -> Running:
        port, state, config = free_port(), site.folder / "state", site.folder / "freehold.toml"
        config.write_text(
            f"state = {json.dumps(str(state))}\n\n[gateway]\nport = {port}\n\n"
            f"[providers.upstream]\nbase_url = {json.dumps(site.upstream_url)}\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "freehold", "--config", str(config), "up"]
        command += ["--workers", str(workers)] if workers > 1 else []
        process = site.processes.start(f"freehold-{workers}", command, cores=site.cores.gateway)
        site.processes.wait_until_listening(process, port, timeout_s=site.timeout_s)
        return Running(
            endpoint=Endpoint(port=port),
            process=process,
            recorded=lambda: count_rows(state / "freehold.db", "calls"),
        )

    return start


def _start_nginx(
    name: str, port: int, location: str, upstream: str, folder: Path, processes: Processes, cores: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """One nginx process, as an operator would tune it for this: no access log, connections kept."""
    home = folder / name
    home.mkdir(parents=True)
    temporary = "".join(f"{kind}_temp_path {home};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (home / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;\n"
        f"events {{ worker_connections 4096; }}\n"
        f"http {{ {temporary} access_log off; keepalive_requests 1000000000; tcp_nodelay on;\n{upstream}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}\n",
        encoding="utf-8",
    )
    command = [str(find_tool("nginx")), "-p", str(home), "-c", "nginx.conf", "-e", "error.log"]
    return processes.start(name, command, cores=cores)


def _nginx_version() -> str:
    found = subprocess.run([str(find_tool("nginx")), "-v"], capture_output=True, text=True, check=True)
    return "nginx " + found.stderr.strip().rpartition("/")[2].split()[0]
