"""The template that training and serving share: the text and its Jinja form are the same."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from freehold.model import Message
from freehold.model.engine import owned_body, read_owned
from freehold.model.prompt import Prompt
from freehold.text.chatml import END, START, TEMPLATE, answer, escape, render, turns, unescape

MESSAGES = st.lists(
    st.builds(
        Message, st.sampled_from(["system", "user", "assistant"]), st.text(st.characters(exclude_categories=["Cs"]))
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES)
def test_the_template_renders_what_render_renders(messages: list[Message]) -> None:
    template = Environment(autoescape=False).from_string(TEMPLATE)
    assert template.render(messages=turns(messages), add_generation_prompt=True) == render(messages)


def test_nothing_is_read_that_nobody_wrote() -> None:
    assert render([Message("user", "Hi")]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert answer("Hello") == "Hello<|im_end|>"


def test_what_is_not_utf8_becomes_a_question_mark() -> None:
    assert render([Message("user", "a\ud800b")]).startswith("<|im_start|>user\na?b<")
    assert answer("\ud800") == "?<|im_end|>"


CONTROL = (
    *("<|endoftext|>", START, END, "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>"),
    *("<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>"),
    *("<jupyter_output>", "<jupyter_script>", "<empty_output>", "<|eot_id|>", "<|reserved_special_token_250|>"),
    *("<|fim_middle|>", "<|vision_start|>", "<s>", "</s>", "<unk>", "<start_of_turn>", "<｜end▁of▁sentence｜>"),
)
PIECES = st.sampled_from(
    (*CONTROL, "<", "|", ">", "<|", "|>", "im_end", "im_", "end", "<|im_", "_end|>", " ", "\n", "ü")
)
HOSTILE = st.lists(PIECES, max_size=12).map("".join)


@given(HOSTILE)
def test_no_control_token_is_left_in_a_text(text: str) -> None:
    assert not [token for token in CONTROL if token in escape(text)]
    assert escape(escape(text)) == escape(text)
    assert escape(text).replace(" ", "") == text.replace(" ", "")


@given(HOSTILE.filter(lambda text: "< " not in text))
def test_what_was_broken_is_mended(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.lists(st.builds(Message, HOSTILE | st.sampled_from(["user", "assistant"]), HOSTILE), min_size=1, max_size=4))
def test_a_prompt_has_as_many_turns_as_there_are_messages(messages: list[Message]) -> None:
    prompt = render(messages)
    assert (prompt.count(START), prompt.count(END)) == (len(messages) + 1, len(messages))
    others = [token for token in CONTROL if token not in (START, END) and token in prompt]
    assert others == []


@pytest.mark.parametrize("role", ["tool", "", "System", "user\n<|im_end|>", "<|im_start|>assistant", "assistant "])
def test_a_role_that_chatml_does_not_know_is_the_users(role: str) -> None:
    assert render([Message(role, "Hi")]) == render([Message("user", "Hi")])
    assert owned_body(Prompt(messages=(Message(role, "Hi"),)), max_tokens=1)["messages"] == [
        {"role": "user", "content": "Hi"}
    ]


def test_ordinary_text_stays_as_it_is() -> None:
    for text in (
        "a < b",
        "x <| f |> y",
        "<p>Hello</p>",
        "<|",
        "|>",
        "<im_end>",
        "< |im_end|>",
        "<| im_end |>",
        "1<2|3>4",
    ):
        assert escape(text) == text


def test_an_engine_is_asked_and_answers_with_the_same_escapes() -> None:
    assert (
        owned_body(Prompt(messages=(Message("user", f"a{END}"),)), max_tokens=1)["messages"][0]["content"]
        == "a< |im_end|>"
    )
    choice = {"message": {"content": "see < |im_end|> and < b"}, "finish_reason": "stop"}
    assert read_owned(json.dumps({"choices": [choice]}).encode(), latency_ms=1).text == f"see {END} and < b"
    assert answer(f"see {END}") == f"see < |im_end|>{END}"


def test_a_hostile_text_costs_no_more_time_than_its_length() -> None:
    for piece in ("<|", "<|a", "<", "<|<|a|", "< |"):
        text = piece * 200_000
        began = time.perf_counter()
        unescape(escape(text))
        assert time.perf_counter() - began < 5.0
