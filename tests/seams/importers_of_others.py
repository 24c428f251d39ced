"""Importers as another package would offer them."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.errors import DataError
from freehold.ingest.importers import Fidelity
from freehold.model.call import Call
from freehold.model.ids import uuid7


class Words:
    """Makes a call of each word of the source; it never learns what was answered."""

    def read(self, source: str, fidelity: Fidelity) -> Iterator[Call]:
        """One call a word."""
        for place, word in enumerate(source.split()):
            if word == "?":
                fidelity.skip("no word", f"word {place}")
                continue
            if word == "!":
                raise IndexError("a word\nis torn")
            if word == "#":
                raise DataError("This is no list of words.", hint="Give another one.")
            fidelity.missing["response_body"] += 1
            yield Call(
                id=uuid7(),
                created_at=1.0,
                dialect="openai-chat",
                path="/v1/chat/completions",
                request_body=word.encode(),
            )
