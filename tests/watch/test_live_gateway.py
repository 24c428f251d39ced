"""Ramp and rollback through the real gateway: an owned side that turns bad at a known call, restarts, two gateways."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rollback_scene import FAST, Gateway, Script, ask_in_step, both_sides, moved, teach

from freehold.model import Route
from freehold.route.run.move import return_all
from freehold.route.run.route_status import route_status

TURNS = 110


class Scene:
    """One gateway between scripted sides, with a task that can be moved."""

    def __init__(self, gateway: Gateway, script: Script, task_id: str) -> None:
        self.gateway, self.script, self.task_id = gateway, script, task_id

    @property
    def route(self) -> Route:
        return self.gateway.workspace.store.registry.route(self.task_id)

    @property
    def seen(self) -> dict[str, Any]:
        return dict(self.gateway.workspace.store.watches.get(self.task_id).document["watch"])

    async def put(self, kind: str = "cascade", **changes: Any) -> Route:
        """Put a route and wait until the worker lets the owned model answer."""
        route = moved(self.gateway.workspace, self.task_id, kind, **changes)
        await self.gateway.until_local()
        return route


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    script = Script()
    async with both_sides(script) as origin:
        gateway = Gateway(tmp_path, origin, *FAST)
        task_id = teach(gateway.workspace)
        await gateway.start()
        yield Scene(gateway, script, task_id)
        await gateway.stop()
        gateway.workspace.store.close()


@pytest.mark.parametrize(
    ("kind", "most", "words"),
    [
        ("wrong", 12, "were wrong"),
        pytest.param("refusal", 16, "were", marks=pytest.mark.slow),
        pytest.param("slow", 40, "were slow", marks=pytest.mark.slow),
        pytest.param("invalid", 60, "be read", marks=pytest.mark.slow),
    ],
)
async def test_an_owned_side_that_turns_bad_is_taken_back(scene: Scene, kind: str, most: int, words: str) -> None:
    scene.script.owned = lambda number: kind if number >= TURNS else "right"
    route = await scene.put(audit_rate=1.0, expected={"owned_p95_ms": 20.0})
    answered = await ask_in_step(scene.gateway, scene.task_id, route.version, range(TURNS - 10, TURNS + 200))
    bad = [one for one in answered if one.number >= TURNS]
    assert (scene.route.kind, scene.route.decided_by) == ("rented", "rollback")
    assert words in scene.route.reason
    assert len(bad) <= most
    after = await scene.gateway.ask(TURNS)
    assert (after.arm, after.text) == ("rented", scene.script.answer(TURNS, "right"))
    await scene.gateway.until(lambda: f": {scene.route.reason}" in scene.gateway.log)


@pytest.mark.slow
async def test_every_fifth_bad_answer_is_enough(scene: Scene) -> None:
    scene.script.owned = lambda number: "wrong" if number >= TURNS and number % 5 == 0 else "right"
    route = await scene.put(audit_rate=1.0)
    answered = await ask_in_step(scene.gateway, scene.task_id, route.version, range(TURNS - 10, TURNS + 600))
    assert scene.route.decided_by == "rollback", len(answered)
    assert 40 < len(answered) < 400
    view = route_status(scene.gateway.workspace, scene.gateway.workspace.task(scene.task_id))
    assert view.standing is not None
    assert view.standing.audited >= len(answered)
    assert "of the last" in view.remarks[0]


@pytest.mark.slow
async def test_a_good_model_stays_also_with_a_provider_that_is_down(scene: Scene) -> None:
    route = await scene.put(audit_rate=1.0)
    scene.script.provider = lambda number: "down"
    answered = await ask_in_step(scene.gateway, scene.task_id, route.version, range(100, 160))
    assert {one.arm for one in answered} == {"owned"}
    assert scene.seen["missing"] >= 60
    assert scene.route == route


@pytest.mark.slow
async def test_a_killed_gateway_goes_on_with_the_evidence_it_had(scene: Scene) -> None:
    scene.script.owned = lambda number: "wrong" if number >= TURNS else "right"
    route = await scene.put(audit_rate=1.0)
    await ask_in_step(scene.gateway, scene.task_id, route.version, range(TURNS - 3, TURNS + 3))
    before = scene.seen
    await scene.gateway.stop(signal.SIGKILL)
    await scene.gateway.start()
    await ask_in_step(scene.gateway, scene.task_id, route.version, [1])
    after = scene.seen
    workspace = scene.gateway.workspace
    recorded = workspace.store.call_stream.page(scene.task_id, route.version, (0.0, ""), 1e12, 999)
    assert (after["calls"], after["repeated"]) == (len(recorded), 0)
    assert after["audited"] >= before["audited"] >= 6
    answered = await ask_in_step(scene.gateway, scene.task_id, route.version, range(TURNS + 3, TURNS + 30))
    assert scene.route.decided_by == "rollback"
    assert sum(one.arm == "owned" for one in answered) < 10


async def test_a_canary_becomes_a_cascade_by_itself(scene: Scene) -> None:
    route = await scene.put("canary", harm=0.2, shadow_rate=1.0, audit_rate=1.0)
    await ask_in_step(scene.gateway, scene.task_id, route.version, range(1000, 1200))
    assert scene.route.kind == "cascade", scene.seen["ramp"]
    assert (scene.route.decided_by, scene.route.version) == ("ramp", route.version + 1)
    later = [await scene.gateway.ask(number) for number in range(2000, 2010)]
    await scene.gateway.until_local()
    page = await scene.gateway.page("/metrics")
    assert 'freehold_route_share{task="triage-support-desk",route="cascade"} 1\n' in page
    assert 'freehold_route_audit_rate{task="triage-support-desk",route="cascade"} 1' in page
    assert {one.status for one in later} == {200}
    calls = scene.gateway.workspace.store.call_stream.page(scene.task_id, route.version, (0.0, ""), 1e12, 999)
    tossed = [call for call in calls if call.coins.owned != "withdrawn"]
    assert {call.coins.coin for call in tossed} == {"owned", "rented"}
    assert all((call.coins.coin == "owned") == (call.arm == "owned") for call in tossed)
    shares = [call.propensity if call.arm == "owned" else 1 - call.propensity for call in tossed]
    assert shares == pytest.approx(sorted(shares))
    assert shares[0] <= 0.2 < shares[-1] < 1


@pytest.mark.slow
async def test_a_shadow_is_noticed_by_nobody(scene: Scene) -> None:
    scene.script.owned = lambda number: "wrong" if number % 2 else "right"
    moved(scene.gateway.workspace, scene.task_id, "shadow", risk=None, threshold=None, shadow_rate=1.0)
    while not (scene.gateway.workspace.store.watches.get(scene.task_id).document.get("watch") or {}).get("calls"):
        await scene.gateway.ask(0)
        await asyncio.sleep(0.01)
    answered = await ask_in_step(scene.gateway, scene.task_id, 1, range(100, 130))
    assert {(one.arm, one.text == scene.script.answer(one.number, "right")) for one in answered} == {("rented", True)}
    ramp = scene.seen["ramp"]
    assert ramp["pairs"] >= 30
    assert dict(ramp["counts"])[-1000] >= 15


@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_no_gateway_uses_a_model_that_was_taken_back(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both ask the database before they use an owned answer, so that the very next request stays with the provider."""
    if place == "sqlite":
        url = f"sqlite:///{tmp_path / 'shared.db'}"
    else:
        server = request.getfixturevalue("postgres")
        server.psql("CREATE DATABASE live;")
        url = str(server.get_uri("live"))
    script = Script()
    async with both_sides(script) as origin:
        gateways = [Gateway(tmp_path / name, origin, *FAST, database_url=url) for name in ("one", "two")]
        one, two = gateways
        task_id = teach(one.workspace)
        for gateway in gateways:
            await gateway.start()
        try:
            for round_number in range(5):
                route = await Scene(one, script, task_id).put(audit_rate=0.0)
                await two.until_local()
                return_all(one.workspace, task_id)
                answered = await asyncio.gather(*(gateway.ask(100 + round_number) for gateway in gateways))
                assert [got.arm for got in answered] == ["rented", "rented"], route
            script.owned = lambda number: "wrong" if number >= TURNS else "right"
            route = await Scene(one, script, task_id).put(audit_rate=1.0)
            await two.until_local()
            await ask_in_step(two, task_id, route.version, range(TURNS, TURNS + 30))
            assert one.workspace.store.registry.route(task_id).decided_by == "rollback"
            assert [(await gateway.ask(500)).arm for gateway in gateways] == ["rented", "rented"]
            assert one.workspace.store.watches.get(task_id).document["watch"]["repeated"] == 0
        finally:
            for gateway in gateways:
                await gateway.stop()
                gateway.workspace.store.close()
