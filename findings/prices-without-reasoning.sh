#!/usr/bin/env bash
# Two price libraries leave out, or not, the reasoning tokens that a provider bills outside `completion_tokens`.
#
# Versions: genai-prices 0.2.3, litellm 1.110.2.
# Expected: of a chat answer with 30 prompt, 9 completion and 359 tokens in total, the 320 tokens in between are thought,
#     billed as output, and priced so by every library for every provider that counts like this (xAI, and Gemini's
#     compatible endpoint).
# Seen: genai-prices counts 329 output tokens for xAI when it is told `api_flavor="chat"`, and 9 with its default flavour
#     and for Google's chat: a cost up to 26 times too low. litellm counts the 320 if the details name them, and then
#     forgets the 9; if there are no details, it counts 9.
# For us: all that is billed as output is output: total minus prompt where that is more than the completion. Held by
#     tests/dialects/test_dialects_usage.py. A bill that was added up by these libraries is not what the record says.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check genai-prices==0.2.3 litellm==1.110.2 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import sys

import litellm
from genai_prices import extract_usage

EXPECTED = {
    "genai-prices, xAI, default": 9,
    "genai-prices, xAI, chat": 329,
    "genai-prices, Google, chat": 9,
    "litellm, Gemini, details": 320,
    "litellm, Gemini, no details": 9,
}
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 359,
    "completion_tokens_details": {"reasoning_tokens": 320},
}


def by_genai_prices(provider: str, model: str, flavour: str) -> int:
    """The output tokens that genai-prices takes out of the answer."""
    answer = {"model": model, "usage": USAGE}
    return extract_usage(answer, provider_id=provider, api_flavor=flavour).usage.output_tokens


def by_litellm(*, with_details: bool) -> int:
    """The output tokens that litellm's cost of the answer stands for."""
    model = "gemini/gemini-2.5-flash"
    usage = dict(USAGE) if with_details else {k: v for k, v in USAGE.items() if k != "completion_tokens_details"}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At the door."}}
    answer = litellm.ModelResponse(model=model, choices=[choice], usage=usage)
    cost_usd = litellm.completion_cost(completion_response=answer, model=model)
    prices = litellm.model_cost[model]
    return round((cost_usd - 30 * prices["input_cost_per_token"]) / prices["output_cost_per_token"])


seen = {
    "genai-prices, xAI, default": by_genai_prices("x-ai", "grok-4", "default"),
    "genai-prices, xAI, chat": by_genai_prices("x-ai", "grok-4", "chat"),
    "genai-prices, Google, chat": by_genai_prices("google", "gemini-2.5-flash", "chat"),
    "litellm, Gemini, details": by_litellm(with_details=True),
    "litellm, Gemini, no details": by_litellm(with_details=False),
}
for case, tokens in seen.items():
    print(f"{case}: {tokens} output tokens are priced, of 329")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" -W ignore "$folder/try.py"
