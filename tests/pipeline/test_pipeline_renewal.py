"""After an edited prompt: which calls make a dataset, and the verdict renewed with the model that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from made import BEGAN_AT, SYSTEM, a_call, a_workspace, chat_body, triage_calls, weights

from freehold.dialects import read_request
from freehold.errors import DataError
from freehold.freeze import load
from freehold.freeze.run.freeze import freeze
from freehold.model import Call, Example, ModelCard
from freehold.model.engine import OwnedAnswer
from freehold.model.route import Route
from freehold.model.task import versions_of
from freehold.pipeline.progress import Progress
from freehold.pipeline.renewal import renew
from freehold.pipeline.workspace import Workspace
from freehold.prove.run import prove as prove_stage
from freehold.route.run.move import move_plan, put_route
from freehold.sort.run.sort import sort_new_calls
from freehold.store import DatasetRow
from freehold.text.prompts.template import Template
from freehold.watch.run.prompt_news import prompt_news

EDITED = SYSTEM.replace("of a shop", "of a small shop")
LATER = BEGAN_AT + 100_000.0


def quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def edited_calls(count: int, *, prompt: str = EDITED, **changes: Any) -> list[Call]:
    """Calls of the same task, later, with another prompt."""
    found = triage_calls(count + 500, **changes)[500:]
    return [
        a_call(
            created_at=LATER + 60.0 * number,
            request_body=call.request_body.replace(json.dumps(SYSTEM).encode(), json.dumps(prompt).encode()),
            response_body=call.response_body,
            session_key=f"later-{number // 2}",
            route_version=1,
            tags={"owned": "new_prompt", "new_prompt": "2"},
        )
        for number, call in enumerate(found)
    ]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    opened.store.calls.add(triage_calls(150))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def frozen(workspace: Workspace) -> DatasetRow:
    (task,) = workspace.store.registry.tasks()
    return workspace.dataset_of(task, freeze(workspace, task, quiet))


def with_setting(workspace: Workspace, prompts: str) -> Workspace:
    return Workspace(workspace.settings.override({"freeze.prompts": prompts}), workspace.store)


def examples(row: DatasetRow) -> list[Example]:
    splits = load(Path(row.path))
    return [*splits.train, *splits.dev, *splits.proof]


def test_a_dataset_of_all_versions_shows_the_model_the_same_of_each(workspace: Workspace) -> None:
    workspace.store.calls.add(edited_calls(150))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    assert len(versions_of(task)) == 2
    row = frozen(with_setting(workspace, "all"))
    found = examples(row)
    assert {len(example.messages) for example in found} == {1}
    assert {example.messages[0].role for example in found} == {"user"}
    assert min(e.created_at for e in found) < LATER < max(e.created_at for e in found)
    template = Template.from_json(row.manifest.template)
    assert template.fits(read_request("openai-chat", chat_body("x", EDITED)))
    assert not template.fits(read_request("openai-chat", chat_body("x", SYSTEM)))


def test_a_dataset_of_the_newest_version_counts_what_it_leaves_out(workspace: Workspace) -> None:
    workspace.store.calls.add(edited_calls(150))
    sort_new_calls(workspace)
    row = frozen(with_setting(workspace, "newest"))
    assert all(example.created_at >= LATER for example in examples(row))
    assert row.manifest.dropped["earlier_prompt"] == 150


@pytest.mark.parametrize(("is_field_new", "left_out"), [(False, 0), (True, 150)])
def test_old_answers_count_unless_the_new_prompt_asks_for_other_fields(
    tmp_path: Path, is_field_new: bool, left_out: int
) -> None:
    workspace = a_workspace(tmp_path / "fields")
    fields = ("intent", "urgency", "topic", "mood")[: 4 if is_field_new else 3]
    for calls, names in ((triage_calls(150), ("intent", "urgency", "topic")), (edited_calls(150), fields)):
        typed = {name: {"type": "integer" if name == "urgency" else "string"} for name in names}
        schema = {"type": "object", "properties": typed}
        form = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema}}
        workspace.store.calls.add(
            [
                a_call(
                    created_at=call.created_at,
                    session_key=call.session_key,
                    request_body=json.dumps({**json.loads(call.request_body), "response_format": form}).encode(),
                    response_body=call.response_body,
                )
                for call in calls
            ]
        )
        sort_new_calls(workspace)
    row = frozen(workspace)
    assert row.manifest.dropped.get("earlier_prompt", 0) == left_out
    workspace.store.close()


@contextmanager
def right_answers(*_given: object) -> Iterator[prove_stage.Answering]:
    """A model that answers as was wanted, and is sure of it."""

    def answer(asked: Sequence[Example]) -> list[OwnedAnswer]:
        return [OwnedAnswer(text=e.target, logprobs=(-0.01,) * 4, value_logprobs=(-0.01,) * 2) for e in asked]

    yield answer


def moved(workspace: Workspace) -> Route:
    """A model that was trained and proven on the first prompt, and its route."""
    row = frozen(workspace)
    (task,) = workspace.store.registry.tasks()
    card = ModelCard(
        id="m1",
        task_id=task.id,
        base="b",
        base_sha256="c",
        dataset_hash=row.id,
        recipe={},
        seed=0,
        metrics={"max_output_tokens": 64},
        **weights(workspace.state / "models" / "m1"),
        parity={"is_ok": True},
    )
    workspace.store.registry.put_model(card)
    workspace.store.registry.put_route(
        Route(
            task_id=task.id,
            version=1,
            kind="cascade",
            model_id="m1",
            verdict_id="v1",
            threshold=0.5,
            template=row.manifest.template,
            created_at=LATER - 1,
            expected={"newest_call_at": LATER - 1},
        )
    )
    return workspace.store.registry.route(task.id)


def test_a_verdict_is_renewed_without_a_training(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_stage, "asking", right_answers)
    route = moved(workspace)
    (task,) = workspace.store.registry.tasks()
    with pytest.raises(DataError, match="the one that its model was proven with"):
        renew(workspace, task.name, quiet)
    workspace.store.calls.add(edited_calls(40))
    sort_new_calls(workspace)
    task = workspace.task(task.name)
    news = prompt_news(workspace, task, route)
    assert news is not None
    assert (news.number, news.calls, news.last, news.needed) == (2, 40, 40, 75)
    assert f"35 more calls, then: freehold renew {task.name}" in news.words
    workspace.store.calls.add([*edited_calls(300)[40:]])
    sort_new_calls(workspace)
    news = prompt_news(workspace, task, route)
    assert news is not None
    assert f"prove the model with it: freehold renew {task.name}" in news.words
    renewed = renew(workspace, task.name, quiet)
    assert (renewed.version, renewed.verdict.decision, renewed.verdict.model_id) == (2, "move", "m1")
    assert [model.id for model in workspace.store.registry.models(task.id)] == ["m1"]
    dataset = workspace.dataset_of(task, renewed.verdict.dataset_hash)
    assert dataset.manifest.dropped["earlier_prompt"] == 150
    assert dataset.manifest.counts["proof"] > 100
    put_route(workspace, move_plan(workspace, task.name).route)
    now = workspace.store.registry.route(task.id)
    assert (now.version, now.verdict_id) == (2, renewed.verdict.id)
    template = Template.from_json(now.template)
    stripped = template.strip(read_request("openai-chat", chat_body("where is it?", EDITED)))
    assert stripped is not None
    assert [message.content for message in stripped] == ["where is it?"]
    assert prompt_news(workspace, workspace.task(task.name), now) is None
    with pytest.raises(DataError):
        renew(workspace, task.name, quiet)
