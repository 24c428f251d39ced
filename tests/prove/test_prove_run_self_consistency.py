"""How often the provider agrees with itself: which calls are asked again, and what is measured on them."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import PRICE_USD, Answer, Rented, another, compared_workspace, quiet, rented, said, text_calls
from msgspec import structs

from freehold.errors import BusyError, DataError
from freehold.model.call import Call
from freehold.net.provider_client import Asking
from freehold.prove.run.budgeted_batch import Budget
from freehold.prove.run.prove import kept_noise
from freehold.prove.run.self_consistency import NoiseFound, ask_again, plan_noise

COST_USD = 10 * PRICE_USD / 1e6
"""What one answer of ten tokens costs."""


def asking() -> Asking:
    return Asking({}, lambda seconds: None)


def repeating(differing: int) -> Any:
    """A provider that gives each recorded answer again, but for every so many-th call."""
    by_input = {json.loads(call.request_body)["messages"][-1]["content"]: call for call in text_calls(200)}

    def answer(body: dict[str, Any], _number: int) -> Answer:
        call: Call = by_input[body["messages"][-1]["content"]]
        text = json.loads(call.response_body)["choices"][0]["message"]["content"]
        return said(text + " Truly." if differing and int(call.id[4:12], 16) % differing == 0 else text)

    return answer


def noise_of(
    folder: Path, provider: Rented, count: int = 60, budget: float | None = None, **changes: Any
) -> NoiseFound:
    workspace, task = compared_workspace(folder, provider=provider.settings(), **changes)
    plan = plan_noise(workspace, task.name, count)
    found = ask_again(workspace, plan, Budget(budget), asking(), quiet)
    assert kept_noise(workspace, task, workspace.model(task))["n"] == found.noise.n
    workspace.store.close()
    return found


def test_the_provider_beside_itself_and_the_owned_model_on_dev_calls(tmp_path: Path) -> None:
    with rented(repeating(0)) as provider:
        found = noise_of(tmp_path, provider, count=100)
        assert [json.loads(body)["model"] for body in provider.seen] == ["m"] * 100
    assert found.noise.itself.share == 1.0
    assert found.noise.margin == 0.037
    assert found.noise.owned is not None
    assert (found.noise.owned.n, found.noise.owned.share) == (32, 0.0)  # a proof has to see its own calls first
    assert found.document["agreement"] == 1.0
    json.dumps(found.document, allow_nan=False)


def test_what_was_recorded_is_sent_byte_for_byte(tmp_path: Path) -> None:
    bodies = {call.request_body for call in text_calls(160)}
    with rented(repeating(0)) as provider:
        noise_of(tmp_path, provider)
        assert set(provider.seen) <= bodies
        assert len(set(provider.seen)) == 60


def test_asking_for_more_asks_for_the_rest_alone(tmp_path: Path) -> None:
    with rented(repeating(5)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        few, many = plan_noise(workspace, task.name, 30), plan_noise(workspace, task.name, 70)
        assert [e.id for e in many.examples[:30]] == [e.id for e in few.examples]
        assert few.expected_usd == pytest.approx(0.03)  # what these calls cost when they were recorded
        ask_again(workspace, few, Budget(None), asking(), quiet)
        rest = plan_noise(workspace, task.name, 70)
        assert (len(rest.examples), len(rest.requests)) == (70, 40)
        found = ask_again(workspace, rest, Budget(None), asking(), quiet)
        assert (found.noise.n, len(provider.seen)) == (70, 70)
        workspace.store.close()


def test_a_budget_ends_it_and_what_was_answered_is_measured(tmp_path: Path) -> None:
    with rented(repeating(0)) as provider:
        found = noise_of(tmp_path, provider, budget=0.03501)
    assert found.asked.is_spent
    assert found.noise.n == len(provider.seen) == 35
    assert found.asked.spent_usd is not None
    assert found.asked.spent_usd <= 0.03501


def test_calls_that_cannot_be_asked_again_are_left_out_by_reason(tmp_path: Path) -> None:
    calls = [structs.replace(call, provider="gone") if i % 2 else call for i, call in enumerate(text_calls(160))]
    with rented(repeating(0)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings(), calls=calls)
        plan = plan_noise(workspace, task.name, 500)
        workspace.store.close()
    assert len(plan.examples) + sum(plan.left_out.values()) == 112
    assert list(plan.left_out) == ["of a provider 'gone' that is not configured"]


def test_no_call_that_can_be_asked_again_is_said(tmp_path: Path) -> None:
    calls = [structs.replace(call, provider="gone") for call in text_calls(160)]
    workspace, task = compared_workspace(tmp_path, calls=calls, owned=another)
    with pytest.raises(DataError, match="112 of a provider 'gone' that is not configured"):
        plan_noise(workspace, task.name, 20)
    workspace.store.close()


def test_no_answer_at_all_is_an_error_and_no_figure(tmp_path: Path) -> None:
    with rented(repeating(0)) as provider, pytest.raises(DataError, match="budget is smaller than the cost of one"):
        noise_of(tmp_path, provider, budget=0.0)


def test_pages_of_a_proxy_and_answers_of_another_model_are_no_noise(tmp_path: Path) -> None:
    again = repeating(0)

    def troubled(body: dict[str, Any], number: int) -> Answer:
        if number % 6 == 5:
            return 200, {}, b"<html>gateway timeout</html>"
        return said("something else", model="m-2") if number % 6 == 4 else again(body, number)

    with rented(troubled) as provider:
        found = noise_of(tmp_path, provider)
    assert (found.noise.n, found.noise.itself.share) == (40, 1.0)
    assert (found.document["refused"], found.document["of_other_model"]) == (10, 10)


def test_a_provider_that_serves_another_model_now_is_told(tmp_path: Path) -> None:
    other = said("something else", model="m-2")
    with rented(lambda body, number: other) as provider, pytest.raises(DataError, match="than the first: 'm-2'"):
        noise_of(tmp_path, provider)


def test_two_at_once_pay_once(tmp_path: Path) -> None:
    again, begun, go_on = repeating(0), threading.Event(), threading.Event()

    def slow(body: dict[str, Any], number: int) -> Answer:
        begun.set()
        go_on.wait(20)
        return again(body, number)

    with rented(slow) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        plan = plan_noise(workspace, task.name, 40)
        first = threading.Thread(target=ask_again, args=(workspace, plan, Budget(None), asking(), quiet))
        first.start()
        begun.wait(20)
        with pytest.raises(BusyError, match="again is already running"):
            ask_again(workspace, plan, Budget(None), asking(), quiet)
        go_on.set()
        first.join()
        found = ask_again(workspace, plan, Budget(None), asking(), quiet)  # its plan is older than the answers
        assert (found.asked.asked, len(provider.seen)) == (0, 40)
        workspace.store.close()


def test_what_another_model_agreed_in_is_not_shown_as_this_ones(tmp_path: Path) -> None:
    with rented(repeating(0)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        ask_again(workspace, plan_noise(workspace, task.name, 40), Budget(None), asking(), quiet)
        card = workspace.model(task)
        assert kept_noise(workspace, task, card)["owned_agreement"] == 0.0
        other = kept_noise(workspace, task, replace(card, id="model-2"))
        assert other["agreement"] == 1.0
        assert other["owned_agreement"] is None
        workspace.store.close()


def test_a_task_without_a_model_compares_the_provider_with_itself(tmp_path: Path) -> None:
    with rented(repeating(4)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        with workspace.store.registry._database.writing() as connection:
            connection.exec_driver_sql("delete from models")
        found = ask_again(workspace, plan_noise(workspace, task.name, 40), Budget(None), asking(), quiet)
        workspace.store.close()
    assert found.noise.owned is None
    assert found.rows[0][0] == "provider, asked again"
