"""A moved task, for tests of its engine."""

from watch.moved import moved

__all__ = ["moved"]
