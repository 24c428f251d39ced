"""At 80 columns nothing that a verb prints is broken inside a word; in a pipe a line stays a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from made import BEGAN_AT, Run, a_call, a_workspace, answer_body, triage_calls
from msgspec import structs

from freehold.cli.commands import cli
from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard, Verdict
from freehold.model.route import Route
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls
from freehold.terminal import columns, folded, shorten

WIDE = 80
LONG = "triage-of-messages-to-our-support-desk-1"  # as long as names may be
PROVIDERS = """
[providers.a-provider-with-a-name-of-its-own]
base_url = "http://127.0.0.1:9/v1"
[providers.another-provider]
base_url = "http://127.0.0.1:9/a/path/that/is/rather/long/v1"
key_env = "A_VARIABLE_WITH_A_NAME_THAT_IS_RATHER_LONG"
"""
WIDE_ANSWER = json.dumps({"intent": "返金", "note": "お客様は返金を希望しています。" * 9}, ensure_ascii=False)


@pytest.fixture
def at_80(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line, told that it has 80 columns, with long names, wide answers and large figures in its record."""
    monkeypatch.setenv("COLUMNS", str(WIDE))
    (tmp_path / "freehold.toml").write_text(PROVIDERS, encoding="utf-8")
    workspace = a_workspace(tmp_path / ".freehold")
    calls = [structs.replace(call, tags={"freehold-task": LONG}, cost_usd=1234.5) for call in triage_calls(120)]
    wide = structs.replace(calls[-1], id="0199-wide", created_at=BEGAN_AT + 9e3, response_body=answer_body(WIDE_ANSWER))
    broken = a_call(id="0199-broken", created_at=BEGAN_AT + 9e3, status=502, error="upstream_unreachable_for_a_while")
    workspace.store.calls.add([*calls, wide, broken, a_call(dialect="other", path="/v1/models", request_body=b"")])
    workspace.store.calls.add_feedback("0199-wide", "comment", "a comment of many words " * 12, BEGAN_AT)
    sort_new_calls(workspace)
    _move(workspace)
    workspace.store.close()
    return run


def _move(workspace: Workspace) -> None:
    task = workspace.task(LONG)

    def quiet(_progress: Progress) -> None:
        """Say nothing."""

    made = {"task_id": task.id, "dataset_hash": freeze(workspace, task, quiet)}
    workspace.store.registry.put_model(
        ModelCard(id="m" * 16, base="b", base_sha256="c", recipe={}, seed=0, metrics={}, path="/m" * 60, **made)
    )
    shown = {"decision": "need", "need": 12345, "threshold": 0.8, "coverage": 0.6, "margin": 0.02, "risk": 0.05}
    workspace.store.registry.put_verdict(Verdict(id="v" * 16, model_id="m" * 16, report_path="/r", **made, **shown))
    workspace.store.registry.put_route(
        Route(
            task_id=task.id,
            version=1,
            kind="cascade",
            model_id="m" * 16,
            threshold=0.8,
            audit_rate=0.05,
            withheld=("length: the longest tenth of all inputs", "language: ja"),
            reason="a reason of many words, one after the other, until the line is full and more than full",
            created_at=BEGAN_AT,
        )
    )


VERBS = (
    ("tasks",),
    ("status",),
    ("status", LONG),
    ("calls",),
    ("calls", "--failed"),
    ("calls", "0199-wide"),
    ("doctor",),
    ("settings",),
    ("receipts",),
    ("receipts", "show", "1"),
    ("receipts", "show", "2"),
    ("receipts", "verify"),
    ("keys",),
    ("keys", "add", "a-key-with-a-name-that-is-long-enough", "--task", LONG, "--rpm", "12345"),
    ("keys",),
    ("lineage", "0199-wide"),
    ("lineage", "v" * 16),
    ("verify", LONG),
    ("prove", LONG, "--plan"),
    ("prune", "--older-than", "1d", "--dry-run"),
    ("prune", "--dry-run"),
    ("move", LONG, "--dry-run"),
    ("back", LONG, "--dry-run"),
    ("back", LONG),
    ("rate", "0199-wide", "bad"),
    ("correct", "0199-wide", "x"),
    ("status", "nothing"),
    ("freeze", LONG),
    ("renew", LONG),
    ("tasks", "rename", LONG, f"{LONG[:-1]}2", "--dry-run"),
    ("tasks", "rename", LONG, f"{LONG[:-1]}2", "--yes"),
    ("tasks", "edits"),
    ("tasks", "undo", "--dry-run"),
    ("tasks",),
)


def test_no_verb_prints_a_line_that_80_columns_would_break(at_80: Run) -> None:
    broken: list[str] = []
    printed = 0
    for verb in VERBS:
        result = at_80(*verb)
        assert result.exception is None or isinstance(result.exception, SystemExit), verb
        lines = _lines(result)
        printed += len(lines)
        broken += [f"{' '.join(verb)[:30]}: {columns(line)}: {line}" for line in lines if _is_broken(line)]
    assert broken == []
    assert printed > 250


def test_no_page_of_help_is_wider(at_80: Run) -> None:
    pages = [at_80(*words, "--help").stdout for words in _words((), cli)]
    assert len(pages) > 25
    assert [line for page in pages for line in page.splitlines() if _is_broken(line)] == []
    assert [line for page in pages for line in page.splitlines() if re.search(r"\w-$", line)] == [], (
        "broken at a hyphen"
    )


def test_in_a_pipe_a_line_stays_a_line(at_80: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folded_lines = at_80("settings").stdout.splitlines()
    monkeypatch.delenv("COLUMNS")
    whole = at_80("settings").stdout.splitlines()
    assert len(whole) < len(folded_lines)
    assert " ".join(" ".join(whole).split()) == " ".join(" ".join(folded_lines).split())


def test_a_body_is_never_folded(at_80: Run) -> None:
    shown = at_80("calls", "0199-wide").stdout
    assert any(columns(line) > WIDE for line in shown.partition("\nresponse\n")[2].splitlines())


@given(st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300))
def test_folding_loses_no_word_and_shortening_keeps_to_the_width(text: str) -> None:
    assert folded(text, WIDE).split() == text.split()
    assert columns(shorten(text, 20)) <= 20
    assert "\n" not in shorten(text, 20)


def _words(before: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, ...]]:
    yield before
    for name in command.commands if isinstance(command, click.Group) else ():
        yield from _words((*before, name), command.commands[name])  # type: ignore[attr-defined]


def _lines(result: Result) -> list[str]:
    """What people read: without bodies, which are given as they are, and mistakes, which are one line in a pipe."""
    text = result.stdout.partition("\nrequest\n")[0]
    return [line for line in f"{text}\n{result.stderr}".splitlines() if not line.startswith("freehold: ")]


def _is_broken(line: str) -> bool:
    """Whether the line is too wide, and not because of one word after its labels that cannot be parted."""
    return columns(line) > WIDE and re.fullmatch(r"\s*(?:\S+(?: \S+)*\s{2,})*\S+", line) is None
