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
from freehold.dataset import load
from freehold.loop.estate import Estate
from freehold.prove.expected import expected
from freehold.store import DatasetRow
from freehold.watch import make_sketch

Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]


def expect(estate: Estate, dataset: DatasetRow, answer: Answering) -> dict[str, Any]:
    """What live traffic is compared with; `answer` gives the owned answers to the proof's examples, which it has."""
    frozen = load(Path(dataset.path))
    answers = answer(frozen.proof)
    rented = estate.store.following.rented_models([example.id for example in frozen.proof])
    found = expected(dataset.manifest.kind, answers, rented=rented, created_at=time.time())
    return found | {"inputs": make_sketch(_inputs(frozen.train), _inputs(frozen.proof))}


def input_text(messages: Sequence[Message]) -> str:
    """What the owned model is asked, as one text; the same in the proof and live."""
    return "\n".join(message.content for message in messages)


def _inputs(examples: Sequence[Example]) -> list[str]:
    return [input_text(example.messages) for example in examples]
