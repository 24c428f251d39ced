"""Asking a provider again: on a budget, once for each call, whatever the provider does."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import PRICE_USD, Answer, rented, said

from freehold.errors import SettingError, UpstreamError
from freehold.net.provider_client import Asking, Reply, Request, choose_judge
from freehold.prove.run.budgeted_batch import Budget, Replies, ask_all, total_usd
from freehold.settings import ProviderSettings

COST_USD = 10 * PRICE_USD / 1e6
"""What one answer of ten tokens costs."""


class Pauses:
    """Writes pauses down in place of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def asking(pauses: Pauses | None = None, **environment: str) -> Asking:
    return Asking(environment, pauses or Pauses())


def requests(provider: ProviderSettings, count: int, expected_usd: float | None = COST_USD) -> list[Request]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = Request(
        key="0",
        provider=provider,
        dialect="openai-chat",
        target="/v1/chat/completions",
        body=body,
        expected_usd=expected_usd,
    )
    return [replace(request, key=str(number)) for number in range(count)]


def answered(_body: dict[str, Any], number: int) -> Answer:
    return said(f"answer {number}")


# Budgets


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_is_never_overspent(tmp_path: Path, concurrency: int) -> None:
    with rented(answered) as provider:
        purse = Budget(10.5 * COST_USD)
        asked = ask_all(
            requests(provider.settings(), 40),
            Replies(tmp_path / "r"),
            purse,
            replace(asking(), concurrency=concurrency),
        )
        assert (asked.asked, asked.left, asked.is_spent) == (10, 30, True)
        assert asked.spent_usd == pytest.approx(10 * COST_USD)
        assert len(provider.seen) == 10


def test_what_is_dearer_than_expected_is_found_out_with_the_first(tmp_path: Path) -> None:
    """Each answer costs ten times what was expected: the budget still holds, with eight workers waiting."""
    with rented(lambda body, number: said("x", tokens=100)) as provider:
        asked = ask_all(requests(provider.settings(), 40), Replies(tmp_path / "r"), Budget(25 * COST_USD), asking())
        assert asked.spent_usd is not None
        assert asked.spent_usd <= 25 * COST_USD
        assert (asked.asked, len(provider.seen)) == (2, 2)


@pytest.mark.parametrize("budget", [float("nan"), float("inf"), -0.01])
def test_a_budget_that_is_no_number_is_none(budget: float) -> None:
    with pytest.raises(ValueError, match="is none"):
        Budget(budget)


def test_replies_under_way_that_are_dearer_than_all_before_are_all_that_goes_over(tmp_path: Path) -> None:
    """From the 9th request on each costs 20 times as much: at most those under way then are paid too much for."""
    with rented(lambda body, number: said("x", tokens=10 if number < 8 else 200)) as provider:
        waiting, hands = requests(provider.settings(), 60), replace(asking(), concurrency=4)
        asked = ask_all(waiting, Replies(tmp_path / "r"), Budget(30 * COST_USD), hands)
    assert asked.spent_usd is not None
    assert asked.spent_usd <= (30 + 4 * 20) * COST_USD
    assert asked.is_spent


def test_a_budget_of_nothing_asks_nothing(tmp_path: Path) -> None:
    with rented(answered) as provider:
        asked = ask_all(requests(provider.settings(), 3), Replies(tmp_path / "r"), Budget(0.0), asking())
        assert (asked.asked, asked.left, asked.is_spent, provider.seen) == (0, 3, True, [])


def test_a_cost_that_nobody_knows_is_unknown_and_not_zero(tmp_path: Path) -> None:
    with rented(answered) as provider:
        waiting = requests(provider.settings(prices={}), 3, expected_usd=None)
        assert total_usd(waiting) is None
        asked = ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking())
        assert (asked.asked, asked.spent_usd) == (3, None)


def test_a_purse_counts_what_is_on_its_way() -> None:
    purse = Budget(1.0)
    promises = [purse.promise(0.4) for _ in range(3)]
    assert promises == [0.4, 0.4, None]
    purse.settle(0.4, 0.1)
    assert purse.promise(0.4) == 0.4
    purse.settle(0.4, None)  # unknown: what was set aside stands
    assert purse.spent_usd == pytest.approx(0.5)


# Going on


