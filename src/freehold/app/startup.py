"""What the parent tells each of its children on stdin. Not covered: the telling (`system.child_process`)."""

from __future__ import annotations

import msgspec

from freehold.settings import Settings


class Startup(msgspec.Struct):
    """The settings, the name of this run of `freehold up`, and the path of the console's socket."""

    settings: Settings
    run: str
    console: str
