"""Redactors: what has the form of a secret is masked, as in every log; another package's is loaded by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from freehold.errors import SettingError
from freehold.freeze.redactors import Span, load_redactor
from freehold.sanitizer import masked

Offer = Callable[[str, str, str], None]
SECRETS = (
    ("postgresql://app:hunter2@db/f", "hunter2", "password"),
    ("see https://tok3n@host/x", "tok3n", "token"),
    ("https://h/?api_key=abc&x=1", "abc", "parameter"),
    (f"fhk_01234567_{'a' * 49}", "a" * 49, "gateway_key"),
)
KEYS = (f"sk-{'a1' * 12}", f"sk-ant-api03-{'b' * 30}", f"gsk_{'c' * 24}", f"hf_{'d' * 30}", "AKIAABCDEFGHIJKLMNOP")


@pytest.mark.parametrize(("text", "secret", "kind"), SECRETS)
def test_what_no_log_shows_is_masked_and_its_place_is_told(text: str, secret: str, kind: str) -> None:
    shown, (span,) = load_redactor("patterns").redact(text)
    assert shown == masked(text) == text.replace(secret, "***")
    assert (text[span.start : span.end], span.kind) == (secret, kind)


@pytest.mark.parametrize("key", KEYS)
def test_a_providers_key_is_masked(key: str) -> None:
    shown, spans = load_redactor("patterns").redact(f"Use {key}, then {key}.")
    assert shown == "Use ***, then ***."
    assert spans == (Span(4, 4 + len(key), "provider_key"), Span(11 + len(key), 11 + 2 * len(key), "provider_key"))


def test_overlapping_secrets_are_one_and_the_rest_stays() -> None:
    text = f"https://h/?token=sk-{'a' * 24}&next=1 and my task-list-of-things, sk-1"
    shown, spans = load_redactor("patterns").redact(text)
    assert shown == "https://h/?token=***&next=1 and my task-list-of-things, sk-1"
    assert len(spans) == 1
    assert load_redactor("patterns").redact("nothing here") == ("nothing here", ())


def test_the_redactor_of_another_package_is_loaded_by_its_name(offer: Offer) -> None:
    offer("redactors", "names", "seams.redactors_of_others:Names")
    assert load_redactor("names").redact("Dear Ada,") == ("Dear <name>,", (Span(5, 8, "name"),))
    with pytest.raises(SettingError, match="There is no 'nobody' among redactors"):
        load_redactor("nobody")
