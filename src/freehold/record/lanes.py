"""The lanes of a journal: what the watch needs at once, and the rest.

    evidence   calls that a moved task's route placed, with their audits and shadows
    rest       all other calls
    mixed      both, as journals of earlier versions have them

Each worker has a writer for each of the first two. The delivery takes evidence first, so that the watch, and with it a
rollback, does not wait for a busy hour of other calls. The name of a writer's folder says which lane it is.

Not covered: the order in which lanes are delivered (`record.delivery`).
"""

from __future__ import annotations

from typing import Literal

from freehold.record.read import Exchange

Lane = Literal["evidence", "mixed", "rest"]

LANES: tuple[Lane, ...] = ("evidence", "mixed", "rest")
"""All lanes, in the order of delivery."""
EVIDENCE_LANES: tuple[Lane, ...] = ("evidence", "mixed")
"""The lanes in which evidence may lie."""
OTHER_LANES: tuple[Lane, ...] = ("mixed", "rest")
"""The lanes in which other calls may lie."""


def is_evidence(exchange: Exchange) -> bool:
    """Whether the route of a moved task placed this call."""
    return exchange.decision.route_version > 0 and exchange.decision.task_id is not None


def lane_of(writer: str) -> Lane:
    """The lane of a writer, by its folder's name."""
    if writer.endswith("-evidence"):
        return "evidence"
    return "rest" if writer.endswith("-rest") else "mixed"


def writer_name(identity: str, lane: Lane) -> str:
    """The name of a writer's folder."""
    return identity if lane == "mixed" else f"{identity}-{lane}"
