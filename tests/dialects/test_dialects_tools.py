"""Tool calls in every shape in which they come, whole and in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialects.made_streams import answered, chat, chunk, data, named
from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects import read_answer

Told = list[tuple[str, str]]


def calls_of(answer: Any) -> Told:
    return [(call.name, call.arguments) for call in answer.tool_calls]


def part(call_id: str | None, name: str | None, arguments: Any, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**({"id": call_id, "type": "function"} if call_id is not None else {}), "function": function, **more}


def streamed(*parts: dict[str, Any]) -> Told:
    chunks = [chunk({"tool_calls": [one]}) for one in parts]
    return calls_of(answered("openai-chat", data(*chunks, chunk({}, "tool_calls"))))


OSLO, ROME = '{"city":"Oslo"}', '{"city":"Rome"}'
BOTH: Told = [("weather", OSLO), ("weather", ROME)]


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([part("a", "weather", OSLO, index=0), part("b", "weather", ROME, index=0)], BOTH),
        ([part("a", "weather", OSLO, index=None), part("b", "weather", ROME, index=None)], BOTH),
        ([part("a", "weather", OSLO), part("b", "weather", ROME)], BOTH),
        ([part(None, "weather", OSLO, index=0), part(None, "weather", ROME, index=0)], BOTH),
        ([part("", "weather", OSLO), part("", "weather", ROME)], BOTH),
        ([part("weather", "weather", OSLO, index=0), part("weather", "weather", ROME, index=0)], BOTH),
        ([part("x", "weather", OSLO, index=0), part("x", "weather", ROME, index=1)], BOTH),
        ([part("a", "weather", OSLO, index=0), part("b", "weather", ROME, index=7)], BOTH),
        ([part("b", "weather", ROME, index=1), part("a", "weather", OSLO, index=0)], BOTH),
        (
            [
                part("a", "weather", "", index=0),
                part(None, None, OSLO[:5], index=0),
                part("b", "weather", "", index=0),
                part(None, None, ROME[:5], index=0),
                part(None, None, ROME[5:], index=0),
            ],
            [("weather", OSLO[:5]), ("weather", ROME)],
        ),
        ([part("a", "weather", OSLO[:4], index=0), part("other", None, OSLO[4:], index=0)], [("weather", OSLO)]),
        ([part("a", "weather", OSLO[:4], index=0), part("a", "weather", OSLO[4:], index=0)], [("weather", OSLO)]),
        ([part(None, "weather", "", index=0), part("a", None, OSLO, index=0)], [("weather", OSLO)]),
        ([part("a", "weather", "{}", index=0), part("a", None, OSLO, index=0)], [("weather", OSLO)]),
        ([part("a", "weather", None, index=0), part("a", None, OSLO, index=0)], [("weather", OSLO)]),
        ([part("a", "weather", {"city": "Oslo"}, index=0)], [("weather", OSLO)]),
        ([{"index": 0, "id": "a", "name": "weather", "arguments": OSLO}], [("weather", OSLO)]),
        ([part("a", "weather", "", index="0"), part(None, None, OSLO, index="0")], [("weather", OSLO)]),
    ],
)
def test_streamed_calls(parts: list[dict[str, Any]], wanted: Told) -> None:
    assert streamed(*parts) == wanted


@given(st.data())
def test_any_interleaving_gives_each_call_its_arguments(draw: st.DataObject) -> None:
    wanted = [(f"f{n}", json.dumps({"n": n, "text": "ü" * n})) for n in range(draw.draw(st.integers(1, 4)))]
    queues = []
    for n, (name, arguments) in enumerate(wanted):
        cut = draw.draw(st.integers(0, len(arguments)))
        pieces = [part(f"call_{n}", name, "", index=n), part(None, None, arguments[:cut], index=n)]
        queues.append([*pieces, part(None, None, arguments[cut:], index=n)])
    order: list[dict[str, Any]] = []
    while any(queues):
        order.append(draw.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    assert streamed(*order) == wanted


def test_shapes_of_a_whole_body() -> None:
    assert calls_of(chat({"tool_calls": [part("a", "weather", {"city": "Oslo"})]})) == [("weather", OSLO)]
    assert calls_of(chat({"tool_calls": [part("a", "weather", [1, 2])]})) == [("weather", "[1,2]")]
    assert calls_of(chat({"tool_calls": [part("a", "now", None)]})) == [("now", "")]
    assert calls_of(chat({"tool_calls": part("a", "weather", OSLO)})) == [("weather", OSLO)]
    assert calls_of(chat({"function_call": {"name": "weather", "arguments": OSLO}})) == [("weather", OSLO)]
    assert calls_of(chat({"function_call": {"name": "weather", "arguments": {"city": "Oslo"}}})) == [("weather", OSLO)]
    custom = {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    assert calls_of(chat({"tool_calls": [custom]})) == [("shell", "ls -l")]
    assert calls_of(chat({"content": "x", "tool_calls": None, "function_call": None})) == []
    assert calls_of(chat({"tool_calls": [None, 1, "x"]})) != BOTH


def test_streamed_function_call_and_custom_tool() -> None:
    pieces = [
        {"function_call": {"name": "weather", "arguments": ""}},
        *({"function_call": {"arguments": p}} for p in (OSLO[:3], OSLO[3:])),
    ]
    assert calls_of(answered("openai-chat", data(*map(chunk, pieces)))) == [("weather", OSLO)]
    custom = [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
        {"index": 0, "custom": {"input": " -l"}},
    ]
    assert calls_of(answered("openai-chat", data(*(chunk({"tool_calls": [c]}) for c in custom)))) == [
        ("shell", "ls -l")
    ]


CLIENT_ITEMS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, ("f", "{}")),
    ({"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls"}, ("shell", "ls")),
    (
        {"type": "tool_search_call", "execution": "client", "call_id": "c", "arguments": {"q": 1}},
        ("tool_search", '{"q":1}'),
    ),
    (
        {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
        ("local_shell", '{"type":"exec","command":["ls"]}'),
    ),
    ({"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}}, ("shell", '{"commands":["ls"]}')),
    ({"type": "computer_call", "call_id": "c", "action": {"type": "wait"}}, ("computer", '{"type":"wait"}')),
    ({"type": "computer_call", "call_id": "c", "actions": [{"type": "wait"}]}, ("computer", '[{"type":"wait"}]')),
    (
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
        ("apply_patch", '{"type":"delete_file","path":"a"}'),
    ),
    ({"type": "mcp_approval_request", "id": "c", "name": "look", "arguments": "{}"}, ("look", "{}")),
]
SERVER_ITEMS = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "mcp_call",
    "mcp_list_tools",
    "image_generation_call",
    "program",
]


def test_items_of_responses() -> None:
    for item, wanted in CLIENT_ITEMS:
        read = read_answer("openai-responses", json.dumps({"output": [item]}).encode())
        assert (calls_of(read), read.tool_calls[0].id) == ([wanted], "c"), item
        last = {"type": "response.completed", "response": {"output": []}}
        done = {"type": "response.output_item.done", "output_index": 0, "item": item}
        assert calls_of(answered("openai-responses", named(done, last))) == [wanted], item
    for kind in SERVER_ITEMS:
        served = {"type": kind, "id": "x", "name": "f", "arguments": "{}"}
        assert read_answer("openai-responses", json.dumps({"output": [served]}).encode()).tool_calls == ()
    searched = {"type": "tool_search_call", "execution": "server", "arguments": {}}
    assert read_answer("openai-responses", json.dumps({"output": [searched]}).encode()).tool_calls == ()


def test_streamed_arguments_of_responses() -> None:
    events = [
        {
            "type": "response.output_item.added",
            "output_index": 2,
            "item": {"type": "custom_tool_call", "id": "i", "call_id": "c", "name": "shell", "input": ""},
        },
        {"type": "response.custom_tool_call_input.delta", "output_index": 2, "item_id": "i", "delta": "ls"},
        {"type": "response.custom_tool_call_input.delta", "output_index": 2, "item_id": "i", "delta": " -l"},
    ]
    assert calls_of(answered("openai-responses", named(*events))) == [("shell", "ls -l")]


def test_messages_leave_what_the_provider_runs_unread() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "mcp_tool_use", "id": "m", "name": "look", "input": {}},
        {"type": "tool_use", "id": "t", "name": "click", "toolset_name": "browser", "input": {"x": 1}},
    ]
    read = read_answer("anthropic-messages", json.dumps({"content": blocks, "stop_reason": "tool_use"}).encode())
    assert calls_of(read) == [("click", '{"x":1}')]
