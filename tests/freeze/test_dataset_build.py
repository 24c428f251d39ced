"""Freezing: what is kept, what is dropped and why, and that splits share nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from freehold.errors import DataError, SettingError
from freehold.freeze import FreezeSettings, Frozen, LabelledCall, build
from freehold.model import Answer, Asked, Example, Message, ToolCall
from freehold.model.dataset import SPLITS
from freehold.model.task import Task
from freehold.text.prompts.template import Template

TASK = Task(id="t1", name="triage", key="k", kind="label")
SYSTEM = Message("system", "Triage the message.")
WORDS = "kettle lamp desk chair mirror vase rug clock shelf stove bowl spoon late broken lost blue small red".split()  # noqa: SIM905
LABELS = ("refund", "delivery", "other")
SMALL = FreezeSettings(min_examples=10)


def sentence(number: int, words: int = 8) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=words))


def call(number: int, text: str | None = None, answer: str | None = None, **more: object) -> LabelledCall:
    asked = Asked(dialect="openai-chat", messages=(SYSTEM, Message("user", text or sentence(number))))
    told = Answer(text=LABELS[number % 3] if answer is None else answer, finish_reason="stop")
    made = LabelledCall(call_id=f"c{number:05d}", created_at=1000.0 + number, asked=asked, answer=told)
    return replace(made, **more)  # type: ignore[arg-type]


def many(count: int) -> list[LabelledCall]:
    return [call(i) for i in range(count)]


def in_words(number: int) -> LabelledCall:
    """A call that asks for JSON and gets none."""
    made = call(number, answer="plain words")
    return replace(made, asked=structs.replace(made.asked, response_format='{"type":"json_object"}'))


def examples(frozen: Frozen) -> list[Example]:
    return [example for split in SPLITS for example in frozen.examples[split]]


def by_id(frozen: Frozen) -> dict[str, Example]:
    return {example.id: example for example in examples(frozen)}


def test_the_newest_are_the_proof_and_before_them_dev() -> None:
    frozen = build(many(200), task=TASK)
    assert frozen.manifest.counts == {"train": 140, "dev": 20, "proof": 40}
    order = [example.id for split in SPLITS for example in frozen.examples[split]]
    assert order == sorted(order)
    assert frozen.manifest.cutoff_at == frozen.examples["proof"][0].created_at
    assert frozen.manifest.labels == sorted(LABELS)
    assert (frozen.manifest.kind, frozen.manifest.grouped_by, frozen.manifest.calls_seen) == ("label", "call", 200)


def test_shared_text_is_gone_and_the_manifest_tells_which() -> None:
    frozen = build(many(60), task=TASK)
    assert all([m.role for m in example.messages] == ["user"] for example in examples(frozen))
    template = Template.from_json(frozen.manifest.template)
    assert template.strip(call(1).asked) == call(1).asked.messages[1:]


def odd_calls(first: int) -> list[LabelledCall]:
    """Calls of which each has something against its answer or against asking a model about it."""
    tool = Answer(text="", tool_calls=(ToolCall("1", "f", "{}"),))
    stray = Asked(dialect="openai-chat", messages=(Message("system", "Write a poem."), Message("user", "rain")))
    made = [call(first + i) for i in range(14)]
    return [
        replace(made[0], status=500),
        replace(made[1], answer=None),
        replace(made[2], is_whole=False),
        replace(made[3], answer=Answer(text="refu", finish_reason="length")),
        replace(made[4], answer=Answer(text="I cannot", is_refusal=True)),
        replace(made[5], answer=tool),
        replace(made[6], answer=Answer(text="  ", finish_reason="stop")),
        replace(made[7], asked=stray),
        replace(made[8], asked=structs.replace(made[8].asked, is_plain=False)),
        call(first + 9, text="   "),
        call(first + 10, answer="I am not sure about this one.\nCould be refund."),
        call(first + 11, text="half a pair \ud83d"),
        replace(made[12], answer=Answer(text="refund", finish_reason="stop", error="overloaded")),
        replace(made[13], answer=Answer(text="refund", finish_reason="hm_what")),
    ]


ASIDE = {
    "cut_off": 1, "refusal": 1, "tool_calls": 1, "empty_answer": 1, "not_fitting": 1, "not_plain": 1, "empty_input": 1,
    "not_a_label": 1, "not_unicode": 1, "unknown_finish": 1,
}  # fmt: skip
FAILED = {"failed": 2, "error": 1, "cut_off": 1}


def test_calls_that_nothing_can_be_learnt_from_are_dropped_from_train_and_counted() -> None:
    frozen = build([*odd_calls(0), *(call(i) for i in range(100, 400))], task=TASK)
    assert frozen.manifest.dropped == dict(Counter(ASIDE) + Counter(FAILED))
    assert frozen.manifest.aside == {}
    assert frozen.manifest.unspoken == {}
    assert frozen.manifest.calls_seen == 314
    assert sum(frozen.manifest.counts.values()) == 300


def test_held_out_they_stay_for_the_proof_is_about_all_calls() -> None:
    frozen = build([*many(300), *odd_calls(900)], task=TASK)
    assert frozen.manifest.dropped == FAILED
    assert frozen.manifest.unspoken == FAILED
    assert frozen.manifest.aside == {"proof": ASIDE}
    found = [example for example in frozen.examples["proof"] if example.is_aside]
    never_asked = {"not_plain", "not_fitting", "empty_input", "not_unicode"}
    assert {example.aside: example.is_askable for example in found} == {name: name not in never_asked for name in ASIDE}
    assert {example.target for example in found} == {""}
    by_reason = {example.aside: example for example in found}
    assert by_reason["tool_calls"].incumbent == "f({})"
    assert by_reason["cut_off"].incumbent == "refu"
    assert [msgspec.json.decode(json.dumps(e.to_row()), type=Example) for e in found] == found
    assert frozen.manifest.labels == sorted(LABELS)
    assert sum(frozen.manifest.counts.values()) + sum(frozen.manifest.dropped.values()) == 314


def test_dev_holds_them_too_and_train_never() -> None:
    tool = Answer(tool_calls=(ToolCall("1", "f", "{}"),), finish_reason="tool_calls")
    calls = [replace(c, answer=tool) if i % 5 < 2 else c for i, c in enumerate(many(500))]
    frozen = build(calls, task=TASK)
    assert frozen.manifest.counts == {"train": 210, "dev": 50, "proof": 100}
    assert frozen.manifest.aside == {"dev": {"tool_calls": 20}, "proof": {"tool_calls": 40}}
    assert frozen.manifest.dropped == {"tool_calls": 140}
    assert not any(example.is_aside for example in frozen.examples["train"])


def test_a_dataset_in_which_nothing_is_aside_is_written_as_before() -> None:
    frozen = build(many(60), task=TASK)
    assert set(examples(frozen)[0].to_row()) == {
        "id", "messages", "target", "incumbent", "source", "group", "created_at",
    }  # fmt: skip
    assert {"aside", "unspoken", "repeats", "habits"}.isdisjoint(frozen.manifest.to_json())
    assert frozen.manifest.kinds == {"plain": 12}


def test_where_most_answers_are_tool_calls_the_others_are_learnt_if_they_are_enough() -> None:
    tool = Answer(tool_calls=(ToolCall("1", "f", "{}"),), finish_reason="tool_calls")
    some = build([replace(c, answer=tool) if i % 5 < 3 else c for i, c in enumerate(many(300))], task=TASK)
    assert (some.manifest.kind, len(some.examples["proof"])) == ("label", 60)
    with pytest.raises(DataError, match="answered with tool calls"):
        build([replace(c, answer=tool) if i % 10 else c for i, c in enumerate(many(900))], task=TASK)


def test_more_calls_are_not_promised_to_help_where_hardly_one_can_be_learnt_from() -> None:
    images = [
        replace(c, asked=structs.replace(c.asked, is_plain=False)) if i % 20 else c for i, c in enumerate(many(300))
    ]
    with pytest.raises(DataError, match="15 usable examples and needs 50") as caught:
        build(images, task=TASK)
    assert "285 not_plain" in caught.value.message
    assert "hardly help: most of them are not_plain" in caught.value.hint
    with pytest.raises(DataError) as caught:
        build(many(20), task=TASK)
    assert "Send more of its calls" in caught.value.hint


def test_every_call_is_either_kept_or_counted() -> None:
    calls = [call(i, text=sentence(i % 150), user=f"u{i % 40}") for i in range(400)]
    frozen = build(calls, task=TASK, settings=SMALL)
    assert sum(frozen.manifest.counts.values()) + sum(frozen.manifest.dropped.values()) == 400


def test_a_correction_is_the_target_and_the_answer_stays_as_the_incumbent() -> None:
    calls = many(80)
    calls[3] = replace(calls[3], correction=" delivery ")
    calls[4] = replace(calls[4], correction="other", answer=Answer(text="no", is_refusal=True))
    calls[5] = replace(calls[5], correction="refund", status=500, answer=None)
    frozen = build(calls, task=TASK, left_out={"unmatched_correction": 2})
    found = by_id(frozen)
    assert (found["c00003"].target, found["c00003"].incumbent, found["c00003"].source) == (
        "delivery",
        "refund",
        "correction",
    )
    assert (found["c00004"].target, found["c00004"].incumbent) == ("other", "no")
    assert (found["c00005"].target, found["c00005"].incumbent) == ("refund", "")
    assert frozen.manifest.corrected == 3
    assert frozen.manifest.dropped == {"unmatched_correction": 2}
    assert all(e.incumbent == e.target for e in examples(frozen) if e.source == "provider")


def test_an_answer_that_was_rated_bad_is_learnt_by_nobody_and_known_to_the_proof() -> None:
    calls = [replace(c, is_good=False) if i % 10 == 3 else c for i, c in enumerate(many(200))]
    calls[5] = replace(calls[5], is_good=True)
    calls[13] = replace(calls[13], correction="delivery")
    frozen = build(calls, task=TASK)
    assert {e.source for e in frozen.examples["train"]} == {"provider", "correction"}
    assert {e.source for e in frozen.examples["dev"]} == {"provider"}
    rejected = [e for e in frozen.examples["proof"] if e.is_rejected]
    assert [e.id for e in rejected] == ["c00163", "c00173", "c00183", "c00193"]
    assert frozen.manifest.dropped == {"rated_bad": 15}
    assert by_id(frozen)["c00013"].source == "correction"
    assert msgspec.convert(rejected[0].to_row(), Example) == rejected[0]


def before(calls: Sequence[LabelledCall], number: int) -> list[LabelledCall]:
    """These calls with enough others after them, so that they are learnt from."""
    return [*calls, *(call(number + i) for i in range(150))]


def test_an_answer_rated_bad_once_counts_for_none_of_the_same_input() -> None:
    same = [call(i, text="where is it now?", answer=a) for i, a in enumerate(["other", "other", "refund"])]
    same[0] = replace(same[0], is_good=False)
    kept = by_id(build(before(same, 500), task=TASK))
    assert kept["c00002"].target == "refund"
    assert {"c00000", "c00001"}.isdisjoint(kept)
    late = [replace(c, call_id=f"c009{i}", created_at=2000.0 + i) for i, c in enumerate(same)]
    held_out = by_id(build([*many(100), *late], task=TASK))
    assert [held_out[f"c009{i}"].is_rejected for i in range(3)] == [True, True, False]
    assert (held_out["c0091"].also, held_out["c0092"].also) == (("c0090",), ())


def test_the_same_input_is_learnt_once_with_the_answer_that_most_got() -> None:
    answers = ["refund", "other", "refund", "other", "other"]
    same = [call(i, text="where is it now?", answer=a) for i, a in enumerate(answers)]
    frozen = build(before(same, 500), task=TASK)
    kept = [e for e in examples(frozen) if e.messages[0].content == "where is it now?"]
    assert [(e.id, e.target) for e in kept] == [("c00004", "other")]
    assert kept[0].also == ("c00000", "c00001", "c00002", "c00003")
    assert frozen.manifest.dropped == {"exact_duplicate": 2, "conflicting": 2}


def test_held_out_the_same_input_stays_as_often_as_it_came_each_with_its_own_answer() -> None:
    answers = ["refund", "other", "refund", "other", "other"]
    same = [call(500 + i, text="where is it now?", answer=a) for i, a in enumerate(answers)]
    frozen = build([call(0, text="where is it now?"), *(call(i) for i in range(1, 100)), *same], task=TASK)
    kept = [e for e in frozen.examples["proof"] if e.messages[0].content == "where is it now?"]
    assert [e.target for e in kept] == answers
    assert frozen.manifest.dropped == {"near_across_splits": 1}
    assert frozen.manifest.repeats == {}


def test_a_correction_outweighs_any_number_of_answers() -> None:
    same = [call(i, text="where is it?") for i in range(5)]
    same[1] = replace(same[1], correction="delivery", answer=Answer(text="refund", finish_reason="stop"))
    frozen = build(before(same, 500), task=TASK)
    assert [e.target for e in examples(frozen) if e.messages[0].content == "where is it?"] == ["delivery"]


def test_a_correction_counts_for_every_held_out_call_with_the_same_input() -> None:
    tool = Answer(tool_calls=(ToolCall("1", "f", "{}"),), finish_reason="tool_calls")
    same = [call(500 + i, text="where is it?", answer="refund") for i in range(4)]
    same[1] = replace(same[1], correction="delivery")
    same[2] = replace(same[2], answer=tool)
    kept = by_id(build([*many(100), *same], task=TASK))
    found = [kept[f"c0050{i}"] for i in range(4)]
    assert [(e.target, e.source, e.aside) for e in found] == [("delivery", "correction", "")] * 4
    assert [e.incumbent for e in found] == ["refund", "refund", "f({})", "refund"]
    assert [e.also for e in found] == [("c00501",), (), ("c00501",), ("c00501",)]


def repeating(count: int, share: float, inputs: int, seed: int = 1) -> list[LabelledCall]:
    """Traffic of which a share are the same few inputs, which always get the same answer."""
    rng = random.Random(seed)
    calls = []
    for i in range(count):
        at = rng.randrange(inputs) if rng.random() < share else None
        calls.append(call(i) if at is None else call(i, text=f"where is item {at}", answer=LABELS[at % 3]))
    return calls


def test_traffic_that_repeats_some_inputs_is_proven_as_it_comes_and_they_are_not_learnt() -> None:
    frozen = build(repeating(1000, 0.6, 10), task=TASK)
    proof = frozen.examples["proof"]
    often = [e for e in proof if e.messages[0].content.startswith("where is item")]
    assert len(proof) == 200
    assert 100 <= len(often) <= 140
    assert len({e.messages[0].content for e in often}) == 10
    assert not any(e.messages[0].content.startswith("where is item") for e in frozen.examples["train"])
    assert len(frozen.examples["train"]) > 200
    assert frozen.manifest.repeats.get("train", 0) == 0


def test_where_nearly_every_input_comes_again_all_are_learnt_and_counted() -> None:
    frozen = build(repeating(1500, 1.0, 90), task=TASK)
    assert len(frozen.examples["train"]) > 80
    repeats = frozen.manifest.repeats
    assert repeats["train"] > 0.5 * len(frozen.examples["train"])
    assert repeats["held_out"] > 250
    assert len(frozen.examples["proof"]) == 300
    assert "near_across_splits" not in frozen.manifest.dropped


def test_near_duplicates_with_one_answer_are_learnt_once() -> None:
    text = "Hello, I ordered the blue kettle two weeks ago and it has not come so far, where is it now"
    variants = [
        text,
        text.upper(),
        f"{text}?",
        text.replace("Hello", "Hallo"),
        text.replace("blue kettle", "green vase"),
    ]
    near = [call(i, text=v, answer="delivery") for i, v in enumerate(variants)]
    frozen = build(before(near, 500), task=TASK)
    assert {i for i in by_id(frozen) if i < "c005"} == {"c00003", "c00004"}
    assert frozen.manifest.dropped == {"near_duplicate": 3}
    held_out = [replace(c, call_id=f"c009{i}", created_at=2000.0 + i) for i, c in enumerate(near)]
    assert {f"c009{i}" for i in range(5)} <= set(by_id(build([*many(100), *held_out], task=TASK)))


def test_short_inputs_that_differ_in_a_word_or_digit_are_not_near() -> None:
    short = ["cancel it", "cancel all", "order 48213", "order 48214", "not late", "so late"]
    frozen = build([*many(80), *(call(500 + i, text=t, answer="other") for i, t in enumerate(short))], task=TASK)
    assert sum(i >= "c005" for i in by_id(frozen)) == len(short)


def test_a_long_passage_in_every_input_does_not_make_them_all_alike() -> None:
    passage = " ".join(sentence(7000 + i) for i in range(60))
    calls = [call(i, text=f"{sentence(i)}\n{passage}\n{sentence(i + 5000, 3)}") for i in range(120)]
    assert sum(build(calls, task=TASK).manifest.counts.values()) > 110


def test_json_answers_take_one_form() -> None:
    task = replace(TASK, kind="json")
    wording = (
        '{{"intent": "{0}", "order": null, "lines": [{{"n": {1}, "x": 1.50}}]}}',
        '```json\n{{"order": null,\n "intent": "{0}", "lines": [{{"x": 1.5, "n": {1}}}]}}\n```',
        '{{"intent":"{0}","order":null,"lines":[{{"n":{1},"x":1.5}}]}}',
    )
    calls = [call(i, answer=wording[i % 3].format(LABELS[i % 2], i)) for i in range(120)]
    calls += [call(500, answer="I am sorry."), call(501, answer='{"intent": NaN}'), call(502, answer='"refund"')]
    frozen = build(calls, task=task)
    assert frozen.manifest.kind == "json"
    assert frozen.manifest.aside == {"proof": {"invalid_json": 3}}
    assert {e.target for e in examples(frozen) if e.is_aside} == {"{}"}
    assert {e.target for e in examples(frozen) if not e.is_aside} == {
        f'{{"intent":"{LABELS[i % 2]}","order":null,"lines":[{{"n":{i},"x":1.5}}]}}' for i in range(120)
    }


def test_labels_take_their_usual_spelling() -> None:
    calls = [call(i, answer=("Refund.", "refund", "refund", "delivery")[i % 4]) for i in range(80)]
    assert build(calls, task=TASK).manifest.labels == ["delivery", "refund"]


def test_text_stays_as_it_is() -> None:
    calls = [call(i, answer=f" Dear customer,\nyour {sentence(i)}  ") for i in range(80)]
    frozen = build(calls, task=TASK)
    assert frozen.manifest.kind == "text"
    assert all(e.target.startswith(" Dear customer,\n") for e in examples(frozen))


def test_groups_stay_together_and_the_proof_is_later_than_all_else() -> None:
    calls = [call(i, user=f"u{random.Random(i).randrange(60)}") for i in range(1000)]
    frozen = build(calls, task=TASK)
    assert frozen.manifest.grouped_by == "user"
    _check_disjoint(frozen)
    assert sum(frozen.manifest.counts.values()) >= 400
    assert frozen.manifest.dropped["group_crosses_split"] > 0


def test_sessions_cost_next_to_nothing() -> None:
    frozen = build([call(i, session=f"s{i // 4}") for i in range(1000)], task=TASK)
    assert frozen.manifest.grouped_by == "session"
    assert sum(frozen.manifest.counts.values()) >= 990
    _check_disjoint(frozen)


def test_one_user_who_makes_all_calls_is_no_group() -> None:
    frozen = build([call(i, user="service", session=f"s{i // 4}") for i in range(400)], task=TASK)
    assert frozen.manifest.grouped_by == "session"
    frozen = build([call(i, user="service") for i in range(400)], task=TASK)
    assert (frozen.manifest.grouped_by, sum(frozen.manifest.counts.values())) == ("call", 400)


def test_a_near_duplicate_with_another_answer_does_not_leak_into_the_proof() -> None:
    text = "Hello, I ordered the blue kettle two weeks ago and it has not come so far, where is it now"
    calls = many(100)
    calls[2] = call(2, text=text, answer="refund")
    calls[99] = call(99, text=f"{text}!!", answer="delivery")
    frozen = build(calls, task=TASK)
    assert frozen.manifest.dropped == {"near_across_splits": 1}
    assert "c00099" in by_id(frozen)


def test_inputs_that_differ_in_an_id_and_in_the_answer_are_two() -> None:
    text = "Hello, I ordered two weeks ago and nothing has come so far, where is my order A-{} now, please"
    calls = [call(i, text=text.format(i), answer=f'{{"order":"A-{i}"}}') for i in range(100)]
    assert build(calls, task=TASK).manifest.dropped == {}


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([], "has 0 usable examples and needs 50"),
        (many(20), "has 20 usable examples and needs 50"),
        ([call(i, text="the same") for i in range(90)], "dropped: 60 conflicting, 29 exact_duplicate"),
        ([call(i, answer="yes") for i in range(90)], "always gets the same answer, 'yes'"),
        ([replace(call(i), answer=Answer(tool_calls=(ToolCall("1", "f", "{}"),))) for i in range(90)], "tool calls"),
        ([call(i, status=429) for i in range(90)], "dropped: 90 failed"),
        ([in_words(i) for i in range(90)], "dropped: 90 invalid_json"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_dataset_says_why(calls: Sequence[LabelledCall], message: str) -> None:
    with pytest.raises(DataError) as caught:
        build(calls, task=TASK)
    assert message in caught.value.message
    assert caught.value.hint


def test_tasks_that_are_not_chat_are_refused() -> None:
    with pytest.raises(DataError, match="not chat"):
        build(many(90), task=replace(TASK, is_trainable=False))


@pytest.mark.parametrize("wrong", [{"proof_share": 0.9}, {"dev_share": 0.0}, {"near_duplicate": 0.2}, {"proof_max": 0}])
def test_unusable_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        FreezeSettings(**wrong)  # type: ignore[arg-type]


def _check_disjoint(frozen: Frozen, *, may_repeat: bool = False) -> None:
    rows = [(split, example) for split in SPLITS for example in frozen.examples[split]]
    groups = {(split, e.group) for split, e in rows}
    inputs = {(split, tuple(" ".join(m.content.split()) for m in e.messages)) for split, e in rows if e.messages}
    for keys in (groups,) if may_repeat else (groups, inputs):
        assert max(Counter(key for _, key in keys).values()) == 1
    learnt = [tuple(" ".join(m.content.split()) for m in e.messages) for e in frozen.examples["train"]]
    assert len(set(learnt)) == len(learnt)
    newest = max(e.created_at for split, e in rows if split != "proof")
    assert newest <= min(e.created_at for e in frozen.examples["proof"])


ODD: list[dict[str, Any]] = [
    {"status": 500},
    {"is_whole": False},
    {"is_good": False},
    {"correction": "other"},
    {"answer": Answer(tool_calls=(ToolCall("1", "f", "{}"),), finish_reason="tool_calls")},
    {"answer": Answer(text="I cannot", is_refusal=True)},
    {"asked": Asked(dialect="openai-chat", messages=(SYSTEM, Message("user", "an image")), is_plain=False)},
]


@st.composite
def traffic(draw: st.DrawFn) -> list[LabelledCall]:
    count = draw(st.integers(40, 160))
    inputs, users, seed = draw(st.integers(30, 400)), draw(st.integers(1, 60)), draw(st.integers(0, 99))
    odd = draw(st.sampled_from([0.0, 0.3]))
    rng = random.Random(seed)
    calls = [
        call(
            i,
            text=sentence(rng.randrange(inputs), draw(st.sampled_from([3, 12]))),
            answer=rng.choice(LABELS),
            user=f"u{rng.randrange(users)}" if rng.random() < 0.7 else None,
            session=f"s{rng.randrange(users * 3)}" if rng.random() < 0.5 else None,
            created_at=float(rng.randrange(count)),
        )
        for i in range(count)
    ]
    return [replace(one, **rng.choice(ODD)) if rng.random() < odd else one for one in calls]


@settings(max_examples=60, deadline=None)
@given(traffic(), st.randoms(use_true_random=False))
def test_splits_share_no_group_and_no_input_and_order_does_not_matter(
    calls: list[LabelledCall], rng: random.Random
) -> None:
    try:
        frozen = build(calls, task=TASK, settings=SMALL)
    except DataError:
        return
    _check_disjoint(frozen, may_repeat=bool(frozen.manifest.repeats))
    assert sum(frozen.manifest.counts.values()) + sum(frozen.manifest.dropped.values()) == len(calls)
    assert not any(example.is_aside or example.is_rejected for example in frozen.examples["train"])
    of_its_time = sum(call.created_at > frozen.manifest.cutoff_at for call in calls)
    assert len(frozen.examples["proof"]) + sum(frozen.manifest.unspoken.values()) >= of_its_time
    assert build(rng.sample(calls, len(calls)), task=TASK, settings=SMALL) == frozen
    assert json.loads(json.dumps(frozen.manifest.template))
