"""`python -m freehold.cli.request_fields`: the page that says what is decided about each field of a request.

docs/request-fields.md is its output; a test holds it to that. Not covered: the decisions (`dialects.fields`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

from freehold.dialects.fields import FIELDS, Decision, Field

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "openai-chat": "OpenAI chat completions",
        "openai-responses": "OpenAI Responses",
        "openai-completions": "OpenAI completions",
        "anthropic-messages": "Anthropic Messages",
    }
)
_ORDER: tuple[Decision, ...] = ("honoured", "provider", "harmless")
_HEAD = """# What an owned model makes of each field of a request

Written by `python -m freehold.cli.request_fields > docs/request-fields.md`; a test fails when it is out of date.

An owned model is asked with the messages alone: greedy, one answer, text. For every field that a request may have it is
decided whether that is as good as the provider's answer:

- **honoured**: the owned answer does what the field says, or is not used;
- **provider**: the call is left to the provider, because the owned answer would lack what the field asks for;
- **harmless**: the field is not looked at, and the owned answer is as good without it. Fields that only move what the
  provider writes are here too (temperature, reasoning effort): how close the owned model comes to the answers that the
  provider really gave is what the proof measures.

A call that is left to the provider goes there even if its task has moved. It is no example for training either, and is
counted as `not_plain` when the task is frozen. `freehold calls ID` names the field.

A field that is `null` counts as absent. **A field that is in no table below leaves the call to the provider**: nobody
decided about it. A test walks the request types of the `openai` and `anthropic` packages (streaming and beta ones too)
and fails on a field that is missing here.

## Messages

Asked of the owned model are turns of text: of `system`, `developer`, `user` and `assistant`; any other role is read as
`user`. Thoughts in earlier answers are skipped. A call is left to the provider where a message holds an image, a
file or sound, where it calls a tool or holds what one gave back, and where there are no messages.

**The beginning of an answer (prefill).** In Anthropic's dialect a last message of the assistant is the beginning of the
answer. In OpenAI chat it is one where the message says `"prefix": true` or `"partial": true`, or the request says
`"continue_final_message": true`; without such a mark nobody can tell whether the provider goes on with it or answers
it, and the call is left to the provider, as are Responses that end so. The owned model is asked without it and gives
the whole answer. If that begins with the prefill (white space outside the strings of JSON does not count, nor does a
sentence before the JSON in the prefill) the client gets the rest; if not, the provider answers, and the call's tag
`owned` says `prefill`.

**Limits.** `max_tokens` and its kin are counted in the owned model's tokens, a prefill's among them, the one that ends
an answer not. An owned answer that needs more is not used: the provider answers, and the call's tag `owned` says `cut`.
So a limit of 1 leaves an answer of one token, for instance a digit, to the owned model, and every longer one to the
provider. Labels of a task whose requests never allow more than a few tokens are the exception: what fits into those is
the whole label, and the owned model may spell it in as many tokens of its own as it needs.

**Control tokens.** What parts the turns of a prompt, like `<|im_start|>`, has no power inside a message: such a token
is broken by a space before the owned model reads it, in training, in the proof and live alike, and mended in its
answers.
"""


def page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_section(_NAMES[dialect], fields) for dialect, fields in FIELDS.items())


def _section(name: str, fields: Mapping[str, Field]) -> str:
    rows = [_row(name, fields[name]) for name in sorted(fields, key=lambda n: (_ORDER.index(fields[n].decision), n))]
    return f"\n## {name}\n\n| field | decision | why | exception |\n| --- | --- | --- | --- |\n{''.join(rows)}"


def _row(name: str, field: Field) -> str:
    return f"| `{name}` | {field.decision} | {field.why} | {field.exception} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
