"""A moved task, and the scene of `bench/rollback.py`: a real `freehold up` between scripted sides."""

from __future__ import annotations

import sys

from benches import BENCH
from watch.moved import moved

sys.path.insert(0, str(BENCH / "rollback"))

__all__ = ["moved"]
