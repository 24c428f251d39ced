"""The kinds of requests that a proof saw, and that no others go local."""

from __future__ import annotations

import pytest

from freehold.model import Asked, Message
from freehold.model.live_baseline import LiveBaseline
from freehold.text.traits import LEAST_SEEN, is_seen, kind_of, traits_of

USER, SAID = Message("user", "a"), Message("assistant", "b")


def asked(*messages: Message, **more: object) -> Asked:
    return Asked(dialect="openai-chat", messages=messages or (USER,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (asked(), "plain"),
        (asked(Message("system", "s"), USER), "plain"),
        (asked(USER, SAID, USER), "history"),
        (asked(tools="[]"), "tools"),
        (asked(response_format="{}"), "format"),
        (asked(prefill="{"), "prefill"),
        (asked(USER, SAID, USER, tools="[]", response_format="{}", prefill="{"), "format+history+prefill+tools"),
    ],
)
def test_kinds(request_: Asked, kind: str) -> None:
    assert kind_of(traits_of(request_)) == kind
    assert is_seen({kind: LEAST_SEEN, "other": 900}, request_)
    assert not is_seen({kind: LEAST_SEEN - 1, "other": 900}, request_)
    assert not is_seen({"other": 900}, request_)


@pytest.mark.parametrize("kinds", [None, {}, [], "plain", 3])
def test_a_proof_that_counted_no_kinds_says_nothing_against_any(kinds: object) -> None:
    assert is_seen(LiveBaseline.from_json({"kinds": kinds}).kinds, asked())


def test_odd_counts_are_none() -> None:
    for count in ("many", None, True):
        kinds = LiveBaseline.from_json({"kinds": {"plain": count, "history": 900}}).kinds
        assert not is_seen(kinds, asked())
