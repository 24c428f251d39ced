"""The garbage collector of Python, and work that makes many objects and no cycles.

By default it looks at the youngest objects whenever there are 700 more, and now and then at all that the process has.
Where each call that is read makes some dozens of objects, which are gone with their batch, that is a tenth of the work.

Not covered: memory of native libraries (`train.memory`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_OBJECTS = 20_000


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Look for cycles seldom inside the block, and only among objects that are made in it; for the whole process."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(_YOUNG_OBJECTS, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
