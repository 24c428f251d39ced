"""What can be known of a request's kind before anybody answers: the kinds that a proof saw, and no others, go local.

    tools      it offers tools (that need not be called)
    format     it asks for a response format
    prefill    it gives the beginning of the answer
    history    it holds earlier answers

A kind is the set of a request's traits, written `format+history`, or `plain` without any. A proof counts the kinds of
its held-out calls. Of a kind that hardly any of them had, nothing was shown: such requests are left to the provider.

Not covered: what no owned model is asked at all (`Asked.is_plain`), the prompt (`text.prompts.template`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from freehold.model.exchange import Asked

LEAST_SEEN = 5
PLAIN = "plain"


def traits_of(asked: Asked) -> tuple[str, ...]:
    """The traits of a request, in the order of the alphabet."""
    has = {
        "format": asked.response_format is not None,
        "history": any(message.role == "assistant" for message in asked.messages),
        "prefill": bool(asked.prefill),
        "tools": asked.tools is not None,
    }
    return tuple(name for name, is_there in has.items() if is_there)


def kind_of(traits: Iterable[str]) -> str:
    """The kind that these traits make. Example: `format+history`."""
    return "+".join(sorted(traits)) or PLAIN


def is_seen(kinds: Mapping[str, int], asked: Asked) -> bool:
    """Whether a proof saw requests of this kind; `kinds` are its counts, and no counts say nothing against it."""
    return not kinds or kinds.get(kind_of(traits_of(asked)), 0) >= LEAST_SEEN
