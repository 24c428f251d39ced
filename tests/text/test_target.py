"""Which answers can be targets, and by what name the others cannot."""

from __future__ import annotations

import json

import pytest

from freehold.model import Answer, Asked, Message, ToolCall
from freehold.model.exchange import Usage
from freehold.text.target import Habits, habits_of, shown_text, whole_text, why_no_target

FORM = json.dumps({"type": "json_schema", "schema": {"type": "object", "required": ["a"]}})
CALL = (ToolCall("1", "find", '{"q": 1}'),)
NONE = Habits()


def asked(**more: object) -> Asked:
    return Asked(dialect="openai-chat", messages=(Message("user", "hm?"),), **more)  # type: ignore[arg-type]


def answer(text: str = "refund", finish: str | None = "stop", **more: object) -> Answer:
    return Answer(text=text, finish_reason=finish, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(), None),
        (answer(finish="end_turn"), None),
        (answer(finish="completed"), None),
        (answer(finish="length"), "cut_off"),
        (answer(finish="MAX_TOKENS"), "cut_off"),
        (answer(finish="model_context_window_exceeded"), "cut_off"),
        (answer(finish="abort"), "cut_off"),
        (answer(finish="insufficient_system_resource"), "error"),
        (answer(error="overloaded"), "error"),
        (answer("", finish="stop", error="overloaded"), "error"),
        (answer(finish="content_filter"), "refusal"),
        (answer(finish="SAFETY"), "refusal"),
        (answer(is_refusal=True), "refusal"),
        (answer("", "tool_calls", tool_calls=CALL), "tool_calls"),
        (answer("Let me look.", "stop", tool_calls=CALL), "tool_calls"),
        (answer("", "tool_use"), "tool_calls"),
        (answer(finish="brand_new_reason"), "unknown_finish"),
        (answer(finish=None), "no_finish"),
        (answer(finish=" "), "no_finish"),
        (answer(" \n"), "empty_answer"),
        (answer("", thought="I think that it is a refund."), "empty_answer"),
    ],
)
def test_reasons(given: Answer, reason: str | None) -> None:
    assert why_no_target(asked(), given, NONE) == reason


def test_an_answer_keeps_to_the_schema_that_its_request_names() -> None:
    form = asked(response_format=FORM)
    assert why_no_target(form, answer('{"a": 1}'), NONE) is None
    assert why_no_target(form, answer('Here:\n```json\n{"a": 1}\n```'), NONE) is None
    for text in ('{"b": 1}', "[1]", "I do not know."):
        assert why_no_target(form, answer(text), NONE) == "off_schema"
    assert why_no_target(asked(response_format='{"type": "json_object"}'), answer("no"), NONE) is None


def test_a_server_that_sends_no_finish_reason_has_that_habit() -> None:
    habits = habits_of([(asked(), answer(finish=None)), (asked(), answer("delivery", None))])
    assert habits == Habits(no_finish=True)
    assert why_no_target(asked(), answer(finish=None), habits) is None
    assert why_no_target(asked(is_stream=True), answer(finish=None), habits) == "no_finish"
    assert habits_of([(asked(), answer(finish=None)), (asked(), answer())]) == NONE
    assert habits_of([]) == NONE


def short(text: str, most: int = 1, used: int | None = 1) -> tuple[Asked, Answer]:
    return asked(max_tokens=most), answer(text, "length", usage=Usage(output_tokens=used))


def test_labels_that_are_as_long_as_was_asked_for_are_whole() -> None:
    calls = [short(str(i % 2)) for i in range(60)]
    habits = habits_of(calls)
    assert habits == Habits(short=True)
    assert {why_no_target(*one, habits) for one in calls} == {None}
    assert why_no_target(*short("1", most=1, used=None), habits) is None
    assert why_no_target(*short("refund of", most=400, used=400), habits) == "cut_off"
    assert why_no_target(*short("1", most=4, used=2), habits) == "cut_off"
    assert why_no_target(*short(" "), habits) == "cut_off"


def test_sentences_that_were_cut_after_few_tokens_are_no_labels() -> None:
    calls = [short(f"Dear {i} and", most=8, used=8) for i in range(60)]
    assert habits_of(calls) == NONE
    assert why_no_target(*calls[0], NONE) == "cut_off"


def test_habits_are_read_as_they_were_written() -> None:
    for habits in (NONE, Habits(no_finish=True), Habits(short=True), Habits(no_finish=True, short=True)):
        assert Habits.of_names(habits.names()) == habits
    for odd in (None, 3, "short", {"short": 1}, [1]):
        assert Habits.of_names(odd) == NONE


@pytest.mark.parametrize(
    ("prefill", "text", "whole"),
    [
        ("", "refund", "refund"),
        ("{", '"a": 1}', '{"a": 1}'),
        ("{", '{"a": 1}', '{"a": 1}'),
        ("[", "[1], [2]]", "[[1], [2]]"),
        ("The answer is", " no.", "The answer is no."),
        ("The answer is", "The answer is no.", "The answer is no."),
        ("{", "", ""),
    ],
)
def test_an_answer_is_whole_with_the_beginning_that_the_request_gave(prefill: str, text: str, whole: str) -> None:
    assert whole_text(asked(prefill=prefill), answer(text)) == whole
    form = asked(prefill=prefill, response_format='{"schema": {"type": ["object", "array", "string"]}}')
    if whole.startswith("{"):
        assert why_no_target(form, answer(text), NONE) is None


def test_tool_calls_are_shown_as_people_read_them() -> None:
    assert shown_text(asked(), answer("", tool_calls=CALL)) == 'find({"q": 1})'
    assert shown_text(asked(), answer("Wait.", tool_calls=CALL)) == 'Wait. find({"q": 1})'
