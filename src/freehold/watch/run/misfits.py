"""Calls of a moved task whose prompt is not what was proven: whether only a value changed, and the route that takes it.

At midnight the date in a prompt changes, on Monday a new customer's name stands in it. Where nothing else differs, the
next version of the route has a template with a gap there (`text.prompts.relearn`), and the task stays moved: the
verdict, the model and what the model sees are what they were. The last calls that did not fit are remembered, as it
takes several to see that a name varies; of many in a row with one prompt two, as one prompt may hold for a day.

Not covered: prompts that were edited (`sort.edits`), reading the calls (`watch.run.monitor`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from freehold.freeze.prompt_steps import live_preparation
from freehold.model.route import Route
from freehold.route import relearnt
from freehold.text.prompts.fingerprint import whole_lead
from freehold.text.prompts.relearn import relearn
from freehold.text.read_call import ReadCall
from freehold.watch.run.bounds import evidence_at

MOST_REMEMBERED = 60


class Misfits:
    """The last calls that did not fit, of each version of a route; to be used on one thread."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, deque[ReadCall]]] = {}

    def next_route(self, route: Route, unfit: Sequence[ReadCall], now: float) -> Route | None:
        """The route that takes calls that are new here as well; None where their prompt is another one."""
        if not unfit:
            return None
        version, last = self._last.get(route.task_id, (route.version, deque(maxlen=MOST_REMEMBERED)))
        if version != route.version:
            last = deque(maxlen=MOST_REMEMBERED)
        for read in unfit:
            _remember(last, read)
        self._last[route.task_id] = route.version, last
        prepared = live_preparation(route.template)
        found = relearn(
            prepared.template,
            [read.asked for read in last if read.asked is not None],
            learnt_at=evidence_at(route),
            seen_at=last[-1].call.created_at,
        )
        if found is None:
            return None
        reason = f"nothing but a value of the prompt changed: {found.words}"
        return relearnt(route, prepared.written(found.template), created_at=now, reason=reason)


def _remember(last: deque[ReadCall], read: ReadCall) -> None:
    prompt = whole_lead(read.asked) if read.asked is not None else ""
    if prompt and len(last) > 1 and all(_has_prompt(one, prompt) for one in (last[-1], last[-2])):
        last.pop()
    last.append(read)


def _has_prompt(read: ReadCall, prompt: str) -> bool:
    return read.asked is not None and whole_lead(read.asked) == prompt
