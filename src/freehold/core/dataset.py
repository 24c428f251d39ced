"""A dataset's manifest: what was kept, what was dropped and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

OutputKind = Literal["label", "json", "text", "tools"]
Split = Literal["train", "dev", "proof"]
SPLITS: tuple[Split, ...] = ("train", "dev", "proof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The contents of `manifest.json`; `hash` names the dataset by the content of its files and of this manifest."""

    hash: str
    task: str
    task_id: str
    kind: OutputKind
    template: dict[str, Any]
    counts: dict[str, int]
    dropped: dict[str, int]
    files: dict[str, str]
    labels: list[str] = field(default_factory=list)
    corrected: int = 0
    groups: int = 0
    grouped_by: str = "call"
    cutoff_at: float = 0.0
    calls_seen: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    version: int = 1
