"""The journal of a state folder: one process at a time delivers it, and a command sees all that was in it.

`freehold up` delivers all the while. A command that reads calls delivers what waits itself when nobody else does, and
otherwise waits for a moment until what was there when it began has been delivered.

Not covered: the journal itself (`freehold.record`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import structs

from freehold.errors import BusyError
from freehold.pipeline.locks import locked
from freehold.pipeline.workspace import Workspace
from freehold.record import (
    Backlog,
    Conversations,
    Delivery,
    Exchange,
    ends,
    is_delivered,
    read_backlog,
    read_exchange,
)
from freehold.settings import Settings
from freehold.sort.run.known_tasks import KnownTasks
from freehold.system.garbage import collect_seldom
from freehold.text.read_call import ReadCall

_LEAST_DECODED_BYTES = 64 * 2**20
_PATIENCE_S = 2.0
_LOOK_S = 0.01


def journal_folder(settings: Settings) -> Path:
    """Where a state folder's journal lies."""
    return settings.state.absolute() / "journal"


@contextmanager
def delivering(settings: Settings, sink: Callable[[Sequence[ReadCall]], None]) -> Iterator[Delivery[ReadCall]]:
    """The delivery of a state folder's journal; BusyError when another process delivers it."""
    prices = {provider.name: provider.prices for provider in settings.providers}
    limit_bytes = max(_LEAST_DECODED_BYTES, int(settings.number("gateway.max_body_mb") * 2**20))

    conversations = Conversations()

    def read(exchange: Exchange) -> ReadCall:
        known = prices.get(exchange.decision.provider, {})
        made = read_exchange(exchange, prices=known, limit_bytes=limit_bytes)
        call = conversations.placed(made.call)
        return made if call is made.call else structs.replace(made, call=call)

    with locked(settings.state.absolute() / "locks" / "delivery.lock", "A delivery of this journal"):
        delivery = Delivery(journal_folder(settings), sink, read)
        try:
            with collect_seldom():
                yield delivery
        finally:
            delivery.close()


def catch_up(workspace: Workspace, *, patience_s: float = _PATIENCE_S) -> Backlog:
    """See to it that the calls answered so far are in the record, and return what still waits if they cannot be."""
    folder = journal_folder(workspace.settings)
    until = ends(folder)
    if is_delivered(until):
        return Backlog()
    deadline = time.monotonic() + patience_s
    while not is_delivered(until):
        try:
            with delivering(workspace.settings, KnownTasks(lambda: workspace.store).record) as delivery:
                delivery.drain(patience_s)
            break
        except BusyError:
            if time.monotonic() > deadline:
                break
            time.sleep(_LOOK_S)
    return Backlog() if is_delivered(until) else read_backlog(folder)
