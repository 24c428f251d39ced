"""Held-out traffic with calls in it that no answer is known for: tool calls, refusals, images."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripted_proof import Answering, example, make_dataset, model

from freehold.model.dataset import Split
from freehold.model.dataset_folder import read_split
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.text.traits import kind_of

TOOLS, REFUSALS, IMAGES = 0.4, 0.25, 0.1


def mixed(
    folder: Path,
    *,
    tools: float = TOOLS,
    refusals: float = REFUSALS,
    images: float = IMAGES,
    kinds: Sequence[str] = (),
    unspoken: dict[str, int] | None = None,
    repeats: int = 0,
    **how: Any,
) -> Path:
    """A dataset whose dev and proof hold all calls of their time; `kinds` are kinds of requests, drawn alike."""
    path = make_dataset(folder, **how)
    held: list[Example] = []
    splits: tuple[Split, ...] = ("dev", "proof")
    for split in splits:
        file = path / f"{split}.jsonl"
        held = [_aside(row, tools, refusals, images, kinds) for row in read_split(path, split)]
        file.write_text("".join(json.dumps(row.to_row()) + "\n" for row in held), "utf-8")
    told = [kind_of(row.traits) for row in held if row.is_askable]
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    manifest |= {
        "kinds": {kind: told.count(kind) for kind in sorted(set(told))},
        "unspoken": unspoken or {},
        "repeats": {"train": 1, "held_out": repeats} if repeats else {},
    }
    (path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return path


def _aside(row: Example, tools: float, refusals: float, images: float, kinds: Sequence[str]) -> Example:
    rng = random.Random(f"aside {row.id}")
    draw = rng.random()
    if kinds:
        row = replace(row, traits=tuple(part for part in rng.choice(kinds).split("+") if part != "plain"))
    if draw < tools:
        return replace(row, aside="tool_calls", target="{}", incumbent='block({"why": "lost"})')
    if draw < tools + refusals:
        return replace(row, aside="refusal", target="{}", incumbent="I cannot help with that.")
    if draw < tools + refusals + images:
        return replace(row, aside="not_plain", target="{}", messages=(), traits=())
    return row


def careful(accuracy: float, *, betrayed: float = 0.0) -> Answering:
    """A model that is unsure where it should leave a call alone, but for a share `betrayed` of those."""
    answering = model(accuracy)

    def one(asked: Example) -> OwnedAnswer:
        assert asked.is_askable, "the gateway would never have asked this"
        rng = random.Random(f"careful {asked.id}")
        plain = answering([replace(asked, target=example(int(asked.id[1:])).target)])[0]
        if not asked.is_aside or rng.random() < betrayed:
            return plain
        return replace(plain, logprobs=tuple(-rng.expovariate(1 / 2.0) for _ in range(12)))

    return lambda examples: [one(asked) for asked in examples]
