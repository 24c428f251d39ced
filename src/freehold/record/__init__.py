"""Record: both sides of an exchange become one durable call.

    Recorder   keeps exchanges in a Journal, on disk before their clients see the end of them
    Delivery   takes them out of the journal at a Pace, evidence first, and `read_exchange` makes calls of them
    Backlog    what waits in between, by Lane
    UnderWay   calls that have not ended yet

Not covered: the tables (`freehold.store`), the forwarding (`freehold.gateway`).
"""

from freehold.record.backlog import (
    Backlog,
    delivery_lag_s,
    delivery_problem,
    ends,
    is_delivered,
    oldest_waiting,
    read_backlog,
)
from freehold.record.conversations import Conversations
from freehold.record.delivery import Delivery
from freehold.record.encoding import decode_body, missing_encodings, readable_encodings
from freehold.record.journal import Durability, GoneError, Journal
from freehold.record.lanes import EVIDENCE_LANES, LANES, OTHER_LANES, Lane
from freehold.record.pace import Pace
from freehold.record.read import Decision, Exchange, RequestSide, ResponseSide, read_exchange
from freehold.record.recorder import Recorder
from freehold.record.underway import UnderWay, forget_calls_under_way, oldest_under_way

__all__ = [
    "EVIDENCE_LANES",
    "LANES",
    "OTHER_LANES",
    "Backlog",
    "Conversations",
    "Decision",
    "Delivery",
    "Durability",
    "Exchange",
    "GoneError",
    "Journal",
    "Lane",
    "Pace",
    "Recorder",
    "RequestSide",
    "ResponseSide",
    "UnderWay",
    "decode_body",
    "delivery_lag_s",
    "delivery_problem",
    "ends",
    "forget_calls_under_way",
    "is_delivered",
    "missing_encodings",
    "oldest_under_way",
    "oldest_waiting",
    "read_backlog",
    "read_exchange",
    "readable_encodings",
]
