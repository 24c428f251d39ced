#!/usr/bin/env bash
# The same rows have other tool calls from memory than from a file.
#
# Version: datasets 5.2.0 (with the pyarrow that it brings).
# Expected: `Dataset.from_list(rows)` and `load_dataset("json", data_files=...)` of the same rows give the same rows, the
#     ones that went in.
# Seen: from memory each call's arguments get the keys of all others, with None: weather(city="Rome", zone=None,
#     day=None). From a file, the arguments are kept as JSON and come back as they were.
# For us: a model trained on rows made in memory learns to write nulls that nobody asked for. Arguments stay text in our
#     datasets, as the wire has them, and no row goes through this library on the way to the trainer. Whoever exports our
#     rows to another trainer writes a file.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
from pathlib import Path

from datasets import Dataset, disable_progress_bars, load_dataset

CALLS = [("weather", {"city": "Rome"}), ("clock", {"zone": "UTC", "day": 2})]
EXPECTED = {
    "from memory": [{"city": "Rome", "zone": None, "day": None}, {"city": None, "zone": "UTC", "day": 2}],
    "from a file": [{"city": "Rome"}, {"zone": "UTC", "day": 2}],
}
disable_progress_bars()


def row(name: str, arguments: dict[str, object]) -> dict[str, object]:
    """A conversation with one tool call."""
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"messages": [{"role": "assistant", "tool_calls": [call]}]}


def arguments_of(rows: Dataset) -> list[object]:
    """The arguments of each row's call."""
    return [each["messages"][0]["tool_calls"][0]["function"]["arguments"] for each in rows]


rows = [row(name, arguments) for name, arguments in CALLS]
Path("rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
seen = {
    "from memory": arguments_of(Dataset.from_list(rows)),
    "from a file": arguments_of(load_dataset("json", data_files="rows.jsonl", split="train", cache_dir="cache")),
}
for case, arguments in seen.items():
    print(f"{case}: {arguments}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore "$folder/try.py"