def test_what_was_interrupted_asks_only_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with rented(answered) as provider:
        waiting = requests(provider.settings(), 12)
        first = ask_all(waiting, Replies(path), Budget(5.5 * COST_USD), asking())
        second = ask_all(waiting, Replies(path), Budget(None), asking())
        third = ask_all(waiting, Replies(path), Budget(None), asking())
        assert (first.asked, second.asked, third.asked) == (5, 7, 0)
        assert len(provider.seen) == 12
        assert not third.is_spent


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_file_that_a_kill_cut_short_is_read_up_to_there(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r"
    for key in "abc":
        Replies(path).put(Reply(key=key, text=f"said by {key}"))
    path.write_bytes(path.read_bytes()[:-cut])
    replies = Replies(path)
    assert ["a" in replies, "b" in replies, "c" in replies] == [True, True, False]
    replies.put(Reply(key="c", text="again"))
    again = Replies(path).get("c")
    assert again is not None
    assert again.text == "again"
    path.write_bytes(b'\xff\xfe\n{"key": 7}\n[]\nnull\n{"key": "d", "text": "fine"}')
    assert [key in Replies(path) for key in "abcd"] == [False, False, False, True]


# What a provider may do


def test_a_rate_limit_is_waited_out_as_long_as_it_says(tmp_path: Path) -> None:
    pauses = Pauses()

    def limited(_body: dict[str, Any], number: int) -> Answer:
        if number < 2:
            return 429, {"retry-after": "17"}, b'{"error": {"message": "slow down"}}'
        return said("at last")

    with rented(limited) as provider:
        asked = ask_all(requests(provider.settings(), 1), Replies(tmp_path / "r"), Budget(None), asking(pauses))
    assert (asked.asked, pauses.seconds) == (1, [17.0, 17.0])


def test_failures_are_waited_out_longer_each_time_and_then_told(tmp_path: Path) -> None:
    pauses = Pauses()
    with rented(lambda body, number: (500, {}, b"<html>oops</html>")) as provider:
        with pytest.raises(UpstreamError, match=r"did not answer: 500: .*oops.*What was answered is kept"):
            ask_all(requests(provider.settings(), 20), Replies(tmp_path / "r"), Budget(None), asking(pauses))
        assert len(provider.seen) == 5
    assert pauses.seconds == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("after", ["86400", "inf", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_nobody_waits_for_a_day(tmp_path: Path, after: str) -> None:
    pauses = Pauses()
    answer = (429, {"retry-after": after}, b"later")
    with rented(lambda body, number: answer) as provider, pytest.raises(UpstreamError, match="429"):
        ask_all(requests(provider.settings(), 1), Replies(tmp_path / "r"), Budget(None), asking(pauses))
    assert pauses.seconds == []


@pytest.mark.parametrize("after", ["soon", "nan", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_says_nothing_does_no_harm(tmp_path: Path, after: str) -> None:
    pauses = Pauses()
    answers = [(429, {"retry-after": after}, b"later"), said("fine")]
    with rented(lambda body, number: answers[number]) as provider:
        ask_all(requests(provider.settings(), 1), Replies(tmp_path / "r"), Budget(None), asking(pauses))
    assert len(pauses.seconds) == 1
    assert 0 <= pauses.seconds[0] <= 1


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404])
def test_what_will_never_be_answered_is_asked_once(tmp_path: Path, status: int) -> None:
    answer = (status, {}, b'{"error": {"message": "no such \x1b[31mmodel"}}')
    with rented(lambda body, number: answer) as provider:
        with pytest.raises(UpstreamError, match=f"{status}"):
            ask_all(requests(provider.settings(), 9), Replies(tmp_path / "r"), Budget(None), asking())
        assert len(provider.seen) == 1
    assert not (tmp_path / "r").exists()


def test_a_dead_provider_is_named(tmp_path: Path) -> None:
    with rented(answered) as provider:
        gone = provider.settings()
    with pytest.raises(UpstreamError, match=r"'rented' at 'http://127.0.0.1.*refused"):
        ask_all(requests(gone, 3), Replies(tmp_path / "r"), Budget(None), asking())


def test_a_key_that_is_missing_is_asked_for_before_anything(tmp_path: Path) -> None:
    with rented(answered) as provider:
        waiting = requests(provider.settings(key_env="RENTED_KEY"), 3)
        with pytest.raises(SettingError, match="RENTED_KEY is not set"):
            ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking())
        assert provider.seen == []
        ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking(RENTED_KEY="secret-1"))
        assert {headers["authorization"] for headers in provider.headers} == {"Bearer secret-1"}


def test_one_refusal_among_answers_is_kept_and_none_is_asked_twice(tmp_path: Path) -> None:
    def picky(_body: dict[str, Any], number: int) -> Answer:
        return (400, {}, b'{"error": "not this one"}') if number in (0, 4) else said("fine")

    with rented(picky) as provider:
        waiting = requests(provider.settings(), 8)
        asked = ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking())
        assert (asked.asked, asked.left) == (8, 0)
        assert ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking()).asked == 0
        kept = [Replies(tmp_path / "r").get(str(number)) for number in range(8)]
    assert sum(reply is not None and "not this one" in reply.problem for reply in kept) == 2


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_provider_that_refuses_everything_is_not_asked_for_long_and_nothing_is_kept(
    tmp_path: Path, count: int
) -> None:
    with rented(lambda body, number: (400, {}, b'{"error": {"message": "unknown parameter"}}')) as provider:
        waiting = requests(provider.settings(), count)
        with pytest.raises(UpstreamError, match="refuses every request: 400: 'unknown parameter'"):
            ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking())
        assert len(provider.seen) <= 16
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b'{"choices": "none"}'),
        (200, {"content-type": "text/event-stream"}, b'data: {"choices": [{"delta": {"content": "ha'),
    ],
)
def test_an_answer_that_is_none_is_no_answer(tmp_path: Path, answer: Answer) -> None:
    """A page of some proxy, or a stream that broke off, is not what the model says the second time."""
    with rented(lambda body, number: answer if number == 1 else said("fine")) as provider:
        ask_all(requests(provider.settings(), 2), Replies(tmp_path / "r"), Budget(None), asking())
    reply = Replies(tmp_path / "r").get("1")
    assert reply is not None
    assert reply.text == ""
    assert reply.problem.startswith("no whole answer")


