"""A task: the calls that share one prompt template; what gets trained, proven and moved as a unit."""

from __future__ import annotations

from dataclasses import dataclass, field

from freehold.core.dataset import OutputKind
from freehold.core.ids import sha256_hex
from freehold.core.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. `id` is the hash of `key`, so that two sorters at once find the same task.

    `aliases` are other fingerprints that its requests have, and are looked up after all keys.

    `is_named` holds when the client named it. `is_loose` holds while it is unsettled: too few calls, or a prompt that
    says too little, so that its calls are handed to `tasks.sort_calls` again with the next ones. `is_trainable` is
    False for what no text model can take over, embeddings for instance.
    """

    id: str
    name: str
    key: str
    template: Template = field(default_factory=Template)
    kind: OutputKind = "text"
    created_at: float = 0.0
    is_named: bool = False
    is_loose: bool = False
    is_trainable: bool = True
    aliases: tuple[str, ...] = ()


def task_id(key: str) -> str:
    """The id of the task with this key."""
    return sha256_hex(key)[:12]
