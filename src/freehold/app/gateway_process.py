"""What runs in a worker's process: a gateway, the thread that follows the store for it, its journal and its log.

Not covered: the process (`app.worker`), what the gateway is made of (`app.wiring`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

import msgspec

from freehold.app.console_link import ConsoleLink
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.log import log_to_stderr
from freehold.app.periodic import Periodic
from freehold.app.startup import Startup
from freehold.app.wiring import (
    GatewayContext,
    build_access_log,
    build_gateway,
    build_metrics,
    gateway_settings,
    limits,
    traces,
)
from freehold.errors import FreeholdError
from freehold.gateway.oversight import Oversight
from freehold.gateway.server import run
from freehold.gateway.telemetry.metrics import Metrics
from freehold.httpd.server import OpenCounts
from freehold.record import Durability, Journal, Recorder, UnderWay, delivery_lag_s, delivery_problem
from freehold.record.run.journal import journal_folder
from freehold.settings import Settings
from freehold.system.lifeline import end_without_parent
from freehold.watch.run.watermark import under_way_folder

_FOLLOW_S = 0.25
_FIRST_LOOK_S = 5.0
_LOG = logging.getLogger("freehold.up")


def serve(told: bytes, listener: socket.socket, number: int, parent: int, counts: OpenCounts | None = None) -> int:
    """Serve until SIGTERM, then close everything; returns how many answered calls no disk took."""
    log_to_stderr()
    decoded = msgspec.json.decode(told, type=Startup)
    settings = decoded.settings
    late = LazyWorkspace(settings)
    context = GatewayContext(settings, late)
    recorder = _recorder(settings, context)
    follower = Periodic("routes", partial(_follow, context, parent), pause_s=_FOLLOW_S)
    keeper = Periodic("budgets", context.step_budgets, pause_s=_FOLLOW_S, wake=context.budgets.wake)
    access = build_access_log(settings)
    meter, metrics = build_metrics(settings, context, recorder, number=number, run=decoded.run)
    oversight = replace(
        _oversight(settings, context, follower),
        meter=meter,
        under_way=UnderWay(under_way_folder(settings) / f"worker-{number}"),
        access=access,
        metrics=metrics.page,
    )
    gateway = build_gateway(settings, recorder, context, oversight, ConsoleLink(decoded.console))
    keepers: list[asyncio.Task[None]] = []  # a task that nobody holds may be collected
    _start_following(follower, keeper)
    try:
        run(
            gateway,
            listener,
            limits(settings),
            counts=counts,
            on_ready=lambda: keepers.append(_on_ready(metrics)),
            grace_s=settings.number("gateway.grace_s"),
        )
    finally:
        _stop_following(follower, keeper, context)
        lost, problem = recorder.close(), recorder.problem
        access.close()
        late.close()
    if lost:
        _LOG.error("%d calls that were answered could not be recorded: %s.", len(lost), problem)
    return len(lost)


def _oversight(settings: Settings, context: GatewayContext, follower: Periodic) -> Oversight:
    """What the gateway asks before it lets a call in, and what `/readyz` tells."""
    return Oversight(
        admission=context.admission,
        refused=context.refused,
        budgets=context.budgets,
        database_problem=lambda: follower.problem or delivery_problem(journal_folder(settings)),
        knows_routes=context.knows_routes,
        delivery_lag_s=partial(_delivery_lag_s, settings),
        unserved=context.unserved,
        is_tracing=traces(settings),
    )


def _on_ready(metrics: Metrics) -> asyncio.Task[None]:
    gc.collect()
    gc.freeze()  # what is there now stays, so that no collection has to look at it again
    say("ready")
    return asyncio.get_running_loop().create_task(metrics.keep())


def _follow(context: GatewayContext, parent: int) -> None:
    end_without_parent(parent)
    context.refresh()


def _start_following(follower: Periodic, keeper: Periodic) -> None:
    follower.start()
    keeper.start()
    follower.has_begun.wait(_FIRST_LOOK_S)


def _stop_following(follower: Periodic, keeper: Periodic, context: GatewayContext) -> None:
    follower.stop(timeout_s=1.0)
    keeper.stop(timeout_s=1.0)
    if follower.problem is None and keeper.problem is None:
        context.close_budgets()
        with suppress(FreeholdError):  # counts alone are not worth a longer wait
            context.tell_refused()


def _delivery_lag_s(settings: Settings) -> float:
    return delivery_lag_s(journal_folder(settings), time.time())


def _recorder(settings: Settings, context: GatewayContext) -> Recorder:
    """A recorder with a journal for each lane; what it takes is settled with its key's budgets."""
    folder = journal_folder(settings)
    durability: Durability = "power" if settings.text("gateway.durability") == "power" else "process"
    return Recorder(
        Journal(folder, lane="rest", durability=durability),
        evidence=Journal(folder, lane="evidence", durability=durability),
        limit_bytes=gateway_settings(settings).record_body_bytes,
        listener=context.budgets.note,
    )


def say(words: str) -> None:
    """Tell the parent."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
