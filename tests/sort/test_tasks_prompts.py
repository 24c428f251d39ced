"""An edited prompt is the same task in a new version; another feature with a like prompt is another task."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from sort.driven import Driver

from freehold.model import Answer, Asked, Message
from freehold.model.task import Task, version_of, versions_of
from freehold.sort import Reading, TaskIndex

PROMPT = "You sort letters to the town hall by the office that has to answer them. Answer with the office alone."
EDITED = PROMPT.replace("Answer with the office alone", "Answer with the office alone, in lower case")
OFFICES = ("roads", "taxes", "parks", "other")
WORDS = "street tree lamp tax letter fence dog bench school pool noise snow bin bridge".split()  # noqa: SIM905
Answers = Callable[[int], str]


def words(number: int, count: int = 8) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=count))


def office(number: int) -> str:
    return OFFICES[number % 4]


def sentence(number: int) -> str:
    return f"Thank you, the {words(number * 7, 12)} will be looked at."


def calls(prompt: str, begin: int, end: int, answer: Answers = office, **more: str) -> list[Reading]:
    return [one(prompt, number, answer, **more) for number in range(begin, end)]


def one(
    prompt: str, number: int, answer: Answers = office, *, form: str | None = None, name: str | None = None
) -> Reading:
    messages = (Message("system", prompt), Message("user", words(number)))
    return Reading(
        call_id=f"c{number:05d}",
        created_at=float(number),
        asked=Asked(dialect="openai-chat", model="m", messages=messages, response_format=form),
        answer=Answer(text=answer(number)),
        explicit_name=name,
    )


def only(driver: Driver) -> Task:
    (task,) = driver.known.values()
    return task


@pytest.mark.parametrize("answer", [office, sentence])
@pytest.mark.parametrize("size", [1, 20, 160])
def test_an_edited_prompt_is_the_next_version_of_the_same_task(answer: Answers, size: int) -> None:
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80, answer), 80)
    first = only(driver)
    driver.sort(calls(EDITED, 100, 260, answer), size)
    task = only(driver)
    assert (task.id, task.key, task.name) == (first.id, first.key, first.name)
    old, new = versions_of(task)
    assert (old.number, new.number, new.since) == (1, 2, 100.0)
    assert old.template == first.template
    assert task.template == new.template
    assert new.changed == ("- alone.", "+ alone, in lower case.")
    assert not new.is_young
    assert version_of(task, one(PROMPT, 1).asked) == old
    assert version_of(task, one(EDITED, 1).asked) == new
    index = TaskIndex([task])
    assert index.find(one(PROMPT, 1).asked) == index.find(one(EDITED, 2).asked) == task


def test_a_third_version_follows_the_second() -> None:
    driver = Driver()
    for number, prompt in enumerate((PROMPT, EDITED, f"{EDITED} Never explain.")):
        driver.sort(calls(prompt, 100 * number, 100 * number + 80), 20)
    assert [version.number for version in versions_of(only(driver))] == [1, 2, 3]


def test_two_texts_that_are_asked_side_by_side_are_two_tasks() -> None:
    other = PROMPT.replace("letters to the town hall", "letters of the town hall")
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80, sentence), 40)
    mixed = [one((PROMPT, other)[number % 2], number, sentence) for number in range(100, 260)]
    driver.sort(mixed, 5)
    last = mixed[-40:]
    assert len(driver.tasks_of(last[0::2])) == len(driver.tasks_of(last[1::2])) == 1
    assert driver.tasks_of(last[0::2]) != driver.tasks_of(last[1::2])
    assert len(versions_of(driver.known[next(iter(driver.tasks_of(last[0::2])))])) == 1


def test_a_release_by_steps_is_one_task() -> None:
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80), 40)
    rng = random.Random(2)
    mixed = [one(EDITED if rng.random() < number / 300 else PROMPT, number) for number in range(100, 400)]
    driver.sort(mixed, 11)
    assert len(versions_of(only(driver))) == 2


def test_two_like_prompts_that_grew_up_together_are_two_tasks() -> None:
    other = PROMPT.replace("letters", "calls")
    driver = Driver()
    driver.sort([one((PROMPT, other)[number % 2], number) for number in range(240)], 9)
    assert len(set(driver.where.values())) == 2


OTHERWISE: dict[str, Answers] = {
    "other labels": lambda number: ("red", "green", "blue")[number % 3],
    "text": sentence,
    "json": lambda number: json.dumps({"office": office(number)}),
}


@pytest.mark.parametrize("size", [1, 30])
@pytest.mark.parametrize("answers", OTHERWISE)
def test_a_like_prompt_that_is_answered_otherwise_is_another_task(answers: str, size: int) -> None:
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80), 40)
    driver.sort(calls(EDITED, 100, 170, OTHERWISE[answers]), size)
    assert len(set(driver.where.values())) == 2


def schema(*fields: str) -> str:
    properties = {field: {"type": "string"} for field in fields}
    inner = {"name": "answer", "schema": {"type": "object", "properties": properties}}
    return json.dumps({"type": "json_schema", "json_schema": inner})


def filled(*fields: str) -> Answers:
    return lambda number: json.dumps({field: office(number) for field in fields})


def test_another_field_in_the_schema_is_a_new_version_and_is_named() -> None:
    driver = Driver()
    fields, more = ("office", "street", "urgency"), ("office", "street", "urgency", "mood")
    driver.sort(calls(PROMPT, 0, 80, filled(*fields), form=schema(*fields)), 40)
    driver.sort(calls(PROMPT, 100, 180, filled(*more), form=schema(*more)), 20)
    _, new = versions_of(only(driver))
    assert new.changed == ("+ answer.mood string",)


def test_an_unrelated_schema_under_the_same_prompt_is_another_task() -> None:
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80, filled("office"), form=schema("office")), 40)
    driver.sort(calls(PROMPT, 100, 180, filled("a", "b"), form=schema("a", "b")), 20)
    assert len(set(driver.where.values())) == 2


def test_a_client_that_names_the_task_says_that_it_is_the_same() -> None:
    driver = Driver()
    driver.sort(calls(PROMPT, 0, 80, name="letters"), 80)
    driver.sort(calls(EDITED, 100, 180, name="letters"), 20)
    rewritten = "Which municipal department is responsible? Reply with its short name."
    driver.sort(calls(rewritten, 200, 280, name="letters"), 20)
    task = only(driver)
    assert task.name == "letters"
    assert [version.number for version in versions_of(task)] == [1, 2, 3]
    assert version_of(task, one(rewritten, 1).asked) == versions_of(task)[2]
    assert version_of(task, one(PROMPT, 1).asked) == versions_of(task)[0]


def test_instructions_in_the_message_stay_shared_text_when_the_system_prompt_is_edited() -> None:
    def ask(prompt: str, number: int) -> Reading:
        text = f"Name the office that has to answer this letter.\nLetter: {words(number)}"
        messages = (Message("system", prompt), Message("user", text))
        asked = Asked(dialect="openai-chat", model="m", messages=messages)
        return Reading(call_id=f"c{number}", created_at=float(number), asked=asked, answer=Answer(text=office(number)))

    driver = Driver()
    driver.sort([ask(PROMPT, number) for number in range(80)], 80)
    driver.sort([ask(EDITED, number) for number in range(100, 103)], 3)
    (task,) = driver.known.values()
    newest = versions_of(task)[-1]
    assert newest.number == 2
    assert newest.template.strip(ask(EDITED, 200).asked) == (Message("user", words(200)),)
