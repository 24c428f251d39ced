"""The gateway's own errors: each has a code, a status, and becomes a reply in the caller's dialect.

Not covered: a provider's errors; they pass through as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from freehold.dialects import error_body
from freehold.dialects.paths import Fault
from freehold.errors import FreeholdError
from freehold.httpd.client import Origin, UpstreamError
from freehold.httpd.heads import Header, plain
from freehold.model.call import Dialect

LONGEST_WAIT_S = 120
"""Client libraries wait out a `retry-after` of so many seconds, some of any number: that may hold them up for hours."""
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": "Check base_url in freehold.toml and the network.",
        "connect_timeout": "Ask again, or raise connect_timeout_s.",
        "first_byte_timeout": "Ask again, or raise first_byte_timeout_s.",
        "total_timeout": "Ask again, or raise total_timeout_s.",
    }
)
_PASSING = frozenset((408, 429, 500, 502, 503, 504))
_LASTING = frozenset(("call_too_large",))


class RefusedError(FreeholdError):
    """A request that the gateway answers with an error of its own; `retry_after_s` tells when to ask again."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def is_lasting(self) -> bool:
        """Whether waiting a moment cannot mend it: a spent day's budget, a key that is unknown, a body too large."""
        if self.code in _LASTING:
            return True
        if self.retry_after_s is not None:
            return self.retry_after_s > LONGEST_WAIT_S
        return self.status not in _PASSING


def reply(refusal: RefusedError, dialect: Dialect) -> tuple[list[Header], bytes]:
    """The headers and the body of a refusal, in the caller's dialect."""
    body = error_body(dialect, message=str(refusal), code=refusal.code)
    headers = [*json_headers(body), (b"freehold-error", plain(refusal.code))]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
    if refusal.is_lasting:
        headers.append((b"x-should-retry", b"false"))
    return headers, body


def mistaken_path(path: str, fault: Fault, meant: str) -> RefusedError:
    """The refusal of a call whose path a wrong base URL made; `meant` is the path that it should be."""
    hints = {
        "missing_v1": "The client's base URL lacks /v1: for OpenAI's clients it ends in /v1.",
        "doubled_v1": "The client's base URL has /v1 twice, or a client of Anthropic's has one that adds it by itself.",
        "unknown_path": "The client's base URL is this gateway's address with /v1, for Anthropic's clients without.",
    }
    return RefusedError(404, fault, f"There is nothing at {path!r}; this call goes to {meant!r}.", hint=hints[fault])


def json_headers(body: bytes) -> list[Header]:
    """The headers of a JSON body."""
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


def unanswered(origin: Origin, error: UpstreamError) -> RefusedError:
    """The refusal of a call that a provider gave no response to."""
    is_late = error.kind.endswith("_timeout")
    code = "upstream_timeout" if is_late else "upstream_unreachable"
    words = "did not answer in time" if is_late else "cannot be reached"
    hint = _HINTS.get(error.kind, "Ask again; if it stays so, look at the provider.")
    return RefusedError(504 if is_late else 502, code, f"The provider at {origin} {words}: {error}.", hint=hint)
