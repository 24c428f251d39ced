"""Monitor: what moved routes answer becomes evidence, and evidence changes routes.

Each round reads a task's settled calls after a cursor, folds them into its watch, writes watch and cursor in one row by
compare-and-set, and then does what the watch says: the decision is a property of what was written, so that a process
that dies in between, or a second one on the same database, finds the same decision and no call counts twice.

Not covered: what the evidence is worth (`freehold.watch`), how a call is read (`watch.run.observations`), when rounds
are made (`freehold.app`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

import msgspec

from freehold import route as routing
from freehold.errors import BusyError
from freehold.freeze.prompt_steps import live_preparation
from freehold.model.call import Call
from freehold.model.live import Live
from freehold.model.route import Route
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.route.run.move import put_route
from freehold.settings import Settings
from freehold.store import CallStream, Place, WatchRow
from freehold.text.read_call import ReadCall
from freehold.text.slices import SliceShape
from freehold.watch import (
    Decision,
    Finished,
    RollBack,
    Watch,
    Withhold,
    Word,
    fold,
    fold_feedback,
    live_of,
    outcomes,
    standing,
)
from freehold.watch.alarms import Event, log_event
from freehold.watch.run.bounds import edited, slow_ms
from freehold.watch.run.misfits import Misfits
from freehold.watch.run.monitor_state import (
    MonitorState,
    begun,
    last_told,
    read_kept,
    restarts_of,
    said_by_probes,
    step_of,
)
from freehold.watch.run.observations import (
    JoinedCall,
    ObservationContext,
    awaits,
    is_stray,
    observation,
    stray,
)
from freehold.watch.run.prompt_replacement import ReplacedPrompt, successors
from freehold.watch.run.watermark import Until, Watermark

CALLS_PER_ROUND = 2000
_CALLS_AT_ONCE = 100
_SKEW_S = 300.0
"""A route may be put by a machine whose clock is ahead of that of the gateway."""
_JUMP_S = 60.0
_SORTED_S = 30.0
"""Calls that look like no task's when they come are sorted by then."""
_NO_VERSION = 0
_LOG = logging.getLogger("freehold.watch")


class _Moved(NamedTuple):
    """A route with its task's name, the tasks that edits of the proven prompt have made, and others that are new."""

    name: str
    route: Route
    edited: tuple[str, ...]
    others: tuple[Task, ...]


