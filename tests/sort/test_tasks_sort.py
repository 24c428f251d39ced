"""Sorting: the same tasks come out in whatever batches and order calls come in."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from freehold.model import Answer, Asked, Message
from freehold.model.task import Task, task_id
from freehold.sort import Reading, TaskIndex, sort_calls

WORDS = "kettle lamp desk chair mirror vase rug clock shelf stove bowl spoon late broken lost blue small".split()  # noqa: SIM905
NAMES = ("Ann Bell", "Bob", "Carla Ruiz", "Dan", "Eve")
LABELS = ("refund", "delivery", "other")
Make = Callable[[int, str], list[tuple[str, str]]]


def sentence(number: int, words: int = 6) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=words))


def reading(number: int, pairs: Sequence[tuple[str, str]], **more: str) -> Reading:
    messages = tuple(Message(role, content) for role, content in pairs)
    asked = Asked(dialect="openai-chat", model="m", messages=messages, response_format=more.get("format"))
    answer = Answer(text=more.get("answer", LABELS[number % 3]))
    return Reading(
        call_id=f"c{number:05d}", created_at=float(number), asked=asked, answer=answer, explicit_name=more.get("name")
    )


def drive(calls: Sequence[Reading], size: int) -> tuple[dict[str, Task], dict[str, str]]:
    """Sort batch after batch as the loop does: what is unsorted, and again what is in loose tasks."""
    known: dict[str, Task] = {}
    where: dict[str, str] = {}
    seen = {call.call_id: call for call in calls}
    for start in range(0, len(calls), size):
        again = [seen[call] for call, task in where.items() if known[task].is_loose]
        done = sort_calls([*calls[start : start + size], *again], list(known.values()))
        known.update((task.id, task) for task in (*done.new_tasks, *done.changed_tasks))
        where.update(done.assigned)
        for old, new in done.retired.items():
            known.pop(old)
            where = {call: new if task == old else task for call, task in where.items()}
    return known, where


FORMS: dict[str, Make] = {
    "system prompt": lambda i, text: [("system", "Triage messages to the shop; answer in JSON."), ("user", text)],
    "todays date": lambda i, text: [
        ("system", f"Today is 2026-11-{i % 28 + 1:02d}. You sort mail for a library by topic."), ("user", text)],
    "a name": lambda i, text: [
        ("system", f"You help {random.Random(i).choice(NAMES)} plan meals. Answer in a sentence."), ("user", text)],
    "documents": lambda i, text: [
        ("system", f"Answer from the context.\nContext:\n{sentence(i + 9000, 80)}\nAnswer in plain words, briefly."),
        ("user", text)],
    "one message": lambda i, text: [("user", f"Say whether this review is good or bad.\nReview: {text}")],
    "instructions last": lambda i, text: [("user", f"{text}\n\nTranslate the text above into French, please.")],
    "helpful, labels": lambda i, text: [
        ("system", "You are a helpful assistant."), ("user", f"Give one label for the message: {text}")],
    "helpful, titles": lambda i, text: [
        ("system", "You are a helpful assistant."), ("user", f"Find a short title for this text:\n{text}")],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_each_form_of_prompt_is_one_task(form: str, size: int) -> None:
    calls = [reading(i, FORMS[form](i, sentence(i))) for i in range(60)]
    known, where = drive(calls, size)
    assert len(set(where.values())) == 1
    assert len(where) == 60
    assert sum(task.id in where.values() for task in known.values()) == 1


@pytest.mark.parametrize("size", [1, 13, 1000])
def test_mixed_traffic_comes_apart_as_it_was_made(size: int) -> None:
    forms = list(FORMS)
    calls = [reading(i, FORMS[forms[i % len(forms)]](i, sentence(i))) for i in range(480)]
    _, where = drive(calls, size)
    pairs = Counter((forms[int(call[1:]) % len(forms)], task) for call, task in where.items())
    assert len(pairs) == len(forms) == len(set(where.values()))


def test_order_and_batches_do_not_change_ids_names_or_members() -> None:
    forms = list(FORMS)
    calls = [reading(i, FORMS[forms[i % len(forms)]](i, sentence(i))) for i in range(400)]
    shuffled = random.Random(3).sample(calls, len(calls))
    whole, where = drive(calls, 1000)
    again, elsewhere = drive(shuffled, 1000)
    assert where == elsewhere
    assert {task.id: task.name for task in whole.values()} == {task.id: task.name for task in again.values()}
    assert all(task.id == task_id(task.key) for task in whole.values())


def test_unlike_instructions_are_never_one_task() -> None:
    pairs = [
        ("Extract the date from the message, as JSON.", "Extract the name from the message, as JSON."),
        ("You are a support agent. Classify the mail.", "You are a support agent. Summarise the mail."),
        ("Answer yes or no.", "Answer with a number."),
    ]  # fmt: skip
    for one, other in pairs:
        calls = [reading(i, [("system", one if i % 2 else other), ("user", sentence(i))]) for i in range(80)]
        _, where = drive(calls, 9)
        assert len(set(where.values())) == 2, one


def test_messages_that_begin_alike_under_a_telling_prompt_are_one_task() -> None:
    starts = ("I would like to return my order because: ", "Could you please tell me where it is: ")
    calls = [
        reading(i, [("system", "Triage mail of the shop for the desk."), ("user", starts[i % 2] + sentence(i))])
        for i in range(100)
    ]
    assert len(set(drive(calls, 1000)[1].values())) == 1


def test_prompts_without_instructions_are_one_loose_task_per_model() -> None:
    calls = [reading(i, [("user", sentence(i))]) for i in range(300)]
    known, _ = drive(calls, 300)
    (task,) = known.values()
    assert task.is_loose
    assert task.name == "chat-m"
    assert task.kind == "label"


def test_a_named_task_takes_whatever_is_sent_under_its_name() -> None:
    calls = [reading(i, [("user", sentence(i))], name="My Triage") for i in range(9)]
    calls += [reading(i + 100, [("system", "Triage mail for the desk."), ("user", sentence(i))]) for i in range(9)]
    known, where = drive(calls, 4)
    named = next(task for task in known.values() if task.is_named)
    assert named.name == "my-triage"
    assert sum(task == named.id for task in where.values()) == 9


def test_a_name_that_a_found_task_has_means_that_task() -> None:
    calls = [reading(i, FORMS["system prompt"](i, sentence(i))) for i in range(60)]
    known, _ = drive(calls, 60)
    (task,) = known.values()
    done = sort_calls([reading(99, [("user", "hi")], name=task.name)], [task])
    assert done.assigned == {"c00099": task.id}
    assert not done.new_tasks


def test_settled_tasks_do_not_retire() -> None:
    prompt = "You help {} plan the meals of the week. Answer in a sentence."
    first = sort_calls([reading(i, [("system", prompt.format("Ann")), ("user", sentence(i))]) for i in range(3)])
    second = sort_calls(
        [reading(i + 9, [("system", prompt.format("Bob")), ("user", sentence(i))]) for i in range(3)],
    )
    known = [*first.new_tasks, *second.new_tasks]
    both = [reading(i, [("system", prompt.format(("Ann", "Bob")[i % 2])), ("user", "x")]) for i in range(20, 40)]
    keep = known[1].id
    done = sort_calls(both, known, settled={keep})
    assert done.retired == {known[0].id: keep}
    assert set(done.assigned.values()) == {keep}


def test_a_changed_schema_is_another_task() -> None:
    calls = [
        reading(i, FORMS["system prompt"](i, sentence(i)), format=f'{{"json_schema":{{"name":"v{i % 2}"}}}}')
        for i in range(60)
    ]
    known, where = drive(calls, 20)
    assert sorted(task.name for task in known.values()) == ["v0", "v1"]
    assert len(set(where.values())) == 2


def test_embeddings_are_a_task_that_cannot_be_trained() -> None:
    asked = Asked(dialect="openai-embeddings", model="embed-1")
    done = sort_calls([Reading(call_id=str(i), asked=asked) for i in range(5)])
    (task,) = done.new_tasks
    assert (task.name, task.is_trainable, task.kind) == ("embeddings-embed-1", False, "text")
    assert len(done.assigned) == 5


def test_a_system_prompt_that_is_the_whole_request_does_not_break_anything() -> None:
    calls = [reading(i, [("system", f"Write a headline about: {sentence(i)}")]) for i in range(30)]
    calls += [reading(100, []), reading(101, [("user", "")])]
    _, where = drive(calls, 8)
    assert len(where) == 32


def test_a_name_that_varies_is_not_in_the_name_of_the_task() -> None:
    calls = [reading(i, FORMS["a name"](i, sentence(i))) for i in range(60)]
    for size in (1, 60):
        assert [task.name for task in drive(calls, size)[0].values()] == ["plan-meals-answer"]


def test_nothing_in_nothing_out() -> None:
    done = sort_calls([])
    assert (done.new_tasks, done.changed_tasks, done.assigned, done.retired) == ((), (), {}, {})


def test_the_index_finds_what_the_sorter_found() -> None:
    forms = list(FORMS)
    calls = [reading(i, FORMS[forms[i % len(forms)]](i, sentence(i))) for i in range(480)]
    known, where = drive(calls, 60)
    index = TaskIndex(known.values())
    fresh = [reading(i, FORMS[forms[i % len(forms)]](i, sentence(i + 5000))) for i in range(480)]
    misses = [call for call in fresh if (found := index.find(call.asked)) is None or found.id != where[call.call_id]]
    assert misses == []
    assert index.find(Asked(dialect="openai-chat", messages=(Message("system", "New."), Message("user", "x")))) is None
