"""What a model thinks is told from what it answers, in every dialect and whatever the marks."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from dialects.made_streams import answered, chat, chunk, data, named

from freehold.dialects import read_answer
from freehold.dialects.thought import split_thought
from freehold.model import Dialect

MARKED = [
    ("<think>hm</think>yes", "hm", "yes"),
    ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
    ("\n <THINK>hm</THINK> yes", "hm", "yes"),
    ("<thinking>hm</thinking>yes", "hm", "yes"),
    ("<thought>hm</thought>yes", "hm", "yes"),
    ("<reasoning>hm</reasoning>yes", "hm", "yes"),
    ('<think budget="9">hm</think>yes', "hm", "yes"),
    ("<seed:think>hm</seed:think>yes", "hm", "yes"),
    ("[THINK]hm[/THINK]yes", "hm", "yes"),
    ("◁think▷hm◁/think▷yes", "hm", "yes"),
    ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>yes<|END_RESPONSE|>", "hm", "yes"),
    ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>", "hm", "yes"),
    ("<|channel|>final<|message|>yes", "", "yes"),
    ("<think>a</think><think>b</think>yes", "a\nb", "yes"),
    ("<think></think>\n\nyes", "", "yes"),
    ("hm</think>yes", "hm", "yes"),
    ("hm\n</think>\n\n{}", "hm", "{}"),
    ("<think>a <think> b</think> c</think>yes", "a <think> b\nc", "yes"),
    ("<ant_thinking>hm</ant_thinking>yes", "hm", "yes"),
    ("<scratchpad>hm</scratchpad>\n\nyes", "hm", "yes"),
    ("<chain_of_thought>hm</chain_of_thought>yes", "hm", "yes"),
    ("&lt;think&gt;hm&lt;/think&gt;yes", "hm", "yes"),
    ("<|thinking|>hm<|/thinking|>yes", "hm", "yes"),
    ("<unused94>thought\nhm<unused95>yes", "hm", "yes"),
    ("Thinking...\nhm\n...done thinking.\n\nyes", "hm", "yes"),
    ("<think>hm</ think>yes", "hm", "yes"),
    ("<think/>yes", "", "yes"),
    ("<think>never ended", "never ended", ""),
    ("<think>", "", ""),
    ("[THINK]never ended", "never ended", ""),
]
UNMARKED = [
    "yes",
    "",
    "  yes ",
    "I think so",
    "yes <think>no</think>",
    "the tag <think> opens and </think> closes",
    "<thinker>yes</thinker>",
    "<analysis>because</analysis>yes",
    "Thinking... about it, yes",
    "&lt;b&gt;yes&lt;/b&gt;",
    "< think>yes",
    '{"reasoning": "because", "label": "refund"}',
]


@pytest.mark.parametrize(("text", "thought", "answer"), MARKED)
def test_marks_at_the_beginning(text: str, thought: str, answer: str) -> None:
    assert split_thought(text) == (thought, answer)


@pytest.mark.parametrize("text", UNMARKED)
def test_what_is_no_thought_stays_as_it_is(text: str) -> None:
    assert split_thought(text) == ("", text)


def _message(text: str) -> bytes:
    return json.dumps({"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}).encode()


def _response(text: str) -> bytes:
    item = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return json.dumps({"status": "completed", "output": [item]}).encode()


BODIES: dict[Dialect, Any] = {
    "openai-chat": lambda text: json.dumps({"choices": [{"message": {"content": text}}]}).encode(),
    "openai-completions": lambda text: json.dumps({"choices": [{"text": text}]}).encode(),
    "openai-responses": _response,
    "anthropic-messages": _message,
}


def test_marks_in_every_dialect() -> None:
    checked = 0
    for dialect, body in BODIES.items():
        for text, thought, answer in MARKED:
            read = read_answer(dialect, body(text))
            assert (read.thought, read.text) == (thought, answer), (dialect, text)
            checked += 1
    assert checked == len(BODIES) * len(MARKED)


def test_fields_of_thought() -> None:
    assert chat({"content": "yes", "reasoning_content": "hm"}).thought == "hm"
    assert chat({"content": "yes", "reasoning": "hm"}).thought == "hm"
    both = {"content": "yes", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}
    assert (chat(both).thought, chat(both).text) == ("hm", "yes")
    details = {"content": "yes", "reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}
    assert chat(details).thought == "hm"
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    assert (chat({"content": parts}).thought, chat({"content": parts}).text) == ("hm", "yes")
    flat = [{"type": "thinking", "thinking": "hm"}, "yes"]
    assert (chat({"content": flat}).thought, chat({"content": flat}).text) == ("hm", "yes")


def test_thought_of_responses_and_messages() -> None:
    reasoning = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "in short"}],
        "content": [{"type": "reasoning_text", "text": "at length"}],
    }
    said = {"type": "message", "content": [{"type": "output_text", "text": "yes"}]}
    response = read_answer("openai-responses", json.dumps({"output": [reasoning, said]}).encode())
    assert (response.thought, response.text) == ("at length\nin short", "yes")
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "redacted_thinking", "data": "x"}]
    message = read_answer("anthropic-messages", json.dumps({"content": [*blocks, *_text("yes")]}).encode())
    assert (message.thought, message.text) == ("hm", "yes")


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def test_streamed_thought() -> None:
    stream = data(
        chunk({"role": "assistant", "reasoning_content": "h"}),
        chunk({"reasoning_content": "m"}),
        chunk({"content": "yes"}),
    )
    assert (answered("openai-chat", stream).thought, answered("openai-chat", stream).text) == ("hm", "yes")
    marked = data(chunk({"content": "<thi"}), chunk({"content": "nk>hm</th"}), chunk({"content": "ink>yes"}, "stop"))
    assert (answered("openai-chat", marked).thought, answered("openai-chat", marked).text) == ("hm", "yes")
    deltas = [{"type": "response.reasoning_text.delta", "output_index": 0, "delta": word} for word in ("h", "m")]
    said = {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "yes"}
    response = answered("openai-responses", named(*deltas, said))
    assert (response.thought, response.text) == ("hm", "yes")


def test_hostile_marks_take_no_time() -> None:
    started = time.process_time()
    for text in (
        "<think></think>" * 50_000,
        " " * 500_000 + "</think>",
        "<think>" * 100_000,
        "<|channel|>analysis" * 20_000,
    ):
        split_thought(text)
    assert time.process_time() - started < 2
