"""What is wrong with a request, before anybody is asked.

Not covered: keys (`gateway.keys.admission`), and where a request goes.
"""

from __future__ import annotations

from freehold.gateway.config import GatewaySettings
from freehold.gateway.errors import RefusedError
from freehold.gateway.request_context import RequestContext
from freehold.httpd.request import ClientGoneError


def check(context: RequestContext, settings: GatewaySettings) -> None:
    """RefusedError or ClientGoneError for a request that came in broken."""
    limit = settings.max_body_bytes
    match context.http.problem:
        case "gone":
            raise ClientGoneError
        case "too_large":
            raise RefusedError(
                413,
                "body_too_large",
                f"The request body is larger than {limit} bytes, the most that this gateway takes.",
                hint="Raise gateway.max_body_mb in freehold.toml.",
            )
        case "unwelcome":
            raise RefusedError(401, "unknown_gateway_key", "The key was not known when the request began.")
        case "timeout":
            raise RefusedError(
                408,
                "body_timeout",
                f"The request body did not come within {settings.client_wait_s:g} s.",
                hint="Send it again, or raise gateway.client_timeout_s.",
            )
    if context.problem is not None:
        hint = "Send a JSON object, as the provider's API reference describes it."
        raise RefusedError(400, "bad_body", context.problem, hint=hint)
    if context.reserved_tags:
        names = ", ".join(map(repr, context.reserved_tags))
        hint = "Name it otherwise in the freehold-tags header; docs/gateway.md lists the names that are kept."
        raise RefusedError(400, "reserved_tag", f"The gateway keeps tags of the name {names} itself.", hint=hint)
    if context.header(b"upgrade").lower() == "websocket":
        raise RefusedError(
            501, "no_websockets", "This gateway does not pass WebSockets on.", hint="Use the HTTP endpoints."
        )
