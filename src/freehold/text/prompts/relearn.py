"""A template widened for requests that stopped fitting it, where nothing changed but a value: a date, an id, a name.

The difference between the shared text and the request has to lie in a few short places. A place is a value

- at once, where both texts say a date there, or an id, or each the calendar of its own day;
- where it varies with callers or calls: MIN_NAMES different names, or MIN_NUMBERS different ids or numbers that hardly
  come again, or that follow each other over time (a day of a sprint, days until something). A number or a name that
  changed once may be an edited rule ("at most 5 words") and does not count; neither does the name of a language, nor a
  word at the beginning of a sentence.

Each such place becomes a hidden gap: the model learnt without it. What the model sees of requests that fitted before
stays the same, to the letter. Anything else that differs is another prompt, and nothing is widened.

Not covered: which requests to hold against the template (`watch.run.misfits`), prompts that were edited (`sort.edits`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby, pairwise
from typing import NamedTuple

from freehold.model.exchange import Asked
from freehold.text.dates.calendar_words import NAME, PERIOD, SHORT, UNSPACED, calendar_words
from freehold.text.dates.dates import is_date, is_id, spots
from freehold.text.dates.moments import goes_on
from freehold.text.language_names import names_language
from freehold.text.prompts.fingerprint import LEAD_BREAK, LEAD_ROLES
from freehold.text.prompts.part import GapKind, Part, is_name
from freehold.text.prompts.template import Template, frame

MIN_NAMES, MIN_NUMBERS = 3, 5
"""How many different names, or numbers, at one place show that it varies."""
MOST_PLACES = 6
MOST_TOKENS = 400
"""Where what differs, from its first to its last word, is longer than this, the prompt is another one."""
_MOST_SHARE, _LEAST_CHANGED = 0.25, 40
_TOKENS = re.compile(rf"\d+|[{UNSPACED}]|[^\W\d{UNSPACED}]+|[^\w\s]|\s+")
_NEAR_CHARS = 60
_GAP = "\0"


@dataclass(frozen=True, slots=True)
class Relearnt:
    """The widened template, and for each new gap its kind, the old value and a new one, as they are written."""

    template: Template
    changes: tuple[tuple[GapKind, str, str], ...]

    @property
    def words(self) -> str:
        """What varies now, in words that are fit for a receipt: dates are spelled out, names and ids are not."""
        return ", ".join(
            f"{old!r} became {new!r}" if kind == "date" else f"{'a name' if kind == 'name' else 'an id'} varies"
            for kind, old, new in self.changes
        )


class _Place(NamedTuple):
    """A place in the shared text: the message, the piece, from where to where in it."""

    part: int
    piece: int
    start: int
    end: int


def relearn(template: Template, unfit: Sequence[Asked], *, learnt_at: float, seen_at: float) -> Relearnt | None:
    """The template with a hidden gap for each value that differs in these requests; None where nothing is to be done.

    `learnt_at` is the time of the newest call that the template was learnt from, `seen_at` that of the requests.
    """
    form = _newest(template, unfit)
    if form is None:
        return None
    found: list[dict[_Place, str]] = []
    compared: dict[tuple[int, str], dict[_Place, str] | None] = {}
    for asked in unfit:
        places = _differences(form, asked, compared)
        if places:
            found.append(places)
    values: dict[_Place, list[str]] = defaultdict(list)
    for places in found:
        for place, text in places.items():
            values[place].append(text)
    kinds = {place: _kind(form, place, new, learnt_at, seen_at) for place, new in values.items()}
    held = [places for places in found if all(kinds[place] for place in places)]
    chosen = {place: kind for places in held for place in places if (kind := kinds[place])}
    if not chosen or _overlap(list(chosen)):
        return None
    wider = replace(form, parts=_with_gaps(form.parts, chosen))
    if not any(wider.fits(asked) for asked in unfit):
        return None
    changes = tuple((chosen[place], _text(form, place), values[place][-1]) for place in sorted(chosen))
    return Relearnt(wider, changes)


def _newest(template: Template, unfit: Sequence[Asked]) -> Template | None:
    """The template as it would be written today, taking out the same; None where that cannot be said.

    The shapes of tools and response format are those of a request that is spelled as the template has it.
    """
    if template.version == Template().version:
        return template
    alike = next((asked for asked in unfit if frame(asked, template.version) == template.frame), None)
    lead = [part for part in template.parts if part.role in LEAD_ROLES]
    if alike is None or lead != list(template.parts[: len(lead)]) or sum(part.is_shown for part in lead) > 1:
        return None
    parts = [*_one(lead), *template.parts[len(lead) :]]
    tools, response_format = frame(alike)
    return Template(parts=tuple(parts), tools=tools, response_format=response_format)


def _one(lead: Sequence[Part]) -> list[Part]:
    """Several system messages as one."""
    if len(lead) < 2:
        return list(lead)
    pieces, gaps = list(lead[0].pieces), list(lead[0].gaps)
    for part in lead[1:]:
        pieces[-1] += LEAD_BREAK + part.pieces[0]
        pieces += part.pieces[1:]
        gaps += part.gaps
    return [Part(lead[0].role, tuple(pieces), tuple(gaps))]


def _differences(
    template: Template, asked: Asked, compared: dict[tuple[int, str], dict[_Place, str] | None]
) -> dict[_Place, str] | None:
    """Where a request differs from the shared text, and what it says there; None where more than that differs."""
    messages = template.messages(asked)
    if frame(asked) != template.frame or len(messages) < len(template.parts):
        return None
    found: dict[_Place, str] = {}
    for number, (part, message) in enumerate(zip(template.parts, messages, strict=False)):
        is_lead = part.role in LEAD_ROLES
        if (message.role in LEAD_ROLES) != is_lead or (not is_lead and message.role != part.role):
            return None
        if part.match(message.content) is not None:
            continue
        key = number, message.content
        if key not in compared:
            compared[key] = _in_part(part, message.content, number)
        places = compared[key]
        if places is None:
            return None
        found |= places
    return found if len(found) <= MOST_PLACES else None


def _in_part(part: Part, text: str, number: int) -> dict[_Place, str] | None:
    """The same for one message, compared word by word; a date is one word."""
    whole = _GAP.join(part.pieces)
    ours, theirs = _tokens(whole), _tokens(text)
    head = _alike(ours, theirs)
    tail = _alike(ours[head:][::-1], theirs[head:][::-1])
    ours, theirs = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    if max(len(ours), len(theirs)) > MOST_TOKENS:
        return None
    found: dict[_Place, str] = {}
    matcher = SequenceMatcher(None, [token for token, _ in ours], [token for token, _ in theirs], autojunk=False)
    for step, i1, i2, j1, j2 in matcher.get_opcodes():
        old = "".join(token for token, _ in ours[i1:i2])
        new = "".join(token for token, _ in theirs[j1:j2])
        if step == "equal" or old == _GAP:
            continue
        if _GAP in old or not old.strip() or not new.strip():
            return None
        start = ours[i1][1]
        found[_placed(part, number, start, start + len(old))] = new
    changed = sum(place.end - place.start for place in found)
    return found if found and changed <= max(_LEAST_CHANGED, _MOST_SHARE * len(whole)) else None


def _tokens(text: str) -> list[tuple[str, int]]:
    """Dates and ids, words, numbers and marks, each with its place."""
    found: list[tuple[str, int]] = []
    end = 0
    for spot in (*spots(text), None):
        begin = spot.start if spot else len(text)
        found += [(match[0], match.start()) for match in _TOKENS.finditer(text, end, begin)]
        if spot:
            found.append((text[spot.start : spot.end], spot.start))
            end = spot.end
    return found


def _alike(ours: Sequence[tuple[str, int]], theirs: Sequence[tuple[str, int]]) -> int:
    """How many tokens two texts begin with alike."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((place for place, (one, other) in pairs if one[0] != other[0]), min(len(ours), len(theirs)))


