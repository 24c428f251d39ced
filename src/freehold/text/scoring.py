"""How an answer is compared with the wanted one, per kind of output.

- label: equal after normalising (Unicode form, case, white space, trailing punctuation, quotes around it).
- json (and tools): both are parsed, also in a code fence or after a sentence (`text.json_text`), and compared field by
  field. Numbers are equal by value, strings after stripping, `true` is not `1`, a missing field is not `null`, and a
  list is equal only in its order: a list is compared as JSON wrote it, since whether order matters is nothing that a
  comparison can know. Key order and white space never matter. Where the wanted text is not JSON itself, both are
  compared as text.
- text: equal after normalising white space; beside it a graded score, the F1 of the longest common subsequence of words
  (ROUGE-L, Lin 2004).

Not covered: judges, embeddings, numeric tolerance.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from freehold.text.json_text import JsonValue, parse_json, read_json
from freehold.text.schema import keeps_to

Leaf = None | bool | int | float | str

_WORD = re.compile(r"\w+|[^\w\s]")
_SYNTAX = re.compile(r'[.\[\]{}$"]')
_INDEX = re.compile(r"\[\d+\]")
_QUOTES = "\"'`“”‘’«»"
_TRAILING = ".,;:!?"
ROOT = "$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one answer compares with the wanted one.

    `graded` is in [0, 1] and 1.0 wherever `is_exact`. `is_valid` is False where JSON was wanted and the answer is none,
    or where the answer is empty. `fields` says for each JSON path, wanted or given, whether both sides agree there.
    """

    is_exact: bool
    graded: float
    is_valid: bool
    fields: dict[str, bool] = field(default_factory=dict)


def score(kind: str, wanted: str, got: str) -> Score:
    """Compare the answer `got` with the answer `wanted` of an output of `kind`."""
    match kind:
        case "label":
            is_exact = normal_label(wanted) == normal_label(got)
            return Score(is_exact=is_exact, graded=float(is_exact), is_valid=bool(got.strip()))
        case "json" | "tools":
            return _score_json(wanted, got)
        case _:
            return _score_text(wanted, got)


def is_acceptable(kind: str, text: str, response_format: str | None = None) -> bool:
    """Whether a client that expects output of `kind` could read `text`: bare JSON for json, else not blank.

    Where its request's format (canonical JSON) names a schema, the text keeps to that as well.
    """
    is_readable = read_json(text)[1] if kind in ("json", "tools") else bool(text.strip())
    return is_readable and keeps_to(response_format, text) is not False


def normal_label(text: str) -> str:
    """A label as it is compared; one of nothing but punctuation stays as it is. Example: ' "Refund". ' is refund."""
    plain = normal_text(text).casefold()
    bare = plain
    while bare and (bare[-1] in _TRAILING or (bare[0] in _QUOTES and bare[-1] in _QUOTES)):
        bare = bare[:-1] if bare[-1] in _TRAILING else bare[1:-1]
        bare = bare.strip()
    return bare or plain


def normal_text(text: str) -> str:
    """A text as it is compared: composed Unicode (NFC), runs of white space as one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def leaves(value: JsonValue) -> dict[str, Leaf]:
    """A JSON value as path to scalar; an empty object or list is a leaf of its own, written `{}` or `[]`.

    Example: {"a": {"b": [1, "x"]}} gives {"a.b[0]": 1, "a.b[1]": "x"}; a bare scalar sits at `$`.
    """
    return dict(_walk(value))


def field_name(path: str) -> str:
    """A path with its list positions left out, so that all elements of a list count as one field."""
    return _INDEX.sub("[]", path)


def _walk(root: JsonValue) -> Iterator[tuple[str, Leaf]]:
    """Walk with a stack of its own: answers may nest deeper than Python recurses."""
    waiting: list[tuple[str, JsonValue]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        match value:
            case dict() if value:
                prefix = f"{path}." if path else ""
                waiting.extend((prefix + _step(key), child) for key, child in reversed(value.items()))
            case list() if value:
                waiting.extend((f"{path}[{i}]", child) for i, child in reversed(list(enumerate(value))))
            case dict():
                yield f"{path or ROOT}{{}}", None
            case list():
                yield f"{path or ROOT}[]", None
            case _:
                yield path or ROOT, value


def _step(key: str) -> str:
    """A key as one step of a path; quoted where it could be taken for more than one."""
    return key if key and not _SYNTAX.search(key) else json.dumps(key, ensure_ascii=False)


def _score_json(wanted: str, got: str) -> Score:
    want, is_want_json = parse_json(wanted)
    if not is_want_json:
        return _score_text(wanted, got)
    have, is_have_json = parse_json(got)
    if not is_have_json:
        return Score(is_exact=False, graded=0.0, is_valid=False, fields=dict.fromkeys(leaves(want), False))
    wanted_leaves, got_leaves = leaves(want), leaves(have)
    fields = {path: path in got_leaves and _same(leaf, got_leaves[path]) for path, leaf in wanted_leaves.items()}
    fields.update({path: False for path in got_leaves if path not in wanted_leaves})
    agreed = sum(fields.values())
    graded = 2 * agreed / (len(wanted_leaves) + len(got_leaves))
    return Score(is_exact=all(fields.values()), graded=graded, is_valid=True, fields=fields)


def _score_text(wanted: str, got: str) -> Score:
    want, have = normal_text(wanted), normal_text(got)
    if want == have:
        return Score(is_exact=True, graded=1.0, is_valid=bool(have))
    return Score(is_exact=False, graded=_rouge_l(want, have), is_valid=bool(have))


def _rouge_l(wanted: str, got: str) -> float:
    want, have = _WORD.findall(wanted.casefold()), _WORD.findall(got.casefold())
    if not want or not have:
        return 0.0
    return 2 * _common_words(want, have) / (len(want) + len(have))


def _common_words(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyro 2004): long answers stay cheap."""
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        hit = row & places.get(word, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(first) - row.bit_count()


def _same(wanted: Leaf, got: Leaf) -> bool:
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, str) and isinstance(got, str):
        return unicodedata.normalize("NFC", wanted.strip()) == unicodedata.normalize("NFC", got.strip())
    return wanted == got
