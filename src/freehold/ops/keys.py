"""Gateway keys as an operator handles them: made, looked at, revoked.

Not covered: letting requests in (`freehold.gateway.keys.admission`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from freehold.errors import NotFoundError, UsageError
from freehold.model.key import DAY_S, MINUTE_S, Key, KeyState, KeyUsage, key_hash, key_id, new_key_text
from freehold.ops.refusal_summary import refused_today
from freehold.pipeline.workspace import Workspace
from freehold.sort.names import slug

_LONGEST_NAME = 64
_PATHS = ("/v1/", "/openai/")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a new key is for and how far it goes; None means no limit, empty means any."""

    expires_at: float | None = None
    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    usd_per_day: float | None = None
    paths: Sequence[str] = ()
    methods: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key at a moment, with what was used of it by then."""

    key: Key
    state: KeyState
    requests_this_minute: int
    tokens_this_minute: int
    requests_today: int
    tokens_today: int
    usd_today: float
    reserved_usd: float
    reserved_tokens: int
    unpriced_today: int
    estimated_today: int
    refused_today: Mapping[str, int]

    def plain(self) -> dict[str, object]:
        """The view as JSON-able values; without the hash, which is of no use to anybody."""
        own = {name: value for name, value in asdict(self.key).items() if name not in ("sha256", "task_keys")}
        used = {name: value for name, value in asdict(self).items() if name not in ("key", "state")}
        return own | {"state": self.state} | used


def add_key(workspace: Workspace, name: str, grant: Grant) -> tuple[Key, str]:
    """Make a key; returns it with its text, which is nowhere else. BusyError when the name is taken."""
    now = time.time()
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise UsageError(f"A key cannot be named {name!r}.", hint=f"Use 1 to {_LONGEST_NAME} printable characters.")
    if grant.expires_at is not None and grant.expires_at <= now:
        raise UsageError("The key would have expired before it is made.", hint="Give a time to come, or 30d.")
    if grant.usd_per_day is not None and not math.isfinite(grant.usd_per_day):
        raise UsageError(f"{grant.usd_per_day!r} USD per day is no budget.", hint="Give a number, or no budget at all.")
    text = new_key_text()
    known = {word: task for task in workspace.store.registry.tasks() for word in (task.id, task.name)}
    key = Key(
        id=key_id(text) or "",
        name=name,
        sha256=key_hash(text),
        created_at=now,
        expires_at=grant.expires_at,
        tasks=tuple(known[task].name if task in known else slug(task) for task in grant.tasks),
        task_keys=tuple(known[task].key for task in grant.tasks if task in known),
        models=tuple(grant.models),
        requests_per_minute=grant.requests_per_minute,
        tokens_per_minute=grant.tokens_per_minute,
        usd_per_day=grant.usd_per_day,
        paths=tuple(_path(path) for path in grant.paths),
        methods=tuple(_method(method) for method in grant.methods),
    )
    workspace.store.keys.add(key)
    return key, text


def _path(text: str) -> str:
    if not text.startswith(_PATHS) or "//" in text or not text.isprintable():
        raise UsageError(f"--path {text!r} is no path of a call.", hint="Write /v1/chat/completions, or /v1/files*.")
    return text


def _method(text: str) -> str:
    method = text.upper()
    if method not in _METHODS:
        raise UsageError(f"--method {text!r} is no method.", hint=f"It is one of {', '.join(_METHODS)}.")
    return method


def unknown_tasks(workspace: Workspace, key: Key) -> list[str]:
    """The tasks of a key that are not in the record yet: a request has to name them itself."""
    known = {task.name for task in workspace.store.registry.tasks()}
    return [task for task in key.tasks if task not in known]


def key_views(workspace: Workspace) -> list[KeyView]:
    """All keys, oldest first, as of now."""
    now = time.time()
    usage = workspace.store.keys.usage(now)
    estimated = workspace.store.calls.estimated_by_key(now // DAY_S * DAY_S)
    keys = workspace.store.keys.all_keys()
    return [
        _view(
            key,
            usage.get(key.id, KeyUsage()),
            now,
            estimated.get(key.id, 0),
            refused_today(workspace, now, key_id=key.id),
        )
        for key in keys
    ]


def key_view(workspace: Workspace, name: str) -> KeyView:
    """The key of this name or id; of several with one name the one that is not revoked, else the newest."""
    views = key_views(workspace)
    found = [view for view in views if name in (view.key.id, f"fhk_{view.key.id}")]
    found = found or [view for view in views if view.key.name == name]
    if not found:
        raise NotFoundError(f"There is no gateway key {name!r}.", hint="Their names and ids stand in: freehold keys")
    return max(found, key=lambda view: (view.state != "revoked", view.key.created_at))


def revoke_key(workspace: Workspace, key: Key) -> Key:
    """Let nobody in with this key any more; running gateways follow within a second."""
    now = time.time()
    workspace.store.keys.revoke(key.id, now)
    return replace(key, revoked_at=key.revoked_at or now)


def has_unpriced_providers(workspace: Workspace) -> bool:
    """Whether some provider has no prices, so that what it is paid counts in no budget."""
    return any(not provider.prices for provider in workspace.settings.providers)


def _view(key: Key, usage: KeyUsage, now: float, estimated_today: int, refused: Mapping[str, int]) -> KeyView:
    minute = int(now // MINUTE_S)
    counted = usage.requests if key.requests_per_minute is None else usage.admitted
    return KeyView(
        key=key,
        state=key.state(now),
        requests_this_minute=counted.get(minute, 0),
        tokens_this_minute=usage.tokens.get(minute, 0),
        requests_today=usage.requests_today,
        tokens_today=usage.tokens_today,
        usd_today=usage.cost_usd,
        reserved_usd=usage.reserved_usd,
        reserved_tokens=usage.reserved_tokens,
        unpriced_today=usage.unpriced,
        estimated_today=estimated_today,
        refused_today=refused,
    )
