#!/usr/bin/env bash
# Two tool calls that a compatible provider sends under one index become one call of a tool that does not exist.
#
# Version: openai 3.57.0.
# Expected: two calls with two ids stay two calls, or the helper raises, as it does for a null index (TypeError).
# Seen: the helper `chat.completions.stream` joins id, name and arguments: id "call_acall_b", name "weatherclock", and
#     arguments that are no JSON. Nothing is raised. Several compatible
#     providers number every call 0.
# For us: what a stream says must be read by id as well as by index, or training and comparison see tools that nobody
#     called. Held by tests/dialects/test_dialects_tools.py; the bytes pass to the client as they came.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from openai import OpenAI

EXPECTED = {
    "one index": [("call_acall_b", "weatherclock", '{"city": "Rome"}{"zone": "UTC"}')],
    "two indexes": [("call_a", "weather", '{"city": "Rome"}'), ("call_b", "clock", '{"zone": "UTC"}')],
    "null index": "TypeError",
}


def serve(status: int, headers: dict[str, str], body: bytes) -> str:
    """Answer every POST on a free loopback port with the same response; the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def chunk(delta: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
    """One chunk of a chat completion stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def stream_of(*chunks: dict[str, object]) -> str:
    """The base URL of a provider that answers with this stream."""
    events = [f"data: {json.dumps(each)}\n\n" for each in chunks]
    return serve(200, {"content-type": "text/event-stream"}, "".join([*events, "data: [DONE]\n\n"]).encode())


def tool(index: int | None, id_: str, name: str, arguments: str) -> dict[str, object]:
    """A delta with one whole tool call."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": function}]}


def read(first: int | None, second: int | None) -> list[tuple[str, str, str]] | str:
    """What the helper makes of two calls under these indexes, or the name of what it raises."""
    one = tool(first, "call_a", "weather", '{"city": "Rome"}')
    two = tool(second, "call_b", "clock", '{"zone": "UTC"}')
    client = OpenAI(base_url=stream_of(chunk(one), chunk(two), chunk({}, "tool_calls")), api_key="none")
    try:
        with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "?"}]) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls
    except TypeError as error:
        return type(error).__name__
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


seen = {"one index": read(0, 0), "two indexes": read(0, 1), "null index": read(None, None)}
for case, calls in seen.items():
    print(f"{case}: {calls}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
