#!/usr/bin/env bash
# A Responses stream that ends with an empty output has an empty text, though the text was streamed.
#
# Version: openai 3.57.0.
# Expected: after a stream whose deltas said "At the door.", the final response of the helper has that text, whether the
#     last event repeats the output, leaves the list empty or has null.
# Seen: repeated and null: "At the door."; empty list: "". Read without the helper, the response of the last event has ""
#     for an empty list, and its `output_text` raises TypeError for null.
# For us: the items that were streamed are the answer where the last event has none. Held by
#     tests/core/test_dialects_providers.py.
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

TEXT = "At the door."
EXPECTED = {
    "helper, repeated": TEXT, "helper, empty": "", "helper, null": TEXT,
    "last event, repeated": TEXT, "last event, empty": "", "last event, null": "TypeError",
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


def events(output: object) -> bytes:
    """A stream of one text, whose last event has this output."""
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    item = {"id": "i1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
    place = {"item_id": "i1", "output_index": 0, "content_index": 0}
    told = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": TEXT, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response, "status": "completed", "output": output}},
    ]
    if output:
        told[-1]["response"]["output"] = [item]
    lines = (f"event: {one['type']}\ndata: {json.dumps({**one, 'sequence_number': n})}\n\n" for n, one in enumerate(told))
    return "".join(lines).encode()


def by_helper(output: object) -> str:
    """The final text by the SDK's own helper."""
    client = OpenAI(base_url=serve(200, {"content-type": "text/event-stream"}, events(output)), api_key="none")
    with client.responses.stream(model="m", input="?") as stream:
        return stream.get_final_response().output_text


def by_last_event(output: object) -> str:
    """The text of the response in the last event, or the name of what reading it raises."""
    client = OpenAI(base_url=serve(200, {"content-type": "text/event-stream"}, events(output)), api_key="none")
    *_, last = client.responses.create(model="m", input="?", stream=True)
    try:
        return last.response.output_text
    except TypeError as error:
        return type(error).__name__


OUTPUTS = {"repeated": [True], "empty": [], "null": None}
seen = {f"helper, {name}": by_helper(output) for name, output in OUTPUTS.items()}
seen |= {f"last event, {name}": by_last_event(output) for name, output in OUTPUTS.items()}
for case, text in seen.items():
    print(f"{case}: {text!r}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
