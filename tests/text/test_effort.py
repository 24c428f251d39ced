"""Work on what others sent has a limit of CPU time."""

from __future__ import annotations

import pytest

from freehold.text.effort import TooLongError, check_effort, effort


def _work_without_end() -> None:
    while True:
        check_effort()


def test_work_beyond_its_limit_is_told_so() -> None:
    with effort(0.0), pytest.raises(TooLongError, match="more CPU time"):
        _work_without_end()


def test_without_a_limit_work_goes_on() -> None:
    check_effort()
    with effort(60.0):
        check_effort()


def test_an_inner_limit_does_not_lengthen_the_outer_one() -> None:
    with effort(0.0), effort(60.0), pytest.raises(TooLongError):
        _work_without_end()
    check_effort()
