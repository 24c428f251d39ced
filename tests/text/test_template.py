"""Templates: what is shared is left out, exactly, and what only happens to be common is not."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.model import Asked, Message
from freehold.model.ids import sha256_hex
from freehold.text.prompts.alignment import MIN_VARIANTS
from freehold.text.prompts.fingerprint import key, mask
from freehold.text.prompts.template import Part, Template
from freehold.text.prompts.template_induction import MOST_IDLE, MOST_PARTS, learn, widen

INSTRUCTIONS = "Classify the message as one of: refund, delivery, other.\nMessage: "
THINGS = ["kettle", "lamp", "teapot", "desk", "chair", "mirror", "vase", "rug", "clock", "shelf", "stove", "bowl"]


def asked(*pairs: tuple[str, str], tools: str | None = None, response_format: str | None = None) -> Asked:
    messages = tuple(Message(role, content) for role, content in pairs)
    return Asked(dialect="openai-chat", model="m", messages=messages, tools=tools, response_format=response_format)


def contents(template: Template, call: Asked) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in template.strip(call) or ()]


def test_a_system_prompt_that_all_share_is_left_out() -> None:
    calls = [asked(("system", "Triage."), ("user", f"Where is my {thing}?")) for thing in THINGS]
    template = learn(calls)
    assert template.parts == (Part.fixed("system", "Triage."),)
    assert contents(template, calls[0]) == [("user", "Where is my kettle?")]


def test_one_call_is_enough_for_a_system_prompt_and_not_for_its_message() -> None:
    call = asked(("system", "Triage."), ("user", INSTRUCTIONS + "hello"))
    assert contents(learn([call]), call) == [("user", INSTRUCTIONS + "hello")]


def test_instructions_inside_the_only_message_are_found() -> None:
    calls = [asked(("user", f"{INSTRUCTIONS}my {thing} is late\n\nAnswer with the label only.")) for thing in THINGS]
    template = learn(calls)
    assert template.parts == (Part.around("user", INSTRUCTIONS, "\n\nAnswer with the label only."),)
    assert contents(template, calls[2]) == [("user", "my teapot is late")]


def test_content_that_happens_to_be_common_stays_content() -> None:
    texts = [f"I want to know where my {thing} is." for thing in THINGS]
    assert learn([asked(("user", text)) for text in texts]).parts == ()
    with_instructions = [asked(("user", INSTRUCTIONS + text)) for text in texts]
    assert contents(learn(with_instructions), with_instructions[0]) == [("user", texts[0])]


def test_a_prefix_ends_neither_inside_a_word_nor_inside_a_number() -> None:
    for number in (f"4821{i}" for i in range(2)):
        calls = [asked(("user", f"Please look up the order with the number {number}{i} for me")) for i in range(10)]
        part = learn(calls).parts[0]
        assert part.pieces == ("Please look up the order with the number ", "")


def test_few_variants_teach_nothing_about_a_message() -> None:
    calls = [asked(("user", INSTRUCTIONS + thing)) for thing in THINGS[: MIN_VARIANTS - 1]]
    assert learn(calls * 50).parts == ()


def test_a_name_in_the_system_prompt_is_a_gap_that_the_model_still_sees() -> None:
    calls = [
        asked(("system", f"You look after the customer {name}. Answer politely, in one sentence."), ("user", "Hi"))
        for name in ("Ann", "Andrea", "Bob Bell")
    ]
    template = learn(calls)
    assert contents(template, calls[2])[0][0] == "system"
    assert "Bob Bell" in contents(template, calls[2])[0][1]
    assert template.fits(asked(*[("system", calls[0].messages[0].content.replace("Ann", "Zoe")), ("user", "x")]))


def test_todays_date_is_a_hidden_gap_when_all_calls_came_on_one_day() -> None:
    for date, tomorrow in (
        ("2026-11-23", "2026-11-24"),
        ("Monday, 30 November 2026", "Tuesday, 1 December 2026"),
        ("November 30, 2026", "May 1, 2027"),
    ):
        prompt = "You triage messages for an online shop.\nToday is {}. Answer in JSON and nothing else, always."
        calls = [asked(("system", prompt.format(date)), ("user", thing)) for thing in THINGS]
        template = learn(calls)
        later = asked(("system", prompt.format(tomorrow)), ("user", "x"))
        assert contents(template, later) == [("user", "x")], date
        assert template.static_chars > 60
        assert not template.fits(asked(("system", prompt.format("not known")), ("user", "x")))


def test_a_date_that_differed_among_the_calls_is_shown() -> None:
    prompt = "You triage messages for an online shop.\nToday is {}. Answer in JSON and nothing else, always."
    days = [f"{day} de mayo de 2026" for day in (28, 29, 30)]
    calls = [asked(("system", prompt.format(days[i % 3])), ("user", thing)) for i, thing in enumerate(THINGS)]
    template = learn(calls)
    assert contents(template, calls[1]) == [("system", days[1]), ("user", THINGS[1])]
    assert (
        contents(template, asked(("system", prompt.format("1 de junio de 2026")), ("user", "x")))[0][1]
        == "1 de junio de 2026"
    )


AT = 1_779_969_600.0
"""2026-05-28, 12:00 UTC."""


def test_dates_in_the_rules_of_a_prompt_are_told_from_todays() -> None:
    rules = "Today is {}. Extract the order. Example: ordered on 2024-05-01 gives A-1. Rules changed on 3 May 2024."
    calls = [asked(("system", rules.format("28 May 2026")), ("user", thing)) for thing in THINGS]
    template = learn(calls, [AT] * len(calls))
    assert template.fits(asked(("system", rules.format("1 June 2026")), ("user", "x")))
    assert not template.fits(
        asked(("system", rules.format("1 June 2026").replace("3 May 2024", "4 May 2025")), ("user", "x"))
    )
    old = "Extract the order. Example: ordered on 2024-05-01 gives A-1."
    for_days = learn(
        [asked(("system", old), ("user", thing)) for thing in THINGS], [AT + 86_400 * i for i in range(12)]
    )
    assert for_days.parts == (Part.fixed("system", old),)


def test_a_weekday_that_agrees_by_chance_makes_no_other_date_a_rule() -> None:
    prompt = "Triage the message. Weekday: Thursday. Deadline: {}."
    template = learn([asked(("system", prompt.format("2026-07-01")), ("user", thing)) for thing in THINGS], [AT] * 12)
    assert template.fits(asked(("system", prompt.format("2026-07-02")), ("user", "x")))


def test_examples_in_a_conversation_are_left_out_and_later_turns_are_whole() -> None:
    shots = [("system", "Label it."), ("user", "I am happy"), ("assistant", "good")]
    calls = [asked(*shots, ("user", f"my {thing} broke")) for thing in THINGS]
    assert contents(learn(calls), calls[0]) == [("user", "my kettle broke")]
    talks = [asked(("system", "Chat."), ("user", thing), ("assistant", "ok"), ("user", "more")) for thing in THINGS]
    mixed = [*talks, *(asked(("system", "Chat."), ("user", thing)) for thing in THINGS)]
    assert contents(learn(mixed), talks[0]) == [("user", "kettle"), ("assistant", "ok"), ("user", "more")]


def test_a_stray_call_does_not_spoil_a_template_and_does_not_fit() -> None:
    calls = [asked(("system", "Triage the message."), ("user", f"{thing} {i}")) for thing in THINGS for i in range(20)]
    stray = asked(("system", "Write me a poem."), ("user", "about rain"))
    template = learn([*calls, stray])
    assert template.parts[0] == Part.fixed("system", "Triage the message.")
    assert not template.fits(stray)
    assert template.strip(stray) is None


def test_calls_that_are_all_the_same_leave_their_message_alone() -> None:
    call = asked(("user", INSTRUCTIONS + "hello"))
    assert contents(learn([call] * 100), call) == [("user", INSTRUCTIONS + "hello")]


def test_tools_and_response_format_belong_to_the_form() -> None:
    plain = asked(("system", "s"), ("user", "u"))
    template = learn([plain])
    assert not template.fits(asked(("system", "s"), ("user", "u"), response_format='{"type":"json_object"}'))
    assert not template.fits(asked(("system", "s"), ("user", "u"), tools='[{"name":"find"}]'))


def test_widening_keeps_what_still_holds() -> None:
    start = learn([asked(("system", "You help the customer Ann with care, in one sentence."), ("user", "x"))])
    other = asked(("system", "You help the customer Bob with care, in one sentence."), ("user", "x"))
    wide = widen(start, [other])
    assert wide.fits(other)
    assert wide.static_chars > 20
    assert widen(wide, [asked(("user", "no system prompt"))]).parts == ()


def test_learning_does_not_depend_on_the_order_of_calls() -> None:
    calls = [asked(("user", f"{INSTRUCTIONS}{thing}")) for thing in THINGS]
    assert learn(calls) == learn(calls[::-1])


def test_the_key_masks_what_varies_and_nothing_else() -> None:
    def keyed(system: str, **more: str) -> str:
        return key(asked(("system", system), ("user", "hello"), **more))

    base = keyed("Today is Monday, 23 November 2026, 10:15. User 48213, ann@shop.example. Triage.")
    assert base == keyed("Today is Friday, 1 May 2027, 9:05. User 7, bob.bell@mail.example. Triage.")
    assert base != keyed("Today is Monday, 23 November 2026, 10:15. User 48213, ann@shop.example. Translate.")
    assert keyed("s") != keyed("s", response_format='{"type":"json_object"}')
    assert keyed("s") != keyed("s", tools='[{"name":"find"}]')
    assert mask("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 sha deadbeef01") == "id # sha #"


def test_the_key_is_the_same_in_another_dialect() -> None:
    messages = (Message("system", "Triage."), Message("user", "x"))
    assert len({key(Asked(dialect=d, messages=messages)) for d in ("openai-chat", "anthropic-messages")}) == 1


texts = st.text(alphabet=st.sampled_from("ab \n:.é1"), max_size=12)
dates = st.sampled_from(
    ["", "2026-05-28", " 28 de mayo ", "2026年5月28日", "10:15", "May", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"]
)


@st.composite
def conversations(draw: st.DrawFn) -> Sequence[Asked]:
    head, tail = draw(texts) * 3 + draw(dates), draw(texts) * 3
    system = draw(st.sampled_from(["", "Be brief.", "Label the message with one of the labels given here.\n"]))
    calls = []
    for middle in draw(st.lists(texts, min_size=1, max_size=14)):
        turns = draw(st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), texts), max_size=2))
        lead = [("system", system + draw(texts) + draw(dates) + draw(texts))] if system else []
        calls.append(asked(*lead, ("user", head + middle + tail), *turns))
    return calls


def is_whole(template: Template, call: Asked) -> bool:
    """Whether shared text and gaps make the messages again, and whatever is not shared or hidden is shown."""
    gaps, messages = template.gaps(call), template.messages(call)
    if gaps is None:
        return template.strip(call) is None
    again = [part.fill(found) for part, found in zip(template.parts, gaps, strict=True)]
    shown = [part.shown(found) for part, found in zip(template.parts, gaps, strict=True)]
    later = [message.content for message in messages[len(template.parts) :]]
    stripped = [message.content for message in template.strip(call) or ()]
    return again == [m.content for m in messages[: len(again)]] and [t for t in stripped if t] == [
        text for text in [*shown, *later] if text
    ]


@settings(max_examples=300, deadline=None)
@given(conversations())
def test_shared_text_and_gaps_make_the_messages_again(calls: Sequence[Asked]) -> None:
    template = learn(calls)
    assert Template.from_json(json.loads(json.dumps(template.to_json()))) == template
    assert all(is_whole(template, call) for call in calls)
    assert sum(template.fits(call) for call in calls) >= 1


def test_a_part_gives_back_what_it_took() -> None:
    part = Part("system", ("Today is ", ". You work for ", ", request ", "."), ("date", "shown", "id"))
    text = "Today is 28. Mai 2026. You work for A, request B. Ltd, request 17."
    assert part.match(text) == ("28. Mai 2026", "A, request B. Ltd", "17")
    assert part.fill(part.match(text) or ()) == text
    assert part.shown(part.match(text) or ()) == "A, request B. Ltd"
    assert part.match(text.replace("28. Mai 2026", "soon")) is None
    assert part.match(text.replace("17", "many")) is None


def test_a_text_of_many_like_pieces_takes_no_more_time_than_it_is_long() -> None:
    part = Part("system", ("a", "b", "b", "b", "c"), ("shown", "date", "shown", "date"))
    begun = time.perf_counter()
    assert part.match("a" + "b" * 100_000 + "x") is None
    assert part.match("a" + "b" * 100_000 + "c") is None
    assert time.perf_counter() - begun < 2.0


def test_a_template_of_an_earlier_version_takes_out_what_it_took() -> None:
    written = {
        "parts": [
            {"role": "system", "prefix": "Today is ", "suffix": ". Triage.", "has_gap": True},
            {"role": "user", "prefix": "hello", "suffix": "", "has_gap": False},
        ],
        "tools": "",
        "response_format": sha256_hex('{"type":"json_object"}')[:16],
    }
    template = Template.from_json(written)
    assert template.to_json() == written
    call = asked(
        ("system", "Today is nice. Triage."), ("user", "hello"), ("user", "x"), response_format='{"type":"json_object"}'
    )
    assert contents(template, call) == [("system", "nice"), ("user", "x")]
    assert not template.fits(
        asked(("developer", "Today is nice. Triage."), ("user", "hello"), response_format='{"type":"json_object"}')
    )
    assert not template.fits(asked(("system", "Today is nice. Triage."), ("user", "hello")))
    assert template.strip(
        asked(
            ("system", "Today is . Triage."), ("user", "hello"), ("user", "x"), response_format='{"type":"json_object"}'
        )
    ) == (Message("user", "x"),)


def test_the_roles_of_a_system_prompt_and_its_parts_make_no_difference() -> None:
    template = learn([asked(("system", "Triage.\n\nBe brief."), ("user", thing)) for thing in THINGS])
    for lead in ([("system", "Triage."), ("developer", "Be brief.")], [("developer", "Triage.\n\nBe brief.")]):
        assert contents(template, asked(*lead, ("user", "x"))) == [("user", "x")]
    assert not template.fits(asked(("system", "Triage."), ("user", "Be brief.")))


def test_a_tool_result_alone_does_not_hide_what_is_shared() -> None:
    calls = [asked(("system", "Use the tool, then answer."), ("user", thing)) for thing in THINGS]
    bare = [asked(("system", "Use the tool, then answer.")) for _ in THINGS]
    template = learn([*calls, *bare])
    assert template.parts == (Part.fixed("system", "Use the tool, then answer."),)
    assert template.fits(bare[0])
    assert template.strip(bare[0]) is None


def test_several_values_in_one_prompt_are_gaps_of_their_own() -> None:
    rules = "These are the rules that hold for every message of every customer: be exact, be brief, be kind."
    prompts = [
        f"Request {17 + i}. You answer for {name}.\n{rules}\nCustomer: {name} of {town}. Answer with one label."
        for i, (name, town) in enumerate(zip(THINGS, reversed(THINGS), strict=True))
    ]
    template = learn([asked(("system", prompt), ("user", f"x{i}")) for i, prompt in enumerate(prompts)])
    shown = contents(template, asked(("system", prompts[3]), ("user", "x")))[0][1]
    assert "desk" in shown
    assert rules[10:-10] not in shown
    assert template.fits(asked(("system", prompts[0].replace("17", "9000").replace("kettle", "Acme")), ("user", "x")))


class _CountedTalk(tuple[Message, ...]):
    """The messages of a conversation, which counts how many of them were taken out of it."""

    taken = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        _CountedTalk.taken += len(found) if isinstance(place, slice) else 1
        return found


def _long_talk(messages: int, ending: str) -> Asked:
    turns = [Message("user" if place % 2 == 0 else "assistant", "hi") for place in range(messages - 1)]
    return Asked(dialect="openai-chat", model="m", messages=_CountedTalk([*turns, Message("user", ending)]))


def _messages_taken(messages: int) -> int:
    _CountedTalk.taken = 0
    template = learn([_long_talk(messages, "bye") for _ in range(3)])
    assert len(template.parts) <= MOST_PARTS
    return _CountedTalk.taken


def test_learning_from_a_long_conversation_takes_no_longer_than_from_a_shorter_one() -> None:
    assert _messages_taken(4000) == _messages_taken(1000) > 0


def test_instructions_after_many_messages_without_shared_text_are_content() -> None:
    def call(number: int) -> Asked:
        small_talk = [("user", f"{number}-{place}") for place in range(MOST_IDLE)]
        return asked(*small_talk, ("user", "Answer with one word only, please."))

    assert learn([call(number) for number in range(20)]).parts == ()
