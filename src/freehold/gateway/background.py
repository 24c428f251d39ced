"""Work that no client waits for, bounded: what comes on top of the bound is not begun, and is counted.

Not covered: what the work is (`gateway.app`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

_LAST_WAIT_S = 10.0
DROPPED = "freehold_background_dropped"


class Background:
    """Audits and shadows under way, at most `most` of each kind; `count` is told the metric and its labels."""

    def __init__(self, most: int, count: Callable[[str, tuple[str, ...]], None]) -> None:
        self._most = most
        self._count = count
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}

    def has_room(self, kind: str) -> bool:
        """Whether one more of this kind may begin; one that may not is counted as dropped."""
        if len(self._under_way.get(kind, ())) < self._most:
            return True
        self._count(DROPPED, (kind,))
        return False

    def start(self, kind: str, work: Coroutine[None, None, None]) -> None:
        """Begin; ask `has_room` before."""
        task = asyncio.get_running_loop().create_task(work)
        under_way = self._under_way.setdefault(kind, set())
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def close(self) -> None:
        """Let what is under way end, for a while."""
        tasks = [task for under_way in self._under_way.values() for task in under_way]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WAIT_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
