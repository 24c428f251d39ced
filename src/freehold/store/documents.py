"""Stored documents as the core values that they were. Not covered: writing them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from freehold.errors import StateError

T = TypeVar("T")


def read_document(document: object, kind: type[T]) -> T:
    """The value in a document; StateError when it is none of this kind."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise StateError(
            f"A stored {kind.__name__.lower()} cannot be read: {error}.", hint="Restore a backup."
        ) from error
