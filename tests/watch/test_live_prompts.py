"""An edited prompt through the real gateway: shown at once, compared in shadow, answered by the provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from made import chat_body
from rollback_scene import FAST, SYSTEM, Gateway, Script, both_sides, moved, teach
from watch.moved import Moved

from freehold.dialects import read_request
from freehold.model import Asked, Message
from freehold.model.task import versions_of
from freehold.pipeline.overview import overviews
from freehold.route.run.directory import Directory
from freehold.route.run.route_status import route_status
from freehold.sort import NearPrompts
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter
from freehold.watch.run.prompt_news import prompt_news

EDITED = SYSTEM.replace("of a shop", "of a small shop")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with both_sides(Script()) as origin:
        gateway = Gateway(tmp_path, origin, *FAST)
        yield gateway
        await gateway.stop()
        gateway.workspace.store.close()


async def test_an_edited_prompt_is_seen_with_its_first_call(gateway: Gateway) -> None:
    task_id = teach(gateway.workspace, 80)
    await gateway.start()
    route = moved(gateway.workspace, task_id)
    await gateway.until_local()
    store = gateway.workspace.store
    asked = [await gateway.ask(200 + number, EDITED) for number in range(3)]
    assert {one.arm for one in asked} == {"rented"}
    await gateway.until(lambda: all(store.calls.get(one.call_id) is not None for one in asked))
    for one in asked:  # before anything was sorted, each call says what it is
        call = store.calls.get(one.call_id)
        assert call is not None
        assert call.task_key == gateway.workspace.task(task_id).key
        assert (call.coins.owned, call.coins.new_prompt) == ("new_prompt", 2)
    sort_new_calls(gateway.workspace)
    await gateway.until(lambda: len(versions_of(gateway.workspace.task(task_id))) == 2)

    def compared() -> int:
        return sum(
            call.coins.new_prompt is not None for call in store.calls.find(CallFilter(task_id=task_id, arm="shadow"))
        )

    number = 300
    while not compared():
        number += 1
        assert (await gateway.ask(number, EDITED)).arm == "rented"
    owned = await gateway.ask(400)
    assert owned.arm == "owned"
    await gateway.until(lambda: store.calls.get(owned.call_id) is not None)
    task = gateway.workspace.task(task_id)
    news = prompt_news(gateway.workspace, task, store.registry.route(task_id))
    assert news is not None
    assert (news.number, news.calls, news.last - news.calls) == (2, news.calls, 1)
    assert news.calls >= 4
    assert news.compared >= 1
    view = route_status(gateway.workspace, task)
    assert view.remarks[0].startswith("new prompt (version 2) since ")
    assert "the owned model answers none of them" in view.remarks[0]
    assert "+ small" in view.remarks[0]
    assert overviews(gateway.workspace)[0].remarks[0] == view.remarks[0]
    page = await gateway.page("/metrics")
    share = next(line for line in page.splitlines() if line.startswith("freehold_route_share{"))
    assert 0.0 < float(share.split()[-1]) < 1.0
    assert 'freehold_new_prompt_calls_total{task="' in page
    assert store.registry.route(task_id) == route


def test_what_was_compared_under_a_new_prompt_is_no_evidence_on_the_route(moved: Moved) -> None:
    moved.put(audit_rate=1.0)
    for _ in range(40):
        moved.rented(shadow='{"intent": "other", "urgency": 9}', tags={"owned": "new_prompt", "new_prompt": "2"})
    moved.look()
    watch = moved.kept.watch
    assert (watch.calls, watch.audited, watch.missing) == (40, 0, 0)
    assert all(detector.observed == 0 for detector in watch.detectors)
    assert moved.route.kind == "cascade"


def test_a_directory_tells_versions_from_values(moved: Moved) -> None:
    moved.put()
    workspace = moved.workspace
    directory = Directory(lambda: workspace.store)
    directory.refresh()
    (system,) = {part.pieces[0] for part in workspace.task(moved.task_id).template.parts if part.pieces[0]}

    def found(prompt: str) -> tuple[bool, int | None]:
        one = directory.find(read_request("openai-chat", chat_body("refund please", prompt)), None)
        assert one is not None
        assert one.task_id == moved.task_id
        return one.messages is not None, one.new_prompt.number if one.new_prompt else None

    assert found(system) == (True, None)
    assert found(f"{system} Be brief.") == (False, 2)
    assert directory.find(read_request("openai-chat", chat_body("x", "Name the season, in one word.")), None) is None
    shares = {name: value for name, _, value in directory.levels()}
    assert shares["freehold_route_share"] == pytest.approx(0.5)
    for number in range(5):
        body = chat_body(f"refund {number}", f"{system} Be brief.")
        moved.rented(task_id=None, route_version=0, request_body=body)
    sort_new_calls(workspace)
    directory.refresh()
    assert found(f"{system} Be brief.") == (False, 2)
    assert found(f"{system} Be brief, please.") == (False, 3)
    one = directory.find(read_request("openai-chat", chat_body("refund please", f"{system} Be brief.")), None)
    assert one is not None
    assert one.new_prompt is not None
    assert one.new_prompt.messages == (Message("user", "refund please"),)


def test_near_prompts_are_found_by_their_words_and_remembered(moved: Moved) -> None:
    task = moved.workspace.task(moved.task_id)
    near = NearPrompts([task])
    (system,) = {part.pieces[0] for part in task.template.parts if part.pieces[0]}

    def ask(prompt: str, **more: str) -> Asked:
        return Asked(dialect="openai-chat", messages=(Message("system", prompt), Message("user", "x")), **more)

    for _ in range(2):
        assert near.find(ask(f"{system} Be brief.")) is task
        assert near.find(ask("Name the season, in one word.")) is None
    assert near.find(ask(f"{system} Be brief.", response_format='{"type":"json_object"}')) is None
    assert near.find(ask(system + " word" * 100_000)) is None
    assert NearPrompts([]).find(ask(system)) is None
