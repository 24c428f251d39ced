"""What is wrong with a request, before anybody is asked.

Not covered: keys (`gateway.admission`), and where a request goes.
"""

from __future__ import annotations

from freehold.gateway.config import GatewaySettings
from freehold.gateway.http1.request import ClientGoneError
from freehold.gateway.inbound import Inbound
from freehold.gateway.refusal import RefusedError


def check(inbound: Inbound, settings: GatewaySettings) -> None:
    """RefusedError or ClientGoneError for a request that came in broken."""
    limit = settings.max_body_bytes
    match inbound.http.problem:
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
    if inbound.problem is not None:
        hint = "Send a JSON object, as the provider's API reference describes it."
        raise RefusedError(400, "bad_body", inbound.problem, hint=hint)
    if inbound.reserved_tags:
        names = ", ".join(map(repr, inbound.reserved_tags))
        hint = "Name it otherwise in the freehold-tags header; docs/gateway.md lists the names that are kept."
        raise RefusedError(400, "reserved_tag", f"The gateway keeps tags of the name {names} itself.", hint=hint)
    if inbound.header(b"upgrade").lower() == "websocket":
        raise RefusedError(
            501, "no_websockets", "This gateway does not pass WebSockets on.", hint="Use the HTTP endpoints."
        )
