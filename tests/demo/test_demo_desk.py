"""The made-up support desk: enough really different texts, a triage that holds, traffic that can be repeated."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from itertools import islice

import pytest

from freehold.demo.desk import RESPONSE_FORMAT, CustomerMessage, app_request, messages, system_prompt
from freehold.demo.desk.inbox import LANGUAGE_SHARES, message_at
from freehold.demo.desk.intents import INTENT_OF, INTENTS, TOPIC_SHARES
from freehold.demo.desk.noise import roughen
from freehold.demo.desk.phrasebook import LANGUAGES, Skeleton, phrasebook

SEED = 7
NAMES = {intent.name for intent in INTENTS}


@pytest.fixture(scope="module")
def traffic() -> list[CustomerMessage]:
    return list(messages(4_000, SEED))


def _skeletons() -> list[Skeleton]:
    return [s for language in LANGUAGES for topic in phrasebook(language).topics.values() for s in topic.plain]


def _content_words(text: str) -> frozenset[str]:
    """What is left of a skeleton once its slots are gone: its own words."""
    return frozenset(re.findall(r"\w+", re.sub(r"\{\w+\}", " ", text.lower())))


def test_there_are_at_least_450_skeletons_over_14_intents_in_several_languages() -> None:
    assert len({s.text for s in _skeletons()}) >= 450
    assert len(NAMES) >= 14
    assert {INTENT_OF[s.topic] for s in _skeletons()} == NAMES
    for language in LANGUAGES:
        assert phrasebook(language).topics.keys() == TOPIC_SHARES.keys()


def test_skeletons_are_really_different_sentences() -> None:
    """No two skeletons are one sentence with other fillers: their own words overlap by less than three quarters."""
    checked = 0
    for language in LANGUAGES:
        own = [(s.text, _content_words(s.text)) for t in phrasebook(language).topics.values() for s in t.plain]
        for at, (text, words) in enumerate(own):
            for other, others in own[at + 1 :]:
                checked += 1
                assert len(words & others) / max(1, len(words | others)) < 0.75, (text, other)
    assert checked > 50_000


def test_every_slot_can_be_filled_in_its_language() -> None:
    own = {"order", "old_order", "writer", "ask", "no", "also", "past"}
    checked = 0
    for language in LANGUAGES:
        book = phrasebook(language)
        texts = [line for lines in (*book.around.values(), *book.frames.values()) for line in lines]
        for topic in book.topics.values():
            texts += [*(s.text for s in topic.plain), *topic.past, *topic.phrases]
        for text in texts:
            checked += 1
            assert set(re.findall(r"\{(\w+)\}", text)) <= own | set(book.words), text
            assert "{" not in re.sub(r"\{\w+\}", "", text), text
    assert checked > 900


def test_no_message_keeps_an_open_slot(traffic: list[CustomerMessage]) -> None:
    assert not [m.text for m in traffic if "{" in m.text or "}" in m.text]


def test_a_message_depends_on_seed_and_number_alone(traffic: list[CustomerMessage]) -> None:
    assert list(messages(50, SEED)) == traffic[:50]
    assert message_at(3_999, SEED) == traffic[3_999]
    assert [m.text for m in messages(50, SEED + 1)] != [m.text for m in traffic[:50]]


def test_the_gold_triage_fits_the_schema_of_the_app(traffic: list[CustomerMessage]) -> None:
    schema = RESPONSE_FORMAT["json_schema"]
    assert isinstance(schema, dict)
    fields = schema["schema"]["properties"]
    for message in traffic:
        gold = message.gold
        assert list(gold) == schema["schema"]["required"]
        assert gold["intent"] in fields["intent"]["enum"]
        assert isinstance(gold["urgent"], bool)
        assert gold["language"] in fields["language"]["enum"]


def test_the_order_in_the_gold_stands_in_the_text(traffic: list[CustomerMessage]) -> None:
    named = [m for m in traffic if m.gold["order"] is not None]
    assert len(named) > 800
    assert all(str(m.gold["order"]) in m.text for m in named)
    unnamed = [m for m in traffic if m.gold["order"] is None]
    with_settled_number = [m for m in unnamed if re.search(r"[A-H]-\d{5}", m.text)]
    assert 0 < len(with_settled_number) < 0.05 * len(traffic)


def test_equal_texts_have_equal_gold() -> None:
    gold: dict[str, str] = {}
    for message in messages(12_000, SEED):
        assert gold.setdefault(message.text, json.dumps(message.gold)) == json.dumps(message.gold), message.text
    assert len(gold) > 11_000


def test_traffic_has_the_variety_that_it_claims(traffic: list[CustomerMessage]) -> None:
    intents = Counter(str(m.gold["intent"]) for m in traffic)
    assert set(intents) == NAMES
    assert max(intents.values()) < 0.15 * len(traffic)
    languages = Counter(str(m.gold["language"]) for m in traffic)
    for language, share in LANGUAGE_SHARES.items():
        assert languages[language] / len(traffic) == pytest.approx(share, abs=0.02)
    assert 0.08 < sum(m.gold["urgent"] is True for m in traffic) / len(traffic) < 0.2
    assert len({m.text for m in traffic}) > 0.97 * len(traffic)


def test_two_matters_are_named_where_one_is_asked_for() -> None:
    """The reason why words alone do not do: a phrase is the request in one message and refused in the next."""
    book = phrasebook("en")
    assert any(frame.index("{ask}") < frame.index("{no}") for frame in book.frames["contrast"])
    asked_first = sum(frame.index("{ask}") < frame.index("{no}") for frame in book.frames["contrast"])
    assert 0.4 <= asked_first / len(book.frames["contrast"]) <= 0.6


def test_nothing_is_written_below_a_quoted_mail_at_the_end(traffic: list[CustomerMessage]) -> None:
    """A deadline or a number there would read as part of the old mail, and the triage would be a guess."""
    quoting = [m for m in traffic if "since solved:\n> " in m.text]
    endings = [re.escape(s.text) for t in phrasebook("en").topics.values() for s in t.plain]
    texts = re.compile("|".join(re.sub(r"\\{\w+\\}", ".+", ending) for ending in endings))
    assert len(quoting) > 30
    assert sum(texts.fullmatch(m.text.split("\n> ")[1]) is not None for m in quoting) > 0.5 * len(quoting)


def test_users_write_several_messages_and_time_goes_on(traffic: list[CustomerMessage]) -> None:
    by_user = Counter(m.user for m in traffic)
    assert 1.5 < len(traffic) / len(by_user) < 4
    assert all(m.session.startswith(m.user) for m in traffic)
    received = [m.received_at_s for m in traffic]
    assert received == sorted(received)
    assert len({m.id for m in traffic}) == len(traffic)


def test_new_topics_keep_arriving_late() -> None:
    late = [s for s in _skeletons() if s.debut]
    assert 0.12 < len(late) / len(_skeletons()) < 0.28
    by_text = {s.text: s.debut for s in phrasebook("en").topics["other"].plain if "{" not in s.text}
    for message in messages(600, SEED):
        if message.text in by_text:
            assert by_text[message.text] <= int(message.id.rsplit("-", 1)[1])


def test_noise_leaves_numbers_and_short_words_alone() -> None:
    text = "Please do not cancel A-48213, the code SNOW12 is for my order of 19.90"
    for seed in range(500):
        rough = roughen(text, random.Random(seed))
        assert {"A-48213,", "SNOW12", "19.90"} <= set(rough.split())
        assert " not " in rough.lower()
    changed = {roughen(text, random.Random(seed)) for seed in range(500)}
    assert len(changed) > 50


def test_the_app_sends_its_instructions_and_the_message() -> None:
    message = next(islice(messages(1, SEED), 1))
    request = app_request(message)
    assert request["model"] == "rented-large-1"
    assert request["temperature"] == 0
    assert request["user"] == message.user
    assert request["messages"] == [
        {"role": "system", "content": system_prompt()},
        {"role": "user", "content": message.text},
    ]
    assert 2_000 < len(system_prompt()) < 4_500
    assert all(f"- {name}: " in system_prompt() for name in NAMES)
    assert "{intents}" not in system_prompt()
