"""The composition root: `freehold up`, built from settings.

    up               the parent: binds the port, supervises, delivers the journal, keeps engines, sorts new calls
    worker           a process of its own with a gateway, as many as `gateway.workers` says
    gateway_process  what runs in it
    wiring           its gateway, with everything that it is handed

    console          a process of its own for pages and the admin API; workers ask it (`console_link`)

    supervisor, sockets   the workers' processes and their sockets
    delivery, jobs        the parent's threads; `periodic` runs them
    alarm_sender          notices of what changed by itself
    lazy_workspace        a workspace whose database may be away

A worker forwards, answers and writes to the journal; it needs the database for nothing but tasks, routes and keys, and
goes on with what it knows while that is away. Not covered: what the parts do; each is in its own folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.settings import Settings

__all__ = ["run_up"]


def run_up(settings: Settings) -> None:
    """Run the gateway until it is told to stop; see `app.up`."""
    from freehold.app import up  # a worker starts through this package, and must be quick to tie itself to its parent

    up.run_up(settings)
