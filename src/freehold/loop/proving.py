"""Prove: ask the owned model about held-out calls, keep every answer, and let the proof decide.

Answers are kept in a file as they come, so that a proof that was killed asks only what is missing.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from freehold.core import Example, ModelCard, OwnedAnswer, Verdict
from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.task import Task
from freehold.errors import ParityError
from freehold.loop.estate import Estate
from freehold.loop.progress import Progress, Reporter
from freehold.serve import answer_all, serving
from freehold.store.taskbook import DatasetRow

SIMULATED = "simulated"


def prove_model(estate: Estate, task: Task, dataset: DatasetRow, card: ModelCard, report: Reporter) -> Verdict:
    """Prove one model on one dataset and write the verdict down; ParityError when the served model is another one."""
    from freehold.prove import prove

    if not card.parity.get("is_ok"):
        reason = card.parity.get("reason") or "parity was never checked"
        raise ParityError(f"Model {card.id} cannot be proven: {reason}.", hint=f"Run: freehold train {task.name}")
    settings = proof_settings(estate)
    verdict_id = sha256_hex(canonical_json([card.id, dataset.id, asdict(settings)]))[:16]
    keep = estate.folder("proofs") / f"{card.id}-{dataset.id[:12]}.answers.jsonl"
    started = time.time()
    with _asking(estate, card, keep) as answer:
        verdict = prove(
            Path(dataset.path),
            answer=answer,
            settings=settings,
            facts=_facts(estate, task, card, verdict_id, started),
            out_dir=estate.folder("proofs") / verdict_id,
            on_progress=lambda step, done, total: report(Progress(stage="prove", done=done, total=total, note=step)),
        )
    estate.store.book.put_verdict(verdict)
    return verdict
