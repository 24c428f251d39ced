"""What streams of particular providers do that others do not, one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialects.made_streams import answered, assembled, chunk, data, named
from hypothesis import given
from hypothesis import strategies as st

from freehold.model import Dialect


def filtered(finish: str | None = None) -> dict[str, Any]:
    """A chunk of Azure's asynchronous filter: a choice without delta, and nothing in what is known already."""
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, "content_filter_offsets": {"check_offset": 4}}
    return {"id": "", "object": "", "created": 0, "model": "", "choices": [choice], "usage": None}


def test_azure() -> None:
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"i": 0}]}
    stream = data(
        first, chunk({"role": "assistant", "content": "ref"}), filtered(), chunk({"content": "und"}), filtered(),
        chunk({}, "stop"), filtered(), filtered(""),
    )  # fmt: skip
    body = json.loads(assembled("openai-chat", stream).body())
    assert (body["id"], body["model"], body["created"], body["object"]) == ("c", "m", 7, "chat.completion")
    assert body["prompt_filter_results"] == [{"i": 0}]
    read = answered("openai-chat", stream)
    assert (read.text, read.finish_reason, read.model) == ("refund", "stop", "m")
    blocked = answered("openai-chat", data(first, filtered()))
    assert (blocked.text, blocked.finish_reason) == ("", None)


@pytest.mark.parametrize("none", ["", None, "null", " "])
def test_a_finish_reason_that_says_nothing_ends_nothing(none: str | None) -> None:
    for dialect, made in (
        ("openai-chat", chunk({"content": "x"}, none)),
        ("openai-completions", {"choices": [{"text": "x", "finish_reason": none}]}),
    ):
        cut = assembled(dialect, data(made, done=False))  # type: ignore[arg-type]
        assert not cut.is_complete
        read = answered(dialect, data(made, made, done=True))  # type: ignore[arg-type]
        assert (read.text, read.finish_reason) == ("xx", None)
    whole = data(chunk({"content": "x"}, none), chunk({}, "stop"), chunk({}, none), done=False)
    assert assembled("openai-chat", whole).is_complete
    assert answered("openai-chat", whole).finish_reason == "stop"


def test_done_without_a_finish_reason_can_be_told() -> None:
    built = assembled("openai-chat", data(chunk({"content": "x"})))
    assert (built.is_complete, answered("openai-chat", data(chunk({"content": "x"}))).finish_reason) == (True, None)


TEXT_PARTS = [{"type": "text", "text": '{"la'}], [{"type": "text", "text": 'bel":'}, {"type": "text", "text": "1}"}]


@pytest.mark.parametrize(
    "contents",
    [
        list(TEXT_PARTS),
        ['{"la', TEXT_PARTS[1]],
        [TEXT_PARTS[0], 'bel":', "1}"],
        ['{"la', [{"type": "text", "text": 'bel":'}], "1}"],
        ["", None, [], TEXT_PARTS[0], None, "", TEXT_PARTS[1]],
        [{"type": "text", "text": '{"la'}, {"type": "text", "text": 'bel":1}'}],
        [['{"la'], ['bel":1}']],
    ],
)
def test_content_as_texts_and_parts_in_any_order(contents: list[Any]) -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]
    more = [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}], "closed": True}]
    assert answered("openai-chat", data(*(chunk({"content": c}) for c in contents))).text == '{"label":1}'
    read = answered("openai-chat", data(*(chunk({"content": c}) for c in (thinking, more, *contents))))
    assert (read.thought, read.text) == ("hm", '{"label":1}')


def test_openrouter() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "cost": 0.1}
    stream = b": OPENROUTER PROCESSING\n\n" + data(
        chunk({"role": "assistant", "content": "x"}), chunk({"content": ""}, "stop", native_finish_reason="STOP"),
        chunk({"role": "assistant", "content": ""}, usage=usage),
    )  # fmt: skip
    read = answered("openai-chat", stream)
    assert (read.text, read.finish_reason, read.usage.output_tokens, read.error) == ("x", "stop", 5, None)


def test_the_message_in_place_of_the_delta() -> None:
    whole = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    }
    assert answered("openai-chat", data(whole)).text == "x"


# responses

EMPTY: dict[str, Any] = {"id": "r", "object": "response", "model": "m", "status": "in_progress", "output": []}
DONE: dict[str, Any] = {**EMPTY, "status": "completed", "usage": {"input_tokens": 9, "output_tokens": 2}}


