"""One HTTP request, sent and waited for: to a provider, an engine, a webhook, or the gateway of this machine.

Each request has a connection of its own. Certificates are checked, redirects are not followed, and no error holds a URL
or a header. Not covered: the gateway's own traffic (`freehold.httpd`), what is asked and with which key
(`dialects.address`, `model.engine`).
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LARGEST_ANSWER_BYTES = 64 * 2**20


class UnreachableError(Exception):
    """No answer came; its text says why in a few words. Its cause is what the system said."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str,
    origin: str,
    target: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    most_bytes: int = LARGEST_ANSWER_BYTES,
) -> Response:
    """Ask for `target`, a path with its query, at the scheme, host and port of the URL `origin`.

    `timeout_s` bounds each wait for the other side; at most `most_bytes` of the answer are read. UnreachableError where
    no answer comes, or not the whole of it.
    """
    connection = _connection(origin, timeout_s)
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read(most_bytes)
        if answer.length and len(content) < most_bytes:
            raise http.client.IncompleteRead(content, answer.length)
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(_reason(error, timeout_s)) from error
    finally:
        connection.close()


def _connection(origin: str, timeout_s: float) -> http.client.HTTPConnection:
    url = urlsplit(origin)
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(url.hostname or "", url.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {timeout_s:g} s"
    if isinstance(error, ssl.SSLError):
        return f"its certificate or TLS is refused ({error.reason})"
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return "a header has a sign that cannot be sent"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