def test_a_provider_of_whom_nothing_can_be_read_is_not_asked_for_long(tmp_path: Path) -> None:
    with rented(lambda body, number: (200, {}, b"<html>gateway timeout</html>")) as provider:
        with pytest.raises(UpstreamError, match="refuses every request: no whole answer: '<html>gateway timeout"):
            ask_all(requests(provider.settings(), 100), Replies(tmp_path / "r"), Budget(None), asking())
        assert len(provider.seen) <= 16


def test_an_answer_that_was_cut_off_is_kept_as_empty(tmp_path: Path) -> None:
    with rented(lambda body, number: said("cut of", finish_reason="length")) as provider:
        ask_all(requests(provider.settings(), 1), Replies(tmp_path / "r"), Budget(None), asking())
    reply = Replies(tmp_path / "r").get("0")
    assert reply is not None
    assert (reply.text, reply.problem) == ("", "")


def test_a_failure_halfway_keeps_what_came(tmp_path: Path) -> None:
    def dying(_body: dict[str, Any], number: int) -> Answer:
        return said(f"{number}") if number < 6 else (503, {}, b"gone")

    with rented(dying) as provider:
        waiting = requests(provider.settings(), 20)
        with pytest.raises(UpstreamError, match="503"):
            ask_all(waiting, Replies(tmp_path / "r"), Budget(None), replace(asking(), concurrency=2))
        provider.answer = answered
        asked = ask_all(waiting, Replies(tmp_path / "r"), Budget(None), asking())
    assert asked.asked == 14


def test_progress_is_told_for_each_reply_in_order(tmp_path: Path) -> None:
    told: list[int] = []
    lock = threading.Lock()

    def tell(done: int) -> None:
        with lock:
            told.append(done)

    with rented(answered) as provider:
        ask_all(requests(provider.settings(), 12), Replies(tmp_path / "r"), Budget(None), asking(), tell)
    assert told == list(range(1, 13))


def test_a_judge_is_found_by_provider_or_by_model() -> None:
    listed = ProviderSettings(name="a", base_url="http://127.0.0.1:1/v1", models=("gpt-*",))
    anything = ProviderSettings(name="b", base_url="http://127.0.0.1:2/v1")
    assert choose_judge((anything, listed), "gpt-5") == (listed, "gpt-5")
    assert choose_judge((listed, anything), "other") == (anything, "other")
    assert choose_judge((listed, anything), "b:gpt-5") == (anything, "gpt-5")
    assert choose_judge((anything,), "ft:gpt-5:me") == (anything, "ft:gpt-5:me")
    with pytest.raises(SettingError, match=r"No configured provider has the model 'other'.*providers: a"):
        choose_judge((listed,), "other")
