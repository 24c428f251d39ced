"""The load of one engine, as one worker sees it: who may ask now, how long that will take, when the engine is given up.

    busy     so much is under way that the answer would come too late: the engine is not asked
    slow     it was too late several times in a row, or is too slow even alone: it is left alone, and tried again
    hung     it gives no sign of life: it is left alone until it does

**How long an answer takes** is measured by how many were under way when it began (`Pace`). What others ask of the same
engine, such as the other workers, is in these times, too.

**How long a call may take** is its `Allowance`: the provider's 99th percentile and the task's slack. A call is let in
where its answer is expected by then. It waits until then, or shorter: the wait ends where the provider's median would
just be in time, unless the engine usually needs longer. So a call that waited for nothing is late only where the engine
is usually slower than that, and no call waits longer than its bound.

No clock is read but the one that is handed in. Not covered: asking, and signs of life (`gateway.engine_gate`).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Reason = Literal["busy", "slow", "hung"]

TOO_LATE = 3
"""So many calls in a row that the engine did not answer in time open the breaker."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""How long a slow engine is left alone before it is tried: at first, and after several tries."""
_STEADY_S = 60.0
_FORGET_S = 600.0
_WINDOW, _SHARE = 40, 0.95
_LATE_FACTOR = 1.5
_UNFINISHED = 2.0
"""An answer that was not waited for counts as one that would have taken so many times as long."""
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one call may take, in seconds from its first byte.

    `bound_s` is for the whole call. `provider_s` is the provider's median. `queued_s` is the most that an answer behind
    others may be expected to take: beyond it the watch would call the model slow for what is only load.
    """

    bound_s: float
    provider_s: float = 0.0
    queued_s: float = math.inf

    def patience_s(self, expected_s: float | None) -> float:
        """How long to wait for an owned answer that is expected to take so long.

        >>> Allowance(0.5, provider_s=0.2).patience_s(0.1)
        0.3
        """
        latest = self.bound_s - self.provider_s
        usual = 0.0 if expected_s is None else _LATE_FACTOR * expected_s
        return max(0.0, min(self.bound_s, max(latest, usual)))


@dataclass(slots=True, eq=False)
class Ticket:
    """One call that an engine works on: it was the `place`-th to be under way. `on_release` ends its wait at once."""

    place: int
    began_at: float
    patience_s: float
    is_background: bool = False
    released: Reason | None = None
    on_release: Callable[[], None] | None = None


@dataclass(slots=True)
class _Times:
    last: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    at: float = 0.0
    usual_s: float = 0.0


class Pace:
    """How long answers take, by how many were under way with them: the 95th percentile of the last 40 of each count.

    `known_s` is what a proof measured, `known_at_once` answers at a time. Where a count was not measured within the
    last ten minutes, it is inferred: at most in proportion to a smaller count, as of an engine that works on one after
    the other, and no more than for a larger one. The proof is believed for twice the largest count that was measured
    here, so that one that is wrong about this machine makes one call late, and not as many as there are slots; before
    anything was measured, each further call is expected to take that time more.
    """

    def __init__(self, known_s: float | None = None, known_at_once: int = 1) -> None:
        self._known = (known_at_once, known_s) if known_s else None
        self._by_count: dict[int, _Times] = {}

    def add(self, count: int, seconds: float, now: float) -> None:
        """Take the time of an answer that was the `count`-th to be under way."""
        times = self._by_count.setdefault(count, _Times())
        times.last.append(seconds)
        times.at = now
        ordered = sorted(times.last)
        times.usual_s = ordered[math.ceil(_SHARE * len(ordered) - 1e-9) - 1]

    def is_measured(self) -> bool:
        """Whether an answer that had the engine to itself was measured."""
        return 1 in self._by_count

    def forget(self) -> None:
        """Begin anew: the engine is another one, or has another machine."""
        self._by_count.clear()

    def expected_s(self, count: int, now: float) -> float | None:
        """How long the `count`-th answer under way will take; None where nothing tells."""
        measured = {n: t.usual_s for n, t in self._by_count.items() if n == 1 or now - t.at <= _FORGET_S}
        least = max((s for n, s in measured.items() if n <= count), default=0.0)
        if count in measured:
            return least
        above = [s for n, s in measured.items() if n > count]
        below = max((n for n in measured if n < count), default=None)
        if self._known is not None:
            at_once, known_s = self._known
            if count <= min(at_once, max(1, 2 * max(measured, default=0))):
                above.append(known_s)
            elif below is None:
                above.append(count * known_s)
        guesses = above if below is None else [*above, measured[below] * count / below]
        return max(least, min(guesses)) if guesses else None


class EngineLoad:
    """What is under way at one engine, of at most `most` calls at once; `clock` gives seconds that only grow."""

    def __init__(self, pace: Pace, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self._most = max(1, most)
        self._clock = clock
        self._under_way: set[Ticket] = set()
        self._late_in_a_row = 0
        self._turned_away_at = -math.inf
        self._opened_at: float | None = None
        self._closed_at = -math.inf
        self._pause_s = FIRST_PAUSE_S
        self._try_at = 0.0
        self._is_trying = False
        self._silent_since: float | None = None

    # letting calls in

    def admit(self, allowed: Allowance) -> Ticket | Reason:
        """Let a call of a client in, or say why the engine is not to be asked.

        Background calls give way: where a call would be let in but for them, they are released as `busy`.
        """
        if self._silent_since is not None:
            return "hung"
        if self._opened_at is not None:
            return "slow"
        clients = sum(not ticket.is_background for ticket in self._under_way)
        if not self._has_room(len(self._under_way), allowed) and not self._has_room(clients, allowed):
            if clients == 0:
                self._open()
                return "slow"
            self._turned_away_at = self._clock()
            return "busy"
        if not self._has_room(len(self._under_way), allowed):
            self._release("busy", only_background=True)
        place = len(self._under_way) + 1
        return self._let_in(place, allowed.patience_s(self.pace.expected_s(place, self._clock())))

    def admit_background(self, patience_s: float) -> Ticket | None:
        """Let a call in that no client waits for; None while it has to wait for those of clients.

        It takes at most half of the places, and none for a second after a client's call was turned away.
        """
        if self._silent_since is not None or self._opened_at is not None:
            return None
        count, now = len(self._under_way), self._clock()
        is_quiet = now - self._turned_away_at > _QUIET_S
        if count and not (is_quiet and count < self._most // 2):
            return None
        return self._let_in(count + 1, patience_s, is_background=True)

    def _has_room(self, count: int, allowed: Allowance) -> bool:
        if count >= self._most:
            return False
        expected = self.pace.expected_s(count + 1, self._clock())
        if count == 0:
            return not self.pace.is_measured() or expected is None or expected <= allowed.bound_s
        return expected is not None and expected <= min(allowed.bound_s, allowed.queued_s)

    def _let_in(self, place: int, patience_s: float, *, is_background: bool = False) -> Ticket:
        ticket = Ticket(place, self._clock(), patience_s, is_background)
        self._under_way.add(ticket)
        return ticket

    # what came of them

    def answered(self, ticket: Ticket) -> None:
        """The engine has answered this call."""
        self._under_way.discard(ticket)
        now = self._clock()
        self.pace.add(ticket.place, now - ticket.began_at, now)
        self._late_in_a_row = 0

    def too_late(self, ticket: Ticket) -> None:
        """This call has waited long enough; of a client's, several in a row open the breaker."""
        self._under_way.discard(ticket)
        now = self._clock()
        if ticket.place > 1:
            self.pace.add(ticket.place, _UNFINISHED * (now - ticket.began_at), now)
        if not ticket.is_background:
            self._late_in_a_row += 1
            if self._late_in_a_row >= TOO_LATE:
                self._open()

    def left(self, ticket: Ticket) -> None:
        """This call is no longer under way, for a reason that says nothing of the engine's pace."""
        self._under_way.discard(ticket)

    def _release(self, reason: Reason, *, only_background: bool = False) -> None:
        for ticket in list(self._under_way):
            if ticket.is_background or not only_background:
                self._under_way.discard(ticket)
                ticket.released = reason
                if ticket.on_release is not None:
                    ticket.on_release()

    # the breaker

    def _open(self) -> None:
        if self._opened_at is not None:
            return
        now = self._clock()
        if now - self._closed_at > _STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self._opened_at, self._try_at, self._late_in_a_row = now, now + self._pause_s, 0
        self._release("slow")

    def is_try_due(self) -> bool:
        """Whether a slow engine is to be asked once more, with nobody waiting; `tried` must follow a True."""
        if self._opened_at is None or self._is_trying or self._silent_since is not None:
            return False
        if self._clock() < self._try_at:
            return False
        self._is_trying = True
        return True

    def tried(self, seconds: float | None, allowed: Allowance) -> None:
        """What the try took, None where it gave no answer; one in time closes the breaker."""
        self._is_trying = False
        now = self._clock()
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        if seconds is not None and seconds <= allowed.bound_s:
            self.pace.forget()
            self.pace.add(1, seconds, now)
            self._opened_at, self._closed_at = None, now
        else:
            self._try_at = now + self._pause_s

    # signs of life

    def fall_silent(self) -> None:
        """The engine gives no sign of life: whoever waits for it is released, and nobody is let in."""
        if self._silent_since is None:
            self._silent_since = self._clock()
            self._release("hung")

    def is_heard(self) -> None:
        """It has given one."""
        self._silent_since = None

    # what is shown

    @property
    def under_way(self) -> int:
        """How many calls it works on."""
        return len(self._under_way)

    @property
    def state(self) -> Literal["ok", "slow", "hung"]:
        """Whether it is asked, and if not, why."""
        if self._silent_since is not None:
            return "hung"
        return "ok" if self._opened_at is None else "slow"

    @property
    def since_s(self) -> float:
        """For how many seconds it has been left alone; 0.0 while it is asked."""
        since = self._silent_since if self._silent_since is not None else self._opened_at
        return 0.0 if since is None else self._clock() - since

    @property
    def expected_s(self) -> float | None:
        """How long the next answer is expected to take; None where nothing tells."""
        return self.pace.expected_s(len(self._under_way) + 1, self._clock())
