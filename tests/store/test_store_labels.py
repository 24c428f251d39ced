"""Labels: one for each person and pair; a later one takes the place of the earlier."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import update

from freehold.errors import StateError
from freehold.model.label import Label, answers_digest, is_owned_first
from freehold.store import Store, schema

LABEL = Label(
    task_id="t",
    model_id="m",
    example_id="e1",
    source="human:anna",
    preferred="owned",
    answers=answers_digest("a", "b"),
    created_at=5.0,
)


def test_labels_come_back_as_they_were_oldest_first(store: Store) -> None:
    labels = [
        LABEL,
        replace(LABEL, example_id="e2", preferred="rented", created_at=3.0),
        replace(LABEL, source="human:Übersee 東", preferred="same", created_at=4.0),
    ]
    store.labels.put(labels)
    assert store.labels.of_model("t", "m") == sorted(labels, key=lambda label: label.created_at)
    assert [label.value for label in labels] == [1.0, -1.0, 0.0]
    store.labels.put([])
    assert len(store.labels.of_model("t", "m")) == 3


def test_a_later_label_of_the_same_person_replaces_the_earlier(store: Store) -> None:
    store.labels.put([LABEL])
    later = replace(LABEL, preferred="same", answers="other", created_at=9.0)
    store.labels.put([later])
    assert store.labels.of_model("t", "m") == [later]


def test_other_models_and_tasks_have_labels_of_their_own(store: Store) -> None:
    others = [replace(LABEL, model_id="m2"), replace(LABEL, task_id="t2")]
    store.labels.put([LABEL, *others])
    assert store.labels.of_model("t", "m") == [LABEL]
    assert store.labels.of_model("t", "m2") == others[:1]
    assert store.labels.of_model("t", "none") == []


def test_many_people_at_once_lose_nothing(store: Store) -> None:
    rows = [replace(LABEL, example_id=f"e{i % 40}", source=f"human:{i % 4}", created_at=float(i)) for i in range(320)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: store.labels.put([row]), rows))
    kept = store.labels.of_model("t", "m")
    assert len(kept) == len({(row.example_id, row.source) for row in rows})


def test_a_label_that_was_damaged_is_said(store: Store) -> None:
    store.labels.put([LABEL])
    with store.labels._database.writing() as connection:
        connection.execute(update(schema.labels).values(document={"task_id": "t", "preferred": "neither"}))
    with pytest.raises(StateError, match="A stored label cannot be read"):
        store.labels.of_model("t", "m")


def test_a_digest_tells_pairs_apart_and_the_side_is_drawn() -> None:
    pairs = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ('a","b', "")]
    assert len({answers_digest(*pair) for pair in pairs}) == len(pairs)
    first = [is_owned_first("m", f"e{i}", 0) for i in range(400)]
    assert first == [is_owned_first("m", f"e{i}", 0) for i in range(400)]
    assert 150 < sum(first) < 250
    assert first != [is_owned_first("m", f"e{i}", 1) for i in range(400)]
