"""An assignment: a request that belongs to a task, with the task's route and what chance decided about it.

Not covered: how a request finds its task (`route.run.directory`), how coins are thrown (`gateway.sampling`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from freehold.model.coins import NO_COINS, Coins
from freehold.model.exchange import Message
from freehold.model.route import Route


@dataclass(frozen=True, slots=True)
class NewPrompt:
    """A version of a task's prompt that its route was not proven with.

    `messages` is what the owned model would be given, None where the version is a guess.
    """

    number: int
    messages: tuple[Message, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A request that belongs to a task.

    `messages` is the owned model's input, None where the request does not fit. `share` is the share of calls that the
    cascade may answer now, which only a canary looks at. `new_prompt` says that the prompt was edited: the `route` then
    compares in shadow, whatever it does for others, and without `messages` the version is a guess: the sorter has the
    last word.

    `coins` and `is_local`, whether the owned model may answer, are what chance decided, with `propensity` as the
    probability with which `is_local` came out as it did.

    A call may take `slack_s` more than the provider's 99th percentile; `provider_ms` are times of the provider for this
    task that were known before, the oldest first. From `slow_s` on the watch calls an owned answer slow.
    """

    task_id: str
    task_key: str
    route: Route
    task_name: str = ""
    messages: tuple[Message, ...] | None = None
    share: float = 1.0
    new_prompt: NewPrompt | None = None
    coins: Coins = NO_COINS
    is_local: bool = True
    propensity: float = 1.0
    slack_s: float = 0.3
    slow_s: float = math.inf
    provider_ms: tuple[float, ...] = ()
