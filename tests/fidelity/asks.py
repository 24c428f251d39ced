"""Generated requests: every method, path, header and body that a client may send to a provider.

Not covered: what is not HTTP/1.1 (`tests/abuse`), and what the provider answers (`answers`).
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from random import Random

from fidelity.upstream import Header, chunk
from fidelity.values import Number, Pairs, odd, value, word

CHAT = b"/v1/chat/completions"
KNOWN = (CHAT, CHAT, CHAT, b"/v1/messages", b"/v1/responses", b"/v1/completions", b"/v1/embeddings")
_UNKNOWN = (
    b"/v1/files/a%2Fb",
    b"/v1/files/f-1/content",
    b"/v1/%E6%9D%B1%E4%BA%AC/caf%c3%a9",
    b"/v1/a//b/",
    b"/v1/x;y=1,2/~z!$&'()*+,=:@",
    b"/v1/a/./b/../c",
    b"/v1/vector_stores/vs_1/file_batches",
    b"/v1/audio/speech",
    b"/v1/audio/transcriptions",
    b"/v1/images/edits",
    b"/v1/batches",
    b"/v1/fine_tuning/jobs/ft%20x/cancel",
    b"/v1/chat/completions/chatcmpl-1/messages",
    b"/v1/messages/count_tokens",
    b"/v1/messages/batches/b1/results",
    b"/v1/realtime/sessions",
    b"/v1/100%25",
)
_QUERIES = (
    b"",
    b"",
    b"",
    b"?a=1&b=&&=",
    b"?q=x%20y+z&q=%E2%82%AC",
    b"?beta=true",
    b"?a[]=1&a[]=2",
    b"?x=%00%ff/?:@",
    b"?",
)
_METHODS = (b"GET", b"GET", b"POST", b"POST", b"DELETE", b"PUT", b"PATCH", b"HEAD", b"OPTIONS")


@dataclass(frozen=True)
class Ask:
    """One request; `pieces` are its bytes as they are written to the socket, `body` is without its framing."""

    method: bytes
    path: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    pieces: tuple[bytes, ...]

    @property
    def wants_usage_hidden(self) -> bool:
        """Whether this is a chat stream that did not ask for its usage, in a body that can be read and edited."""
        if self.method != b"POST" or self.path != CHAT or dict(self.headers).get(b"content-encoding"):
            return False
        data = json.loads(self.body)
        options = data.get("stream_options")
        if data.get("stream") is not True or not (options is None or isinstance(options, dict)):
            return False
        return (options or {}).get("include_usage") is not True


def request(rng: Random, number: bytes) -> Ask:
    """One request, told from the others by its header `x-case`."""
    is_known = rng.random() < 0.65
    path = rng.choice(KNOWN if is_known else _UNKNOWN)
    method = b"POST" if is_known else rng.choice(_METHODS)
    target = path + rng.choice(_QUERIES)
    kind, body = _json(rng, path) if is_known else _anything(rng, method)
    headers = [*_headers(rng), (b"X-Case", number)]
    if kind:
        headers.append((rng.choice((b"content-type", b"Content-Type")), kind))
    if body and rng.random() < 0.1:
        coding, body = _encoded(rng, body, is_readable=is_known)
        headers.append((b"content-encoding", coding))
    rng.shuffle(headers)
    return Ask(method, path, target, tuple(headers), body, _written(rng, method, target, headers, body))


def _headers(rng: Random) -> list[Header]:
    chosen = [
        (b"Host", b"localhost"),
        (b"Authorization", b"Bearer sk-of-the-caller"),
        (b"User-Agent", b"OpenAI/Python 3.54.0"),
        (b"ACCEPT", rng.choice((b"application/json", b"*/*", b"text/event-stream"))),
    ]
    others: list[Header] = [
        (b"Accept-Encoding", rng.choice((b"gzip, deflate", b"identity", b"gzip;q=1.0, *;q=0", b"", b"br, zstd, gzip"))),
        (b"openai-organization", b"org-1"),
        (b"OpenAI-Beta", b"assistants=v2"),
        (b"X-Stainless-Retry-Count", b"0"),
        (b"idempotency-key", b"k-1"),
        (b"X-Empty", b""),
        (b"x-tab", b"a\tb"),
        (b"x-utf8", "café 東京".encode()),
        (b"x-latin", b"caf\xe9"),
        (b"x-long", b"v" * 4000),
        (b"x-SPACED", b"  padded \t"),
        (b"Cookie", b"a=1; b=2"),
        (b"x-underscore_name", b"kept"),
        (b"x-!#$%&'*+.^`|~", b"every sign that a name may have"),
        (b"forwarded", b"for=192.0.2.60;proto=http"),
        (b"via", b"1.1 elsewhere"),
        (b"Referer", b"http://127.0.0.1/x"),
        (b"freehold-tags", b"team=search,env=prod"),
        (b"te", b"trailers"),
    ]
    chosen += rng.sample(others, rng.randrange(6))
    if rng.random() < 0.2:
        chosen += [(b"X-Twice", b"one"), (b"x-twice", b"two"), (b"X-TWICE", b"one")]
    if rng.random() < 0.1:
        chosen += [(b"Connection", b"keep-alive, x-hop"), (b"X-Hop", b"for the next hop alone")]
    return chosen


def _json(rng: Random, path: bytes) -> tuple[bytes, bytes]:
    model = rng.choice(("gpt-x", "gpt-y", "ft:gpt-x:org::id", "claude-x"))
    pairs: Pairs = [("model", model), (rng.choice(("é", "metadata_", word(rng))), value(rng))]
    messages = tuple([("role", "user"), ("content", _content(rng))] for _ in range(rng.randint(1, 3)))
    match path:
        case b"/v1/responses":
            pairs.append(("input", rng.choice((word(rng), messages))))
        case b"/v1/completions":
            pairs.append(("prompt", rng.choice((word(rng), (word(rng), word(rng))))))
        case b"/v1/embeddings":
            pairs.append(("input", (word(rng), (Number("15"), Number("7")))))
        case _:
            pairs += [("messages", messages), ("max_tokens", Number("9"))]
    if path == CHAT:
        pairs += rng.sample(_CHAT_OPTIONS, rng.randrange(4))
    if rng.random() < 0.6 and path != b"/v1/embeddings":
        pairs.append(("stream", True))
        options = rng.choice(
            (None, "", [], [("include_usage", True)], [("include_usage", False)], [("x", Number("1e400"))])
        )
        pairs += [] if options == "" or path != CHAT else [("stream_options", options)]
    rng.shuffle(pairs)
    if rng.random() < 0.1:
        pairs.insert(0, rng.choice(pairs))
    text = rng.choice(("", "", " ", "\r\n")) + odd(rng, pairs) + rng.choice(("", "", "\n", " \t"))
    return rng.choice((b"application/json", b"application/json; charset=utf-8")), text.encode()


_CHAT_OPTIONS: Pairs = [
    ("n", Number("2")),
    ("logprobs", True),
    ("temperature", Number("0.70000000000000001")),
    ("seed", Number("9007199254740993")),
    ("tools", ([("type", "function"), ("function", [("name", "f"), ("parameters", [("type", "object")])])],)),
    ("tool_choice", "auto"),
    ("logit_bias", [("50256", Number("-1e2"))]),
    ("response_format", [("type", "json_object")]),
    ("parallel_tool_calls", False),
]


def _content(rng: Random) -> object:
    if rng.random() < 0.7:
        return word(rng)
    image = [("type", "image_url"), ("image_url", [("url", "data:image/png;base64,iVBORw0KGgo=")])]
    return ([("type", "text"), ("text", word(rng))], image)


def _anything(rng: Random, method: bytes) -> tuple[bytes, bytes]:
    if method in (b"GET", b"HEAD", b"OPTIONS") or rng.random() < 0.2:
        return b"", b""
    match rng.randrange(4):
        case 0:
            return b"application/octet-stream", rng.randbytes(rng.choice((1, 300, 70_000)))
        case 1:
            head = b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa9.bin"\r\n\r\n'
            return b"multipart/form-data; boundary=b0undary", head + rng.randbytes(500) + b"\r\n--b0undary--\r\n"
        case 2:
            return b"application/json", rng.choice((b"[]", b"null", b'"x"', b"{not json", b"\xff\xfe{}", b"{}"))
        case _:
            return b"", b"a=1&b=%20"


def _encoded(rng: Random, body: bytes, *, is_readable: bool) -> Header:
    packers = [(b"gzip", gzip.compress(body)), (b"deflate", zlib.compress(body))]
    return rng.choice(packers if is_readable else [*packers, (b"made-up", body[::-1])])


def _written(rng: Random, method: bytes, target: bytes, headers: list[Header], body: bytes) -> tuple[bytes, ...]:
    """The bytes of the request, framed by its length or in chunks, in one write or several."""
    colon = rng.choice((b": ", b": ", b":", b":\t"))
    lines = [method + b" " + target + b" HTTP/1.1", *(name + colon + text for name, text in headers)]
    if body and rng.random() < 0.25:
        lines.append(b"Transfer-Encoding: chunked")
        cuts = sorted(rng.sample(range(1, len(body)), min(len(body) - 1, rng.randrange(4))))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        framed = b"".join(chunk(part) for part in parts) + b"0\r\n\r\n"
    else:
        lines += [b"Content-Length: %d" % len(body)] if body or method in (b"POST", b"PUT", b"PATCH") else []
        framed = body
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + framed
    if rng.random() < 0.8:
        return (raw,)
    place = rng.randrange(1, len(raw))
    return raw[:place], raw[place:]