class Monitor:
    """Watches the moved routes of a workspace; to be used on one thread.

    `clock` gives Unix seconds. `tell` gets an event for each route that it changes; by default the log does.
    """

    def __init__(
        self, workspace: Workspace, clock: Callable[[], float] = time.time, tell: Callable[[Event], None] | None = None
    ) -> None:
        self._workspace = workspace
        self._tell = tell or log_event
        self._clock = clock
        self._reach = Watermark(workspace)
        self._stamp: tuple[int, int, float] | None = None
        self._routes: list[_Moved] = []
        self._silence = ReplacedPrompt(workspace.store)
        self._misfits = Misfits()

    def look(self) -> None:
        """One round over all moved routes; what fails for one task keeps none of the others from being watched."""
        failures: list[Exception] = []
        moved = self._moved()
        now = self._clock()
        reached = self._reach.of([one.route.task_id for one in moved], now)
        rest = self._reach.rest(now) if moved else now
        for one in moved:
            try:
                self._look_at(one, Until(reached[one.route.task_id], rest))
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _moved(self) -> list[_Moved]:
        book = self._workspace.store.registry
        stamp = book.stamp()
        if stamp != self._stamp:
            tasks = book.tasks()
            names = {task.id: task.name for task in tasks}
            routes = [route for route in book.routes().values() if route.kind != "rented"]
            self._routes = [
                _Moved(names.get(r.task_id, r.task_id), r, edits := edited(r, tasks), successors(r, tasks, edits))
                for r in routes
            ]
            self._stamp = stamp
        return self._routes

    def leave(self) -> None:
        """Let no other gateway on the database wait for the calls of this one, which ends."""
        self._reach.leave()

    def _look_at(self, moved: _Moved, until: Until) -> None:
        store, now, route = self._workspace.store, self._clock(), moved.route
        settings = self._workspace.settings.for_task(moved.name)
        row = store.watches.get(route.task_id)
        kept = self._kept(row, route, settings, now)
        follower = _Follower(store.call_stream, route, settings, now)
        seen = follower.strayed(follower.followed(kept, until.placed), moved.edited, until.others)
        seen = follower.rated(seen)
        also = (*said_by_probes(row.document, route), *self._silence.said(route, moved.others, now))
        if self._write(row, seen, route, now, also) and not self._act(moved.name, route, seen.watch):
            self._relearn(moved.name, route, follower.unfit)

    def _kept(self, row: WatchRow, route: Route, settings: Settings, now: float) -> MonitorState:
        """The watch of this version; a fresh one for a new version, a clock that went far back, or damage."""
        restarts = 0
        if row.document.get("route_version") == route.version:
            kept = read_kept(row.document)
            if kept is not None and kept.cursor[0] <= now + _JUMP_S:
                return kept
            restarts = restarts_of(row.document) + 1
            why = "cannot be read" if kept is None else "is ahead of the clock, which went back"
            _LOG.warning("%s: what was watched so far %s; its evidence begins anew.", route.task_id, why)
        begin = (route.created_at - _SKEW_S if not restarts else now, "")
        strays = (max(begin[0], route.created_at), "")
        watch = begun(self._workspace.store, route, settings)
        return MonitorState(watch=watch, cursor=begin, rated=begin, strays=strays, restarts=restarts)

    def _write(self, row: WatchRow, kept: MonitorState, route: Route, now: float, also: tuple[str, ...]) -> bool:
        """Keep what was seen; False when another process has, which will act on it or be acted for."""
        found = live_of(kept.watch, now=now, also=also)
        live = _plain(found)
        probes = {"probes": row.document["probes"]} if "probes" in row.document else {}
        told = last_told(row.document, route)
        step = step_of(kept.watch, route, told, found)
        document = {"live": live, "told": _plain(found if step else told), **kept.to_json(), **probes}
        if document == row.document:
            return True
        is_news = live != row.document.get("live")
        changed_at = max(now, row.changed_at + 0.001) if is_news else row.changed_at
        return self._workspace.store.watches.put(replace(row, changed_at=changed_at, document=document), step)

    def _relearn(self, name: str, route: Route, unfit: Sequence[ReadCall]) -> None:
        """Widen the template for calls in whose prompt a value changed; the sorter looks at the others once more."""
        new = self._misfits.next_route(route, unfit, self._clock())
        self._put(name, new)
        if new is None:
            self._workspace.store.calls.assign({one.call.id: None for one in unfit if one.call.coins.owned == "unfit"})

    def _act(self, name: str, route: Route, watch: Watch) -> bool:
        """Do what the evidence says; returns whether that changes the route."""
        stands = standing(watch)
        if stands is None or route.kind == "shadow":
            return False
        new = _next_route(route, stands, self._clock())
        self._put(name, new)
        return new is not None

    def _put(self, name: str, new: Route | None) -> None:
        """Put a route in place; whoever else has changed it meanwhile was first, and that is fine."""
        try:
            if new is not None:
                put_route(self._workspace, new)
                self._tell(_event(name, new))
        except BusyError:
            _LOG.info("%s: its route was changed by somebody else first.", name)


def _event(name: str, new: Route) -> Event:
    """A route that was changed by evidence, for alarms."""
    return Event(
        kind="route_taken_back" if new.kind == "rented" else "route_changed",
        text=f"{name}: {routing.words(new)}: {new.reason}",
        at=new.created_at,
        task=name,
        details={"route": new.kind, "version": float(new.version), "decided_by": new.decided_by},
    )


