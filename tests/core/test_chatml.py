"""The template that training and serving share: the text and its Jinja form are the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from freehold.core import Message
from freehold.core.chatml import TEMPLATE, answer, render

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
    plain = [{"role": m.role, "content": m.content} for m in messages]
    assert template.render(messages=plain, add_generation_prompt=True) == render(messages)


def test_nothing_is_read_that_nobody_wrote() -> None:
    assert render([Message("user", "Hi")]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert answer("Hello") == "Hello<|im_end|>"


def test_what_is_not_utf8_becomes_a_question_mark() -> None:
    assert render([Message("user", "a\ud800b")]).startswith("<|im_start|>user\na?b<")
    assert answer("\ud800") == "?<|im_end|>"
