"""Which calls belong together, so that a split keeps them on one side: calls of a user, a session, a conversation.

At each level a call goes with whatever it shares the level's name with, and in any case with its conversation: turns of
one conversation stay together also where some of them name no user, or each of them another session. A level is tried
where the coarser one would cost too many calls (`split`).

Not covered: how a conversation is recognised (`conversations`), sides (`split`).
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.freeze.select import Candidate

LEVELS = ("user", "session", "conversation", "call")
"""From the coarsest to the finest."""


def groups_at(level: str, candidates: Sequence[Candidate]) -> list[str]:
    """The group of each call: `user:`, `session:`, `conversation:` or `call:` with what it is named by."""
    roots: dict[str, str] = {}
    keys = [_keys(level, candidate) for candidate in candidates]
    for own in keys:
        for other in own[1:]:
            _join(roots, own[0], other)
    return [_root(roots, own[0]) for own in keys]


def level_of(groups: Sequence[str]) -> str:
    """The coarsest level that there is a group of."""
    return min({group.partition(":")[0] for group in groups}, key=LEVELS.index, default="call")


def _keys(level: str, candidate: Candidate) -> list[str]:
    named = []
    if level == "user" and candidate.user:
        named.append(f"user:{candidate.user}")
    elif level in ("user", "session") and candidate.session:
        named.append(f"session:{candidate.session}")
    if level != "call" and candidate.conversation:
        named.append(f"conversation:{candidate.conversation}")
    return named or [f"call:{candidate.call_id}"]


def _join(roots: dict[str, str], one: str, other: str) -> None:
    """Make two groups one, named by the coarser of both."""
    first, second = sorted((_root(roots, one), _root(roots, other)), key=_rank)
    if first != second:
        roots[second] = first


def _root(roots: dict[str, str], key: str) -> str:
    root = key
    while root in roots:
        root = roots[root]
    while key != root:
        roots[key], key = root, roots[key]
    return root


def _rank(key: str) -> tuple[int, str]:
    return LEVELS.index(key.partition(":")[0]), key
