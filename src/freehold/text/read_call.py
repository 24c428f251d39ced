"""A call with both sides read: what the client asked and what it was answered, free of any dialect.

Recording reads both sides once and hands them on to whoever needs them then (`sort.run.known_tasks`). Later they are
read again, out of the bodies that the record keeps.

Not covered: the bytes as they came from the gateway (`record.read`).
"""

from __future__ import annotations

import time

import msgspec

from freehold.dialects import BadBodyError, read_answer, read_request
from freehold.model.call import Call
from freehold.model.exchange import Answer, Asked
from freehold.text.target import shown_text


class ReadCall(msgspec.Struct, frozen=True, gc=False):
    """A call with both sides read; `asked` is None where the request is not one that can be read.

    `effort_s` is the CPU time that reading took, where it was measured.
    """

    call: Call
    asked: Asked | None
    answer: Answer
    effort_s: float = 0.0

    @property
    def answer_text(self) -> str:
        """The answer as text, with the beginning that the request gave; tool calls as `name(arguments)`."""
        return shown_text(self.asked or Asked(dialect="other"), self.answer)

    @property
    def is_answered(self) -> bool:
        """Whether the exchange was whole and a success."""
        return self.call.status < 400 and self.call.error is None


def read_call(call: Call) -> ReadCall:
    """Read both sides of a recorded call."""
    began = time.thread_time()
    try:
        asked = read_request(call.dialect, call.request_body) if call.dialect != "other" else None
    except BadBodyError:
        asked = None
    answer = read_answer(call.dialect, call.response_body)
    return ReadCall(call, asked, answer, time.thread_time() - began)
