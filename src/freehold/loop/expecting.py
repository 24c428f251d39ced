"""What a verdict expects of live traffic: figures of the proof's answers, the rented models seen, a sketch of inputs.

Not covered: the figures themselves (`prove.expected`, `watch.inputs`), what is done with them (`loop.watching`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freehold.core import Example, OwnedAnswer
from freehold.core.exchange import Message
from freehold.core.scoring import is_acceptable, score
from freehold.dataset import load
from freehold.loop.estate import Estate
from freehold.prove.expected import expected
from freehold.store import DatasetRow
from freehold.watch import make_sketch

Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]


def expect(estate: Estate, dataset: DatasetRow, answer: Answering, *, is_whole: bool = False) -> dict[str, Any]:
    """What live traffic is compared with; `answer` gives the owned answers to the proof's examples, which it has.

    A whole replacement may differ from the provider and be no worse: then audits, which see that it differs, are
    compared with the share of answers that did so in the proof.
    """
    frozen = load(Path(dataset.path))
    answers = answer(frozen.proof)
    rented = estate.store.following.rented_models([example.id for example in frozen.proof])
    kind = dataset.manifest.kind
    found = expected(kind, answers, rented=rented, created_at=time.time())
    if is_whole:
        differ = [
            not score(kind, one.incumbent, given.text).is_exact
            for one, given in zip(frozen.proof, answers, strict=True)
            if is_acceptable(kind, given.text)
        ]
        found["differing_share"] = sum(differ) / max(len(differ), 1)
    return found | {"inputs": make_sketch(_inputs(frozen.train), _inputs(frozen.proof))}


def input_text(messages: Sequence[Message]) -> str:
    """What the owned model is asked, as one text; the same in the proof and live."""
    return "\n".join(message.content for message in messages)


def _inputs(examples: Sequence[Example]) -> list[str]:
    return [input_text(example.messages) for example in examples]
