"""The gateway's own errors: each has a code, a status, and becomes a reply in the caller's dialect.

Not covered: a provider's errors; they pass through as they came.
"""

from __future__ import annotations

from freehold.core.call import Dialect
from freehold.core.dialects import error_body
from freehold.errors import FreeholdError
from freehold.gateway.http1.heads import Header, plain


class RefusedError(FreeholdError):
    """A request that the gateway answers with an error of its own; `retry_after_s` tells when to ask again."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


def reply(refusal: RefusedError, dialect: Dialect) -> tuple[list[Header], bytes]:
    """The headers and the body of a refusal, in the caller's dialect."""
    body = error_body(dialect, message=str(refusal), code=refusal.code)
    headers = [*json_headers(body), (b"freehold-error", plain(refusal.code))]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
    return headers, body


def json_headers(body: bytes) -> list[Header]:
    """The headers of a JSON body."""
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
