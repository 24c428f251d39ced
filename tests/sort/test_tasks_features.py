"""Features under one long system prompt come apart where the request tells them apart, and only there."""

from __future__ import annotations

import random

import pytest
from sort.driven import Driver

from freehold.model import Answer, Asked, Message
from freehold.sort import Reading, TaskIndex

COMPANY = (
    "You work for the ferry line Northwind. Be polite, exact and brief. Never promise refunds. Prices are in euros."
    " Departures are at six, noon and eight. The crew decides about the weather."
)
WORDS = "cabin deck car bicycle dog storm lunch ticket child window engine harbour island lamp rope".split()  # noqa: SIM905
LABELS = ("booking", "delay", "luggage", "other")


def words(number: int, count: int = 9) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=count))


def reading(number: int, text: str, answer: str, at: float | None = None) -> Reading:
    messages = (Message("system", COMPANY), Message("user", text))
    return Reading(
        call_id=f"c{number:05d}",
        created_at=float(number) if at is None else at,
        asked=Asked(dialect="openai-chat", model="m", messages=messages),
        answer=Answer(text=answer),
    )


def label(number: int) -> Reading:
    text = f"Name the topic of this message with one word.\nMessage: {words(number)}"
    return reading(number, text, LABELS[number % 4])


def reply(number: int) -> Reading:
    text = f"Write a reply to this letter from a passenger:\n{words(number, 14)}"
    return reading(number, text, f"Dear passenger, thank you for your words about {words(number * 3, 20)}.")


def chat(number: int) -> Reading:
    return reading(number, f"{words(number, 4).capitalize()}?", f"That depends on the {words(number * 5, 12)}.")


MAKERS = (label, reply, chat)


@pytest.mark.parametrize("size", [7, 50, 1000])
@pytest.mark.parametrize("order", ["mixed", "one after another", "chat first", "labels last"])
def test_labels_replies_and_chat_are_three_tasks(order: str, size: int) -> None:
    makers = {"chat first": (chat, reply, label), "labels last": (reply, chat, label)}.get(order, MAKERS)
    calls = [makers[i % 3 if order == "mixed" else i // 80](i) for i in range(240)]
    driver = Driver()
    driver.sort(calls, size)
    fresh = [make(1000 + 3 * i + k) for i in range(20) for k, make in enumerate(makers)]
    driver.sort(fresh, size)
    found = [driver.tasks_of(fresh[k::3]) for k in range(3)]
    assert [len(one) for one in found] == [1, 1, 1]
    assert len(set.union(*found)) == 3
    if order == "mixed" and size > 7:
        assert all(driver.tasks_of(calls[k::3]) == found[k] for k in range(3))
    index = TaskIndex(driver.known.values())
    for make, one in zip(makers, found, strict=True):
        task = index.find(make(5000).asked)
        assert task is not None
        assert {task.id} == one
        assert task.kind == ("label" if make is label else "text")


def test_a_settled_task_keeps_its_id_when_another_feature_comes_up_under_its_prompt() -> None:
    driver = Driver()
    driver.sort([label(i) for i in range(100)], 25)
    (first,) = driver.known.values()
    driver.settled = {first.id}
    driver.sort([reply(i) for i in range(200, 280)], 10)
    assert driver.known[first.id].template == first.template
    assert driver.tasks_of([label(i) for i in range(100)]) == {first.id}
    assert len(driver.tasks_of([reply(i) for i in range(240, 280)])) == 1
    assert first.id not in driver.tasks_of([reply(i) for i in range(240, 280)])


@pytest.mark.parametrize("size", [9, 1000])
def test_messages_that_begin_alike_and_get_the_same_labels_are_one_task(size: int) -> None:
    starts = ("Good morning, I have a question about: ", "Hello, could you please help me with: ")
    calls = [reading(i, starts[i % 2] + words(i), LABELS[i // 2 % 4]) for i in range(160)]
    driver = Driver()
    driver.sort(calls, size)
    assert len(set(driver.where.values())) == 1


def test_some_odd_answers_part_nothing() -> None:
    calls = [label(i) for i in range(200)]
    odd = [reading(1000 + i, label(i).asked.messages[1].content, "I am sorry, " * 20) for i in range(20)]
    driver = Driver()
    driver.sort(sorted([*calls, *odd], key=lambda call: hash(call.call_id)), 20)
    assert len(set(driver.where.values())) == 1


def test_instructions_at_the_end_of_messages_part_features_too() -> None:
    def make(number: int) -> Reading:
        text = words(number, 12)
        if number % 2:
            return reading(number, f"{text}\n\nName the topic with one word only.", LABELS[number % 4])
        return reading(number, f"{text}\n\nWrite a friendly reply.", f"Dear passenger, the {words(number * 3, 20)}.")

    calls = [make(i) for i in range(120)]
    driver = Driver()
    driver.sort(calls, 50)
    assert len(driver.tasks_of(calls)) == 2
    assert len(driver.tasks_of(calls[1::2])) == 1


def test_the_language_to_translate_to_makes_another_feature_and_a_callers_name_does_not() -> None:
    def make(number: int, value: str) -> Reading:
        prompt = f"{COMPANY} Give the passenger's words as an employee of {value} would say them."
        asked = Asked(dialect="openai-chat", messages=(Message("system", prompt), Message("user", words(number))))
        return Reading(
            call_id=f"c{number}", created_at=float(number), asked=asked, answer=Answer(text=words(number, 5))
        )

    for values, count in ((("French", "German"), 2), (("Northwind", "Southwind"), 1)):
        calls = [make(i, values[i % 2]) for i in range(120)]
        driver = Driver()
        driver.sort(calls, 50)
        assert len(driver.tasks_of(calls)) == count