def message(*parts: dict[str, Any], item_id: str = "i") -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "assistant", "status": "completed", "content": list(parts)}


def text(value: str) -> dict[str, Any]:
    return {"type": "output_text", "text": value, "annotations": []}


def item_done(item: dict[str, Any], index: int | None = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(word: str, **where: Any) -> dict[str, Any]:
    return {"type": "response.output_text.delta", **where, "delta": word}


REASONING = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]}
FIRST = {"output_index": 0, "content_index": 0}
WAYS: dict[str, list[dict[str, Any]]] = {
    "items only": [item_done(message(text("refund")))],
    "deltas only": [delta("ref", output_index=0, content_index=0), delta("und", output_index=0, content_index=0)],
    "deltas without any index": [delta("ref"), delta("und")],
    "deltas by item": [delta("ref", item_id="i"), delta("und", item_id="i")],
    "a text that is done": [{"type": "response.output_text.done", **FIRST, "text": "refund"}],
    "a part that is done": [{"type": "response.content_part.done", **FIRST, "part": text("refund")}],
    "an item done empty": [delta("refund", output_index=0, item_id="i"), item_done(message())],
    "an index of null": [item_done(message(text("refund")), None)],
    "a gap": [item_done(message(text("refund")), 7)],
    "two parts": [delta("ref", output_index=0, content_index=0), delta("und", output_index=0, content_index=2)],
    "two messages": [item_done(message(text("ref"))), item_done(message(text("und"), item_id="j"), 2)],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("last", ["without output", "with null", "cut", "with empty items", "whole"])
def test_output_of_responses(way: str, last: str) -> None:
    created = {"type": "response.created", "response": EMPTY}
    final: dict[str, list[dict[str, Any]]] = {
        "without output": [{"type": "response.completed", "response": DONE}],
        "with null": [{"type": "response.completed", "response": {**DONE, "output": None}}],
        "cut": [],
        "with empty items": [{"type": "response.completed", "response": {**DONE, "output": [message()]}}],
        "whole": [{"type": "response.completed", "response": {**DONE, "output": [message(text("refund"))]}}],
    }
    if way in ("two messages", "a gap") and last == "with empty items":
        return  # nobody can tell which item is meant
    read = answered("openai-responses", named(created, *WAYS[way], *final[last]))
    assert (read.text, read.model) == ("refund", "m")
    assert read.usage.output_tokens == (None if last == "cut" else 2)


def test_reasoning_refusal_and_calls_come_back_too() -> None:
    refusal = message({"type": "refusal", "refusal": "no"})
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": "{}"}
    done = {"type": "response.completed", "response": DONE}
    read = answered("openai-responses", named(item_done(REASONING), item_done(refusal, 1), item_done(call, 2), done))
    assert (read.text, read.is_refusal, read.thought, read.tool_calls[0].name) == ("no", True, "hm", "f")
    words = [
        {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": word} for word in ("n", "o")
    ]
    told = answered("openai-responses", named(*words, done))
    assert (told.text, told.is_refusal) == ("no", True)
    summed = {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"}
    assert answered("openai-responses", named(summed, delta("x", output_index=1), done)).thought == "hm"


def test_deepseek_reasons_in_words_of_its_own() -> None:
    deltas = [
        {"type": "response.reasoning_text.delta", "item_id": "rs", "output_index": 0, "content_index": 0, "delta": w}
        for w in ("h", "m")
    ]
    read = answered(
        "openai-responses",
        named(*deltas, delta("x", item_id="i", output_index=1), {"type": "response.completed", "response": DONE}),
    )
    assert (read.thought, read.text) == ("hm", "x")


def test_places_are_bounded() -> None:
    far = {"type": "response.output_text.delta", "output_index": 0, "content_index": 2**40, "delta": "x"}
    assert answered("openai-responses", named(far)).text == "x"


# messages


def test_messages_without_event_lines_stop_or_index() -> None:
    events = [
        {
            "type": "message_start",
            "message": {"id": "m", "model": "claude-x", "usage": {"input_tokens": 3, "output_tokens": 1}},
        },
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ref"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "und"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    ]
    stream = data(*events, done=False)
    assert assembled("anthropic-messages", stream).is_complete
    read = answered("anthropic-messages", stream)
    assert (read.text, read.finish_reason, read.usage.output_tokens) == ("refund", "end_turn", 2)


@pytest.mark.parametrize("early", [None, "end_turn"])
def test_what_the_first_event_of_a_broken_message_says_of_its_end_is_nothing(early: str | None) -> None:
    begun = {"id": "m", "stop_reason": early, "usage": {"input_tokens": 3, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "long text"}},
    ]
    read = answered("anthropic-messages", named(*events))
    assert (read.usage.input_tokens, read.usage.output_tokens, read.finish_reason) == (3, None, None)
    assert not assembled("anthropic-messages", named(*events)).is_complete
    whole = answered(
        "anthropic-messages",
        named(*events, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}),
    )
    assert whole.usage.output_tokens == 1


# half characters

EMOJI = "ok \U0001f600!"
HALVES = [r"ok \ud83d", r"\ude00!"]


def _events(dialect: Dialect, where: str) -> list[str]:
    """Raw JSON events that hold one half each, and how they are read."""
    makers = {
        ("openai-chat", "text"): '{"choices":[{"index":0,"delta":{"content":"%s"}}]}',
        ("openai-chat", "part"): '{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"%s"}]}}]}',
        ("openai-chat", "thought"): '{"choices":[{"index":0,"delta":{"reasoning_content":"%s"}}]}',
        (
            "openai-chat",
            "tool",
        ): '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"%s"}}]}}]}',
        ("openai-completions", "text"): '{"choices":[{"index":0,"text":"%s"}]}',
        (
            "openai-responses",
            "text",
        ): '{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%s"}',
        (
            "openai-responses",
            "thought",
        ): '{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"%s"}',
        ("openai-responses", "tool"): '{"type":"response.function_call_arguments.delta","output_index":0,"delta":"%s"}',
        (
            "anthropic-messages",
            "text",
        ): '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}',
        (
            "anthropic-messages",
            "thought",
        ): '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"%s"}}',
    }
    return [makers[dialect, where] % half for half in HALVES]


PLACES: list[tuple[Dialect, str]] = [
    ("openai-chat", "text"), ("openai-chat", "part"), ("openai-chat", "thought"), ("openai-chat", "tool"),
    ("openai-completions", "text"), ("openai-responses", "text"), ("openai-responses", "thought"),
    ("openai-responses", "tool"), ("anthropic-messages", "text"), ("anthropic-messages", "thought"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "where"), PLACES)
def test_halves_of_a_character_in_two_events(dialect: Dialect, where: str) -> None:
    stream = data(*(event.encode() for event in _events(dialect, where)))
    read = answered(dialect, stream)
    got = {
        "text": read.text,
        "part": read.text,
        "thought": read.thought,
        "tool": "".join(c.arguments for c in read.tool_calls),
    }
    assert got[where] == EMOJI


def test_halves_in_the_arguments_of_a_message() -> None:
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    }
    pieces = [r"{\"a\":\"ok \ud83d", r"\ude00!\"}"]
    delta = '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"PIECE"}}'
    deltas = [delta.replace("PIECE", piece) for piece in pieces]
    read = answered("anthropic-messages", data(start, *(d.encode() for d in deltas)))
    assert json.loads(read.tool_calls[0].arguments) == {"a": EMOJI}


def test_a_half_that_stays_alone_is_no_crash() -> None:
    for dialect, where in PLACES:
        read = answered(dialect, data(_events(dialect, where)[0].encode()))
        assert (read.text + read.thought).encode() is not None


@given(st.text(min_size=1, max_size=12), st.data())
def test_a_text_cut_between_any_two_units_is_the_text(whole: str, draw: st.DataObject) -> None:
    units = whole.encode("utf-16-le", "surrogatepass")
    cut = 2 * draw.draw(st.integers(0, len(units) // 2))
    halves = [units[:cut].decode("utf-16-le", "surrogatepass"), units[cut:].decode("utf-16-le", "surrogatepass")]
    deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": h}} for h in halves]
    read = answered(
        "anthropic-messages",
        named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "="}}, *deltas),
    )
    assert (
        read.text
        == "="
        + whole.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass").encode("utf-8", "replace").decode()
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks(end: str, mark: str) -> None:
    lines = [f"{mark}: hello{end}{end}"] + [
        f"data:{json.dumps(c)}{end}{end}" for c in (chunk({"content": "x"}), chunk({}, "stop"))
    ]
    assert answered("openai-chat", "".join(lines).encode()).text == "x"
