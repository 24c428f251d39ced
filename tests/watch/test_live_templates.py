"""Midnight through the real gateway: a value of the prompt changes, and the task stays moved."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rollback_scene import FAST, Gateway, Script, both_sides, moved, teach

from freehold.dialects import read_request
from freehold.model import Route
from freehold.model.receipt import Receipt
from freehold.route.run.route_status import route_status
from freehold.text.prompts.template import Template

PROMPT = "You triage messages to the desk of {}. Today is {}. Answer with one JSON object: intent and urgency."
SHOP, DAY = "Acme", "jueves 28 de mayo de 2026"
NEXT_DAY, NEXT_MONTH = "viernes 29 de mayo de 2026", "lunes 1 de junio de 2026"


def fixed(prompt: str) -> dict[str, Any]:
    """The template that an earlier version wrote of a prompt without a date that it knew."""
    part = {"role": "system", "prefix": prompt, "suffix": "", "has_gap": False}
    return {"parts": [part], "tools": "", "response_format": ""}


class Scene:
    """One gateway between scripted sides, with a task that was moved on one day."""

    def __init__(self, gateway: Gateway, task_id: str) -> None:
        self.gateway, self.task_id = gateway, task_id

    @property
    def route(self) -> Route:
        return self.gateway.workspace.store.registry.route(self.task_id)

    def watched(self, name: str) -> int:
        watch = self.gateway.workspace.store.watches.get(self.task_id).document.get("watch") or {}
        return int(watch.get(name, 0))

    async def put(self, **changes: Any) -> Route:
        route = moved(self.gateway.workspace, self.task_id, audit_rate=1.0, **changes)
        await self.gateway.until_local(PROMPT.format(SHOP, DAY))
        return route

    async def arm(self, number: int, prompt: str) -> str:
        answered = await self.gateway.ask(number, prompt)
        assert answered.status == 200
        return answered.arm


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with both_sides(Script()) as origin:
        gateway = Gateway(tmp_path, origin, *FAST)
        task_id = teach(gateway.workspace, system=PROMPT.format(SHOP, DAY))
        await gateway.start()
        yield Scene(gateway, task_id)
        await gateway.stop()
        gateway.workspace.store.close()


async def test_at_midnight_nothing_happens(scene: Scene) -> None:
    route = await scene.put()
    for number, day in enumerate((NEXT_DAY, NEXT_MONTH, "domingo 3 de enero de 2027")):
        assert await scene.arm(100 + number, PROMPT.format(SHOP, day)) == "owned"
    assert scene.route == route


async def test_a_route_of_an_earlier_version_learns_at_midnight_what_it_did_not_know(scene: Scene) -> None:
    route = await scene.put(template=fixed(PROMPT.format(SHOP, DAY)))
    for number in range(100, 120):
        await scene.arm(number, PROMPT.format(SHOP, DAY))
    await scene.gateway.until(lambda: scene.watched("calls") >= 20)
    audited = scene.watched("audited")
    assert await scene.arm(200, PROMPT.format(SHOP, NEXT_DAY)) == "rented"
    await scene.gateway.until(lambda: scene.route.version == 2)
    await scene.gateway.until_local(PROMPT.format(SHOP, NEXT_DAY))
    assert await scene.arm(201, PROMPT.format(SHOP, NEXT_MONTH)) == "owned"
    assert await scene.arm(202, PROMPT.format(SHOP, DAY)) == "owned"
    now = scene.route
    assert (now.kind, now.decided_by, now.version) == ("cascade", "template", 2)
    assert (now.verdict_id, now.model_id, now.threshold) == (route.verdict_id, route.model_id, route.threshold)
    assert f"{DAY!r} became {NEXT_DAY!r}" in now.reason
    for day in (DAY, NEXT_DAY):
        messages = [{"role": "system", "content": PROMPT.format(SHOP, day)}, {"role": "user", "content": "x"}]
        asked = read_request("openai-chat", json.dumps({"messages": messages}).encode())
        (message,) = Template.from_json(now.template).strip(asked) or ()
        assert message.content == "x"
    await scene.gateway.until(lambda: scene.watched("audited") > audited)
    workspace = scene.gateway.workspace
    newest = workspace.store.receipts.newest(1)[0]
    assert isinstance(newest, Receipt)
    assert (newest.kind, newest.content["decided_by"]) == ("route", "template")
    view = route_status(workspace, workspace.task(scene.task_id))
    assert any(remark.startswith("template relearned ") for remark in view.remarks)
    assert [one.version for one in workspace.store.registry.route_history(scene.task_id)] == [2, 1]


async def test_a_name_that_varies_with_callers_is_learnt_when_three_were_seen(scene: Scene) -> None:
    await scene.put()
    prompt = PROMPT.format("{}", NEXT_DAY)
    assert await scene.arm(100, prompt.format("Brightwater")) == "rented"
    assert await scene.arm(101, prompt.format("Corner Shop")) == "rented"
    await scene.gateway.until(lambda: scene.route.version == 2)
    await scene.gateway.until_local(prompt.format("Dunmore"))
    assert "a name varies" in scene.route.reason
    assert "Brightwater" not in scene.route.reason


async def test_an_edited_rule_is_never_learnt(scene: Scene) -> None:
    route = await scene.put()
    prompt = PROMPT.format(SHOP, NEXT_DAY)
    for number, edited in enumerate(
        (prompt.replace("one JSON", "two JSON"), prompt.replace("urgency", "mood"), f"{prompt} Be brief.") * 4
    ):
        assert await scene.arm(100 + number, edited) == "rented"
    await scene.gateway.until(lambda: scene.watched("calls") >= 12)
    assert scene.route == route
