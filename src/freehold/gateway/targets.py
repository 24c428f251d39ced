"""What a request is by its target: a call, a call with a mistake in its path, or a page.

Not covered: answering it (`gateway.app`).
"""

from __future__ import annotations

from freehold.dialects.paths import Fault, call_fault
from freehold.gateway.errors import RefusedError
from freehold.httpd.request import Request

CALLS = (b"/v1/", b"/openai/")
PAGE_BODY_BYTES = 2 * 2**20
"""The console takes less itself, and says so; what looks like a call at a wrong path is refused in any case."""


def origin_form(target: bytes) -> bytes:
    """The path of a target that names a whole URL, as proxies are asked; other forms get a path that nothing is at."""
    if target.startswith(b"/"):
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return b"/" + target
    return b"/" + rest.partition(b"/")[2]


def fault_of(request: Request) -> tuple[Fault, str] | None:
    """What is wrong with the path of what looks like a call; None for anything else."""
    path = request.target.partition(b"?")[0].decode("latin-1")
    found = call_fault(path) if request.method in ("GET", "POST") else None
    is_asked = request.method == "POST" or path.rstrip("/").rpartition("/")[2] == "models" or "/models/" in path
    return found if is_asked else None


def no_page(request: Request) -> RefusedError:
    """Why a request that is no call is not answered by the console."""
    if request.problem == "unwelcome":
        message = "This gateway takes nothing from callers elsewhere without a gateway key."
        return RefusedError(401, "missing_gateway_key", message, hint="Send it as Bearer fhk_...")
    if request.problem == "too_large":
        return RefusedError(
            413, "body_too_large", f"At most {PAGE_BODY_BYTES} bytes are taken here.", hint="Send less."
        )
    path = request.target.partition(b"?")[0].decode("latin-1")
    message = f"There is nothing at {path!r}. Calls go to /v1/..., as with the provider's own API."
    return RefusedError(404, "not_found", message)
