"""Secrets by their form: what no log of ours shows (`sanitizer`), and the keys of known providers.

Not covered: people's names, addresses and numbers.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from freehold.freeze.redactors import Span
from freehold.sanitizer import MASK, SECRETS

_PROVIDER_KEY = re.compile(
    r"\b(?P<secret>sk-[A-Za-z0-9_-]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}"
    r"|AIza[A-Za-z0-9_-]{30,}|AKIA[A-Z0-9]{16})\b"
)
_KINDS = MappingProxyType({**SECRETS, "provider_key": _PROVIDER_KEY})


class Patterns:
    """Masks what has the form of a secret."""

    def redact(self, text: str) -> tuple[str, tuple[Span, ...]]:
        """The text with `***` in place of each secret; where two kinds overlap, one mark stands for both.

        >>> Patterns().redact("my key is sk-abcdefghijklmnopqrstuvwx, ok?")
        ('my key is ***, ok?', (Span(start=10, end=37, kind='provider_key'),))
        """
        found = [
            Span(match.start("secret"), match.end("secret"), kind)
            for kind, pattern in _KINDS.items()
            for match in pattern.finditer(text)
        ]
        spans: list[Span] = []
        for span in sorted(found, key=lambda one: (one.start, -one.end)):
            if spans and span.start < spans[-1].end:
                last = spans[-1]
                spans[-1] = Span(last.start, max(last.end, span.end), last.kind)
            else:
                spans.append(span)
        pieces, end = [], 0
        for span in spans:
            pieces += [text[end : span.start], MASK]
            end = span.end
        return "".join([*pieces, text[end:]]), tuple(spans)
