"""Calls in withheld slices stay with the provider, however sure the owned model is of its answer."""

from __future__ import annotations

from typing import Any

import pytest
from gateway.scripted_town import Plan, Town, route
from openai import OpenAI

from freehold.text.slices import SliceShape

SHAPE = SliceShape(field="intent", labels=("local", "refund"), lengths=(10, 60), languages=("de", "en"))


def asked(town: Town, words: str) -> Any:
    with OpenAI(base_url=f"{town.url}/v1", api_key="k", max_retries=0) as client:
        client.chat.completions.create(model="chat", messages=[{"role": "user", "content": words}])
    return town.shelf.wait_for(lambda call: call.arm in ("owned", "rented"))


@pytest.mark.parametrize(
    ("withheld", "words"),
    [("label:local", "sure"), ("length:short", "sure"), ("language:(other)", "sure"), ("length:long", "sure " * 20)],
)
def test_a_call_in_a_withheld_slice_stays_with_the_provider(town: Town, plan: Plan, withheld: str, words: str) -> None:
    plan.route = route("cascade", withheld=("label:refund", withheld), head={"slices": SHAPE.to_json()})
    call = asked(town, words)
    assert (call.arm, call.all_tags) == ("rented", {"owned": "withheld", "slice": withheld})
    shadow = town.shelf.wait_for(lambda call: call.arm == "shadow")
    assert shadow.parent_id == call.id


@pytest.mark.parametrize("withheld", [(), ("label:refund",), ("length:long", "language:de")])
def test_a_call_in_no_withheld_slice_is_answered_locally(town: Town, plan: Plan, withheld: tuple[str, ...]) -> None:
    plan.route = route("cascade", withheld=withheld, head={"slices": SHAPE.to_json()})
    assert asked(town, "sure").arm == "owned"


@pytest.mark.parametrize("head", [{}, {"slices": {}}, {"slices": {**SHAPE.to_json(), "lengths": ["x"]}}])
def test_a_route_that_withholds_and_does_not_say_how_gives_nothing_out(
    town: Town, plan: Plan, head: dict[str, Any]
) -> None:
    plan.route = route("cascade", withheld=("label:refund",), head=head)
    call = asked(town, "sure")
    assert (call.arm, call.all_tags) == ("rented", {"engine": "error"})
