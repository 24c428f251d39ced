"""What a model thinks before it answers, told from the answer.

A thought is a provider's own field or part (`reasoning_content`, `reasoning`, parts and blocks of thinking), or stands
at the beginning of the text between marks: `<think>...</think>` and its kin. A thought that never ends leaves no
answer. An end mark alone, without a beginning, ends a thought whose beginning was in the prompt.

Not covered: marks in the middle of an answer; they are part of it.
"""

from __future__ import annotations

import re

from freehold.dialects.values import JsonObject, as_list, as_object, as_text

_TAGS = (
    r"(?:think|thinking|thoughts?|reason|reasoning|ant_?thinking|seed:think|mm:think|longcat_think|chain_of_thought|cot"
    r"|(?:thinking|thought|reasoning)_process|inner_(?:monologue|thoughts?)|internal_(?:reasoning|thoughts?)|scratchpad)"
)
_MARKS = (
    (rf"<{_TAGS}(?:\s[^<>]{{0,200}})?>(?<!/>)", rf"<\s{{0,3}}/\s{{0,3}}{_TAGS}\s{{0,9}}>"),
    (rf"<{_TAGS}\s?/>", ""),
    (rf"&lt;{_TAGS}&gt;", rf"&lt;/{_TAGS}&gt;"),
    (rf"<\|{_TAGS}\|>", rf"<\|(?:/|end_?){_TAGS}\|>"),
    (r"<unused94>thought\n", "<unused95>"),
    (r"Thinking\.\.\.\n", r"\n\.\.\.done thinking\."),
    (r"\[THINK\]", r"\[/THINK\]"),
    ("◁think▷", "◁/think▷"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]{0,100}<\|message\|>", r"<\|end\|>"),
)
_PAIRS = tuple((re.compile(begin, re.IGNORECASE), re.compile(end, re.IGNORECASE)) for begin, end in _MARKS)
_LONE_END = re.compile(r"</(?:think|thinking|seed:think)\s{0,9}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_SIGNS = ("<", "[", "◁", "&lt;", "Thinking...", "thinking...", "THINKING...")
"""Every mark begins with one of these, as they are spelt by models."""
_FRAME = re.compile(
    r"^(?:<\|start\|>assistant)?<\|channel\|>final[^<]{0,100}<\|message\|>|<\|(?:return|end)\|>$"
    r"|^<\|START_RESPONSE\|>|<\|END_RESPONSE\|>$"
    r"|^<\|begin_of_solution\|>|<\|end_of_solution\|>$"
)
_THOUGHT_KEYS = frozenset({"reasoning_content", "reasoning", "thinking", "reasoning_details"})
_FRAMES = ("<|channel|>final", "<|START_RESPONSE|>", "<|begin_of_solution|>")


def split_thought(text: str) -> tuple[str, str]:
    """The thought that a text begins with, and the answer behind it. Example: `<think>hm</think>yes` -> (hm, yes)."""
    if not any(sign in text for sign in _SIGNS):
        return "", text
    thoughts: list[str] = []
    place = 0
    while (found := _block(text, place)) is not None:
        start, end, place = found
        thoughts.append(text[start:end])
    lone = _LONE_END.search(text, place)
    if lone is not None and not any(begin.search(text, place, lone.start()) for begin, _ in _PAIRS):
        thoughts.append(text[place : lone.start()])
        place = lone.end()
    rest = text[place:].lstrip() if thoughts else text
    if rest.startswith(_FRAMES) or (thoughts and "<|" in rest):
        rest = _FRAME.sub("", rest.strip()).strip()
    return joined_thoughts(*thoughts), rest


def _block(text: str, place: int) -> tuple[int, int, int] | None:
    """Where the thought that begins at a place starts and ends, and where its end mark ends; None where none begins."""
    space = _SPACE.match(text, place)
    place = space.end() if space else place
    for begin, end in _PAIRS:
        opened = begin.match(text, place)
        if opened is not None:
            closed = end.search(text, opened.end())
            if closed is None:
                return opened.end(), len(text), len(text)
            return opened.end(), closed.start(), closed.end()
    return None


def joined_thoughts(*thoughts: str) -> str:
    """Thoughts as one text, each once, in their order."""
    if not any(thoughts):
        return ""
    said = dict.fromkeys(thought.strip() for thought in thoughts)
    return "\n".join(thought for thought in said if thought)


def thought_of(message: JsonObject) -> str:
    """The thought in a chat message's own fields; several fields often tell the same one."""
    if _THOUGHT_KEYS.isdisjoint(message):
        return ""
    told = [_text_of(message.get(key)) for key in ("reasoning_content", "reasoning", "thinking")]
    if not any(told):
        told = [_text_of(message.get("reasoning_details"))]
    return joined_thoughts(*told)


def part_thought(part: JsonObject) -> str:
    """The thought in a content part or block of thinking."""
    return "".join(_text_of(part.get(key)) for key in ("thinking", "reasoning", "text", "summary", "content"))


def _text_of(value: object) -> str:
    """The text in a string, a part, or a list of them."""
    if isinstance(value, dict):
        return as_text(value.get("text")) or as_text(value.get("summary")) or as_text(value.get("thinking"))
    if isinstance(value, list):
        return "".join(as_text(item) or _text_of(as_object(item)) for item in as_list(value))
    return as_text(value)
