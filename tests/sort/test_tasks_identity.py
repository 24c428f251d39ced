"""One feature is one task, however its requests are spelled; tasks of earlier versions stay what they were."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

from freehold.dialects import read_request
from freehold.model import Answer, Asked
from freehold.model.task import Task, task_id
from freehold.sort import Reading, TaskIndex, sort_calls
from freehold.text.prompts.fingerprint_v1 import format_digest, key_v1, tools_digest
from freehold.text.prompts.part import Part
from freehold.text.prompts.template import Template

PLACES = ("harbour", "station", "museum", "market", "bridge", "garden", "library", "stadium")
KINDS = ("opening", "ticket", "lost", "noise")


def request(dialect: str, **body: object) -> Asked:
    return read_request(dialect, json.dumps({"model": "m", **body}).encode())  # type: ignore[arg-type]


def chat(number: int, prompt: str, **more: object) -> Asked:
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": question(number)}]
    return request("openai-chat", messages=messages, **more)


def question(number: int) -> str:
    words = random.Random(number)
    return (
        f"A visitor asks about the {words.choice(PLACES)} near the {words.choice(PLACES)}, case {number * 7919 % 1013}."
    )


def reading(number: int, asked: Asked, answer: str = "") -> Reading:
    text = answer or KINDS[number % len(KINDS)]
    return Reading(call_id=f"c{number:05d}", created_at=float(number), asked=asked, answer=Answer(text=text))


def tasks_of(readings: list[Reading], known: list[Task] | None = None) -> set[str]:
    return set(sort_calls(readings, known or []).assigned.values())


DESK = "You help the city's information desk. Use a tool where one fits, else name the topic."


def test_tools_in_any_order_are_one_task() -> None:
    tools = [
        {"type": "function", "function": {"name": f"look_up_{place}", "description": place, "parameters": {}}}
        for place in PLACES
    ]
    order = random.Random(4)
    calls = [reading(i, chat(i, DESK, tools=order.sample(tools, len(tools)))) for i in range(60)]
    earlier = chat(60, DESK, functions=[tool["function"] for tool in tools])
    assert len(tasks_of([*calls, reading(60, earlier)])) == 1


def test_an_enum_that_each_request_fills_anew_is_one_task() -> None:
    def ask(number: int) -> Asked:
        ids = [f"page-{number * 37 + step}" for step in range(4)]
        schema = {"type": "object", "properties": {"page": {"enum": ids}}, "required": ["page"]}
        return chat(
            number, DESK, response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}}
        )

    assert len(tasks_of([reading(i, ask(i), '{"page": "page-1"}') for i in range(60)])) == 1


def test_one_schema_by_three_apis_is_one_task_and_its_template_fits_them_all() -> None:
    schema = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}

    def ask(number: int) -> Asked:
        text = question(number)
        match number % 3:
            case 0:
                form: object = {"type": "json_schema", "json_schema": {"name": "t", "strict": True, "schema": schema}}
                return chat(number, DESK, response_format=form)
            case 1:
                form = {"type": "json_schema", "name": "t", "schema": schema}
                return request("openai-responses", instructions=DESK, input=text, text={"format": form})
        form = {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}}
        return request(
            "anthropic-messages", system=DESK, messages=[{"role": "user", "content": text}], output_config=form
        )

    calls = [reading(i, ask(i), '{"topic": "opening"}') for i in range(60)]
    done = sort_calls(calls)
    (task,) = done.new_tasks
    assert all(task.template.fits(call.asked) for call in calls)
    index = TaskIndex([task])
    assert {index.find(ask(i)) for i in range(100, 109)} == {task}


def test_another_field_is_another_task_while_both_are_asked() -> None:
    def ask(number: int) -> Asked:
        field = "topic" if number % 2 else "urgency"
        schema = {"type": "object", "properties": {field: {"type": "string"}}}
        return chat(
            number, DESK, response_format={"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
        )

    assert len(tasks_of([reading(i, ask(i), "{}") for i in range(120)])) == 2


def test_a_tools_result_alone_belongs_to_its_prompt() -> None:
    def ask(number: int) -> Asked:
        if number % 2 == 0:
            return request("openai-responses", instructions=DESK, input=question(number))
        result = {"type": "function_call_output", "call_id": f"c{number}", "output": "open until six"}
        return request("openai-responses", instructions=DESK, previous_response_id=f"r{number}", input=[result])

    calls = [reading(i, ask(i), "It is open until six.") for i in range(40)]
    for size in (1, 40):
        known: dict[str, Task] = {}
        where: dict[str, str] = {}
        seen = {call.call_id: call for call in calls}
        for start in range(0, 40, size):
            again = [seen[call] for call, task in where.items() if known[task].is_loose]
            done = sort_calls([*calls[start : start + size], *again], list(known.values()))
            known |= {task.id: task for task in (*done.new_tasks, *done.changed_tasks)}
            where |= done.assigned
            for old in done.retired:
                known.pop(old)
        assert len(set(where.values())) == 1
        (task,) = known.values()
        assert "chat" not in task.name
        assert TaskIndex([task]).find(ask(41)) is task
        assert task.template.parts[0] == Part.fixed("system", DESK)


def test_a_spanish_prompt_is_one_task_over_days_and_months() -> None:
    months = ("mayo", "junio", "julio")
    calls = [
        reading(i, chat(i, f"Hoy es {i % 28 + 1} de {months[i // 20]} de 2026. Clasifica el mensaje en una palabra."))
        for i in range(60)
    ]
    for size in (1, 7, 60):
        known: dict[str, Task] = {}
        for start in range(0, 60, size):
            done = sort_calls(calls[start : start + size], list(known.values()))
            known |= {task.id: task for task in (*done.new_tasks, *done.changed_tasks)}
        assert len(known) == 1


def earlier_task(asked: Asked, prompt: str) -> Task:
    """A task as the version before wrote it."""
    key = key_v1(asked, prompt)
    template = Template(
        parts=(Part.fixed("system", prompt),),
        tools=tools_digest(asked.tools),
        response_format=format_digest(asked.response_format),
        version=1,
    )
    return Task(id=task_id(key), key=key, name="desk", template=Template.from_json(template.to_json()), kind="label")


def test_a_task_of_an_earlier_version_goes_on() -> None:
    form: Mapping[str, object] = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "object"}}}
    first = chat(1, DESK, response_format=form)
    old = earlier_task(first, DESK)
    assert TaskIndex([old]).find(chat(2, DESK, response_format=form)) is old
    done = sort_calls([reading(i, chat(i, DESK, response_format=form)) for i in range(30)], [old])
    assert set(done.assigned.values()) == {old.id}
    assert done.new_tasks == ()
    (now,) = done.changed_tasks
    assert now.template == old.template
    assert len(now.aliases) == 1


def test_a_task_of_an_earlier_version_is_known_in_another_month_once_it_has_had_calls() -> None:
    prompt = "Hoy es 28 de {} de 2026. Clasifica el mensaje en una palabra."
    old = earlier_task(chat(1, prompt.format("mayo")), prompt.format("mayo"))
    (now,) = sort_calls([reading(1, chat(1, prompt.format("mayo")))], [old]).changed_tasks
    found = TaskIndex([now]).find(chat(2, prompt.format("junio")))
    assert found is now
