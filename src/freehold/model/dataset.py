"""A dataset's manifest: what was kept, what was dropped and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

OutputKind = Literal["label", "json", "text", "tools"]
Split = Literal["train", "dev", "proof"]
SPLITS: tuple[Split, ...] = ("train", "dev", "proof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The contents of `manifest.json`; `hash` names the dataset by the content of its files and of this manifest.

    `counts` are the examples of each split, `dropped` by reason the calls that are in none. Of the held-out ones,
    `aside` counts for each split by reason those whose answer can be no target, and `kinds` the requests of the proof
    split that an owned model may be asked, by their kind (`text.traits`). `unspoken` counts by reason the calls of the
    proof's period that the proof cannot speak about: they failed, or are of users that were learnt from. `repeats`
    counts for train and dev the examples whose input is nearly one of a later split and that stay all the same, and
    under `held_out` the proof's calls with an input that was so learnt. `habits` are those of `text.target`.
    """

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
    aside: dict[str, dict[str, int]] = field(default_factory=dict)
    unspoken: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    habits: list[str] = field(default_factory=list)

    @property
    def learnt_inputs(self) -> int:
        """The proof's calls whose input was nearly learnt."""
        return self.repeats.get("held_out", 0)

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON object; what versions before did not have is left out where it is empty."""
        plain = asdict(self)
        return {name: value for name, value in plain.items() if value or name not in _LATER}


_LATER = ("aside", "unspoken", "kinds", "repeats", "habits")
