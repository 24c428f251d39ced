"""The load of an engine, with a clock of its own: who is let in, how long it waits, when an engine is left alone."""

from __future__ import annotations

import math

import pytest

from freehold.gateway.engine_load import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    TOO_LATE,
    Allowance,
    EngineLoad,
    Pace,
    Ticket,
)
from freehold.gateway.provider.provider_times import WINDOW, ProviderTimes, provider_seconds
from freehold.record import Decision, Exchange, RequestSide, ResponseSide

ALLOWED = Allowance(0.5, provider_s=0.2)


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_load(clock: Clock, *, most: int = 8, known_s: float | None = None) -> EngineLoad:
    return EngineLoad(Pace(known_s, known_at_once=most), most=most, clock=clock)


def let_in(load: EngineLoad, allowed: Allowance = ALLOWED) -> Ticket:
    admitted = load.admit(allowed)
    assert isinstance(admitted, Ticket), admitted
    return admitted


def answer(load: EngineLoad, clock: Clock, seconds: float, allowed: Allowance = ALLOWED) -> None:
    ticket = let_in(load, allowed)
    clock.now += seconds
    load.answered(ticket)


@pytest.mark.parametrize(
    ("bound_s", "provider_s", "expected_s", "wanted"),
    [(0.5, 0.2, None, 0.3), (0.5, 0.2, 0.1, 0.3), (0.5, 0.2, 0.3, 0.45), (0.5, 0.2, 0.4, 0.5), (3.3, 2.4, 0.4, 0.9)],
)
def test_a_call_waits_until_the_providers_median_would_just_be_in_time_or_as_long_as_is_usual(
    bound_s: float, provider_s: float, expected_s: float | None, wanted: float
) -> None:
    assert Allowance(bound_s, provider_s=provider_s).patience_s(expected_s) == pytest.approx(wanted)


def test_as_long_as_nothing_is_measured_one_call_at_a_time_is_let_in(clock: Clock) -> None:
    load = a_load(clock)
    first = let_in(load)
    assert first.patience_s == pytest.approx(0.3)
    assert load.admit(ALLOWED) == "busy"
    clock.now += 0.1
    load.answered(first)
    assert [let_in(load).place for _ in range(5)] == [1, 2, 3, 4, 5]
    assert load.admit(ALLOWED) == "busy"  # the sixth would have to wait 0.6 s


def test_what_a_proof_measured_is_believed_for_twice_of_what_was_measured_here(clock: Clock) -> None:
    load = a_load(clock, most=4, known_s=0.45)
    first = let_in(load)
    assert load.admit(ALLOWED) == "busy"
    clock.now += 0.4
    load.answered(first)
    pair = [let_in(load), let_in(load)]
    assert load.admit(ALLOWED) == "busy"
    clock.now += 0.42
    for ticket in pair:
        load.answered(ticket)
    assert [let_in(load).place for _ in range(4)] == [1, 2, 3, 4]
    assert load.admit(ALLOWED) == "busy"  # no more than there are slots


def test_before_anything_was_measured_a_patient_task_lets_in_what_would_be_in_time_one_after_the_other(
    clock: Clock,
) -> None:
    load = a_load(clock, most=8, known_s=0.45)
    assert [let_in(load, Allowance(2.0)).place for _ in range(4)] == [1, 2, 3, 4]
    assert load.admit(Allowance(2.0)) == "busy"  # the fifth could take 2.25 s


def test_a_proof_that_is_wrong_about_this_machine_makes_one_call_late(clock: Clock) -> None:
    load = a_load(clock, known_s=0.4)
    answer(load, clock, 0.4)
    first, second = let_in(load), let_in(load)
    clock.now += 0.4
    load.answered(first)
    clock.now += 0.1
    load.too_late(second)
    let_in(load)
    assert load.admit(ALLOWED) == "busy"


