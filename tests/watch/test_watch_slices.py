"""Slices are watched apart: one that turned bad is withheld alone, and the rest of the evidence goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from freehold.watch import Observation, Plan, RollBack, Watch, Withhold, fold, new_watch, standing, with_evidence

SLICES = (("label:refund", 0.12), ("label:other", 0.12), ("language:en", 0.1))


def a_watch(**changes: object) -> Watch:
    plan = Plan(**{"risk": 0.05, "patience": 1_000.0, "slices": SLICES, "misfit": None, **changes})  # type: ignore[arg-type]
    return new_watch("t", 1, plan)


def audited(number: int, loss: float | None, *slices: str, propensity: float = 0.05) -> Observation:
    return Observation(
        call_id=f"c{number}",
        created_at=float(number),
        is_local=True,
        propensity=propensity,
        audit_rate=0.05,
        loss=loss,
        slices=slices,
    )


def fed(watch: Watch, losses: list[float | None], *slices: str, start: int = 0) -> Watch:
    for number, loss in enumerate(losses, start):
        watch, _ = fold(watch, audited(number, loss, *slices))
    return watch


def test_each_slice_has_as_many_times_the_patience_as_there_are_slices() -> None:
    patience = {d.name: d.patience for d in a_watch().detectors}
    assert patience == {
        "contract": 1_000,
        "slice:label:refund": 3_000,
        "slice:label:other": 3_000,
        "slice:language:en": 3_000,
    }


def test_a_slice_that_turned_bad_is_withheld_alone() -> None:
    watch = a_watch(risk=0.5)
    for number in range(60):
        name = "label:refund" if number % 3 == 0 else "label:other"
        watch, _ = fold(watch, audited(number, float(name == "label:refund"), name))
    decision = standing(watch)
    assert isinstance(decision, Withhold)
    assert decision.slices == ("label:refund",)
    assert "label:refund: " in decision.reason
    assert "of the last" in decision.reason
    assert "12.0% may be" in decision.reason


def test_the_whole_route_comes_first() -> None:
    watch = fed(a_watch(), [1.0] * 20, "label:refund")
    assert isinstance(standing(watch), RollBack)


def test_missing_audits_withhold_nothing() -> None:
    watch = fed(a_watch(), [None] * 400, "label:refund")
    assert standing(watch) is None
    assert (watch.detector("slice:label:refund") or watch.detectors[0]).observed == 400


def test_only_its_own_calls_count_for_a_slice() -> None:
    watch = fed(a_watch(), [1.0] * 5, "label:unheard of")
    assert all(d.observed == 0 for d in watch.detectors if d.name.startswith("slice:"))


def test_calls_that_were_more_often_audited_weigh_less() -> None:
    plain, raised = a_watch(), a_watch()
    plain, _ = fold(plain, audited(1, 1.0, "label:refund"))
    raised, _ = fold(raised, audited(1, 1.0, "label:refund", propensity=0.5))
    seen = [w.detector("slice:label:refund") for w in (plain, raised)]
    assert [d.units for d in seen if d] == [1.0, pytest.approx(0.1)]


def test_the_next_version_goes_on_with_all_other_evidence() -> None:
    watch = fed(a_watch(risk=0.5), [1.0, 0.0] * 40, "label:refund", "language:en")
    plan = replace(watch.plan, slices=(("label:other", 0.1),))
    after = with_evidence(watch, new_watch("t", 2, plan))
    assert after.route_version == 2
    assert [d.name for d in after.detectors] == ["contract", "slice:label:other"]
    assert after.detector("contract") == watch.detector("contract")
    assert after.detector("slice:label:other") == watch.detector("slice:label:other")
    assert standing(after) is None


def test_a_watch_with_slices_is_read_back_exactly() -> None:
    watch = fed(a_watch(), [0.0, 1.0, None], "label:refund")
    assert Watch.from_json(json.loads(json.dumps(watch.to_json()))) == watch
    document = watch.to_json()
    plan = document["plan"]
    assert isinstance(plan, dict)
    plan.pop("slices")  # as an earlier version wrote it
    assert Watch.from_json(document).plan.slices == ()


@pytest.mark.parametrize("slices", [(("", 0.1),), (("a", 0.0),), (("a", 1.0),), (("a", float("nan")),)])
def test_a_slice_without_a_bound_is_refused(slices: tuple[tuple[str, float], ...]) -> None:
    with pytest.raises(ValueError, match=r"slice|finite"):
        Plan(slices=slices)