class _Follower:
    """Reads one task's calls into its watch, as of one moment."""

    def __init__(self, following: CallStream, route: Route, settings: Settings, now: float) -> None:
        self._following = following
        self._route = route
        self._wait_s = settings.number("watch.audit_wait_s")
        self._rating_s = settings.number("watch.feedback_wait_s")
        self._now = now
        self._eye = ObservationContext(
            route=route,
            preparation=live_preparation(route.template),
            slow_ms=slow_ms(route, settings),
            shape=_shape(route),
        )

    @property
    def unfit(self) -> Sequence[ReadCall]:
        """The calls that were met and did not fit the route's template."""
        return self._eye.unfit

    def followed(self, kept: MonitorState, until: float) -> MonitorState:
        """The watch with the calls that are settled by now, in request order, until one is not, or it has alarmed."""
        page = self._page(kept.cursor, until)
        for start in range(0, len(page), _CALLS_AT_ONCE):
            some = page[start : start + _CALLS_AT_ONCE]
            due = [call.id for call in some if call.coins.is_audit_due or call.coins.is_shadow_due]
            beside = self._following.beside(due)
            ready = self._ready(some, beside)
            kept = self._folded(kept, ready, beside)
            if len(ready) < len(some) or isinstance(standing(kept.watch), RollBack | Withhold):
                break
        return replace(kept, unreadable=kept.unreadable + len(self._eye.unreadable))

    def strayed(self, kept: MonitorState, edited: Sequence[str], until: float) -> MonitorState:
        """The watch with the calls that no version placed and that do not fit: their prompt is not what was proven.

        They are calls of the task, or of a task that an edit of its prompt has made.
        """
        until, after = min(self._now - _SORTED_S, until), kept.strays
        page = self._following.page_of([self._route.task_id, *edited], _NO_VERSION, after, until, CALLS_PER_ROUND)
        watch = kept.watch
        for start in range(0, len(page), _CALLS_AT_ONCE):
            whole = self._following.whole([call.id for call in page[start : start + _CALLS_AT_ONCE]])
            for call in whole.values():
                if is_stray(call, self._eye):
                    watch, _ = fold(watch, stray(call))
        return replace(kept, watch=watch, strays=_end(page, kept.strays))

    def rated(self, kept: MonitorState) -> MonitorState:
        """The watch with the ratings of local answers whose time is over."""
        if kept.watch.plan.bad is None:
            return kept
        page = self._page(kept.rated, self._now - self._rating_s)
        local = [call for call in page if call.arm == "owned"]
        words = [
            Word(call_id=word.call_id, is_good=word.is_good, arrived_at=word.created_at)
            for word in self._following.feedback([call.id for call in local], "boolean")
        ]
        watch = kept.watch
        asked = [(call.id, call.created_at) for call in local]
        for outcome in outcomes(asked, words, horizon_s=self._rating_s, now=self._now):
            watch, _ = fold_feedback(watch, outcome)
        return replace(kept, watch=watch, rated=_end(page, kept.rated))

    def _page(self, after: Place, until: float) -> list[Call]:
        return self._following.page(self._route.task_id, self._route.version, after, until, CALLS_PER_ROUND)

    def _ready(self, calls: Sequence[Call], beside: Mapping[str, Mapping[str, Call]]) -> list[Call]:
        """The calls up to the first one that is not settled: what comes later waits for it, whatever it will show."""

        def is_settled(call: Call) -> bool:
            return self._now - call.created_at > self._wait_s or not awaits(call, beside.get(call.id, {}))

        return list(takewhile(is_settled, calls))

    def _folded(
        self, kept: MonitorState, ready: Sequence[Call], beside: Mapping[str, Mapping[str, Call]]
    ) -> MonitorState:
        ids = [call.id for call in ready]
        whole = self._following.whole(ids)
        corrections = {word.call_id: word.value for word in self._following.feedback(ids, "correction")}
        watch = kept.watch
        for call in ready:
            answers = beside.get(call.id, {})
            seen = JoinedCall(
                call=call,
                whole=whole.get(call.id),
                audit=answers.get("audit"),
                shadow=answers.get("shadow"),
                correction=corrections.get(call.id),
            )
            watch, _ = fold(watch, observation(seen, self._eye))
        return replace(kept, watch=watch, cursor=_end(ready, kept.cursor))


def _plain(live: Live) -> object:
    """Figures as a document gives them back."""
    return msgspec.json.decode(msgspec.json.encode(live))


def _shape(route: Route) -> SliceShape | None:
    """How the route's calls are cut; None where it does not say."""
    try:
        return SliceShape.of_head(route.head)
    except (KeyError, TypeError, ValueError):
        return None


def _end(calls: Sequence[Call], otherwise: Place) -> Place:
    return (calls[-1].created_at, calls[-1].id) if calls else otherwise


def _next_route(route: Route, stands: Decision, now: float) -> Route | None:
    if isinstance(stands, Withhold):
        return routing.withholding(route, stands.slices, created_at=now, reason=stands.reason)
    if isinstance(stands, RollBack):
        return routing.rolled_back(route, created_at=now, reason=stands.reason)
    if isinstance(stands, Finished) and route.kind == "canary":
        reason = f"ramped: after {stands.pairs:,} pairs at most {max(0.0, -stands.low):.2%} more failures per call"
        return routing.ramped(route, created_at=now, reason=reason)
    return None
