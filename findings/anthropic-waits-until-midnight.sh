#!/usr/bin/env bash
# One client library sleeps for as long as a refusal asks, the other for two minutes at most.
#
# Versions: anthropic 2.14.0, openai 3.57.0.
# Expected: a client that is told "the budget of today is spent" (429, `retry-after` until midnight, here 9 hours) raises
#     its rate limit error at once, or after some bounded wait; both libraries come from one generator and do the same.
# Seen: openai raises at once. anthropic plans to sleep 32,400 s, twice, inside one call of `messages.create`, whatever
#     `timeout` says. The header `x-should-retry: false` makes it raise at once.
# For us: a spent budget looks like a hang to the user of the Anthropic client. Every refusal of the gateway that waiting
#     a moment cannot mend carries `x-should-retry: false`. Held by tests/gateway/test_gateway_keys.py.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 openai==3.57.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai

UNTIL_MIDNIGHT_S = 9 * 3600
EXPECTED = {
    "openai, retry-after": [],
    "anthropic, retry-after": [32400.0, 32400.0],
    "anthropic, retry-after and x-should-retry: false": [],
}
MESSAGES = [{"role": "user", "content": "Where is my parcel?"}]


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


def planned(client_of, headers: dict[str, str]) -> list[float]:
    """How long the client would sleep before each of its retries, in seconds."""
    slept: list[float] = []
    time.sleep = lambda seconds: slept.append(float(seconds))
    url = serve(429, {"retry-after": str(UNTIL_MIDNIGHT_S), **headers}, b'{"error": {"message": "budget spent"}}')
    try:
        client_of(url)
    except (openai.RateLimitError, anthropic.RateLimitError):
        return slept
    raise AssertionError("no rate limit error")


def ask_openai(url: str) -> None:
    client = openai.OpenAI(base_url=url, api_key="none", timeout=5)
    client.chat.completions.create(model="m", messages=MESSAGES)


def ask_anthropic(url: str) -> None:
    client = anthropic.Anthropic(base_url=url, api_key="none", timeout=5)
    client.messages.create(model="m", max_tokens=9, messages=MESSAGES)


seen = {
    "openai, retry-after": planned(ask_openai, {}),
    "anthropic, retry-after": planned(ask_anthropic, {}),
    "anthropic, retry-after and x-should-retry: false": planned(ask_anthropic, {"x-should-retry": "false"}),
}
for case, sleeps in seen.items():
    print(f"{case}: sleeps of {sleeps} s")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
