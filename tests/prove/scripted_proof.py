"""A small frozen dataset and a scripted owned model, for tests of the whole proof."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove import ProofFacts, ProofSettings
from freehold.prove.evaluate import Evaluation, weigh
from freehold.prove.measure import Guess, ScoredSplit, score_guesses
from freehold.prove.policy import Tuning

INTENTS = ("refund", "cancel", "track", "invoice", "other")
Answering = Callable[[Sequence[Example]], list[OwnedAnswer]]


def example(
    i: int, *, kind: str = "json", users: int = 0, corrected: float = 0.0, intents: Sequence[str] = INTENTS
) -> Example:
    """A message whose intent its words do not tell, with an order number that they do."""
    rng = random.Random(f"example {i}")
    intent = rng.choice(intents)
    order = f"A-{rng.randrange(10_000, 99_999)}"
    wanted = json.dumps({"intent": intent, "order": order}) if kind == "json" else intent
    is_corrected = rng.random() < corrected
    other = json.dumps({"intent": "unsure", "order": order}) if kind == "json" else "unsure"
    return Example(
        id=f"c{i}",
        messages=(Message("user", f"About {order}: the {rng.choice('abcdefgh')} one, number {i}"),),
        target=wanted,
        incumbent=other if is_corrected else wanted,
        source="correction" if is_corrected else "provider",
        group=f"u{i % users}" if users else f"u{i}",
        created_at=1_763_900_000.0 + i,
    )


def make_dataset(
    folder: Path, *, proof: int = 400, dev: int = 150, train: int = 300, kind: str = "json", **how: Any
) -> Path:
    """Write a dataset folder; `how` goes to `example`."""
    folder.mkdir()
    start = 0
    for name, size in (("train", train), ("dev", dev), ("proof", proof)):
        rows = [example(i, kind=kind, **how).to_row() for i in range(start, start + size)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        start += size
    manifest = {
        "hash": "fh1-0123456789abcdef",
        "task": "triage",
        "task_id": "task-1",
        "kind": kind,
        "template": {},
        "files": {},
        "counts": {"train": train, "dev": dev, "proof": proof},
        "dropped": {"exact_duplicate": 7},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def model(accuracy: float, *, is_telling: bool = True) -> Answering:
    """An owned model that is right with this probability, and surer of right answers unless it is not telling."""

    def one(asked: Example) -> OwnedAnswer:
        rng = random.Random(f"model {asked.id}")
        is_right = rng.random() < accuracy
        wrong = json.dumps({"intent": "wrong", "order": None}) if asked.target.startswith("{") else "wrong"
        spread = 0.02 if is_right or not is_telling else 0.3
        return OwnedAnswer(
            text=asked.target if is_right else wrong,
            logprobs=tuple(-rng.expovariate(1 / spread) for _ in range(12)),
            input_tokens=40,
            output_tokens=12,
            latency_ms=80.0 + rng.randrange(40),
        )

    return lambda examples: [one(asked) for asked in examples]


def examine(
    name: str, held: ScoredSplit, guesses: Sequence[Guess], settings: ProofSettings, tuning: Tuning | None = None
) -> Evaluation:
    """Score `guesses` and decide on them as on an owned model's answers."""
    return weigh(score_guesses(name, held, guesses), held, settings, tuning)


FACTS = ProofFacts(
    verdict_id="verdict-1",
    model_id="model-1",
    created_at=1_763_900_000.0,
    base="smollm2-135m",
    provider="rented-large-1",
    is_provider_simulated=True,
    calls_per_day=5000.0,
    provider_cost_per_call_usd=0.0021,
    provider_latency_ms=820.0,
    audit_rate=0.05,
    parity={"is_ok": True},
    recipe={"steps": 10},
)
