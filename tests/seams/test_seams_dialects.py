"""Dialects of other packages: their calls are read at their paths; what cannot be read is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from freehold import dialects
from freehold.dialects import can_render, dialect_of, other, read_answer, read_request, static_parts
from freehold.model.exchange import Message
from freehold.plugins import DIALECTS

Offer = Callable[[str, str, str], None]
CACHES = (dialects._form, dialects._forms_of_others, dialects._paths_of_others)


@pytest.fixture(autouse=True)
def _offered(offer: Offer) -> Iterator[None]:
    """Looked up once for each process, and so once for each test."""
    offer("dialects", "plain", "seams.dialects_of_others:PLAIN")
    offer("dialects", "waiting", "seams.dialects_of_others:HANGING")
    offer("dialects", "gone", "no_such_module_here:FORM")
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def test_a_dialect_of_another_package_is_spoken_at_its_paths_and_read() -> None:
    assert dialect_of("/v2/ask?x=1") == dialect_of("/v2/ask/") == "plain"
    asked = read_request("plain", b'{"model": "m", "q": "hi"}')
    assert (asked.dialect, asked.model, asked.messages) == ("plain", "m", (Message("user", "hi"),))
    assert read_answer("plain", b'{"a": "yes"}').text == "yes"
    assert static_parts("plain", b'{"model": "m", "q": "hi"}') == ()
    assert not can_render("plain")


def test_our_own_paths_are_ours() -> None:
    assert dialect_of("/v1/chat/completions") == "openai-chat"
    assert dialect_of("/v3/unknown") == "other"
    assert {name for name in DIALECTS.own if can_render(name)} == {
        "openai-chat",
        "openai-responses",
        "openai-completions",
        "anthropic-messages",
    }


def test_what_it_cannot_read_is_a_call_like_any_other_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    for body in (b'{"model": "m"}', b'{"model": "n"}'):
        asked = read_request("plain", body)
        assert (asked.dialect, asked.is_plain, asked.messages) == ("plain", False, ())
    assert read_answer("plain", b"{}").text == ""
    assert (
        caplog.text.count("The dialect plain cannot read a call, and the log has the first one alone: KeyError: 'q'")
        == 1
    )


def test_one_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(other, "LIMIT_S", 0.05)
    for _ in range(3):
        assert read_request("waiting", b'{"model": "m"}').model == "m"
    assert caplog.text.count("TimeoutError: it did not return within 0.05 s") == 1


def test_one_that_cannot_be_loaded_or_is_gone_is_read_as_any_other(caplog: pytest.LogCaptureFixture) -> None:
    assert read_request("gone", b'{"model": "m"}').dialect == "other"
    assert read_request("of-a-package-that-was-there", b'{"model": "m"}').model == "m"
    assert caplog.text.count("The dialect gone is not read: 'gone' of dialects cannot be loaded") == 1


def test_a_name_that_the_record_cannot_hold_is_left_out(offer: Offer, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL would refuse each of its calls."""
    long = "d" * 33
    offer("dialects", long, "seams.dialects_of_others:PLAIN")
    assert read_request(long, b'{"model": "m"}').dialect == "other"
    assert "its name has more than 32 characters" in caplog.text
