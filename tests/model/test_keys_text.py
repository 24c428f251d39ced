"""The text of a key: whole, or told to be broken; found in headers wherever it is put."""

from __future__ import annotations

import string

from gateway.lending import NOON, a_key
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.model.key import holds_key, key_hash, key_id, new_key_text, sent_key

TEXTS = [new_key_text() for _ in range(200)]


def test_keys_are_of_one_form_and_differ() -> None:
    assert len(set(TEXTS)) == len({key_id(text) for text in TEXTS}) == len({key_hash(text) for text in TEXTS}) == 200
    for text in TEXTS:
        assert len(text) == 62
        assert set(text) <= set(string.ascii_letters + string.digits + "_")
        assert text.startswith(f"fhk_{key_id(text)}_")
        assert text not in key_hash(text)


@settings(max_examples=300, deadline=None)
@given(
    text=st.sampled_from(TEXTS),
    place=st.integers(4, 61),
    letter=st.sampled_from(string.ascii_letters + string.digits + "_-"),
)
def test_a_wrong_letter_is_a_typo_and_not_another_key(text: str, place: int, letter: str) -> None:
    wrong = text[:place] + letter + text[place + 1 :]
    assert (key_id(wrong) is None) == (wrong != text)


def test_swapped_missing_and_added_letters_are_typos() -> None:
    checked = 0
    for text in TEXTS[:20]:
        for place in range(4, 61):
            swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            assert swapped == text or key_id(swapped) is None
            assert key_id(text[:place] + text[place + 1 :]) is None
            assert key_id(text[:place] + "7" + text[place:]) is None
            checked += 1
    assert checked == 1140


def test_a_key_is_found_in_a_header_however_it_is_written() -> None:
    text = TEXTS[0]
    for header in (text, f"Bearer {text}", f"bearer   {text} ", f"BEARER {text}", f" {text}"):
        assert sent_key(header) == text
    assert sent_key("Bearer fhk_nonsense") == "fhk_nonsense"
    assert sent_key("FHK_SHOUTED") == "FHK_SHOUTED"
    for header in ("", "Bearer", "Bearer sk-own", "sk-own", f"Basic {text}", "fh"):
        assert sent_key(header) == ""


def test_a_key_is_noticed_inside_any_text() -> None:
    text = TEXTS[0]
    for held in (text, f"Basic {text}", f"a=1; key={text}; b=2", f"?key={text}&x=1", f"fhk_fhk_{text[4:]} {text}"):
        assert holds_key(held)
    for free in ("", "fhk_", text[:-1], text + "x", text.swapcase(), "fhk_is our prefix"):
        assert not holds_key(free)


def test_what_a_key_is_for() -> None:
    key, _ = a_key(models=("gpt-*", "o3"), tasks=("triage",), task_keys=("chat:1",))
    assert [key.allows_model(m) for m in ("gpt-4o", "o3", "o3-mini", "GPT-4o", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    asked = [("chat:1", None), ("chat:2", None), (None, "triage"), ("chat:2", "triage"), (None, None), (None, "other")]
    assert [key.allows_task(*task) for task in asked] == [True, False, True, True, False, False]
    free, _ = a_key()
    assert free.allows_model(None)
    assert free.allows_task(None)


def test_states() -> None:
    key, _ = a_key(expires_at=NOON)
    assert (key.state(NOON - 1), key.state(NOON)) == ("valid", "expired")
    assert a_key(expires_at=NOON, revoked_at=NOON)[0].state(NOON - 1) == "revoked"