def test_an_engine_that_works_on_one_at_a_time_gets_one_where_two_would_be_late(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.4, Allowance(1.0))
    ticket = let_in(load)
    assert ticket.patience_s == pytest.approx(0.5)
    assert load.admit(ALLOWED) == "busy"
    assert load.admit(Allowance(0.9)) != "busy"


def test_a_count_is_expected_to_take_between_a_smaller_and_a_larger_one(clock: Clock) -> None:
    pace = Pace(0.9, known_at_once=8)
    assert [pace.expected_s(n, 0.0) for n in (1, 2, 9)] == pytest.approx([0.9, 1.8, 8.1])
    pace.add(1, 0.5, 0.0)
    assert [pace.expected_s(n, 0.0) for n in (1, 2, 3)] == pytest.approx([0.5, 0.9, 1.5])
    pace = Pace()
    pace.add(1, 0.2, 0.0)
    assert [pace.expected_s(n, 0.0) for n in (1, 2, 3, 10)] == pytest.approx([0.2, 0.4, 0.6, 2.0])
    pace.add(4, 0.3, 0.0)
    assert [pace.expected_s(n, 0.0) for n in (2, 3, 4, 8)] == pytest.approx([0.3, 0.3, 0.3, 0.6])
    pace.add(1, 0.5, 0.0)  # the machine has become slower than it was for four
    assert pace.expected_s(4, 0.0) == 0.5


def test_a_bad_time_with_several_under_way_is_forgotten(clock: Clock) -> None:
    pace = Pace()
    pace.add(1, 0.1, 0.0)
    pace.add(2, 9.0, 0.0)
    assert pace.expected_s(2, 600.0) == 9.0
    assert pace.expected_s(2, 600.1) == pytest.approx(0.2)
    assert pace.expected_s(1, 1e9) == 0.1


def test_the_95th_percentile_of_the_last_forty_counts() -> None:
    pace = Pace()
    for number in range(1, 81):
        pace.add(1, float(number), 0.0)
    assert pace.expected_s(1, 0.0) == 78.0


def test_several_that_are_too_late_in_a_row_open_the_breaker_and_release_the_others(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.1)
    released: list[str] = []
    waiting = let_in(load)
    waiting.on_release = lambda: released.append("now")
    for ticket in [let_in(load) for _ in range(TOO_LATE)]:
        assert load.state == "ok"
        load.too_late(ticket)
    assert (load.state, load.admit(ALLOWED), load.under_way) == ("slow", "slow", 0)
    assert (released, waiting.released) == (["now"], "slow")


def test_an_answer_in_between_keeps_it_closed(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.1)
    for _ in range(3 * TOO_LATE):
        ticket = let_in(load)
        clock.now += 0.5
        load.too_late(ticket)
        answer(load, clock, 0.1)
    assert load.state == "ok"


def test_an_engine_that_is_too_slow_alone_is_left_alone_and_a_try_in_time_closes_the_breaker(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.8, Allowance(1.0))
    assert not load.is_try_due()
    assert load.admit(ALLOWED) == "slow"
    assert not load.is_try_due()
    clock.now += FIRST_PAUSE_S
    assert load.is_try_due()
    assert not load.is_try_due()  # one at a time
    load.tried(0.8, ALLOWED)
    clock.now += FIRST_PAUSE_S
    assert not load.is_try_due()  # the pause has doubled
    clock.now += FIRST_PAUSE_S
    assert load.is_try_due()
    load.tried(0.2, ALLOWED)
    assert (load.state, load.expected_s) == ("ok", 0.2)
    let_in(load)


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_steady_time(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.8, Allowance(1.0))
    pauses = []
    assert load.admit(ALLOWED) == "slow"
    for _ in range(8):
        began_at = clock.now
        while not load.is_try_due():
            clock.now += 0.5
        pauses.append(clock.now - began_at)
        load.tried(None, ALLOWED)
    assert pauses == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, LONGEST_PAUSE_S])
    clock.now += LONGEST_PAUSE_S
    assert load.is_try_due()
    load.tried(0.1, ALLOWED)
    clock.now += 61.0
    assert load.admit(Allowance(0.05)) == "slow"
    clock.now += FIRST_PAUSE_S
    assert load.is_try_due()


