"""`freehold keys`: a key is shown once, listed without its secret, revoked; odd input is one line that helps."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made import Run, a_call, a_workspace

from freehold.model.key import key_hash, key_id


def test_a_key_is_made_and_shown_this_once(run: Run, tmp_path: Path) -> None:
    made = run("keys", "add", "search app")
    text = made.stdout.strip()
    public = key_id(text)
    assert made.exit_code == 0
    assert public is not None
    assert made.stderr == (
        f"Key 'search app' (anything). Keep it now: it is shown this once.\nNext: freehold keys show {public}\n"
    )
    workspace = a_workspace(tmp_path / ".freehold")
    (kept,) = workspace.store.keys.all_keys()
    workspace.store.close()
    assert (kept.sha256, kept.id, kept.name) == (key_hash(text), public, "search app")
    for said in (run("keys"), run("keys", "list", "--json"), run("keys", "show", public, "--json")):
        assert "search app" in said.stdout
        assert not any(secret in said.stdout + said.stderr for secret in (text[13:], kept.sha256))


def test_limits_and_scopes_are_kept_and_told(run: Run) -> None:
    made = run(
        *("keys", "add", "desk", "--task", "Support Desk", "--model", "gpt-*", "--model", "o3", "--expires", "30d"),
        *("--requests-per-minute", "60", "--tokens-per-minute", "100000", "--usd-per-day", "2.5", "--json"),
    )
    assert made.exit_code == 0
    assert json.loads(made.stdout)["key"].startswith("fhk_")
    assert "Task 'support-desk' is not known yet" in made.stderr
    assert "Models without a price are refused with this key" in made.stderr
    shown = json.loads(run("keys", "show", "desk", "--json").stdout)
    assert shown.pop("expires_at") == pytest.approx(time.time() + 30 * 86_400, abs=60)
    assert {name: shown[name] for name in ("tasks", "models", "state", "usd_per_day", "requests_this_minute")} == {
        "tasks": ["support-desk"],
        "models": ["gpt-*", "o3"],
        "state": "valid",
        "usd_per_day": 2.5,
        "requests_this_minute": 0,
    }
    text = run("keys", "show", "desk").stdout
    assert "0 of 60 requests, 0 of 100,000 tokens" in text
    assert "$0.00 of $2.50" in text
    listed = run("keys").stdout.splitlines()
    assert max(len(line) for line in listed) <= 80
    assert listed[0].split() == ["name", "id", "state", "expires", "today", "spend", "for"]


def test_usage_is_shown(run: Run, tmp_path: Path) -> None:
    public = key_id(run("keys", "add", "app").stdout.strip())
    now = time.time()
    workspace = a_workspace(tmp_path / ".freehold")
    calls = [a_call(key_id=public, created_at=now, latency_ms=0.0) for _ in range(3)]
    workspace.store.calls.add([*calls, a_call(key_id=public, created_at=now, latency_ms=0.0, cost_usd=None)])
    workspace.store.close()
    shown = json.loads(run("keys", "show", "app", "--json").stdout)
    assert (shown["requests_today"], shown["tokens_today"], shown["usd_today"]) == (4, 48, 1.5)
    assert "4 requests, 48 tokens, $1.50, 1 calls of unknown cost" in run("keys", "show", "app").stdout


def test_estimated_calls_are_called_so(run: Run, tmp_path: Path) -> None:
    public = key_id(run("keys", "add", "app").stdout.strip())
    now = time.time()
    workspace = a_workspace(tmp_path / ".freehold")
    left = a_call(key_id=public, created_at=now, latency_ms=0.0, error="client_gone", is_estimated=True)
    old = a_call(key_id=public, created_at=now - 3 * 86_400, latency_ms=0.0, is_estimated=True)
    workspace.store.calls.add([left, old, a_call(key_id=public, created_at=now, latency_ms=0.0)])
    workspace.store.close()
    assert "2 requests, 24 tokens, $1.00, 1 calls estimated" in run("keys", "show", "app").stdout
    assert json.loads(run("keys", "show", "app", "--json").stdout)["estimated_today"] == 1
    shown = run("calls", left.id).stdout
    assert "cost_usd             0.5 (estimated)" in shown
    assert "latency_ms           0.0\n" in shown
    assert "~$0.50" in run("calls").stdout
    assert json.loads(run("calls", left.id, "--json").stdout)["is_estimated"] is True


def test_revoking_shows_its_plan_and_frees_the_name(run: Run) -> None:
    public = key_id(run("keys", "add", "app").stdout.strip())
    planned = run("keys", "revoke", "app", "--dry-run")
    assert (planned.exit_code, planned.stdout) == (0, "")
    assert "then     revoked: whoever sends it is answered with 401" in planned.stderr
    assert json.loads(run("keys", "show", "app", "--json").stdout)["state"] == "valid"
    assert run("keys", "revoke", "app").stdout == "app: revoked\n"
    assert json.loads(run("keys", "show", "app", "--json").stdout)["state"] == "revoked"
    assert run("keys", "add", "app").exit_code == 0
    assert json.loads(run("keys", "show", "app", "--json").stdout)["state"] == "valid"
    assert json.loads(run("keys", "show", f"fhk_{public}", "--json").stdout)["state"] == "revoked"
    assert json.loads(run("keys", "revoke", str(public), "--json").stdout)["revoked_at"] is not None
    assert [row["state"] for row in json.loads(run("keys", "--json").stdout)] == ["revoked", "valid"]


def test_dates_are_utc(run: Run) -> None:
    moments = {
        "2999-01-31": datetime(2999, 1, 31, tzinfo=UTC),
        "2999-01-31T18:00": datetime(2999, 1, 31, 18, tzinfo=UTC),
        "2999-01-31T18:00+02:00": datetime(2999, 1, 31, 16, tzinfo=UTC),
    }
    for name, moment in moments.items():
        run("keys", "add", name, "--expires", name)
        assert json.loads(run("keys", "show", name, "--json").stdout)["expires_at"] == moment.timestamp()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "app", "--expires", "soon"), "--expires 'soon' is no time. Write 12h"),
        (("add", "app", "--expires", "1e999d"), "is no time"),
        (("add", "app", "--expires", "9999999d"), "is no time"),
        (("add", "app", "--expires", ""), "is no time"),
        (("add", "app", "--expires", "2001-01-01"), "would have expired"),
        (("add", "app", "--expires", "-1d"), "would have expired"),
        (("add", " "), "A key cannot be named ' '"),
        (("add", "x" * 65), "Use 1 to 64"),
        (("add", "a\nb"), "A key cannot be named"),
        (("add", "app", "--requests-per-minute", "0"), "not in the range"),
        (("add", "app", "--usd-per-day", "0"), "not in the range"),
        (("add", "app", "--usd-per-day", "nan"), "nan USD per day is no budget"),
        (("show", "nobody"), "There is no gateway key 'nobody'"),
        (("revoke", "nobody"), "There is no gateway key 'nobody'"),
        (("add", "taken"), "There is a key named 'taken' already"),
    ],
)
def test_odd_input_is_one_line_that_helps(run: Run, arguments: tuple[str, ...], words: str) -> None:
    assert run("keys", "add", "taken").exit_code == 0
    refused = run("keys", *arguments)
    assert refused.exit_code in (1, 2)
    assert words in refused.stderr
    assert refused.stdout == ""
    assert len(json.loads(run("keys", "--json").stdout)) == 1
