#!/usr/bin/env bash
# Text that comes as a list of parts in the middle of a stream is lost without a word.
#
# Version: openai 3.57.0.
# Expected: the helper `chat.completions.stream` gives the whole text, or raises over a delta that it does not know.
# Seen: of the deltas "The answer", [{"type": "text", "text": " is not"}], " 42." it makes "The answer 42.". Mistral's
#     endpoint writes `content` as a string, then as a list (thoughts, references), then as a string again.
# For us: an answer read as the SDK reads it can say the opposite of what was answered, and would become a target. Parts
#     are read as text, in their place. Held by tests/dialects/test_dialects_providers.py and tests/replay.
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

EXPECTED = "The answer 42."


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


url = stream_of(
    chunk({"role": "assistant", "content": "The answer"}),
    chunk({"content": [{"type": "text", "text": " is not"}]}),
    chunk({"content": " 42."}),
    chunk({}, "stop"),
)
client = OpenAI(base_url=url, api_key="none")
with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "?"}]) as stream:
    seen = stream.get_final_completion().choices[0].message.content
print(f"sent: The answer is not 42.\nread: {seen}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
