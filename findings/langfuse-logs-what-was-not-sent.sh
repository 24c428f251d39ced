#!/usr/bin/env bash
# A log of Langfuse's OpenAI wrapper has parameters that the request never had.
#
# Versions: langfuse 5.0.4, openai 3.57.0.
# Expected: the generation's model parameters are those of the request; a request with nothing but model and messages has
#     none. Its model name is the one asked for.
# Seen: temperature 1, top_p 1, two penalties of 0 and `max_tokens` "Infinity", a text, are logged; none was on the wire.
#     The model name is the response's.
# For us: a call read back from such a log must not get these fields: `max_tokens` "Infinity" is refused by every
#     provider, and a call with temperature is another call than one without.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check langfuse==5.0.4 openai==3.57.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from langfuse import Langfuse
from langfuse.openai import OpenAI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

EXPECTED = {
    "sent": ["messages", "model"],
    "parameters": {
        "temperature": 1, "max_tokens": "Infinity", "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0,
    },
    "model": "small-2026-10-01",
}
ANSWER = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "small-2026-10-01",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At the door."}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
}
asked: list[dict] = []


class Handler(BaseHTTPRequestHandler):
    """Keeps what is asked and gives the same answer to all."""

    def do_POST(self) -> None:
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
spans = InMemorySpanExporter()
langfuse = Langfuse(public_key="none", secret_key="none", base_url=url, span_exporter=spans)
client = OpenAI(base_url=url, api_key="none")
client.chat.completions.create(model="small", messages=[{"role": "user", "content": "Where is my parcel?"}])
langfuse.flush()
logged = spans.get_finished_spans()[0].attributes
seen = {
    "sent": sorted(asked[0]),
    "parameters": json.loads(logged["langfuse.observation.model.parameters"]),
    "model": logged["langfuse.observation.model.name"],
}
for what, value in seen.items():
    print(f"{what}: {value}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
