"""The command line in a folder of its own: with calls of one task in its record, or with a task that was proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.proven import walked_workspace
from made import BEGAN_AT, Run, a_call, a_workspace, triage_calls


@pytest.fixture
def recorded(run: Run, tmp_path: Path) -> Run:
    """The same, with 120 calls of one task, a failed one and a list of models in the record."""
    workspace = a_workspace(tmp_path / ".freehold")
    calls = triage_calls(120)
    ids = {call.id: f"0190{number:08x}-7abc-{number:010x}" for number, call in enumerate(calls)}
    numbered = [a_call(**{name: getattr(c, name) for name in FIELDS} | {"id": ids[c.id]}) for c in calls]
    failed = a_call(id="0191-failed-call1", created_at=BEGAN_AT + 8000, status=502, error="upstream_unreachable")
    models = a_call(
        id="0191-models-list1",
        created_at=BEGAN_AT + 8100,
        dialect="other",
        path="/v1/models",
        request_body=b"",
        cost_usd=None,
    )
    workspace.store.calls.add([*numbered, failed, models])
    workspace.store.close()
    return run


@pytest.fixture
def walked(run: Run, tmp_path: Path) -> Run:
    """The same, with a task that was proven, moved and returned."""
    workspace, _ = walked_workspace(tmp_path / ".freehold")
    workspace.store.close()
    return run


FIELDS = ("created_at", "request_body", "response_body", "session_key")
