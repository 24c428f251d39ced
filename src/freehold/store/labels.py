"""Labels of people: one per task, model, example and source; a later one of the same source replaces it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from freehold.errors import StateError
from freehold.model.label import Label
from freehold.store import schema
from freehold.store.database import Database

_KEY = ("task_id", "model_id", "example_id", "source")


class LabelTable:
    """All labels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, labels: Sequence[Label]) -> None:
        """Keep labels, all of them or none."""
        if not labels:
            return
        rows = [
            {name: getattr(label, name) for name in (*_KEY, "created_at")} | {"document": msgspec.to_builtins(label)}
            for label in labels
        ]
        statement = self._database.insert(schema.labels)
        fresh = {"created_at": statement.excluded.created_at, "document": statement.excluded.document}
        with self._database.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=fresh), rows)

    def of_model(self, task_id: str, model_id: str) -> list[Label]:
        """The labels of one model's answers, oldest first."""
        table = schema.labels
        query = (
            select(table.c.document)
            .where(table.c.task_id == task_id, table.c.model_id == model_id)
            .order_by(table.c.created_at, table.c.example_id, table.c.source)
        )
        with self._database.reading() as connection:
            documents = [row.document for row in connection.execute(query)]
        try:
            return [msgspec.convert(document, Label) for document in documents]
        except msgspec.ValidationError as error:
            raise StateError(f"A stored label cannot be read: {error}.", hint="Restore a backup.") from error
