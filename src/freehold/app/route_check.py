"""Whether a route still holds, asked of the database just before an owned answer is used.

Calls that ask at the same moment share one query: those that come while one is under way share the next. While the
database does not answer, what is known holds, and only the first calls wait for it.

Not covered: reading whole routes (`route.run.directory`, several times a second).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from freehold.errors import FreeholdError
from freehold.model.assignment import Assignment

Versions = Callable[[Sequence[str]], Mapping[str, int]]
"""The newest route versions of these tasks, by task id; FreeholdError while the database is away."""
WAIT_S = 0.25
_LOG = logging.getLogger("freehold.gateway")


class RouteCheck:
    """Asks for one worker's calls; to be used on one event loop."""

    def __init__(self, versions: Versions, *, wait_s: float = WAIT_S) -> None:
        self._versions = versions
        self._wait_s = wait_s
        self._waiting: dict[str, asyncio.Future[int | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._is_late = False

    async def holds(self, placed: Assignment) -> bool:
        """Whether the version that placed a request is the newest of its task, as far as can be told in time."""
        if self._is_late:
            return True
        loop = asyncio.get_running_loop()
        answer = self._waiting.setdefault(placed.task_id, loop.create_future())
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
        done, _ = await asyncio.wait((answer,), timeout=self._wait_s)
        if not done:
            self._is_late = True
            return True
        newest = answer.result()
        return newest is None or newest == placed.route.version

    async def _ask(self) -> None:
        """Ask until nobody waits; what fails says nothing about any route."""
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                found = await self._found(list(waiting))
                for task_id, answer in waiting.items():
                    answer.set_result(found.get(task_id))
        finally:
            self._asking = None
            self._is_late = False

    async def _found(self, task_ids: list[str]) -> Mapping[str, int]:
        """What the database says, on a thread that no process waits for when it ends."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Mapping[str, int]] = loop.create_future()

        def tell(found: Mapping[str, int]) -> None:
            if not answer.done():
                answer.set_result(found)

        def ask() -> None:
            found = self._asked(task_ids)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, found)

        threading.Thread(target=ask, name="freehold-holds", daemon=True).start()
        return await answer

    def _asked(self, task_ids: list[str]) -> Mapping[str, int]:
        try:
            return self._versions(task_ids)
        except FreeholdError as error:
            _LOG.debug("Routes could not be checked, so what is known holds: %s", error)
        except Exception:
            _LOG.exception("Routes could not be checked, so what is known holds.")
        return {}
