#!/usr/bin/env bash
# A stream that is answered with plain JSON is, to both official clients, a stream of nothing.
#
# Versions: openai 3.57.0, anthropic 2.14.0.
# Expected: `stream=True` answered with status 200 and `content-type: application/json` raises, at least where the body
#     is {"error": ...}.
# Seen: both clients yield no event and raise nothing, for a whole answer and for an error alike. Without `stream` the
#     error becomes a message whose fields are all None.
# For us: an error under status 200 is seen by nobody at the client, so the record has to say it: such calls are failed
#     (`freehold calls --failed`), never targets, and count as failures of the provider. Held by
#     tests/dialects/test_dialects_failures.py.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 openai==3.57.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "Where is my parcel?"}]
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "try again later"}}
CHAT = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At the door."}}],
}
MESSAGE = {
    "id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "At the door."}], "usage": {"input_tokens": 5, "output_tokens": 4},
}
EXPECTED = {
    "openai, stream, an answer": 0,
    "openai, stream, an error": 0,
    "openai, no stream, an error": "choices=None",
    "anthropic, stream, an answer": 0,
    "anthropic, stream, an error": 0,
    "anthropic, no stream, an error": "content=None",
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


def ask_openai(body: object, *, stream: bool = True):
    """What the client makes of this body under status 200."""
    url = serve(200, {"content-type": "application/json"}, json.dumps(body).encode())
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    return client.chat.completions.create(model="m", messages=MESSAGES, stream=stream)


def ask_anthropic(body: object, *, stream: bool = True):
    """The same of the other client."""
    url = serve(200, {"content-type": "application/json"}, json.dumps(body).encode())
    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    return client.messages.create(model="m", max_tokens=9, messages=MESSAGES, stream=stream)


seen = {
    "openai, stream, an answer": len(list(ask_openai(CHAT))),
    "openai, stream, an error": len(list(ask_openai(ERROR))),
    "openai, no stream, an error": f"choices={ask_openai(ERROR, stream=False).choices}",
    "anthropic, stream, an answer": len(list(ask_anthropic(MESSAGE))),
    "anthropic, stream, an error": len(list(ask_anthropic(ERROR))),
    "anthropic, no stream, an error": f"content={ask_anthropic(ERROR, stream=False).content}",
}
for case, got in seen.items():
    print(f"{case}: {got if isinstance(got, str) else f'{got} events'}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
