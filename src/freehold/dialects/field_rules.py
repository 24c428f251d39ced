"""Which values of a request field only the provider can answer; each rule takes the value and says whether it does.

A rule never sees `null`: a field that is null is as good as absent. A value of a wrong type goes to the provider, who
says what is wrong with it. Not covered: which field has which rule (`fields`).
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.dialects.values import as_count, as_list, as_object

Rule = Callable[[object], bool]

_FORMATS = ("text", "json_object", "json_schema")
_FREE_CHOICES = ("auto", "none")
_THOUGHT_SWITCHES = frozenset({"enable_thinking", "thinking", "reasoning_effort", "clear_thinking"})
_CLIENT_TOOLS = ("function", "custom")


def always(value: object) -> bool:
    """Any value at all."""
    del value
    return True


def is_said(value: object) -> bool:
    """Any value but those that ask for nothing: false, 0, an empty text, list or object."""
    return bool(value)


def is_true(value: object) -> bool:
    """Any value but false."""
    return value is not False


def is_false(value: object) -> bool:
    """Any value but true."""
    return value is not True


def is_no_flag(value: object) -> bool:
    """What is neither true nor false."""
    return not isinstance(value, bool)


def is_not_one(value: object) -> bool:
    """Any number but one."""
    return isinstance(value, bool) or value != 1


def is_no_limit(value: object) -> bool:
    """What is not a number of tokens that lets at least one through."""
    return not as_count(value)


def wants_more_than_text(value: object) -> bool:
    """Modalities other than text."""
    return not isinstance(value, list) or any(item != "text" for item in value)


def includes_more_than_reasoning(value: object) -> bool:
    """Added output other than encrypted reasoning, of which an owned answer has none."""
    return not isinstance(value, list) or any(item != "reasoning.encrypted_content" for item in value)


def forces_a_tool(value: object) -> bool:
    """A choice of tools that leaves no way to answer in text."""
    if isinstance(value, str):
        return value not in _FREE_CHOICES
    choice = as_object(value)
    if choice.get("type") == "allowed_tools":
        return (as_object(choice.get("allowed_tools")) or choice).get("mode") != "auto"
    return choice.get("type") not in _FREE_CHOICES


def runs_tools(value: object) -> bool:
    """Tools that the provider itself runs; those of the client are functions and custom tools."""
    if not isinstance(value, list):
        return True
    return any(as_object(tool).get("type", "function") not in _CLIENT_TOOLS for tool in value)


def has_another_format(value: object) -> bool:
    """A format of the answer that is neither text nor JSON."""
    return as_object(value).get("type") not in _FORMATS


def configures_more_than(known: frozenset[str], format_key: str = "format") -> Rule:
    """An object with other members than these, or with another format than text or JSON."""

    def rule(value: object) -> bool:
        if not isinstance(value, dict) or not known.issuperset(value):
            return True
        return value.get(format_key) is not None and has_another_format(value[format_key])

    return rule


def prepares_a_cache(value: object) -> bool:
    """Cache options that make the call something else than a question: one to fill or to examine the cache."""
    options = as_object(value)
    return not isinstance(value, dict) or bool(options.get("prewarm") or options.get("comparison_response_id"))


def edits_context(value: object) -> bool:
    """Context management that edits anything."""
    return bool(as_list(as_object(value).get("edits"))) if isinstance(value, dict) else bool(value)


def searches(value: object) -> bool:
    """Search parameters that do not turn the search off."""
    return as_object(value).get("mode") != "off"


def changes_the_template(value: object) -> bool:
    """Arguments of the provider's chat template other than those for its thoughts."""
    return not isinstance(value, dict) or not _THOUGHT_SWITCHES.issuperset(value)
