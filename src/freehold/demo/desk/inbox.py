"""The shop's customer messages, in the order in which they arrive.

Message number i depends on the seed and on i alone, so that any part of the traffic can be written again, by the
provider as well as by the shop. Customers come, write one to four times within a short while, and mostly go again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from freehold.demo.desk.messages import Writer
from freehold.demo.desk.phrasebook import phrasebook

LANGUAGE_SHARES: Mapping[str, float] = {"en": 0.80, "de": 0.07, "es": 0.05, "fr": 0.05, "it": 0.015, "nl": 0.015}

CROWD_SIZE = 24
"""Among this many messages in a row, up to `CROWD_USERS` customers take turns."""
CROWD_USERS = 14
COMEBACK_SHARE = 0.03
"""This share of messages comes from a customer of an earlier crowd."""
GAP_S = 95.0
"""Mean time between two messages."""


@dataclass(frozen=True)
class CustomerMessage:
    """One message to the support desk; `gold` is the right triage, `received_at_s` counts from the first message."""

    id: str
    text: str
    user: str
    session: str
    gold: dict[str, object]
    received_at_s: float


def messages(n: int, seed: int) -> Iterator[CustomerMessage]:
    """Write the first `n` messages of the traffic with this seed."""
    return (message_at(index, seed) for index in range(n))


def message_at(index: int, seed: int) -> CustomerMessage:
    """Write message number `index` (from 0) of the traffic with this seed."""
    rng = random.Random(f"{seed}/{index}")  # noqa: S311
    language = rng.choices(list(LANGUAGE_SHARES), list(LANGUAGE_SHARES.values()))[0]
    text, gold = Writer(phrasebook(language), rng, index).write()
    crowd = index // CROWD_SIZE
    if crowd and rng.random() < COMEBACK_SHARE:
        crowd -= rng.randint(1, min(crowd, 12))
    user = f"user-{crowd:05d}-{rng.randrange(CROWD_USERS):02d}"
    return CustomerMessage(
        id=f"msg-{seed}-{index:06d}",
        text=text,
        user=user,
        session=f"{user}-{index // CROWD_SIZE:05d}",
        gold=gold,
        received_at_s=round((index + rng.random()) * GAP_S, 3),
    )
