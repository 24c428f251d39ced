"""The model's name in a request's body, put there without touching any other byte.

A fallback may have another name for the model: `with_model` puts it in place. `with_added_model` puts a name where
there is none: a path of Azure's names the model, and other providers want it in the body.

Not covered: bodies that are encoded, or no JSON objects; they have no place for it.
"""

from __future__ import annotations

import json

from freehold.dialects.scan import decode_utf8, members


def with_model(body: bytes, model: str) -> bytes | None:
    """The request body with another model; None where it names none."""
    text = decode_utf8(body)
    named = [span for span in members(text) if span.key == "model"]
    if not named:
        return None
    return (text[: named[-1].start] + json.dumps(model) + text[named[-1].end :]).encode()


def with_added_model(body: bytes, model: str) -> bytes | None:
    """The request body with a model, as its first member; None where it is no JSON object."""
    text = decode_utf8(body)
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] != "{":
        return None
    comma = "" if text[start + 1 :].lstrip().startswith("}") else ","
    return f'{text[: start + 1]}"model":{json.dumps(model)}{comma}{text[start + 1 :]}'.encode()
