"""What is known about tasks: documents come back as they were, routes only grow, figures say what is unknown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from made import a_call
from sqlalchemy import create_engine, text

from freehold.errors import BusyError, StateError
from freehold.model import Asked, Manifest, Message, ModelCard, Verdict
from freehold.model.route import Route, rented_route
from freehold.model.task import Task
from freehold.store import CallFilter, Store
from freehold.text.prompts.template_induction import learn


def _task(key: str, **changes: object) -> Task:
    asked = [
        Asked(dialect="openai-chat", messages=(Message("system", "Sort this."), Message("user", f"text {n}")))
        for n in range(3)
    ]
    task = Task(id=f"id-{key}", name=key, key=f"key-{key}", template=learn(asked), kind="label", created_at=1.0)
    return replace(task, **changes)


def _manifest(name: str) -> Manifest:
    return Manifest(
        hash=name,
        task="triage",
        task_id="t",
        kind="json",
        template={},
        counts={"train": 3},
        dropped={"duplicate": 1},
        files={"train.jsonl": "ab"},
    )


def _card(name: str, created_at: float) -> ModelCard:
    return ModelCard(
        id=name,
        task_id="t",
        base="b",
        base_sha256="c",
        dataset_hash="d",
        recipe={"rank": 16},
        seed=0,
        metrics={"loss": 0.5},
        path="/m",
        created_at=created_at,
    )


def test_tasks_come_back_as_they_were(store: Store) -> None:
    tasks = [_task("b", created_at=2.0), _task("a", is_loose=True, kind="json")]
    store.registry.put_tasks(tasks)
    assert store.registry.tasks() == [tasks[1], tasks[0]]
    store.registry.put_tasks([replace(tasks[0], kind="text")])
    assert store.registry.tasks()[1].kind == "text"
    store.registry.put_tasks([])


def test_names_can_be_exchanged_and_tasks_retired_in_one_go(store: Store) -> None:
    store.registry.put_tasks([_task("a"), _task("b"), _task("c")])
    call = a_call(task_id="id-c")
    store.calls.add([call])
    store.registry.put_tasks([_task("a", name="b"), _task("b", name="c")], {"id-c": "id-a"})
    assert {task.id: task.name for task in store.registry.tasks()} == {"id-a": "b", "id-b": "c"}
    assert store.calls.count(CallFilter(task_id="id-a")) == 1


def test_two_tasks_of_one_name_are_refused_and_nothing_is_changed(store: Store) -> None:
    store.registry.put_tasks([_task("a")])
    with pytest.raises(BusyError):
        store.registry.put_tasks([_task("b", name="a"), _task("c")])
    assert [task.name for task in store.registry.tasks()] == ["a"]


def test_the_stamp_changes_with_tasks_and_routes(store: Store) -> None:
    stamps = [store.registry.stamp()]
    store.registry.put_tasks([_task("a")])
    stamps.append(store.registry.stamp())
    store.registry.put_route(rented_route("id-a", version=1))
    stamps.append(store.registry.stamp())
    assert len(set(stamps)) == 3
    assert store.registry.stamp() == stamps[-1]


def test_datasets_models_and_verdicts_newest_first(store: Store) -> None:
    for number, name in enumerate(("one", "two")):
        store.registry.put_dataset(_manifest(name), f"/data/{name}", float(number))
        store.registry.put_model(_card(name, float(number)))
        verdict = Verdict(
            id=name,
            task_id="t",
            model_id=name,
            dataset_hash="d",
            decision="need",
            need=7,
            margin=0.02,
            risk=0.05,
            evidence={"n": [1, None]},
            created_at=float(number),
        )
        store.registry.put_verdict(verdict)
    assert [row.id for row in store.registry.datasets("t")] == ["two", "one"]
    assert [card.id for card in store.registry.models("t")] == ["two", "one"]
    assert [verdict.words for verdict in store.registry.verdicts("t")] == ["need 7 more"] * 2
    assert store.registry.models("t")[0] == _card("two", 1.0)
    row, newest = store.registry.dataset("one"), store.registry.verdict("two")
    assert row is not None
    assert row.manifest == _manifest("one")
    assert newest is not None
    assert newest.evidence == {"n": [1, None]}
    assert (store.registry.dataset("three"), store.registry.verdict("three")) == (None, None)
    store.registry.put_dataset(_manifest("one"), "/data/one", 5.0)
    assert [row.id for row in store.registry.datasets("t")] == ["one", "two"]


def test_routes_only_grow(store: Store) -> None:
    assert store.registry.route("t") == rented_route("t")
    cascade = Route(task_id="t", version=1, kind="cascade", model_id="m", threshold=0.9, head={"w": [0.5]})
    store.registry.put_route(cascade)
    store.registry.put_route(rented_route("t", version=2))
    store.registry.put_route(rented_route("u", version=1))
    assert store.registry.route("t").version == 2
    assert [route.version for route in store.registry.route_history("t")] == [2, 1]
    assert store.registry.route_history("t")[1] == cascade
    assert set(store.registry.routes()) == {"t", "u"}
    with pytest.raises(BusyError, match="version 1 is taken"):
        store.registry.put_route(cascade)


def test_two_writers_never_make_the_same_version(url: str) -> None:
    stores = [Store(url) for _ in range(4)]

    def put(number: int) -> int:
        try:
            stores[number % 4].registry.put_route(rented_route("t", version=1 + number // 8))
        except BusyError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(put, range(32)))
    assert sum(placed) == 4
    assert [route.version for route in stores[0].registry.route_history("t")] == [4, 3, 2, 1]
    for store in stores:
        store.close()


def test_figures_of_nothing_are_unknown_and_not_zero(store: Store) -> None:
    figures = store.registry.figures("t")
    assert figures.calls == 0
    assert (figures.cost_usd, figures.input_tokens, figures.output_tokens, figures.first_at) == (None,) * 4
    assert (figures.latency_p50_ms, figures.rented_cost_usd, figures.rented_p50_ms) == (None,) * 3


def test_calls_without_tokens_or_price_are_unknown(store: Store) -> None:
    store.calls.add([a_call(task_id="t", input_tokens=None, output_tokens=None, cost_usd=None)])
    figures = store.registry.figures("t")
    assert (figures.calls, figures.unpriced) == (1, 1)
    assert (figures.cost_usd, figures.input_tokens, figures.rented_input_tokens) == (None, None, None)


def test_figures_count_each_kind_of_call_for_what_it_is(store: Store) -> None:
    store.calls.add(
        [
            a_call(task_id="t", created_at=1.0, latency_ms=100.0, cost_usd=2.0, input_tokens=10, output_tokens=1),
            a_call(task_id="t", created_at=2.0, latency_ms=300.0, cost_usd=4.0, input_tokens=20, output_tokens=3),
            a_call(task_id="t", arm="owned", latency_ms=10.0, cost_usd=0.0, input_tokens=5, output_tokens=2),
            a_call(task_id="t", arm="audit", latency_ms=900.0, cost_usd=1.0, input_tokens=1000, parent_id="x"),
            a_call(task_id="t", arm="shadow", latency_ms=1.0, cost_usd=None, input_tokens=1000, parent_id="x"),
            a_call(task_id="t", status=500, latency_ms=5000.0, cost_usd=None, input_tokens=None, output_tokens=None),
            a_call(task_id="t", error="cut_off", latency_ms=5000.0, cost_usd=None, input_tokens=None),
            a_call(task_id="other", cost_usd=100.0),
        ]
    )
    figures = store.registry.figures("t")
    assert (figures.calls, figures.failed, figures.owned, figures.audits, figures.shadows) == (5, 2, 1, 1, 1)
    assert (figures.cost_usd, figures.unpriced) == (7.0, 0)
    assert (figures.input_tokens, figures.first_at) == (35, 1.0)
    assert (figures.rented_cost_usd, figures.rented_input_tokens, figures.rented_output_tokens) == (3.0, 15.0, 2.0)
    assert (figures.latency_p50_ms, figures.rented_p50_ms) == (100.0, 300.0)


def test_a_document_that_cannot_be_read_says_so(store: Store, url: str) -> None:
    store.registry.put_route(rented_route("t", version=1))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text('UPDATE routes SET document = \'{"kind": "sideways"}\''))
    engine.dispose()
    with pytest.raises(StateError, match="stored route"):
        store.registry.routes()
