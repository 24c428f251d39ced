"""The way to the engines: each call is let through as far as its answer is expected in time, and waits no longer.

For each engine there is an `EngineLoad`, for each task the `ProviderTimes`; here they meet time and network:

    a call that is let in      waits for its answer, for its patience, or until it is released
    a pulse                    asks an engine for a sign of life while calls are under way, and while it gives none
    a try                      asks a slow engine once more what a client asked, with nobody waiting

Shadows wait for their turn, and give way to clients. Not covered: the arithmetic (`gateway.engine_load`), what an
answer is worth (`gateway.owned`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Literal

from freehold.gateway.config import GatewaySettings
from freehold.gateway.engine_load import Allowance, EngineLoad, Pace, Reason, Ticket
from freehold.gateway.provider.provider_times import ProviderTimes, provider_seconds
from freehold.gateway.provider.upstream import is_alive
from freehold.gateway.router import Router
from freehold.httpd.client import Pool, UpstreamError
from freehold.model.assignment import Assignment
from freehold.model.engine import OwnedAnswer
from freehold.record import Exchange

LONGEST_PULSE_S = 1.0
_SILENCE_SHARE, _LEAST_SILENCE_S, _MOST_SILENCE_S = 2 / 3, 0.1, 2.0
_TURN_S = 0.05
_TELL_AFTER_S = 1.0
_P99, _MEDIAN = 0.99, 0.5
_LOG = logging.getLogger("freehold.gateway")

Ask = Callable[[], Awaitable[OwnedAnswer]]


class LeftAloneError(Exception):
    """The engine was not asked, or is not waited for any more; `reason` is what the call's tag `engine` says."""

    def __init__(self, reason: Reason | Literal["timeout"]) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineGate:
    """The engines of one worker; belongs to the loop that uses it."""

    def __init__(self, settings: GatewaySettings, router: Router, pool: Pool) -> None:
        self._settings = settings
        self._engine_url = router.engine_url
        self._pool = pool
        self._loads: dict[str, EngineLoad] = {}
        self._times: dict[str, ProviderTimes] = {}
        self._pulses: dict[str, asyncio.Task[None]] = {}
        self._tries: set[asyncio.Task[None]] = set()
        self._told: dict[str, str] = {}

    def allowance(self, assignment: Assignment) -> Allowance:
        """How long a call of this task may take, by its provider's times and its slack."""
        times = self._times_of(assignment)
        bound_s = min(self._settings.engine_timeout_s, times.quantile_s(_P99) + assignment.slack_s)
        return Allowance(bound_s, provider_s=times.quantile_s(_MEDIAN), queued_s=assignment.slow_s)

    def learn(self, assignment: Assignment, kept: Exchange) -> None:
        """Take how long the provider took for a call of this task."""
        seconds = provider_seconds(kept)
        if seconds is not None:
            self._times_of(assignment).add(seconds)

    async def ask(self, assignment: Assignment, ask: Ask) -> OwnedAnswer:
        """The owned answer to a client's call, in time; LeftAloneError where there is none."""
        load, allowed = self._load_of(assignment), self.allowance(assignment)
        admitted = load.admit(allowed)
        self._tell(assignment, load)
        if isinstance(admitted, Ticket):
            return await self._wait(assignment, load, admitted, ask)
        if admitted == "hung":
            self._feel_pulse(assignment, load)
        elif load.is_try_due():
            self._start_try(self._try(assignment, load, allowed, ask))
        raise LeftAloneError(admitted)

    async def ask_behind(self, assignment: Assignment, ask: Ask) -> OwnedAnswer:
        """The owned answer to a call that no client waits for, once clients leave room; LeftAloneError if they do not.

        A call that gave way to a client's is asked again.
        """
        load, longest_s = self._load_of(assignment), self._settings.engine_timeout_s
        ends_at = asyncio.get_running_loop().time() + longest_s
        while True:
            ticket = load.admit_background(longest_s)
            if ticket is not None:
                try:
                    return await self._wait(assignment, load, ticket, ask)
                except LeftAloneError as error:
                    if error.reason != "busy":
                        raise
            if asyncio.get_running_loop().time() >= ends_at:
                state = load.state
                raise LeftAloneError("busy" if state == "ok" else state)
            await asyncio.sleep(_TURN_S)

    async def _wait(self, assignment: Assignment, load: EngineLoad, ticket: Ticket, ask: Ask) -> OwnedAnswer:
        loop = asyncio.get_running_loop()
        self._feel_pulse(assignment, load)
        try:
            async with asyncio.timeout(ticket.patience_s) as waiting:
                ticket.on_release = lambda: None if waiting.expired() else waiting.reschedule(loop.time())
                answer = await ask()
        except TimeoutError:
            if ticket.released is None:
                load.too_late(ticket)
                self._tell(assignment, load)
            raise LeftAloneError(ticket.released or "timeout") from None
        except BaseException:
            load.left(ticket)
            raise
        load.answered(ticket)
        return answer

    # trying a slow engine

    def _start_try(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tries.add(task)
        task.add_done_callback(self._tries.discard)

    async def _try(self, assignment: Assignment, load: EngineLoad, allowed: Allowance, ask: Ask) -> None:
        loop, seconds = asyncio.get_running_loop(), None
        began_at = loop.time()
        try:
            async with asyncio.timeout(self._settings.engine_timeout_s):
                await ask()
            seconds = loop.time() - began_at
        except (TimeoutError, UpstreamError, ValueError) as error:
            _LOG.debug("The engine of model %s was tried and gave no answer: %r", assignment.route.model_id, error)
        except Exception:
            _LOG.exception("The engine of model %s could not be tried.", assignment.route.model_id)
        finally:
            load.tried(seconds, allowed)
        self._tell(assignment, load)

    # signs of life

    def _feel_pulse(self, assignment: Assignment, load: EngineLoad) -> None:
        model_id = assignment.route.model_id or ""
        if model_id not in self._pulses:
            self._pulses[model_id] = asyncio.get_running_loop().create_task(self._pulse(assignment, model_id, load))

    async def _pulse(self, assignment: Assignment, model_id: str, load: EngineLoad) -> None:
        """Ask for signs of life for as long as calls are under way, or none has come; then less and less often.

        An engine that takes more than two thirds of the slack for one is silent: so it is noticed within the slack, and
        a machine that is merely busy is not mistaken for it.
        """
        silence_s = min(max(_LEAST_SILENCE_S, _SILENCE_SHARE * assignment.slack_s), _MOST_SILENCE_S)
        pause_s = pulse_s = silence_s / 4
        try:
            while load.under_way or load.state == "hung":
                await asyncio.sleep(pause_s)
                if not load.under_way and load.state != "hung":
                    return
                if await self._is_heard(model_id, silence_s):
                    load.is_heard()
                    pause_s = pulse_s
                else:
                    load.fall_silent()
                    pause_s = max(pulse_s, min(2 * pause_s, LONGEST_PULSE_S))
                self._tell(assignment, load)
        finally:
            del self._pulses[model_id]

    async def _is_heard(self, model_id: str, silence_s: float) -> bool:
        """Whether an engine answers at all; one that is away is no silent one, and fails its calls by itself."""
        loop = asyncio.get_running_loop()
        url = self._engine_url(model_id)
        while url is not None:
            began_at = loop.time()
            if await is_alive(self._pool, url, timeout_s=silence_s):
                return True
            if loop.time() - began_at < 2 * silence_s:
                return False  # else it was this process that stood still, and the answer may lie there unread
        return True

    # what is shown

    def _tell(self, assignment: Assignment, load: EngineLoad) -> None:
        """Log that an engine is left alone, once, and that it is asked again."""
        model_id, state = assignment.route.model_id or "", load.state
        told = self._told.get(model_id, "ok")
        if state == told or (state == "hung" and load.since_s < _TELL_AFTER_S):
            return
        self._told[model_id] = state
        match state:
            case "ok":
                _LOG.warning("The engine of model %s answers in time again, and is asked again.", model_id)
            case "slow":
                _LOG.warning(
                    "The engine of model %s is too slow for task %r (bound %.2f s): the provider answers its calls, and"
                    " the engine is tried now and then. Raise route.slack_ms, or give the engine more of the machine.",
                    model_id,
                    assignment.task_key,
                    self.allowance(assignment).bound_s,
                )
            case "hung":
                _LOG.error("The engine of model %s gives no sign of life: the provider answers its calls.", model_id)

    def problem(self) -> str | None:
        """Which engines are left alone, and why; None where none is."""
        return "; ".join(self._problems()) or None

    def _problems(self) -> Iterator[str]:
        for model_id, load in self._served():
            if load.state != "ok":
                yield f"{model_id} is {load.state} for {load.since_s:.0f} s; the provider answers its calls"

    def _served(self) -> Iterator[tuple[str, EngineLoad]]:
        """The engines that are there now; one that no route needs any more is not."""
        return ((model_id, load) for model_id, load in self._loads.items() if self._engine_url(model_id) is not None)

    def gauges(self) -> Mapping[str, float]:
        """Figures of all engines for the metrics page."""
        loads = [load for _, load in self._served()]
        return {
            "freehold_engine_calls_under_way": sum(load.under_way for load in loads),
            "freehold_engines_left_alone": sum(load.state != "ok" for load in loads),
            "freehold_engine_expected_seconds": max((load.expected_s or 0.0 for load in loads), default=0.0),
        }

    async def close(self) -> None:
        """End pulses and tries."""
        tasks = [*self._pulses.values(), *self._tries]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # one of each

    def _times_of(self, assignment: Assignment) -> ProviderTimes:
        times = self._times.get(assignment.task_id)
        if times is None:
            times = self._times[assignment.task_id] = ProviderTimes(assignment.provider_ms)
        return times

    def _load_of(self, assignment: Assignment) -> EngineLoad:
        model_id, slots = assignment.route.model_id or "", self._settings.engine_slots
        load = self._loads.get(model_id)
        if load is None:
            proven_ms = assignment.route.baseline.owned_p95_ms
            known_s = proven_ms / 1000 if proven_ms is not None and proven_ms > 0 else None
            load = self._loads[model_id] = EngineLoad(Pace(known_s, known_at_once=slots), most=slots)
        return load
