"""While calls are delivered the garbage collector runs seldom, and afterwards as before."""

from __future__ import annotations

import gc
from contextlib import suppress

from freehold.system.garbage import collect_seldom


def test_it_runs_seldom_inside_the_block_alone() -> None:
    before = gc.get_threshold()
    with suppress(OSError), collect_seldom():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_threshold()[1:] == before[1:]
        assert gc.get_freeze_count() > 0
        raise OSError("the database is away")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_cycles_that_are_made_inside_are_found() -> None:
    class Node:
        other: Node

    with collect_seldom():
        one, two = Node(), Node()
        one.other, two.other = two, one
        del one, two
        assert gc.collect() >= 2


def test_blocks_that_overlap_leave_all_as_it_was() -> None:
    before = gc.get_threshold()
    one, two = collect_seldom(), collect_seldom()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold()[0] > before[0]
    two.__exit__(None, None, None)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
