"""The gateway's own errors: each has a code, a status, and becomes a reply in the caller's dialect.

Not covered: a provider's errors; they pass through as they came.
"""

from __future__ import annotations

from freehold.errors import FreeholdError


class RefusedError(FreeholdError):
    """A request that the gateway answers with an error of its own."""

    def __init__(self, status: int, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""
