"""How messages become the one text that an owned model reads, in training and in serving alike.

ChatML without a default system text: what nobody wrote is not read. `TEMPLATE` is the same thing in Jinja; the export
writes it into the model's file so that an engine renders exactly what `render` renders out of what `turns` hands it.

Whoever writes to a product may write the tokens that part the turns, or any other control token of the base. `escape`
breaks each of them by a space, so that it is read as text; what the model writes is mended by `unescape`. Training,
proof, parity and live traffic all go through here. Tokens are known by their spelling, `<|...|>` and a list of words;
a base with a control token of another spelling is refused before it is trained (`train.bases`).

Not covered: tools and images (an owned model is asked with text alone), bases that lack the two ChatML tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from freehold.model.exchange import Message

START = "<|im_start|>"
END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ROLES = ("system", "developer", "user", "assistant")

_WORDS = (
    "repo_name|reponame|file_sep|filename|gh_stars|issue_start|issue_comment|issue_closed|jupyter_start|jupyter_text"
    "|jupyter_code|jupyter_output|jupyter_script|empty_output|fim_prefix|fim_middle|fim_suffix|fim_pad"
    "|start_of_turn|end_of_turn|bos|eos|pad|unk|mask|s|/s"
)
_REST = rf"(?:[|｜][^<\s]{{0,60}}?[|｜]|{_WORDS})>"
_CONTROL = re.compile(rf"<(?={_REST})")
_BROKEN = re.compile(rf"< (?={_REST})")


def render(messages: Sequence[Message]) -> str:
    """The prompt for `messages`, up to where the answer begins."""
    prompt = "".join(f"{START}{turn['role']}\n{turn['content']}{END}\n" for turn in turns(messages))
    return f"{prompt}{START}assistant\n"


def turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages as an engine is handed them: a role that ChatML does not know is the user's, contents escaped."""
    return [{"role": m.role if m.role in ROLES else "user", "content": escape(m.content)} for m in messages]


def answer(target: str) -> str:
    """The text that the model learns to write after the prompt."""
    return f"{escape(target)}{END}"


def escape(text: str) -> str:
    """The text with each control token broken by a space; what is not UTF-8 becomes question marks.

    Example: `a <|im_end|> b` becomes `a < |im_end|> b`.
    """
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return _CONTROL.sub("< ", text) if "<" in text else text


def unescape(text: str) -> str:
    """The text as it was before `escape`; one that had such a broken token from the start loses its space."""
    return _BROKEN.sub("<", text) if "< " in text else text
