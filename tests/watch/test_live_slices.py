"""One slice turns bad behind a moved route: it alone goes back to the provider, and stays there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from watch.moved import RIGHT, WRONG, Moved, a_moved_task

from freehold import route as routing
from freehold.model import Verdict
from freehold.prove.run.live_baseline import tolerated_slices
from freehold.route.run.move import still_withheld
from freehold.route.run.route_status import route_statuses
from freehold.text.slices import SliceShape

SHAPE = SliceShape(field="intent", labels=("refund", "other"))
BEARS = {"label:refund": 0.12, "label:other": 0.12}
OTHER = WRONG


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[Moved]:
    moved = a_moved_task(tmp_path)
    moved.put(risk=0.6, head={"slices": SHAPE.to_json()}, expected={"slices": BEARS}, verdict_id="v1")
    yield moved
    moved.workspace.store.close()


def turn(moved: Moved, calls: int = 90) -> None:
    """A third of the local answers say "other", and all of those are wrong; the rest is right."""
    for number in range(calls):
        if number % 3 == 0:
            moved.local(owned=OTHER, audit=RIGHT)
        else:
            moved.local()


def test_it_alone_is_withheld_and_the_rest_of_the_evidence_goes_on(moved: Moved) -> None:
    turn(moved)
    moved.look()
    before = moved.kept.watch
    route = moved.route
    assert (route.kind, route.version, route.decided_by) == ("cascade", 2, "slices")
    assert route.withheld == ("label:other",)
    assert "label:other" in route.reason
    assert "12.0% may be" in route.reason
    moved.look()
    after = moved.kept.watch
    assert after.route_version == 2
    assert after.detector("contract") == before.detector("contract")
    assert after.detector("slice:label:other") is None
    assert after.detector("slice:label:refund") == before.detector("slice:label:refund")
    remarks = route_statuses(moved.workspace)[0].remarks
    assert remarks[0].startswith("withheld 20")
    assert "evidence of harm" in remarks[1]
    moved.look(3)
    assert moved.route.version == 2


def test_gateways_leave_it_to_the_provider_from_then_on(moved: Moved) -> None:
    turn(moved)
    moved.look()
    assert routing.withheld(moved.route, (), OTHER) == "label:other"
    assert routing.withheld(moved.route, (), RIGHT) == ""


def test_good_slices_stay(moved: Moved) -> None:
    for number in range(90):
        moved.local(owned=OTHER, audit=OTHER) if number % 3 == 0 else moved.local()
    moved.look(2)
    assert moved.route.version == 1


def test_a_canary_keeps_its_ramp(moved: Moved) -> None:
    canary: Any = replace(moved.route, version=2, kind="canary", harm=0.02, shadow_rate=1.0)
    moved.workspace.store.registry.put_route(canary)
    moved.look()
    for _ in range(40):
        moved.rented(shadow=RIGHT, tags={"audit_rate": "0.5"})
    moved.look()
    share = moved.kept.watch.ramp
    assert share is not None
    assert share.pairs == 40
    turn(moved)
    moved.look(2)
    assert (moved.route.kind, moved.route.decided_by) == ("canary", "slices")
    ramp = moved.kept.watch.ramp
    assert ramp is not None
    assert ramp.pairs >= 40


def test_moving_the_same_verdict_again_does_not_bring_it_back(moved: Moved) -> None:
    turn(moved)
    moved.look()
    again = replace(moved.route, version=3, withheld=("length:long",), decided_by="person")
    assert still_withheld(moved.workspace, again) == ("length:long", "label:other")
    assert still_withheld(moved.workspace, replace(again, verdict_id="v2")) == ("length:long",)


def test_a_proof_says_what_each_slice_may_bear() -> None:
    def row(name: str, n: int, local: int, kind: str = "label") -> dict[str, object]:
        return {"name": name, "kind": kind, "n": n, "local": local}

    rows = [row("label:a", 100, 50), row("label:b", 100, 100), row("wanted:a", 90, 40, "wanted"), row("label:c", 9, 0)]
    verdict = Verdict(
        id="v",
        task_id="t",
        model_id="m",
        dataset_hash="d",
        decision="move",
        coverage=0.5,
        margin=0.02,
        risk=0.05,
        withheld=("label:d",),
        evidence={"slice_limit": 0.1, "slices": [*rows, row("label:d", 50, 50)]},
    )
    found = tolerated_slices(verdict)
    assert list(found) == ["label:b", "label:a", "label:c"]
    assert found["label:a"] == pytest.approx(0.1 / (52.5 / 105))
    assert found["label:c"] == pytest.approx(0.1 / (2.5 / 14))
    assert tolerated_slices(replace(verdict, evidence={})) == {}
    many = [row(f"label:{i}", 100, 50 + i) for i in range(40)]
    assert len(tolerated_slices(replace(verdict, evidence={"slice_limit": 0.1, "slices": many}))) == 20
