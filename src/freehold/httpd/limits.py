"""What one client may take, and why it is refused.

Not covered: limits of keys (`gateway.keys.admission`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Refusal = Literal["bad_request", "head_too_large", "timeout", "full"]

MOST_TURNED_AWAY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may take. `client_wait_s` bounds a head, a body and a reader that make no progress.

    Of `connections` there are no more at once, but for a few that are told so (`MOST_TURNED_AWAY`). Where there is no
    room for a new one, the one that has been idle for the longest is closed. While nine tenths are taken, a head has
    `hurried_s` to come.
    """

    body_bytes: int = 64 * 2**20
    head_bytes: int = 64 * 2**10
    headers: int = 512
    client_wait_s: float = 60.0
    keepalive_s: float = 75.0
    hurried_s: float = 5.0
    connections: int = 20_000
