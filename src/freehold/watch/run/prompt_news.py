"""What there is to say of a task's prompt: a new version of it, how many calls have it, and that nobody proved it.

Not covered: finding versions (`freehold.sort`), the evidence on a route (`watch.run.monitor_status`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from freehold.model.call import Call
from freehold.model.coins import NEW_PROMPT
from freehold.model.route import Route
from freehold.model.task import PromptVersion, Task, versions_of
from freehold.pipeline.workspace import Workspace
from freehold.store import Store
from freehold.watch.run.bounds import evidence_at

RENEWAL_PROOF_SHARE = 0.6
"""The share of the calls with a new prompt that a renewal holds out: near the most that a split allows."""
_CALLS_READ = 1000
_LEAST_CALLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptNews:
    """A version of a task's prompt: since when, how many of the last calls have it, how many were compared in shadow.

    `is_moved` holds where the task's calls go to a model that was proven with another version; `needed` is how many
    calls it takes for a renewal of the verdict to be worth a try.
    """

    number: int
    since: float
    calls: int
    last: int
    compared: int
    changed: tuple[str, ...]
    is_moved: bool
    task: str = ""
    needed: int = 0

    @property
    def words(self) -> str:
        """The news in a sentence."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        changed = f" ({'; '.join(self.changed)})" if self.changed else ""
        if not self.is_moved:
            return f"prompt version {self.number} since {when}{changed}"
        missing = self.needed - self.calls
        then = f"{missing:,} more calls, then: " if missing > 0 else "prove the model with it: "
        return (
            f"new prompt (version {self.number}) since {when}: {self.calls:,} of the last {self.last:,} calls; the"
            f" owned model answers none of them, {self.compared:,} were compared{changed};"
            f" {then}freehold renew {self.task}"
        )

    def plain(self) -> dict[str, object]:
        """The news as JSON-able values."""
        return asdict(self)


def proven_version(task: Task, route: Route) -> PromptVersion:
    """The version of a task's prompt that the route was proven with: the newest when its evidence ended."""
    versions = versions_of(task)
    known = [version for version in versions if version.since <= evidence_at(route)]
    return known[-1] if known else versions[0]


def prompt_news(workspace: Workspace, task: Task, route: Route) -> PromptNews | None:
    """What there is to say; None where the prompt is the one that it always was, or that the route was proven with."""
    versions = versions_of(task)
    if route.kind == "rented":
        return _news(versions[-1], (), 0, is_moved=False) if len(versions) > 1 else None
    found = _of_moved(workspace.store, task, route)
    return None if found is None else replace(found, task=task.name, needed=calls_to_renew(workspace, task))


def calls_to_renew(workspace: Workspace, task: Task) -> int:
    """How many calls with a new prompt it takes, at the least, for a renewal to be worth a try.

    So many held-out calls without a mistake keep the contract: n with (1 - risk)^n <= delta.
    Checkable: 59 at a risk and a delta of 5%, so 99 calls.
    """
    number = workspace.settings.for_task(task.name).number
    risk, delta = number("prove.risk"), number("prove.delta")
    if not (0 < risk < 1 and 0 < delta < 1):
        return _LEAST_CALLS
    held_out = math.ceil(math.log(delta) / math.log1p(-risk))
    return max(_LEAST_CALLS, math.ceil(held_out / RENEWAL_PROOF_SHARE))


def _of_moved(store: Store, task: Task, route: Route) -> PromptNews | None:
    versions = versions_of(task)
    proven = proven_version(task, route)
    if versions[-1].number == proven.number:
        fresh = store.call_stream.newest_of(task.id, route.created_at, _CALLS_READ)
        found = [call for call in fresh if _is_new(call)]
        if not found:
            return None
        first = PromptVersion(
            number=versions[-1].number + 1, key="", template=versions[-1].template, since=found[-1].created_at
        )
        since = [call for call in fresh if call.created_at >= first.since]
        return _news(first, since, _compared(store, task, first.since), is_moved=True)
    newest = versions[-1]
    calls = store.call_stream.newest_of(task.id, newest.since, _CALLS_READ)
    return _news(newest, calls, _compared(store, task, newest.since), is_moved=True)


def _compared(store: Store, task: Task, since: float) -> int:
    shadows = store.call_stream.newest_of(task.id, since, _CALLS_READ, arm="shadow")
    return sum(call.coins.new_prompt is not None and call.status < 400 for call in shadows)


def _is_new(call: Call) -> bool:
    """Whether a call had a prompt that its route was not proven with; those that no route placed yet had one, too."""
    return call.coins.owned == NEW_PROMPT or call.route_version == 0


def _news(version: PromptVersion, calls: Sequence[Call], compared: int, *, is_moved: bool) -> PromptNews:
    return PromptNews(
        number=version.number,
        since=version.since,
        calls=sum(map(_is_new, calls)),
        last=len(calls),
        compared=compared,
        changed=version.changed,
        is_moved=is_moved,
    )
