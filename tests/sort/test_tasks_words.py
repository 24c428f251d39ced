"""Names and next steps: the words that users see."""

from __future__ import annotations

import pytest

from freehold.model import Asked, Message
from freehold.model.task import Task
from freehold.sort import Sample, next_step
from freehold.sort.names import MAX_CHARS, says_nothing, slug, suggest, unique

TASK = Task(id="t", name="triage", key="k", kind="json")


def asked(system: str, **more: str) -> Asked:
    return Asked(dialect="openai-chat", model="m-1", messages=(Message("system", system), Message("user", "x")), **more)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (asked("You are a helpful triage assistant for a shop. Answer in JSON."), "triage-shop-answer"),
        (asked("x", response_format='{"json_schema":{"name":"Support Triage"}}'), "support-triage"),
        (asked("Extract names.", response_format='{"json_schema":{"name":"response"}}'), "extract-names"),
        (asked("x", tools='[{"function":{"name":"find_order"},"type":"function"}]'), "find-order"),
        (asked("You are a helpful assistant."), "chat-m-1"),
        (asked("Übersetze höflich ins Französische."), "ubersetze-hoflich-ins"),
        (asked("日本語で答えて"), "task"),
    ],
)  # fmt: skip
def test_names(call: Asked, name: str) -> None:
    assert suggest(call) == name


def test_slugs_are_short_and_never_empty() -> None:
    assert slug("  !!! ") == "task"
    assert len(slug("word " * 99)) <= MAX_CHARS
    assert unique("triage", "abcdef", {"triage"}) == "triage-abcd"


def test_prompts_that_say_nothing() -> None:
    assert says_nothing("")
    assert says_nothing("You are a helpful assistant.")
    assert not says_nothing("Triage customer mail into refund and delivery.")


def test_next_steps_lead_down_the_road() -> None:
    steps = [
        next_step(TASK, calls=12),
        next_step(TASK, calls=50),
        next_step(TASK, calls=50, has_dataset=True),
        next_step(TASK, calls=50, has_dataset=True, has_model=True),
        next_step(TASK, calls=50, has_dataset=True, has_model=True, verdict="move"),
        next_step(TASK, calls=50, has_dataset=True, has_model=True, verdict="need", need=212),
    ]
    assert steps == [
        "38 more calls before a dataset",
        "freehold freeze triage",
        "freehold train triage",
        "freehold prove triage",
        "freehold move triage",
        "212 more calls, then: freehold freeze triage",
    ]
    held = next_step(TASK, calls=50, has_dataset=True, has_model=True, verdict="hold")
    moved = next_step(TASK, calls=50, has_dataset=True, has_model=True, verdict="move", route="cascade")
    assert held.startswith("stays rented")
    assert "freehold back triage" in moved


def test_what_cannot_be_trained_says_so() -> None:
    embeddings = Task(id="e", name="embeddings", key="e", is_trainable=False)
    tools = Task(id="f", name="find", key="f", kind="tools")
    assert next_step(embeddings, calls=999).startswith("nothing")
    assert next_step(tools, calls=999).startswith("nothing yet")


def test_a_task_that_cannot_be_learnt_from_is_not_promised_a_dataset() -> None:
    images = Sample(calls=3, usable=0, reason="not_plain")
    assert next_step(TASK, calls=3, sample=images) == (
        "nothing yet: of its last 3 calls none can be learnt from, as they hold images, tool results or other parts"
        " that are no text"
    )
    few = Sample(calls=24, usable=2, reason="odd_reason")
    assert "of its last 24 calls 2 can be learnt from, as most of them are odd_reason" in next_step(
        TASK, calls=900, sample=few
    )
    assert next_step(TASK, calls=2, sample=Sample(calls=2, usable=0, reason="not_plain")) == (
        "48 more calls before a dataset"
    )


def test_calls_that_cannot_be_learnt_from_are_not_counted_on() -> None:
    half = Sample(calls=20, usable=10, reason="tool_calls")
    assert next_step(TASK, calls=60, sample=half) == "about 40 more calls before a dataset"
    assert next_step(TASK, calls=100, sample=half) == "freehold freeze triage"
    assert next_step(TASK, calls=100, has_dataset=True, sample=half) == "freehold train triage"


def test_where_tools_are_called_now_and_then_the_other_answers_count() -> None:
    tools = Task(id="t", name="triage", key="k", kind="tools")
    assert next_step(tools, calls=90).startswith("nothing yet: its answers are tool calls")
    assert next_step(tools, calls=90, sample=Sample(calls=20, usable=1, reason="tool_calls")).startswith("nothing yet")
    assert next_step(tools, calls=150, sample=Sample(calls=20, usable=8, reason="tool_calls")) == (
        "freehold freeze triage"
    )
