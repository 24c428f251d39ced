"""What the machine gives: settings that fit, a disk that can be written, a clock that runs, a port, open files."""

from __future__ import annotations

import importlib.util
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from freehold.ops.doctor.finding import Finding, size
from freehold.ops.drafts import abandoned_drafts, known_places
from freehold.ops.privacy import open_to_others
from freehold.record import missing_encodings
from freehold.settings import Settings
from freehold.system.http_client import UnreachableError, send

_LITTLE_BYTES, _TOO_LITTLE_BYTES = 5 * 2**30, 200 * 2**20
_FEW_INODES = 10_000
_SLOW_FSYNC_S = 0.02
_FSYNCS = 10
_FEW_FILES = 4096
_JUMP_S = 0.5
_ASK_TIMEOUT_S = 3.0
_EXTRAS = {
    "engine": ("xllamacpp", "gguf"),
    "train": ("torch", "transformers"),
    "postgres": ("psycopg",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter"),
}


def check_settings(settings: Settings) -> list[Finding]:
    """Where the settings come from; an unusable one would have been an error before."""
    count = len(settings.providers)
    found = [Finding("settings", "ok", f"from {settings.source}, {count} provider{'s' if count != 1 else ''}")]
    priceless = [p.name for p in settings.providers if not p.prices]
    if priceless:
        hint = 'Add prices = { "MODEL*" = [input, output] } in USD per million tokens to [providers.NAME].'
        text = f"no prices for {', '.join(priceless)}: what their calls cost is unknown"
        found.append(Finding("settings", "warn", text, hint))
    return found


def check_extras(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Which optional parts are installed, and whether one that the settings need is not."""
    installed = [name for name, modules in _EXTRAS.items() if all(_has(module) for module in modules)]
    wanted = {"postgres"} if settings.database_url.startswith("postgresql") else set()
    if settings.flag("gateway.tracing") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        wanted.add("otel")
    missing = sorted(wanted - set(installed))
    if missing:
        text = f"the settings need what is not installed: {', '.join(missing)}"
        return [Finding("extras", "fail", text, f"pip install 'freehold[{','.join(missing)}]'"), *check_encodings()]
    return [Finding("extras", "ok", f"installed: {', '.join(installed) or 'none'}"), *check_encodings()]


def check_encodings() -> list[Finding]:
    """Whether every content encoding in use can be read; a call in another one has no model, task or text."""
    missing = missing_encodings()
    if not missing:
        return []
    text = f"bodies encoded with {' or '.join(missing)} cannot be read: they pass, and their calls belong to no task"
    return [Finding("encodings", "warn", text, f"pip install {' '.join(missing.values())}")]


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def check_state(settings: Settings) -> list[Finding]:
    """Whether the state folder can be written, how full its disk is, and how long a flush to it takes."""
    state = settings.state.absolute()
    place = next(folder for folder in (state, *state.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        hint = "Let the gateway's user own it, or choose another --state."
        return [Finding("state", "fail", f"{place} cannot be written by user {os.getuid()}", hint)]
    note = "" if place == state else " (made by the first `freehold up`)"
    found = [Finding("state", "ok", f"{state}{note}")]
    opened = list(open_to_others(state)) if place == state else []
    if opened:
        more = f" and {len(opened) - 1:,} more" if len(opened) > 1 else ""
        text = f"others on this machine may look into {opened[0]}{more}: calls, keys' hashes and models are there"
        found.append(Finding("state", "warn", text, f"chmod -R go-rwx {state}; the next verb does it, where it may"))
    return [*found, *_drafts(state), _disk(place), _flush(place)]


def _drafts(state: Path) -> list[Finding]:
    """What a backup or a restore that was killed left behind."""
    left = [folder for place in known_places(state) for folder in abandoned_drafts(place)]
    text, hint = (
        "a backup or restore that was killed left plain copies of calls in",
        "The next backup there removes it;",
    )
    return [Finding("drafts", "warn", f"{text} {folder}", f"{hint} or: rm -r {folder}") for folder in left]


def _disk(place: Path) -> Finding:
    stat = os.statvfs(place)
    free_bytes = stat.f_bavail * stat.f_frsize
    text = f"{size(free_bytes)} free of {size(stat.f_blocks * stat.f_frsize)}"
    hint = "Free some space, move the state folder, or keep bodies for fewer days (record.keep_days)."
    if free_bytes < _TOO_LITTLE_BYTES:
        return Finding("disk", "fail", text, hint)
    if stat.f_files and stat.f_favail < _FEW_INODES:
        return Finding("disk", "warn", f"{text}, but only {stat.f_favail:,} files can be made", hint)
    return Finding("disk", "warn" if free_bytes < _LITTLE_BYTES else "ok", text, hint)


def _flush(place: Path) -> Finding:
    times = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(_FSYNCS):
            os.write(file.fileno(), b"\0" * 4096)
            began_at = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began_at)
    middle = statistics.median(times)
    text = f"a flush takes {1000 * middle:.1f} ms (longest of {_FSYNCS}: {1000 * max(times):.1f} ms)"
    hint = 'It is what every response waits for with gateway.durability = "power"; a local SSD takes 1 ms or less.'
    return Finding("flush", "warn" if middle > _SLOW_FSYNC_S else "ok", text, hint)


def check_open_files() -> list[Finding]:
    """How many connections and files a gateway started from here may have open; it raises the soft limit itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _FEW_FILES:
        return [Finding("files", "ok", f"{hard:,} open files allowed" if hard > 0 else "no limit on open files")]
    hint = "Each call needs two: ulimit -Hn 65536, or LimitNOFILE= in the service."
    return [Finding("files", "warn", f"only {hard:,} open files allowed", hint)]


def check_gateway(settings: Settings) -> list[Finding]:
    """Whether a gateway answers at its address, the port is free, or something else has it."""
    host, port = settings.text("gateway.host"), settings.whole("gateway.port")
    place = f"{host}:{port}"
    if port == 0:
        return [Finding("gateway", "ok", "takes any free port")]
    asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (asked, not bound)
    origin = f"http://[{asked}]:{port}" if ":" in asked else f"http://{asked}:{port}"
    try:
        answer = send("GET", origin, "/readyz", headers={}, timeout_s=_ASK_TIMEOUT_S, most_bytes=2000)
    except UnreachableError as error:
        if isinstance(error.__cause__, ConnectionRefusedError):
            return [Finding("gateway", "ok", f"none runs, and {place} is free")]
        return [Finding("gateway", "fail", f"what listens on {place} does not answer: {error}", _PORT_HINT)]
    body = answer.body.decode("utf-8", "replace")
    if '"journal"' not in body:
        return [Finding("gateway", "fail", f"something that is no gateway of this version has {place}", _PORT_HINT)]
    if answer.status != HTTPStatus.OK:
        hint = "Its own words say why; its log has more."
        return [Finding("gateway", "fail", f"the gateway on {place} takes no calls: {body}", hint)]
    return [Finding("gateway", "ok", f"a gateway answers on {place}")]


_PORT_HINT = "See what it is (ss -ltnp), stop it, or choose another gateway.port."


def check_wall_clock(began: tuple[float, float]) -> list[Finding]:
    """Whether the wall clock was set while the doctor looked, told by the clock that cannot be set."""
    wall_s, steady_s = time.time() - began[0], time.monotonic() - began[1]
    if abs(wall_s - steady_s) <= _JUMP_S:
        return []
    text = f"the wall clock jumped by {wall_s - steady_s:+.1f} s while the doctor looked"
    hint = "Let chrony or ntpd slew the clock; calls are ordered and expire by it."
    return [Finding("clock", "warn", text, hint)]