def test_a_silent_engine_gets_nothing_until_it_is_heard(clock: Clock) -> None:
    load = a_load(clock)
    answer(load, clock, 0.1)
    tickets = [let_in(load) for _ in range(3)]
    load.fall_silent()
    assert {ticket.released for ticket in tickets} == {"hung"}
    assert (load.state, load.admit(ALLOWED), load.admit_background(1.0)) == ("hung", "hung", None)
    clock.now += 7.0
    load.fall_silent()
    assert load.since_s == 7.0
    load.is_heard()
    assert (load.state, load.since_s, load.under_way) == ("ok", 0.0, 0)
    let_in(load)


def test_background_calls_give_way_and_leave_half_of_the_places(clock: Clock) -> None:
    load = a_load(clock, most=4)
    answer(load, clock, 0.4)
    behind = load.admit_background(10.0)
    assert behind is not None
    ticket = let_in(load)  # two at once would be late: the one in the background gives way
    assert (behind.released, ticket.place, load.under_way) == ("busy", 1, 1)
    assert load.admit(ALLOWED) == "busy"
    load.answered(ticket)
    assert load.admit_background(10.0) is not None
    assert load.admit_background(10.0) is None  # a client was turned away a moment ago
    clock.now += 1.1
    assert load.admit_background(10.0) is not None
    assert load.admit_background(10.0) is None  # two of four places


def test_a_background_call_that_is_late_says_nothing_of_what_clients_wait_for(clock: Clock) -> None:
    load = a_load(clock)
    for _ in range(2 * TOO_LATE):
        behind = load.admit_background(10.0)
        assert behind is not None
        load.too_late(behind)
    assert load.state == "ok"


def test_behind_others_no_answer_is_wanted_that_the_watch_would_call_slow(clock: Clock) -> None:
    load = a_load(clock)
    allowed = Allowance(3.3, provider_s=2.4, queued_s=1.3)
    answer(load, clock, 0.4, allowed)
    assert [let_in(load, allowed).place for _ in range(3)] == [1, 2, 3]
    assert load.admit(allowed) == "busy"  # 1.6 s are within the bound, and three times as slow as usual


def test_who_hangs_up_leaves_its_place(clock: Clock) -> None:
    load = a_load(clock)
    for _ in range(20):
        load.left(let_in(load))
    assert (load.under_way, load.expected_s) == (0, None)


def test_quantiles_are_those_of_the_last_answers() -> None:
    times = ProviderTimes(float(ms) for ms in range(1, 1001))
    assert (times.quantile_s(0.5), times.quantile_s(0.99)) == (0.900, 0.998)
    for _ in range(WINDOW):
        times.add(0.1)
    assert (times.quantile_s(0.5), times.quantile_s(0.99)) == (0.1, 0.1)
    assert ProviderTimes().quantile_s(0.99) == 0.0
    assert ProviderTimes([250.0]).quantile_s(0.99) == 0.25


@pytest.mark.parametrize(
    ("arm", "status", "error", "wanted"),
    [
        ("rented", 200, None, 0.9),
        ("audit", 200, None, 0.9),
        ("owned", 200, None, None),
        ("rented", 503, None, None),
        ("rented", 200, "cut_off", None),
    ],
)
def test_only_whole_answers_of_a_provider_tell_its_time(
    arm: str, status: int, error: str | None, wanted: float | None
) -> None:
    request = RequestSide(
        id="c", created_at=1.0, dialect="openai-chat", method="POST", path="/v1/chat/completions", body=b""
    )
    side = ResponseSide(status=status, error=error, latency_ms=1000.0, gateway_ms=100.0)
    kept = Exchange(request, Decision(arm=arm), side)  # type: ignore[arg-type]
    seconds = provider_seconds(kept)
    assert (seconds is None) == (wanted is None)
    assert math.isclose(seconds or 0.0, wanted or 0.0)
