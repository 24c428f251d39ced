"""What one client may take, and why it is refused.

Not covered: limits of keys (`gateway.admission`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Refusal = Literal["bad_request", "head_too_large", "timeout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take. `client_wait_s` bounds a head, a body and a reader that make no progress."""

    body_bytes: int = 64 * 2**20
    head_bytes: int = 64 * 2**10
    headers: int = 512
    client_wait_s: float = 60.0
    keepalive_s: float = 75.0
    connections: int = 20_000
