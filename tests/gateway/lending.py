"""Keys made for tests, and requests that bring them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freehold.model import Key
from freehold.model.key import key_hash, key_id, new_key_text

NOON = 1_764_072_000.0  # 2025-11-25 12:00 UTC, the beginning of a minute


def a_key(**changes: Any) -> tuple[Key, str]:
    """A key and its text."""
    text = new_key_text()
    public = key_id(text)
    assert public is not None
    values: dict[str, Any] = {"id": public, "name": f"key {public}", "sha256": key_hash(text), "created_at": NOON - 10}
    return Key(**values | changes), text


def bringing(**headers: str) -> Callable[[bytes], str]:
    """The headers of a request; `_` stands for `-`."""
    by_name = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return lambda name: by_name.get(name, "")
