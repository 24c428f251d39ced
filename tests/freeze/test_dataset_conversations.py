"""Conversations are told from the messages, and one is never on both sides of a split."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.errors import DataError
from freehold.freeze import FreezeSettings, Frozen, LabelledCall, build
from freehold.freeze.conversations import MOST_BACK, MOST_BRANCHES, Turn, conversations
from freehold.model import Answer, Asked, Message
from freehold.model.dataset import SPLITS
from freehold.model.task import Task

TASK = Task(id="t1", name="desk", key="k", kind="label")
SYSTEM = Message("system", "You are the help line of a bike shop. Name the topic of the last message in one word.")
TOPICS = ("brakes", "tyres", "gears", "frame")
WORDS = "chain saddle pedal wheel bell lamp lock pump basket rack fork hub spoke rim cable lever grip".split()  # noqa: SIM905

Send = Callable[[Sequence[Message], int], Sequence[Message]]


def question(talk: int, turn: int) -> str:
    return " ".join(random.Random(f"{talk} {turn}").choices(WORDS, k=9)) + f", order {talk}-{turn}?"


def answer(talk: int, turn: int) -> str:
    return TOPICS[(talk + turn) % len(TOPICS)]


def history(talk: int, turns: int, opening: Sequence[Message] = ()) -> list[Message]:
    rows = [(Message("user", question(talk, t)), Message("assistant", answer(talk, t))) for t in range(turns)]
    return [*opening, *(message for row in rows for message in row)]


def whole(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *messages]


def talks(count: int, turns: int, send: Send = whole, opening: Sequence[Message] = ()) -> list[tuple[int, int, Turn]]:
    """(talk, turn, call) in the order in which they came: conversations that run side by side."""
    order = sorted((3 * talk + 7 * turn, talk, turn) for talk in range(count) for turn in range(turns))
    return [
        (
            talk,
            turn,
            Turn(
                send([*history(talk, turn, opening), Message("user", question(talk, turn))], turn), answer(talk, turn)
            ),
        )
        for _, talk, turn in order
    ]


def sizes(rows: Sequence[tuple[int, int, Turn]]) -> list[int]:
    """How many calls each found conversation has; none of them mixes two talks."""
    found = conversations([turn for _, _, turn in rows])
    own = defaultdict(set)
    for (talk, _, _), first in zip(rows, found, strict=True):
        own[first].add(talk)
    assert all(len(of) == 1 for of in own.values())
    return sorted(Counter(found).values())


def last_turns(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *messages[-5:]]


def one_turn_back(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *messages[-3:]]


def new_prompt(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    return [Message("system", f"{SYSTEM.content} Turn {turn}. Mood: {WORDS[turn]}."), *messages]


def no_prompt(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return messages


def prompt_at_the_end(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    return [*messages[:-1], Message("system", f"It is turn {turn}."), messages[-1]]


def respaced(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    spaces = (" ", "  ", "\n", "\u00a0")[turn % 4]
    edited = [Message(m.role, f" {spaces.join(m.content.split(' '))}\n") for m in messages[:-1]]
    return [SYSTEM, *edited, messages[-1]]


def marked_up(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    edited = [Message(m.role, f"**{m.content.capitalize()}**.") for m in messages[:-1]]
    return [SYSTEM, *edited, messages[-1]]


def answers_shortened(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *(Message(m.role, m.content[:2] if m.role == "assistant" else m.content) for m in messages)]


def in_parts(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    """An answer in two messages, as a history of output items has it."""
    del turn
    parted: list[Message] = []
    for m in messages:
        parted += [m] if m.role == "user" else [Message(m.role, m.content[:3]), Message(m.role, m.content[3:])]
    return [SYSTEM, *parted]


@pytest.mark.parametrize(
    "send",
    [
        whole,
        last_turns,
        one_turn_back,
        new_prompt,
        no_prompt,
        prompt_at_the_end,
        respaced,
        marked_up,
        answers_shortened,
        in_parts,
    ],
)
def test_a_history_that_grows_is_one_conversation(send: Send) -> None:
    assert sizes(talks(30, 6, send)) == [6] * 30


def test_a_common_opening_makes_no_two_conversations_one() -> None:
    hello = [Message("user", "Hello!"), Message("assistant", "Hi, how can I help you?")]
    rows = talks(60, 4, opening=hello)
    first_calls = [(talk, -1, Turn([SYSTEM, hello[0]], hello[1].content)) for talk in range(60)]
    found = sizes([*first_calls, *rows])
    assert found == [1] * 60 + [4] * 60


def test_a_long_opening_that_few_have_goes_with_one_of_them() -> None:
    asked = Message("user", "Which of your bicycles can carry two children and a week of shopping up a hill?")
    told = "The long tail ones, with the motor."
    opening = [asked, Message("assistant", told)]
    rows = [(0, -1, Turn([asked], told)), (0, -1, Turn([asked], told)), *talks(1, 3, no_prompt, opening)]
    assert sizes(rows) == [1, 4]


def test_examples_in_every_request_are_no_conversation() -> None:
    shots = [
        Message("user", "My brakes squeal when it rains, and nothing that I oil makes it better."),
        Message("assistant", "brakes"),
        Message("user", "The tyre went flat again, for the third time this week, on the same road."),
        Message("assistant", "tyres"),
    ]
    assert sizes(talks(40, 1, opening=shots)) == [1] * 40
    assert sizes(talks(20, 4, opening=shots)) == [4] * 20
    asked_once = (-1, 0, Turn([SYSTEM, *shots[:2], shots[2]], "tyres"))
    found = conversations([asked_once[2], *(turn for _, _, turn in talks(40, 1, opening=shots))])
    assert max(Counter(found).values()) == 1


def test_an_answer_made_again_or_a_question_put_otherwise_stays_in_its_conversation() -> None:
    rows = talks(1, 3)
    again = [
        (0, 3, Turn([SYSTEM, *history(0, 3), Message("user", f"{question(0, 3)} {more}")], answer(0, 3)))
        for more in ("", "", "Please.")
    ]
    assert sizes([*rows, *again]) == [6]


def test_more_different_continuations_than_people_make_are_no_conversation() -> None:
    opening = Turn([Message("user", question(1, 0))], answer(1, 0))
    many = [Turn([*history(1, 1), Message("user", question(n, 7))], "brakes") for n in range(MOST_BRANCHES + 1)]
    assert Counter(conversations([opening, *many[:-1]])) == {0: MOST_BRANCHES + 1}
    assert max(Counter(conversations([opening, *many])).values()) == 1


def test_tool_calls_and_their_results_are_turns() -> None:
    asked = Message("user", question(1, 0))
    called = [asked, Message("assistant", ""), Message("tool", '{"stock": 4, "shelf": "B-17", "arrives": null}')]
    told = [*called, Message("assistant", "Four are here."), Message("user", "Then keep one for me.")]
    assert conversations([Turn([asked], ""), Turn(called, "Four are here."), Turn(told, "Kept.")]) == [0, 0, 0]


def test_an_unanswered_call_is_passed_over() -> None:
    rows = talks(1, 3)
    rows[1] = (0, 1, Turn(rows[1][2].messages, None))
    assert sizes(rows) == [3]


def test_odd_requests_are_conversations_of_their_own() -> None:
    odd = [[], [SYSTEM], [Message("assistant", "a")], [Message("user", "")], [Message("assistant", "a"), SYSTEM]]
    turns = [Turn(messages, said) for messages in odd for said in ("", None, "a", "!?")]
    assert len(set(conversations(turns))) == len(turns)
    assert conversations([]) == []


def test_of_a_long_history_only_its_end_is_read() -> None:
    class Read(list[Message]):
        count = 0

        def __reversed__(self):  # type: ignore[no-untyped-def]
            for message in super().__reversed__():
                Read.count += 1
                yield message

    long = Read([*history(5, 2000), Message("user", "and now?")])
    conversations([Turn(long, "gears")] * 3)
    assert Read.count <= 3 * (2 * MOST_BACK + 5)


def call(number: int, turn: Turn, **more: object) -> LabelledCall:
    return LabelledCall(
        call_id=f"c{number:05d}",
        created_at=1000.0 + number,
        asked=Asked(dialect="openai-chat", messages=tuple(turn.messages)),
        answer=Answer(text=turn.answer or "", finish_reason="stop"),
        **more,  # type: ignore[arg-type]
    )


def sides(frozen: Frozen) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for split in SPLITS:
        for example in frozen.examples[split]:
            found[example.id].add(split)
            found[example.group].add(split)
    return found


def test_a_conversation_is_on_one_side_of_a_split_without_a_session() -> None:
    rows = talks(60, 5)
    frozen = build([call(i, turn) for i, (_, _, turn) in enumerate(rows)], task=TASK)
    assert frozen.manifest.grouped_by == "conversation"
    on = sides(frozen)
    by_talk = defaultdict(set)
    for i, (talk, _, _) in enumerate(rows):
        by_talk[talk] |= on.get(f"c{i:05d}", set())
    assert all(len(splits) <= 1 for splits in by_talk.values())
    assert sum(len(splits) for splits in by_talk.values()) > 50


def test_turns_without_a_user_go_with_the_turns_that_name_one() -> None:
    rows = talks(60, 5)
    calls = [call(i, turn, user=f"u{talk}" if t % 2 else None) for i, (talk, t, turn) in enumerate(rows)]
    frozen = build(calls, task=TASK)
    assert frozen.manifest.grouped_by == "user"
    groups = {e.id: e.group for split in SPLITS for e in frozen.examples[split]}
    assert all(groups.get(f"c{i:05d}", f"user:u{talk}") == f"user:u{talk}" for i, (talk, _, _) in enumerate(rows))


def test_a_session_of_every_turn_does_not_part_a_conversation() -> None:
    rows = talks(60, 5)
    frozen = build([call(i, turn, session=f"s{i}") for i, (_, _, turn) in enumerate(rows)], task=TASK)
    assert frozen.manifest.grouped_by == "session"
    assert all(len(splits) == 1 for splits in sides(frozen).values())
    assert frozen.manifest.groups <= 60


def test_two_conversations_cannot_be_split_and_four_can() -> None:
    def frozen(count: int) -> Frozen:
        return build([call(i, turn) for i, (_, _, turn) in enumerate(talks(count, 60, last_turns))], task=TASK)

    with pytest.raises(DataError, match="turns of too few conversations"):
        frozen(2)
    assert all(len(splits) == 1 for splits in sides(frozen(4)).values())


@settings(max_examples=25, deadline=None)
@given(st.integers(12, 40), st.integers(1, 6), st.sampled_from([whole, last_turns, respaced, new_prompt]))
def test_no_conversation_is_ever_on_both_sides(count: int, turns: int, send: Send) -> None:
    rows = talks(count, turns, send)
    try:
        frozen = build(
            [call(i, turn) for i, (_, _, turn) in enumerate(rows)], task=TASK, settings=FreezeSettings(min_examples=10)
        )
    except DataError:
        return
    on = sides(frozen)
    by_talk = defaultdict(set)
    for i, (talk, _, _) in enumerate(rows):
        by_talk[talk] |= on.get(f"c{i:05d}", set())
    assert all(len(splits) <= 1 for splits in by_talk.values())


def _questions_alone(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *(message for message in messages if message.role == "user")]


def _as_one_text(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, Message("user", "\n".join(f"{message.role}: {message.content}" for message in messages))]


def _in_pieces(messages: Sequence[Message], turn: int) -> Sequence[Message]:
    del turn
    return [SYSTEM, *(m for one in messages for m in ([one, Message("user", "ok?")] if one.role == "user" else [one]))]


@pytest.mark.parametrize("send", [_questions_alone, _as_one_text, _in_pieces])
def test_a_request_that_begins_with_the_whole_of_another_goes_on_from_it(send: Send) -> None:
    rows = talks(30, 4, send)
    firsts = conversations([turn for _, _, turn in rows])
    found = defaultdict(set)
    for (talk, _, _), first in zip(rows, firsts, strict=True):
        found[talk].add(first)
    assert [len(found[talk]) for talk in range(30)] == [1] * 30
    assert len(set(firsts)) == 30
