"""How messages become the one text that an owned model reads, in training and in serving alike.

ChatML without a default system text: what nobody wrote is not read. `TEMPLATE` is the same thing in Jinja; the export
writes it into the model's file so that an engine renders exactly what `render` renders.

Not covered: tools and images (an owned model is asked with text alone), bases that lack the two ChatML tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.exchange import Message

START = "<|im_start|>"
END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def render(messages: Sequence[Message]) -> str:
    """The prompt for `messages`, up to where the answer begins; what is not UTF-8 becomes question marks."""
    turns = "".join(f"{START}{m.role}\n{m.content}{END}\n" for m in messages)
    return f"{turns}{START}assistant\n".encode("utf-8", "replace").decode()


def answer(target: str) -> str:
    """The text that the model learns to write after the prompt."""
    return f"{target}{END}".encode("utf-8", "replace").decode()
