"""Names and next steps: the words that users see."""

from __future__ import annotations

import pytest

from freehold.core import Asked, Message
from freehold.core.task import Task
from freehold.tasks import next_step
from freehold.tasks.names import MAX_CHARS, says_nothing, slug, suggest, unique

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
