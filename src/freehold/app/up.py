"""`freehold up`: one parent process with its workers.

    workers      serve calls and write them to the journal (`app.worker`)
    delivery     takes calls out of the journal into the database
    jobs         keep engines running, watch moved routes
    sorter       sorts new calls, deletes what is old, at the lowest priority (`app.sorter`)
    console      serves its pages and the admin API, which workers ask it for (`app.console`)

Not covered: what each does.
"""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from freehold.app.alarm_sender import AlarmSender, make_alarms
from freehold.app.delivery import DeliveryThread, Listener, Tally
from freehold.app.jobs import Jobs
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.log import log_to_stderr
from freehold.app.periodic import Periodic
from freehold.app.sockets import console_socket, listening
from freehold.app.supervisor import Workers
from freehold.app.wiring import gateway_settings, traces
from freehold.errors import BusyError, StateError
from freehold.gateway.keys.admission import needs_key
from freehold.gateway.telemetry.tracing import Tracing, open_tracing
from freehold.model.ids import uuid7
from freehold.ops.privacy import keep_private
from freehold.pipeline.locks import locked
from freehold.record import forget_calls_under_way
from freehold.record.run.journal import journal_folder
from freehold.settings import Settings
from freehold.sort.run.task_tables import unknown_tables
from freehold.system.child_process import Supervisor
from freehold.system.lifeline import parent_option
from freehold.watch.run.watermark import under_way_folder

_OPEN_S = 5.0
_TALLY_S = 1.0
_DYING_S = 5.0
_SORTER = (sys.executable, "-m", "freehold.app.sorter")
_CONSOLE = (sys.executable, "-m", "freehold.app.console", "--listener")
_LOG = logging.getLogger("freehold.up")


def run_up(settings: Settings) -> None:
    """Run the gateway until it is told to stop; BusyError when one runs on this state folder already."""
    log_to_stderr()
    gateway_settings(settings)  # what is wrong with them is said here, and not by each worker
    keep_private(settings.state.absolute())
    late = LazyWorkspace(settings)
    late.try_for(_OPEN_S)
    try:
        with locked(settings.state.absolute() / "locks" / "up.lock", "A gateway on this state folder"):
            _check_keys(settings, late)
            _check_tables(late)
            _limit()
            with _family(settings) as family, console_socket(settings.state.absolute() / "run") as pages:
                _run(settings, late, family, pages)
    finally:
        late.close()


def _run(settings: Settings, late: LazyWorkspace, family: int, pages: socket.socket) -> None:
    """Start the parts in the order in which they need each other, wait for a signal, and stop them again."""
    run = uuid7()
    host = settings.text("gateway.host")
    journal_folder(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    forget_calls_under_way(under_way_folder(settings))
    door = listening(host, settings.whole("gateway.port"), settings.whole("gateway.workers"))
    alarms = AlarmSender(make_alarms(settings))
    tally, tracing = Tally(settings, run, alarms.send), _tracing(settings)
    told = msgspec.json.encode({"settings": settings, "run": run, "console": pages.getsockname()})
    ending = threading.Event()
    workers = Workers(door, told, inherited=[family], ending=ending)
    told_of_calls: list[Listener] = [tally.count, *([tracing.send] if tracing else [])]
    delivery, jobs = DeliveryThread(settings, late, told_of_calls), Jobs(settings, late, alarms)
    sorter = _child("the sorter", _SORTER, told, family)
    console = _child("the console", [*_CONSOLE, str(pages.fileno())], told, family, pages.fileno())
    counting = Periodic("metrics", tally.save, pause_s=_TALLY_S)
    with _signals(ending, workers):
        try:
            for part in (delivery, jobs, counting, sorter, console):
                part.start()
            workers.start()
            _announce(host, door.port, settings.whole("gateway.workers"))
            ending.wait()
        finally:
            sorter.end()
            console.end()
            workers.stop(settings.number("gateway.grace_s"))
            delivery.stop()
            counting.stop()
            jobs.stop()
            alarms.close()
            sorter.join_or_kill(_DYING_S)
            console.join_or_kill(_DYING_S)
            if tracing:
                tracing.close()
    if workers.lost_calls:
        raise StateError(
            f"{workers.lost_calls} calls that were answered could not be recorded: the disk took nothing.",
            hint="Free some space before the gateway is started again.",
        )


def _child(what: str, command: Sequence[str], told: bytes, *inherited: int) -> Supervisor:
    """A process of ours that is told what `Startup` says, holds these files, and hears nothing but that it ends."""
    return Supervisor(
        what, [*command, *parent_option()], told=told, hear=lambda _words: None, inherited=inherited, logger=_LOG
    )


@contextmanager
def _signals(ending: threading.Event, workers: Workers) -> Iterator[None]:
    """SIGINT and SIGTERM end the gateway; a second one waits for no calls under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def take(_number: int, _frame: object) -> None:
        if ending.is_set():
            workers.hurry()
        ending.set()

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_keys(settings: Settings, late: LazyWorkspace) -> None:
    """SettingError when others could call this gateway and nobody has a key; not asked while the database is away."""
    if late.opened is not None:
        keys = late.opened.store.keys.all_keys()
        is_wanted = settings.flag("gateway.require_key")
        needs_key(settings.text("gateway.host"), keys, is_wanted=is_wanted, now=time.time())


def _check_tables(late: LazyWorkspace) -> None:
    """Warn of tables of settings that are for no task; the task may still come."""
    for error in unknown_tables(late.opened) if late.opened is not None else ():
        _LOG.warning("%s", error)


def _limit() -> None:
    """No core dumps, which would hold keys, and as many files as may be, because each connection is one."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))


@contextmanager
def _family(settings: Settings) -> Iterator[int]:
    """A lock that workers inherit, so that it is free once all of a run are gone, and with them the port.

    Workers of a parent that was killed die at once, but not in no time. BusyError when they do not.
    """
    lock = os.open(settings.state.absolute() / "locks" / "family.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _DYING_S
        while not _is_taken(lock):
            if time.monotonic() > deadline:
                raise BusyError("The workers of an earlier gateway on this state folder do not end.", hint="Stop them.")
            time.sleep(0.01)
        yield lock
    finally:
        os.close(lock)


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tracing(settings: Settings) -> Tracing | None:
    if not traces(settings):
        return None
    return open_tracing(
        {provider.name: provider.base_url for provider in settings.providers},
        os.environ,
        is_set=settings.flag("gateway.tracing"),
        with_content=settings.flag("gateway.trace_content"),
    )


def _announce(host: str, port: int, workers: int) -> None:
    place = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _LOG.info("gateway on %s/v1, console on %s/  (a client needs only: OPENAI_BASE_URL=%s/v1)", place, place, place)
    if workers > 1:
        _LOG.info("%d workers serve it", workers)
