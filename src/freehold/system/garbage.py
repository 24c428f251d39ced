"""The garbage collector of Python, and work that makes many objects and no cycles.

By default it looks at the youngest objects whenever there are 700 more, and now and then at all that the process has.
Delivery makes some dozens of objects for each call, which are gone with their batch, and spends a tenth of its time so.

Not covered: memory of native libraries (`train.memory`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_OBJECTS = 20_000
_changing = threading.Lock()
_blocks: list[tuple[tuple[int, int, int], bool]] = []
"""For each block that is open, what held before the first one, and whether that one froze what there was."""


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Look for cycles seldom inside the block, and only among objects that are made in it; for the whole process."""
    with _changing:
        before, is_ours = _blocks[0] if _blocks else (gc.get_threshold(), gc.get_freeze_count() == 0)
        if not _blocks:
            if is_ours:
                gc.freeze()
            gc.set_threshold(max(_YOUNG_OBJECTS, before[0]), *before[1:])
        _blocks.append((before, is_ours))
    try:
        yield
    finally:
        with _changing:
            _blocks.pop()
            if not _blocks:
                gc.set_threshold(*before)
                if is_ours:
                    gc.unfreeze()
