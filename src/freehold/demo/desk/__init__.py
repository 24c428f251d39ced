"""The demo's domain: the support desk of Tidewell, an online shop that exists only here.

The shop's app asks a rented model for a JSON triage of every customer message. This package writes the messages, knows
the right triage of each one, and makes the request that the app would send. It does not answer anything (see
`freehold.demo.provider`) and it sends nothing.
"""

from freehold.demo.desk.app import (
    LOOKUP_FORMAT,
    MODEL,
    RESPONSE_FORMAT,
    app_request,
    lookup_prompt,
    lookup_request,
    system_prompt,
)
from freehold.demo.desk.inbox import CustomerMessage, messages

__all__ = [
    "LOOKUP_FORMAT",
    "MODEL",
    "RESPONSE_FORMAT",
    "CustomerMessage",
    "app_request",
    "lookup_prompt",
    "lookup_request",
    "messages",
    "system_prompt",
]
