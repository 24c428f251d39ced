"""Asking an HTTP endpoint, and what can go wrong before it answers.

Nothing is decoded, redirected or repeated here: a provider's bytes are the caller's. Not covered: reading the body of
the response (`gateway.rented`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import aiohttp
from yarl import URL

from freehold.core.engine import OwnedAnswer, owned_body, read_owned
from freehold.core.exchange import Message
from freehold.gateway.config import GatewaySettings
from freehold.gateway.refusal import RefusedError

_AUTO_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent")
_LONGEST_HEADER_BYTES = 65536
_KEEPALIVE_S = 20.0
UPSTREAM_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)


class Upstream:
    """One pool of connections, for providers and engines."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool; to be called on the loop that will use it."""
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTO_HEADERS,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.connect_timeout_s, sock_read=settings.idle_timeout_s
            ),
            max_line_size=_LONGEST_HEADER_BYTES,
            max_field_size=_LONGEST_HEADER_BYTES,
        )

    async def stop(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open pool."""
        if self._session is None:
            raise RuntimeError("the gateway has not been started")
        return self._session

    async def ask(
        self, method: str, url: str, *, headers: Sequence[tuple[str, str]], body: bytes
    ) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its response; RefusedError when none comes."""
        where = URL(url, encoded=True)
        origin = f"{where.scheme}://{where.raw_authority}"
        try:
            return await self.session.request(method, where, headers=headers, data=body or None, allow_redirects=False)
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            raise RefusedError(
                504,
                "upstream_timeout",
                f"The provider at {origin} did not answer in time.",
                hint="Ask again, or raise gateway.idle_timeout_s.",
            ) from error
        except (*UPSTREAM_FAILURES, ValueError) as error:
            raise RefusedError(
                502,
                "upstream_unreachable",
                f"The provider at {origin} cannot be reached: {error or type(error).__name__}.",
                hint="Check base_url in freehold.toml and the network.",
            ) from error

    async def ask_engine(self, engine_url: str, messages: Sequence[Message], *, max_tokens: int) -> OwnedAnswer:
        """One owned answer; raises UPSTREAM_FAILURES or ValueError when the engine gives none."""
        begun_at = time.perf_counter()
        url = f"{engine_url.rstrip('/').removesuffix('/v1')}/v1/chat/completions"
        body = owned_body(messages, max_tokens=max_tokens)
        timeout = aiohttp.ClientTimeout(total=self._settings.engine_timeout_s)
        async with self.session.post(url, json=body, timeout=timeout) as response:
            raw = await response.read()
            if response.status != 200:
                raise ValueError(f"the engine answered {response.status}: {raw[:200]!r}")
        return read_owned(raw, latency_ms=1000 * (time.perf_counter() - begun_at))
