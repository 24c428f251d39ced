"""Asking providers again on a budget: for a second answer, or for a judge's opinion.

Every reply is written to a file as it comes, so that what was interrupted asks only for the rest and nothing is paid
for twice. Money is set aside before a request is sent, at least what the dearest reply so far did cost, so that a
budget is kept however many are on their way, but for replies that are dearer than all before them. The first is asked
alone, for what the others will cost. A provider that refuses all of the first few is not asked further.

Not covered: what is asked (`prove.run.self_consistency`, `prove.run.judge`), one request (`net.provider_client`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import msgspec

from freehold.errors import UpstreamError
from freehold.net.provider_client import Asking, Reply, Request, ask, check_key

_MOST_REFUSED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How far it got; `is_spent` holds where the budget did not reach for the rest."""

    asked: int
    left: int
    spent_usd: float | None
    is_spent: bool


class Replies:
    """Replies by key in a file that only grows; a last line that was cut off is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, Reply] = {}
        for line in path.read_bytes().split(b"\n") if path.exists() else ():
            self._read(line)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._kept))

    def get(self, key: str) -> Reply | None:
        """The reply of this key."""
        return self._kept.get(key)

    @property
    def has_answers(self) -> bool:
        """Whether some reply is more than a refusal."""
        return any(not reply.problem for reply in self._kept.values())

    def put(self, reply: Reply) -> None:
        """Keep a reply."""
        line = msgspec.json.encode(reply)
        with self._lock:
            self._kept[reply.key] = reply
            with self._path.open("ab") as sink:
                sink.write(b"\n" + line)

    def _read(self, line: bytes) -> None:
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except msgspec.MsgspecError:
            return  # an empty line, or one that a kill cut short: it is asked again
        self._kept[reply.key] = reply


class Budget:
    """Dollars that may be spent, counted before they are; None is no limit. ValueError for a budget that is no number.

    What a reply costs is known when it is there. So where replies under way cost more than any before them, that much
    more is spent.
    """

    def __init__(self, budget_usd: float | None) -> None:
        if budget_usd is not None and not (math.isfinite(budget_usd) and budget_usd >= 0):
            raise ValueError(f"a budget of {budget_usd!r} dollars is none")
        self._budget_usd = budget_usd
        self._lock = threading.Lock()
        self._spent_usd = self._promised_usd = self._dearest_usd = 0.0
        self._is_known = True

    @property
    def spent_usd(self) -> float | None:
        """What was spent; None where the cost of a reply is unknown."""
        return self._spent_usd if self._is_known else None

    def promise(self, expected_usd: float | None) -> float | None:
        """Set the cost of one request aside, at least that of the dearest so far; None where it is not there."""
        with self._lock:
            amount_usd = max(expected_usd or 0.0, self._dearest_usd)
            total_usd = self._spent_usd + self._promised_usd + amount_usd
            if self._budget_usd is not None and total_usd > self._budget_usd + 1e-12:
                return None
            self._promised_usd += amount_usd
            return amount_usd

    def settle(self, promised_usd: float, cost_usd: float | None) -> None:
        """Put what a request did cost in the place of what was set aside; where that is unknown, that stands."""
        with self._lock:
            self._promised_usd = max(0.0, self._promised_usd - promised_usd)
            self._is_known = self._is_known and (cost_usd is not None or promised_usd > 0)
            paid_usd = promised_usd if cost_usd is None else cost_usd
            self._spent_usd += paid_usd
            self._dearest_usd = max(self._dearest_usd, cost_usd or 0.0)


def total_usd(requests: Sequence[Request]) -> float | None:
    """What requests will cost together; None where that is unknown of one."""
    costs = [request.expected_usd for request in requests]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def ask_all(
    requests: Sequence[Request],
    replies: Replies,
    budget: Budget,
    asking: Asking,
    on_reply: Callable[[int], None] = lambda _: None,
) -> Asked:
    """Send each request that has no reply yet, several at a time; `on_reply` is told how many came.

    Raises UpstreamError or SettingError where going on makes no sense; what came until then is kept.
    """
    waiting = [request for request in requests if request.key not in replies]
    for provider in {request.provider.name: request.provider for request in waiting}.values():
        check_key(provider, asking.environment)
    round_ = _Round(waiting, replies, budget, asking, on_reply)
    pool = ThreadPoolExecutor(max_workers=max(1, asking.concurrency))
    futures = [pool.submit(round_.work, most=1)] if waiting else []
    try:
        wait(futures)
        if not any(future.exception() or future.result() for future in futures):
            futures += [pool.submit(round_.work) for _ in range(min(asking.concurrency, len(waiting) - 1))]
        wait(futures, return_when=FIRST_EXCEPTION)
        ends = [future.result() for future in futures]
    finally:
        round_.halt.set()
        pool.shutdown(wait=False, cancel_futures=True)
    left = sum(request.key not in replies for request in requests)
    return Asked(asked=round_.asked, left=left, spent_usd=budget.spent_usd, is_spent=any(ends) and left > 0)


class _Round:
    """Several workers on one list of requests; `halt` lets each stop after the request it is at."""

    def __init__(
        self,
        waiting: Sequence[Request],
        replies: Replies,
        budget: Budget,
        asking: Asking,
        on_reply: Callable[[int], None],
    ) -> None:
        self.halt, self.asked = threading.Event(), 0
        self._pending, self._most_refused = iter(waiting), min(_MOST_REFUSED, len(waiting))
        self._replies, self._budget, self._asking, self._on_reply = replies, budget, asking, on_reply
        self._lock = threading.Lock()
        self._refused: list[Reply] = []
        self._is_answered = replies.has_answers

    def work(self, most: int | None = None) -> bool:
        """Ask one after another, up to `most`, until none is left; True where the money ran out first."""
        while not self.halt.is_set() and most != 0:
            most = None if most is None else most - 1
            with self._lock:
                request = next(self._pending, None)
            if request is None:
                return False
            promised_usd = self._budget.promise(request.expected_usd)
            if promised_usd is None:
                return True
            self._ask(request, promised_usd)
        return False

    def _ask(self, request: Request, promised_usd: float) -> None:
        try:
            reply = ask(request, self._asking, self.halt)
        except BaseException:
            self.halt.set()
            self._budget.settle(promised_usd, 0.0)
            raise
        self._budget.settle(promised_usd, reply.cost_usd)
        with self._lock:
            self._keep(request.provider.name, reply)

    def _keep(self, provider: str, reply: Reply) -> None:
        """Keep a reply; refusals only once the provider answered anything, for until then it may be set up wrongly."""
        self._refused.append(reply)
        if reply.problem and not self._is_answered:
            if len(self._refused) < self._most_refused:
                return
            self.halt.set()
            raise UpstreamError(
                f"The provider {provider!r} refuses every request: {reply.problem}.",
                hint="Nothing of this was kept. Check the model and the provider, then give the same command again.",
            )
        self._is_answered = True
        for kept in self._refused:
            self._replies.put(kept)
            self.asked += 1
            self._on_reply(self.asked)
        self._refused = []