def _placed(part: Part, number: int, start: int, end: int) -> _Place:
    """A place in the joined pieces as a place in one of them."""
    passed = 0
    for piece, text in enumerate(part.pieces):
        if start < passed + len(text) or piece == len(part.pieces) - 1:
            return _Place(number, piece, start - passed, end - passed)
        passed += len(text) + len(_GAP)
    raise AssertionError("a place lies in no piece")


def _text(template: Template, place: _Place) -> str:
    return template.parts[place.part].pieces[place.piece][place.start : place.end]


def _kind(template: Template, place: _Place, new: list[str], learnt_at: float, seen_at: float) -> GapKind | None:
    """What kind of value varies at a place, as far as it does; None where it may be a rule that was changed."""
    piece, old = template.parts[place.part].pieces[place.piece], _text(template, place)
    is_spot = any(spot.start <= place.start and place.end <= spot.end for spot in spots(piece))
    if is_spot and all(_is_like(old, text) for text in new):
        return "date" if is_date(old) else "id"
    if _is_calendar(old) and all(map(_is_calendar, new)):
        return "date"
    around = piece[max(0, place.start - _NEAR_CHARS) : place.start], piece[place.end : place.end + _NEAR_CHARS]
    is_by_a_date = _is_by_a_date(template.parts[place.part], place)
    if all(goes_on(old, text, around, learnt_at, seen_at, is_by_a_date=is_by_a_date) for text in new):
        return "date"
    seen = {old, *new}
    if all(map(is_id, seen)):
        return "id" if len(seen) >= MIN_NUMBERS and (2 * len(set(new)) > len(new) or _counts(old, new)) else None
    is_one = len(seen) >= MIN_NAMES and all(map(_names_somebody, seen)) and not _begins_sentence(piece, place.start)
    return "name" if is_one else None


