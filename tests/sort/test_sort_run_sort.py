"""Sorting writes down which task each call belongs to, and what belongs to none."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from made import a_call, a_workspace, answer_body, chat_body, triage_calls
from msgspec import structs

from freehold.dialects import read_request
from freehold.errors import DataError
from freehold.freeze.run.freeze import freeze
from freehold.model import Asked, Message
from freehold.model.route import Route
from freehold.pipeline.overview import overviews, unsorted_calls
from freehold.route.run.directory import Directory
from freehold.sort.run.sort import NO_TASK, sort_new_calls
from freehold.store import CallFilter
from freehold.text.read_call import read_call


def test_each_call_gets_its_task_and_the_rest_is_marked(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    broken = a_call(request_body=b"{not json", status=400, error="bad_body")
    models = a_call(dialect="other", method="GET", path="/v1/models", request_body=b"")
    workspace.store.calls.add([*triage_calls(30), broken, models])
    assert sort_new_calls(workspace) == 32
    assert sort_new_calls(workspace) == 0
    (view,) = overviews(workspace)
    assert (view.figures.calls, view.kind) == (30, "json")
    assert unsorted_calls(workspace) == 2
    assert {call.id for call in workspace.store.calls.find(CallFilter(task_id=NO_TASK))} == {broken.id, models.id}


def test_a_task_named_by_the_client_keeps_its_name(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(5, tags={"freehold-task": "Desk Triage"}))
    sort_new_calls(workspace)
    assert [view.name for view in overviews(workspace)] == ["desk-triage"]


def _image_body(number: int) -> bytes:
    image = {"type": "image_url", "image_url": {"url": f"https://example.org/{number}.png"}}
    parts = [{"type": "text", "text": f"What is wrong with bicycle {number}?"}, image]
    messages = [{"role": "system", "content": "Name the broken part."}, {"role": "user", "content": parts}]
    return json.dumps({"model": "m", "messages": messages}).encode()


def test_images_are_not_promised_a_dataset(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    words = ("brakes", "bell", "chain")
    workspace.store.calls.add(
        [a_call(request_body=_image_body(n), response_body=answer_body(words[n % 3])) for n in range(80)]
    )
    sort_new_calls(workspace)
    (view,) = overviews(workspace)
    assert view.next_step.startswith("nothing yet: of its last 24 calls none can be learnt from, as they hold images")
    with pytest.raises(DataError, match="has 0 usable examples and needs 50") as caught:
        freeze(workspace, view.task, lambda _: None)
    assert "80 not_plain" in caught.value.message
    assert "More calls like these hardly help" in caught.value.hint


def test_an_answer_counts_with_the_beginning_that_the_request_gave() -> None:
    read = read_call(a_call(response_body=answer_body('"topic": "bell"}')))
    assert read.asked is not None
    begun = structs.replace(read, asked=structs.replace(read.asked, prefill="{"))
    assert begun.answer_text == '{"topic": "bell"}'


def test_many_sorters_at_once_agree(tmp_path: Path) -> None:
    workspaces = [a_workspace(tmp_path) for _ in range(4)]
    calls = triage_calls(200) + [
        a_call(request_body=chat_body(f"text {n}", f"You translate into language number {n % 5}, politely."))
        for n in range(60)
    ]
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(calls), 65):
            workspaces[0].store.calls.add(calls[start : start + 65])
            list(pool.map(sort_new_calls, workspaces))
    views = overviews(workspaces[0])
    assert sum(view.figures.calls for view in views) == 260
    assert workspaces[0].store.calls.count(CallFilter(is_sorted_out=False)) == 0
    assert len({view.name for view in views}) == len(views)


def test_tool_calls_are_part_of_an_answer() -> None:
    body = (
        b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1","type":"function",'
        b'"function":{"name":"look_up","arguments":"{}"}}]}}]}'
    )
    assert read_call(a_call(response_body=body)).answer_text == "look_up({})"


def test_a_directory_follows_tasks_and_routes(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    directory = Directory(lambda: workspace.store)
    asked = read_request("openai-chat", chat_body("refund please"))
    assert directory.refresh()
    assert directory.find(asked, None) is None
    workspace.store.calls.add(triage_calls(30))
    sort_new_calls(workspace)
    assert directory.refresh()
    assert not directory.refresh()
    found = directory.find(asked, None)
    assert found is not None
    task = workspace.store.registry.tasks()[0]
    assert (found.task_id, found.route.kind, found.messages) == (task.id, "rented", None)
    assert directory.served_models() == {}
    cascade = Route(
        task_id=task.id,
        version=1,
        kind="cascade",
        model_id="m",
        model_path="/models/m",
        threshold=0.9,
        template=task.template.to_json(),
    )
    workspace.store.registry.put_route(cascade)
    assert directory.refresh()
    found = directory.find(asked, None)
    assert found is not None
    assert (found.route, found.messages) == (cascade, (Message("user", "refund please"),))
    assert directory.served_models() == {"m": ("/models/m", "")}
    strange = Asked(dialect="openai-chat", messages=(Message("system", "Something else altogether."),))
    assert directory.find(strange, None) is None
