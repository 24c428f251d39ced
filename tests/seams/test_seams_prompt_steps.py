"""Prompt steps of other packages: the same in dataset and live, kept with both; one that fails leaves calls alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made import a_workspace, triage_calls
from msgspec import structs
from watch.moved import a_moved_task

from freehold.dialects import read_request
from freehold.errors import DataError, SettingError
from freehold.freeze import load, prompt_steps
from freehold.freeze.prompt_steps import live_preparation, preparation
from freehold.freeze.run.freeze import freeze, preparation_of
from freehold.model import Asked, Message
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.route.ramp import relearnt
from freehold.route.run.directory import Directory
from freehold.sort.run.sort import read_call, sort_new_calls
from freehold.store import CallFilter
from freehold.text.prompts.part import Part
from freehold.text.prompts.template import Template

Offer = Callable[[str, str, str], None]
CALLS = CallFilter(is_direct=True)
TEMPLATE = Template(parts=(Part.fixed("system", "Sort the message."),))


@pytest.fixture(autouse=True)
def _offered(offer: Offer) -> None:
    for name in ("Shouting", "Raising", "Hanging", "Unmade"):
        offer("prompt_steps", name.lower(), f"seams.prompt_steps_of_others:{name}")
    prompt_steps._live.cache_clear()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path / "state")
    opened.store.calls.add(triage_calls(120))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def asking(text: str) -> Asked:
    return Asked(dialect="openai-chat", messages=(Message("system", "Sort the message."), Message("user", text)))


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def with_steps(workspace: Workspace, names: str) -> Workspace:
    return replace(workspace, settings=workspace.settings.override({"freeze.prompt_steps": names}))


def test_the_first_step_is_what_the_template_strips() -> None:
    assert preparation(TEMPLATE).messages(asking("hi")) == TEMPLATE.strip(asking("hi")) == (Message("user", "hi"),)
    assert preparation(TEMPLATE).messages(Asked(dialect="openai-chat", messages=(Message("user", "hi"),))) is None
    assert preparation(TEMPLATE).written(TEMPLATE) == TEMPLATE.to_json()
    assert live_preparation(TEMPLATE.to_json()).messages(asking("hi")) == (Message("user", "hi"),)


def test_a_step_of_another_package_follows_and_is_kept_with_the_template() -> None:
    prepared = preparation(TEMPLATE, "strip, shouting")
    assert prepared.messages(asking("hi")) == (Message("user", "HI"),)
    assert prepared.messages(asking("psst")) is None
    written = prepared.written(TEMPLATE)
    assert written == TEMPLATE.to_json() | {"steps": ["shouting"]}
    assert Template.from_json(written) == TEMPLATE
    live = live_preparation(written)
    assert live.messages(asking("hi")) == (Message("user", "HI"),)
    assert live_preparation(written) is live
    other = Template(parts=(Part.fixed("system", "Another."),))
    newer = live.of_version(other)
    assert newer.messages(asking("hi")) is None
    assert newer.messages(
        structs.replace(asking("hi"), messages=(Message("system", "Another."), Message("user", "a")))
    ) == (Message("user", "A"),)


def test_a_dataset_is_frozen_with_the_steps_and_says_so(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    plain = workspace.dataset_of(task, freeze(workspace, task, _quiet))
    loud = workspace.dataset_of(task, freeze(with_steps(workspace, "strip, shouting"), task, _quiet))
    assert plain.id != loud.id
    assert (plain.manifest.template.get("steps"), loud.manifest.template["steps"]) == (None, ["shouting"])
    assert "prompt_steps" not in plain.manifest.settings
    shown = [example.messages[-1].content for example in load(Path(loud.path)).train]
    assert shown
    assert all(text == text.upper() for text in shown)
    call = next(iter(workspace.store.calls.stream(CALLS)))
    asked = read_call(call).asked
    assert asked is not None
    prepared = preparation_of(loud).messages(asked)
    assert prepared is not None
    assert prepared[-1].content.isupper()


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        ("shouting", SettingError, "must begin with strip"),
        ("", SettingError, "must begin with strip"),
        ("strip, strip", SettingError, "must begin with strip"),
        ("strip, whispering", SettingError, "There is no 'whispering' among prompt_steps"),
        ("strip, unmade", SettingError, "cannot be made: OSError: no disk"),
        ("strip, raising", DataError, "The prompt step 'raising' failed: LookupError: no index of documents"),
        ("strip, hanging", DataError, "The prompt step 'hanging' failed: TimeoutError: it did not return"),
    ],
)
def test_a_freeze_with_a_step_that_fails_is_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, names: str, kind: type[Exception], said: str
) -> None:
    monkeypatch.setattr(prompt_steps, "LIMIT_S", 0.05)
    (task,) = workspace.store.registry.tasks()
    with pytest.raises(kind, match=said) as caught:
        freeze(with_steps(workspace, names), task, _quiet)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raising", "LookupError: no index of documents"),
        ("hanging", "TimeoutError: it did not return within 0.05 s"),
        ("unmade", "No owned model is asked about these prompts, so the provider answers"),
        ("gone", "There is no 'gone' among prompt_steps"),
    ],
)
def test_live_a_step_that_fails_leaves_calls_to_the_provider_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, said: str
) -> None:
    monkeypatch.setattr(prompt_steps, "LIMIT_S", 0.05)
    moved = a_moved_task(tmp_path)
    plain = moved.put()
    body = next(iter(moved.workspace.store.calls.stream(CALLS))).request_body
    asked = read_request("openai-chat", body)
    directory = Directory(lambda: moved.workspace.store)
    directory.refresh()
    found = directory.find(asked, None)
    assert found is not None
    assert found.messages is not None
    steps = {"steps": [name]}
    moved.workspace.store.registry.put_route(
        relearnt(plain, {**plain.template, **steps}, created_at=plain.created_at, reason="a test")
    )
    directory.refresh()
    for _ in range(3):
        found = directory.find(asked, None)
        assert found is not None
        assert (found.route.kind, found.messages) == ("cascade", None)
    lines = [record.message for record in caplog.records if "provider" in record.message]
    assert len(lines) == 1
    assert said in lines[0]
