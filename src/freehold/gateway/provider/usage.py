"""How providers tell their token usage in chat streams, learnt from what they send.

A chat stream tells its usage only if asked (`stream_options.include_usage`), as a rule: some providers always tell it,
some refuse the option. Nobody can see afterwards what would have come unasked, so the first stream of a provider and a
model goes out as the client sent it, and shows the habit:

    tells     usage comes unasked: the option is never added, and nothing is taken out
    silent    none comes: the option is added from the next stream on, and what it brings is taken out again
    null      none comes, but each chunk says `usage: null`: as before, and the `null` stays
    refuses   the option is refused: the request was sent again without it, and the option is not added

OpenAI's own habit is known. A habit is believed for some hours, since a provider may change; this process forgets the
longest unused ones when they are too many. Streams whose usage nobody told have estimated tokens in the record.

Not covered: the edits themselves (`gateway.provider.edits`).
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from freehold.dialects.failure import failure_of
from freehold.dialects.scan import decode_utf8, members
from freehold.dialects.sse import DONE, SseParser
from freehold.dialects.values import as_list, as_object, as_text, parse_anyhow
from freehold.gateway.config import Provider
from freehold.gateway.provider.edits import UsageStrip, with_usage
from freehold.httpd.client import Origin

Habit = Literal["tells", "silent", "null", "refuses"]

BELIEVED_S = 6 * 3600.0
MOST_HABITS = 2000
_OPENAI = "api.openai.com"
_OTHER_CAUSES = frozenset((401, 402, 403, 407, 408, 429))
_SAYS_NOTHING = frozenset((400, 422))
_OPTION = re.compile(r"stream_?options|include_?usage", re.IGNORECASE)
_UNKNOWN_FIELD = re.compile(
    r"extra|additional|unknown|unsupported|unexpected|unrecogni[sz]ed|not (?:permitted|allowed|supported|recogni[sz]ed)"
    r"|invalid (?:param|arg|field|key|prop)|no such (?:param|field)",
    re.IGNORECASE,
)
_EVERY_STREAM_HAS = frozenset(("model", "messages", "stream"))


class UsageHabits:
    """What this process knows of its providers, by provider and model."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Habit, float]] = OrderedDict()

    def of(self, provider: Provider, origin: Origin, model: str | None) -> Habit | None:
        """The habit of a provider for a model; None where it is to be learnt."""
        where = (provider.name, model or "")
        known = self._known.get(where)
        if known is None or known[1] < self._clock():
            return "silent" if origin.host == _OPENAI else None
        self._known.move_to_end(where)
        return known[0]

    def learn(self, provider: Provider, model: str | None, habit: Habit) -> None:
        """Believe in a habit from now on, for some hours."""
        self._known[provider.name, model or ""] = habit, self._clock() + BELIEVED_S
        self._known.move_to_end((provider.name, model or ""))
        while len(self._known) > MOST_HABITS:
            self._known.popitem(last=False)


class UsageOption:
    """The option of one request that lacks it: whether it is added, and what its stream shows."""

    def __init__(self, habits: UsageHabits, provider: Provider, origin: Origin, model: str | None) -> None:
        self._habits = habits
        self._provider = provider
        self._model = model
        self._habit = habits.of(provider, origin, model)

    def added_to(self, body: bytes) -> bytes | None:
        """The body with the option; None where it goes out without."""
        return with_usage(body) if self._habit in ("silent", "null") else None

    def strip(self) -> UsageStrip:
        """What takes out of the stream what the option brings."""
        return UsageStrip(keeps_null=self._habit == "null")

    def is_refused(self) -> None:
        """Take that the provider refuses the option, and answers without it."""
        self._habits.learn(self._provider, self._model, "refuses")

    def learn(self, stream: Callable[[], bytes | None]) -> None:
        """Learn from a stream that nobody asked for usage, where that is not known; it is read only then."""
        plain = stream() if self._habit is None else None
        habit = habit_of(plain) if plain else None
        if habit is not None:
            self._habits.learn(self._provider, self._model, habit)


def habit_of(stream: bytes) -> Habit | None:
    """The habit that a stream shows which nobody asked for usage; None where it broke off before its end."""
    is_done = is_finished = has_null = False
    for event in SseParser().feed(stream + b"\n\n"):
        is_done = is_done or event.data == DONE
        chunk = parse_anyhow(event.data)
        choices = [as_object(choice) for choice in as_list(chunk.get("choices"))]
        told = (chunk.get("usage"), as_object(chunk.get("x_groq")).get("usage"), *(c.get("usage") for c in choices))
        if any(told):
            return "tells"
        has_null = has_null or "usage" in chunk
        is_finished = is_finished or any(choice.get("finish_reason") for choice in choices)
        if chunk.get("error"):
            return None
    if not (is_done or is_finished):
        return None
    return "null" if has_null else "silent"


def refuses_option(status: int, error: bytes, request: bytes) -> bool:
    """Whether an error is about the option that was added to a request, as far as it says.

    It names the option, or is a 4xx that complains of a field that is not known without naming one of the client's own,
    or a 400 or 422 without a word. Errors about keys, rights, money and rates are never about it. Under a status that
    is no error, it has to be an error all the same.
    """
    if status in _OTHER_CAUSES or (status < 400 and failure_of(parse_anyhow(error)) is None):
        return False
    text = error.decode("utf-8", "replace")
    if _OPTION.search(text):
        return True
    if not 400 <= status < 500:
        return False
    if not text.strip():
        return status in _SAYS_NOTHING
    param = as_text(as_object(parse_anyhow(error).get("error")).get("param"))
    return not param and _UNKNOWN_FIELD.search(text) is not None and not _names_another(text, request)


def _names_another(text: str, request: bytes) -> bool:
    """Whether a text names, in quotes or as a path, a field that the client sent and that not every stream has."""
    own = {span.key for span in members(decode_utf8(request))} - _EVERY_STREAM_HAS - {"stream_options", ""}
    return any(re.search(rf"[\"'`.\[]{re.escape(key)}[\"'`.\]:]", text) for key in own)