def _is_by_a_date(part: Part, place: _Place) -> bool:
    """Whether a date stands near a place, or a gap for one."""
    piece = part.pieces[place.piece]
    begin, end = place.start - _NEAR_CHARS, place.end + _NEAR_CHARS
    if place.piece and part.gaps[place.piece - 1] == "date" and begin <= 0:
        return True
    if place.piece < len(part.gaps) and part.gaps[place.piece] == "date" and end >= len(piece):
        return True
    near = (spot for spot in spots(piece) if spot.kind == "date" and spot.end > begin and spot.start < end)
    return any(spot.end <= place.start or spot.start >= place.end for spot in near)


def _counts(old: str, new: Sequence[str]) -> bool:
    """Whether no value comes back once another one took its place, as with what is counted up or down over time."""
    runs = [value for value, _ in groupby([old, *new])]
    return len(runs) == len(set(runs))


def _names_somebody(text: str) -> bool:
    """Whether a text may be the name of a caller: no language, and no acronym, such as that of a format."""
    words = text.split()
    is_acronym = any(len(word) > 1 and word.isupper() and word.isalpha() for word in words)
    return is_name(text) and not is_acronym and not names_language(text)


def _begins_sentence(piece: str, start: int) -> bool:
    before = piece[:start].rstrip(" \"'“„«(*-")
    return before[-1:] in ("", ".", "!", "?", "\n")


def _is_like(old: str, new: str) -> bool:
    return is_date(new) if is_date(old) else is_id(new)


def _is_calendar(text: str) -> bool:
    """Whether all words are names of the calendar: weekdays, months, times of day."""
    means: Mapping[str, int] = calendar_words().means
    words = re.findall(r"[^\W\d_]+", text.lower())
    return bool(words) and all(means.get(word, 0) & (NAME | PERIOD | SHORT) and len(word) > 2 for word in words)


def _overlap(places: Sequence[_Place]) -> bool:
    ordered = sorted(places)
    return any(one[:2] == other[:2] and other.start <= one.end for one, other in pairwise(ordered))


def _with_gaps(parts: Sequence[Part], chosen: Mapping[_Place, GapKind]) -> tuple[Part, ...]:
    made = []
    for number, part in enumerate(parts):
        pieces: list[str] = []
        gaps: list[GapKind] = []
        for piece, text in enumerate(part.pieces):
            if piece:
                gaps.append(part.gaps[piece - 1])
            end = 0
            for place in sorted(place for place in chosen if place[:2] == (number, piece)):
                pieces.append(text[end : place.start])
                gaps.append(chosen[place])
                end = place.end
            pieces.append(text[end:])
        made.append(Part(part.role, tuple(pieces), tuple(gaps)))
    return tuple(made)
