"""Record: both sides of an exchange become one durable call.

`Recorder` writes calls in groups and says when they are on disk; `make_call` reads an exchange into a call;
`ResponseCapture` keeps a response as it passes. Not covered: the tables (`freehold.store`), the forwarding
(`freehold.gateway`).
"""

from freehold.record.capture import ResponseCapture
from freehold.record.encoding import decode_body, readable_encodings
from freehold.record.read import Decision, RequestSide, ResponseSide, make_call
from freehold.record.recorder import Recorder, Sink

__all__ = [
    "Decision",
    "Recorder",
    "RequestSide",
    "ResponseCapture",
    "ResponseSide",
    "Sink",
    "decode_body",
    "make_call",
    "readable_encodings",
]
