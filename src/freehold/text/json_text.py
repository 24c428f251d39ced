"""JSON as models write it: bare, in a code fence, or after a sentence.

    {"intent": "fee"}                              bare
    Sure! Here is the JSON:                        one value that stands by itself, with little text around it:
    {"intent": "fee"}                              it begins a line or follows a colon, and ends its line
    ```json ... ```                                the first fence; what stands before it may be long (a model that
                                                   reasons first) where nothing follows it

Prose with a snippet in it is not JSON: more text follows the snippet, or there are several. What a snippet in a short
text is, one text alone cannot tell; whether the same fields come back in all answers can (`text.output_kind`).

Not covered: JSON that was cut, comments, single quotes, trailing commas.
"""

from __future__ import annotations

import json
import re

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

MOST_BEFORE, MOST_AFTER = 200, 100
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_OPENS = re.compile(r"[{\[]")
_COLONS = (":", "：")
_MOST_TRIES = 5


def read_json(text: str) -> tuple[JsonValue, bool]:
    """The value of a text that is JSON and nothing else, and whether it is; one that is too deep to read is not."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, False
    return value, True


def parse_json(text: str) -> tuple[JsonValue, bool]:
    """The one JSON value in a text, bare or in other clothes (see the module), and whether there is one."""
    value, is_json = read_json(text)
    if is_json or not ("{" in text or "[" in text or "```" in text):
        return value, is_json
    fenced = _FENCE.search(text)
    if fenced is None:
        return _standing_alone(text)
    before, after = text[: fenced.start()].strip(), text[fenced.end() :].strip()
    is_alone = not after or (len(before) <= MOST_BEFORE and len(after) <= MOST_AFTER and "```" not in after)
    return read_json(fenced.group(1)) if is_alone else (None, False)


def is_bare_json(text: str) -> bool:
    """Whether the text is JSON as it stands, inside one code fence at most: nothing around it has to be taken away."""
    fenced = _FENCE.fullmatch(text.strip())
    return read_json(text if fenced is None else fenced.group(1))[1]


def _standing_alone(text: str) -> tuple[JsonValue, bool]:
    """An object or array with a sentence before or after it."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    for opening in list(_OPENS.finditer(text, 0, MOST_BEFORE * 2))[:_MOST_TRIES]:
        before = text[: opening.start()]
        if len(before.strip()) > MOST_BEFORE:
            break
        if before.rpartition("\n")[2].strip() and not before.rstrip().endswith(_COLONS):
            continue
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue
        return (value, True) if _is_end(text[end:]) and _is_told(value) else (None, False)
    return None, False


def _is_end(after: str) -> bool:
    """Whether the line ends with the value, and little follows."""
    line = after.partition("\n")[0].strip(" \t\r.`")
    return not line and len(after.strip()) <= MOST_AFTER and not _OPENS.search(after)


def _is_told(value: JsonValue) -> bool:
    """Whether a value means something by itself: `[1]` in a text is a footnote."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | str) for item in value))


def _refuse(name: str) -> float:
    raise ValueError(f"{name!r} is not JSON")
