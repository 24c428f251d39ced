"""Gateway keys where they do not belong: in a path, a query, a body, or a header that is kept with the call.

A key stands in the headers that `gateway.keys.admission` reads. Anywhere else it would be recorded, and go to the
provider, so the request is refused, and what is recorded of it has no key. A key in any other header is not forwarded
and not kept (`gateway.provider.providers`). Not covered: a key that is spelled in another way than keys are, such as in
base64.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from freehold.gateway.errors import RefusedError
from freehold.gateway.request_context import KEPT_HEADERS, RequestContext
from freehold.model.key import PREFIX, holds_key

_PREFIX = PREFIX.encode()


def check_place(context: RequestContext) -> None:
    """RefusedError for a key in the path, the query, or a header that is kept; the record gets none of them."""
    target = unquote_to_bytes(context.target) if b"%" in context.target else context.target
    if _holds_key(target):
        context.forget()
        raise _misplaced("URL")
    by_name = context.http.by_name
    if KEPT_HEADERS.isdisjoint(by_name):
        return
    for name in KEPT_HEADERS & by_name.keys():
        if _holds_key(by_name[name]):
            context.forget()
            raise _misplaced(f"header {name.decode()}")


def check_body(context: RequestContext) -> None:
    """RefusedError for a key in the body, which is not recorded then."""
    body = context.plain_body or b""
    if _holds_key(body):
        context.body = b""
        raise _misplaced("body")


def _holds_key(data: bytes) -> bool:
    return _PREFIX in data and holds_key(data.decode("latin-1"))


def _misplaced(place: str) -> RefusedError:
    return RefusedError(
        400,
        "misplaced_gateway_key",
        f"The {place} of the request holds a gateway key (fhk_...), which would be recorded and sent to the provider.",
        hint="Send it as the SDK's API key, or in the header freehold-key; revoke it if others may have seen it.",
    )
