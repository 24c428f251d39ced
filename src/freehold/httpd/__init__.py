"""HTTP/1.1 for a gateway: a server and a client on httptools, both built to pass bytes on as they come.

`server` takes requests and lets a handler answer them; `client` asks upstreams over kept connections; `asgi` lets an
ASGI application answer. A general-purpose server and client cost three times the CPU of everything else that the
gateway does with a call, and neither bounds slow or hostile peers (see docs/design.md).

Not covered: HTTP/2, WebSockets, TLS towards clients; what is asked and answered (`freehold.gateway`).
"""
