"""What the parent tells each of its children on stdin. Not covered: the telling (`app.child`)."""

from __future__ import annotations

import msgspec

from freehold.settings import Settings


class Told(msgspec.Struct):
    """The settings, and the name of this run of `freehold up`."""

    settings: Settings
    run: str
