"""The pace of the delivery, with clocks that a test moves."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from freehold.record.pace import CALM, Pace


@dataclass
class Machine:
    """A clock, and the CPU time of one thread; other work takes `others` of each second that the thread wants."""

    now: float = 100.0
    cpu: float = 7.0
    others: float = 0.0

    def work(self, cpu_s: float) -> None:
        self.cpu += cpu_s
        self.now += cpu_s / (1 - self.others)

    def pace(self, share: float = 0.35, cores: int = 2) -> Pace:
        return Pace(share, cores, clock=lambda: self.now, cpu_clock=lambda: self.cpu)


def shares(machine: Machine, pace: Pace, *, cpu_s: float, is_behind: bool, rounds: int = 200) -> float:
    """CPU seconds for each second on the clock over many batches."""
    began, used = machine.now, machine.cpu
    for _ in range(rounds):
        machine.work(cpu_s)
        machine.now += pace.rest_s(is_behind=is_behind)
    return (machine.cpu - used) / (machine.now - began)


@pytest.mark.parametrize("cpu_s", [0.003, 0.03, 0.15])
def test_behind_it_takes_its_share_and_no_more(cpu_s: float) -> None:
    machine = Machine()
    assert shares(machine, machine.pace(), cpu_s=cpu_s, is_behind=True) == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize("cpu_s", [0.003, 0.03])
def test_where_it_keeps_up_it_takes_a_part_of_it(cpu_s: float) -> None:
    machine = Machine()
    taken = shares(machine, machine.pace(), cpu_s=cpu_s, is_behind=False)
    assert taken == pytest.approx(CALM * 0.7, rel=0.05)


def test_on_many_cores_it_is_one_thread_all_the_same() -> None:
    """Else it would never rest, and its batches would stay small and dear."""
    machine = Machine()
    taken = shares(machine, machine.pace(cores=64), cpu_s=0.01, is_behind=False)
    assert taken == pytest.approx(CALM, rel=0.05)


def test_on_a_busy_machine_it_does_not_rest_at_all() -> None:
    """What other work takes from it is not its own use: held to time on the clock it would get less and less."""
    machine = Machine(others=0.6)
    pace = machine.pace()
    machine.work(0.1)
    assert pace.rest_s(is_behind=True) == 0.0
    assert shares(machine, pace, cpu_s=0.1, is_behind=True) == pytest.approx(0.4)


def test_a_rest_is_short_and_what_is_owed_is_rested_off_later() -> None:
    machine = Machine()
    pace = machine.pace(share=0.1, cores=1)
    machine.work(0.06)
    first = pace.rest_s(is_behind=True)
    assert first == 0.25, "new evidence waits no longer than this"
    machine.now += first
    assert 0.0 < pace.rest_s(is_behind=True) < 0.3


def test_what_was_not_used_for_hours_is_not_taken_at_once() -> None:
    machine = Machine()
    pace = machine.pace(share=0.5, cores=1)
    machine.now += 36_000.0
    pace.rest_s(is_behind=False)
    machine.work(0.5)
    assert pace.rest_s(is_behind=True) > 0.0
