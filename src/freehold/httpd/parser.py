"""The parser of one connection's requests: llhttp, reading on where a client offers another protocol.

A client may offer one beside any request (`Upgrade: h2c`, as the JDK's HttpClient does by default), and a server that
does not take the offer answers in HTTP/1.1 (RFC 9110, 7.8). llhttp stops behind the head of such a request and leaves
its body unread. So that head is parsed once more, without its `upgrade` headers, by a new parser, which goes on with
the body and whatever follows. That way every check of llhttp holds for the request as it is handed on.

Not covered: websockets and CONNECT, for which llhttp's stop is right; the connection refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import httptools

from freehold.httpd.heads import Header, header_lines

__all__ = ["ParserError", "Reader", "RequestParser", "SwitchError"]

ParserError = httptools.HttpParserError
SwitchError = httptools.HttpParserUpgrade
_WEBSOCKET, _TUNNEL = b"websocket", b"CONNECT"


class Reader(Protocol):
    """Who takes the parts of requests: the connection."""

    def on_too_many_headers(self) -> None:
        """There are more headers than were allowed, those behind a body among them."""

    def on_headers_complete(self) -> None:
        """The head is whole."""

    def on_body(self, body: bytes) -> None:
        """A part of the body."""

    def on_message_complete(self) -> None:
        """The request is whole."""


class RequestParser:
    """Parses requests one after the other; the attributes tell of the newest head, once it is whole.

    `by_name` has the last value of each header by its lower-case name, `head_bytes` is the size of all of it, `version`
    is like `1.1`, `keeps_alive` is whether the connection goes on behind this request. With `is_switch` what follows
    is another protocol, so that the body stays unread.
    """

    def __init__(self, reader: Reader, most_headers: int) -> None:
        self.target = b""
        self.headers: list[Header] = []
        self.by_name: dict[bytes, bytes] = {}
        self.head_bytes = 0
        self.method, self.version = b"", ""
        self.keeps_alive = self.is_switch = False
        self.on_body: Callable[[bytes], None] = reader.on_body
        self.on_message_complete: Callable[[], None] = reader.on_message_complete
        self._reader = reader
        self._most_headers = most_headers
        self._without_offer: bytes | None = None
        self._llhttp = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Parse bytes; ParserError for what is not HTTP, SwitchError where another protocol begins."""
        unread: bytes | memoryview = data
        while True:
            try:
                self._llhttp.feed_data(unread)
            except SwitchError as switch:
                head, self._without_offer = self._without_offer, None
                if head is None:
                    raise
                unread = memoryview(unread)[switch.args[0] :]
            else:
                return
            self._llhttp = httptools.HttpRequestParser(self)
            self._llhttp.feed_data(head)

    # what llhttp calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self.target = b""
        self.headers = []
        self.by_name = {}
        self.head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self.target += url
        self.head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name, value))
        self.by_name[name.lower()] = value
        self.head_bytes += len(name) + len(value)
        if len(self.headers) > self._most_headers:
            self._reader.on_too_many_headers()

    def on_headers_complete(self) -> None:
        """The head is whole: it goes on to the reader, unless it has to be read again without its offer."""
        llhttp = self._llhttp
        self.method, self.version = llhttp.get_method(), llhttp.get_http_version()
        self.keeps_alive, self.is_switch = llhttp.should_keep_alive(), llhttp.should_upgrade()
        if self.is_switch and self.method != _TUNNEL and self.by_name[b"upgrade"].lower() != _WEBSOCKET:
            line = b"%b %b HTTP/%b\r\n" % (self.method, self.target, self.version.encode())
            kept = [header for header in self.headers if header[0].lower() != b"upgrade"]
            self._without_offer = line + header_lines(kept) + b"\r\n"
            return
        self._reader.on_headers_complete()
