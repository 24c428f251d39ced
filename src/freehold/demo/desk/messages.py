"""Put one customer message together from a phrasebook, and say what the right triage of it is.

A message has a core in one of five forms, and things around it. Four of the five forms name two matters, of which one
is asked for; which one shows in the order and the sense of the words, not in which words there are:

    plain      one whole request
    contrast   "I don't want to A, I want to B", in both orders and many wordings
    several    two requests, the one to act on first and the one after it
    settled    a matter that is over, and a request
    quoted     an earlier mail of the same customer, solved, and a request

Who writes when, and to whom it is sent, is `inbox` and `app`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from freehold.demo.desk.intents import INTENT_OF, TOPIC_SHARES
from freehold.demo.desk.noise import roughen
from freehold.demo.desk.phrasebook import Phrasebook, Skeleton

FORM_SHARES: Mapping[str, tuple[float, ...]] = {
    "en": (0.18, 0.54, 0.18, 0.05, 0.05),
    "other": (0.30, 0.56, 0.14, 0.00, 0.00),
}
"""How often each form occurs, in the order of `_FORMS`."""
_FORMS = ("plain", "contrast", "several", "settled", "quoted")

WHOLE_SHARE = 0.3
"""How many messages with two requests join whole requests, rather than two phrases."""
NEW_TEXT_SHARE = 0.15
"""How often a customer writes about something that nobody had written before `RECENT_MESSAGES` ago."""
RECENT_MESSAGES = 700

_SLOT = re.compile(r"\{(\w+)\}")
_NO_REQUEST = frozenset({"praise", "other"})
"""Topics that ask for nothing, so that they cannot come first or second in a list of requests."""


@dataclass(frozen=True)
class Draft:
    """What a message is about, before anything is put around it; `tail` stands below everything else."""

    text: str
    topic: str
    is_urgent: bool
    tail: str = ""


class Writer:
    """Writes one message: holds the phrasebook, the random generator and the values that hold for the whole message."""

    def __init__(self, book: Phrasebook, rng: random.Random, index: int) -> None:
        self.book, self.rng, self.index = book, rng, index
        self.order, self.old_order = _order(rng), _order(rng)
        self.writer = rng.choice(book.words["name"])

    def write(self) -> tuple[str, dict[str, object]]:
        """Return the text of the message and its gold triage."""
        draft = self._draft()
        tagged = self._tag(draft)
        urgent, hurry = self._hurry(draft)
        text = self._surround(tagged, hurry) + draft.tail
        gold: dict[str, object] = {
            "intent": INTENT_OF[draft.topic],
            "order": self.order if self.order in text else None,
            "urgent": urgent,
            "language": self.book.language,
        }
        return roughen(text, self.rng), gold

    def _draft(self) -> Draft:
        shares = FORM_SHARES["en" if self.book.language == "en" else "other"]
        form = self.rng.choices(_FORMS, shares)[0]
        asked = self._skeleton()
        if form == "contrast" and self.book.topics[asked.topic].phrases:
            return self._contrast(asked.topic)
        if asked.topic in _NO_REQUEST:
            return Draft(self._fill(asked.text), asked.topic, asked.is_urgent)
        if form == "several":
            return self._several(asked)
        if form == "settled":
            return self._settled(asked)
        if form == "quoted":
            return self._quoted(asked)
        return Draft(self._fill(asked.text), asked.topic, asked.is_urgent)

    def _contrast(self, topic: str) -> Draft:
        no = self._phrase(self._other_than(topic))
        frame = self.rng.choice(self.book.frames["contrast"])
        return Draft(self._frame(frame, ask=self._phrase(topic), no=no), topic, False)

    def _several(self, asked: Skeleton) -> Draft:
        second = self._other_than(asked.topic)
        if self.rng.random() < WHOLE_SHARE:
            later = self._plain(second)
            frame = self.rng.choice(self.book.frames["several_whole"])
            text = self._frame(frame, ask=self._fill(asked.text), also=self._fill(later.text))
            return Draft(text, asked.topic, asked.is_urgent or later.is_urgent)
        frame = self.rng.choice(self.book.frames["several"])
        return Draft(self._frame(frame, ask=self._phrase(asked.topic), also=self._phrase(second)), asked.topic, False)

    def _settled(self, asked: Skeleton) -> Draft:
        over = [t for t in self.book.topics.values() if t.past and INTENT_OF[t.name] != INTENT_OF[asked.topic]]
        past = self._fill(self.rng.choice(self.rng.choice(over).past))
        frame = self.rng.choice(self.book.frames["settled"])
        return Draft(self._frame(frame, ask=self._fill(asked.text), past=past), asked.topic, asked.is_urgent)

    def _quoted(self, asked: Skeleton) -> Draft:
        earlier = self._plain(self._other_than(asked.topic), calm=True)
        head, tail = self.rng.choice(self.book.frames["quoted"]).split("{ask}")
        no = self._fill(earlier.text.replace("{order}", "{old_order}"))
        text = self._frame(head, no=no) + self._fill(asked.text)
        return Draft(text, asked.topic, asked.is_urgent, tail=self._frame(tail, no=no))

    def _tag(self, draft: Draft) -> str:
        """Add the order number where the customer would, and must where only an old one has been named."""
        if self.order in draft.text or not self.book.topics[draft.topic].takes_order:
            return draft.text
        if self.old_order in draft.text + draft.tail or self.rng.random() < 0.35:
            tag = self.rng.choice(self.book.around["order_tag"])
        elif self.rng.random() < 0.20:
            tag = self.rng.choice(self.book.around["order_choice"])
        else:
            return draft.text
        return f"{draft.text} {self._fill(tag)}"

    def _hurry(self, draft: Draft) -> tuple[bool, str]:
        """Whether the message is urgent, and the sentence that says so or denies it."""
        if draft.is_urgent:
            return True, ""
        mood = self.rng.random()
        if draft.topic in _NO_REQUEST or mood > 0.22:
            return False, ""
        kind = "urgent" if mood < 0.12 else "calm"
        return kind == "urgent", self._fill(self.rng.choice(self.book.around[kind]))

    def _surround(self, core: str, hurry: str) -> str:
        """Put a greeting, chatter, the hurry and a sign-off around the core, each only sometimes."""
        around, chance = self.book.around, self.rng.random
        greeting = self._fill(self.rng.choice(around["greeting"])) if chance() < 0.30 else ""
        chatter = self._fill(self.rng.choice(around["chatter"])) if chance() < 0.10 else ""
        sign_off = self._fill(self.rng.choice(around["sign_off"])) if chance() < 0.25 else ""
        body = [chatter, core, hurry] if chance() < 0.5 else [hurry, core, chatter]
        if core.startswith(">"):
            body = [core, *[part for part in body if part != core]]
        middle = " ".join(part for part in body if part)
        space = "\n" if core.startswith(">") or chance() < 0.3 else " "
        return space.join(part for part in (greeting, middle, sign_off) if part)

    def _skeleton(self) -> Skeleton:
        """A request that is in use by now, now and then one of the newest."""
        if self.rng.random() < NEW_TEXT_SHARE:
            plain = [s for topic in self.book.topics.values() for s in topic.plain]
            recent = [s for s in plain if self.index - RECENT_MESSAGES < s.debut <= self.index and s.debut]
            if recent:
                return self.rng.choice(recent)
        return self._plain(self.rng.choices(list(TOPIC_SHARES), list(TOPIC_SHARES.values()))[0])

    def _plain(self, topic: str, *, calm: bool = False) -> Skeleton:
        """A request on this topic that is in use by now; the first ones in the file are the most common."""
        known = self.book.topics[topic].plain
        usable = [s for s in known if s.debut <= self.index and not (calm and s.is_urgent)] or list(known)
        return self.rng.choices(usable, [1 / (2 + rank) for rank in range(len(usable))])[0]

    def _phrase(self, topic: str) -> str:
        return self._fill(self.rng.choice(self.book.topics[topic].phrases))

    def _other_than(self, topic: str) -> str:
        """A topic of another intent, half of the time one that is easily confused with the first."""
        everything = [t for t in self.book.topics if INTENT_OF[t] != INTENT_OF[topic] and t not in _NO_REQUEST]
        near = [t for t in self.book.groups[topic] if t in everything]
        is_near = topic in _NO_REQUEST or self.rng.random() < 0.5
        return self.rng.choice(near if near and is_near else everything)

    def _frame(self, frame: str, **parts: str) -> str:
        """Fill a frame: its parts first, then its own slots."""
        return self._fill(_SLOT.sub(lambda slot: parts.get(slot[1], slot[0]), frame))

    def _fill(self, text: str) -> str:
        """Fill every slot that is a word list of the language, or one of the values of this message."""
        own = {"order": self.order, "old_order": self.old_order, "writer": self.writer}
        return _SLOT.sub(lambda slot: own.get(slot[1]) or self.rng.choice(self.book.words[slot[1]]), text)


def _order(rng: random.Random) -> str:
    return f"{rng.choice('ABCDEFGH')}-{rng.randrange(10_000, 100_000)}"
