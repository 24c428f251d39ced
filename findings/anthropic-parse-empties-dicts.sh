#!/usr/bin/env bash
# One Pydantic class asks for another schema by each client, and by one of them a dictionary must stay empty.
#
# Versions: anthropic 2.14.0, openai 3.57.0, pydantic 2.14.4.
# Expected: `messages.parse(output_format=C)` and `chat.completions.parse(response_format=C)` hold the answer to the same
#     schema, or refuse a class that they cannot express.
# Seen: the Anthropic client turns `dict[str, str]` into an object without properties that allows no other, so the model
#     cannot give one entry; bounds, `maxItems` and patterns leave the schema and become a description; a Literal loses
#     its type. The OpenAI client sends all of them.
# For us: the schema is not what tells one feature from another, since the same class over two clients has two: tasks go
#     by the names and types of the fields. And an answer that keeps to the Anthropic request may lack what the class
#     wants. Held by tests/text/test_shape.py.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 openai==3.57.0 pydantic==2.14.4 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing import Literal

import anthropic
import openai
from pydantic import BaseModel, Field

MESSAGES = [{"role": "user", "content": "Where is my parcel?"}]
EXPECTED = {
    "openai": {
        "category": {"enum": ["refund", "delivery"], "type": "string"},
        "urgency": {"maximum": 5, "minimum": 1, "type": "integer"},
        "fields": {"additionalProperties": {"type": "string"}, "type": "object"},
    },
    "anthropic": {
        "category": {"enum": ["refund", "delivery"]},
        "urgency": {"description": "{maximum: 5, minimum: 1}", "type": "integer"},
        "fields": {"additionalProperties": False, "properties": {}, "type": "object"},
    },
}
asked: list[dict] = []


class Triage(BaseModel):
    category: Literal["refund", "delivery"]
    urgency: int = Field(ge=1, le=5)
    fields: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """Keeps what is asked and refuses it."""

    def do_POST(self) -> None:
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(400)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
try:
    openai.OpenAI(base_url=url, api_key="none").chat.completions.parse(
        model="m", messages=MESSAGES, response_format=Triage
    )
except openai.BadRequestError:
    pass
try:
    anthropic.Anthropic(base_url=url, api_key="none").messages.parse(
        model="m", max_tokens=99, messages=MESSAGES, output_format=Triage
    )
except anthropic.BadRequestError:
    pass
schemas = {
    "openai": asked[0]["response_format"]["json_schema"]["schema"],
    "anthropic": asked[1]["output_config"]["format"]["schema"],
}
seen = {
    client: {name: {k: v for k, v in one.items() if k != "title"} for name, one in schema["properties"].items()}
    for client, schema in schemas.items()
}
for client, fields in seen.items():
    for name, schema in fields.items():
        print(f"{client}: {name}: {json.dumps(schema, sort_keys=True)}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
