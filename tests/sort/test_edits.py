"""Which prompts are edited versions of one another."""

from __future__ import annotations

import pytest

from freehold.sort import is_edited
from freehold.text.prompts.template import Part, Template

PARAGRAPH = (
    "\n\nThese rules hold for every message: be exact, be brief, be kind, and never promise a refund to anybody."
)
PROMPT = "You triage messages to the support desk of a shop. Answer with one JSON object: intent and urgency."


def of(text: str) -> Template:
    return Template(parts=(Part.fixed("system", text),) if text else ())


@pytest.mark.parametrize(
    ("new", "is_one"),
    [
        (PROMPT.replace("a shop", "a big shop"), True),
        (PROMPT + " Be brief.", True),
        (PROMPT.upper(), True),
        (PROMPT + 3 * PARAGRAPH, True),
        (PROMPT + 9 * PARAGRAPH, False),
        ("Write a poem about the sea." + 3 * PARAGRAPH, False),
        ("Answer with one JSON object: intent and urgency. You triage messages to the support desk of a shop.", True),
        ("You are a helpful assistant.", False),
        ("You translate messages of the support desk into French. Answer with the translation alone.", False),
        ("", False),
    ],
)
def test_an_edit_changes_few_words(new: str, is_one: bool) -> None:
    assert is_edited(of(PROMPT), of(new)) is is_one
    assert is_edited(of(new), of(PROMPT)) is is_one


def test_shared_text_around_a_gap_counts() -> None:
    old = Template(
        parts=(Part.around("user", "Summarise the following letter to our office in one sentence:\n", "\nThanks."),)
    )
    new = Template(
        parts=(Part.around("user", "Summarise the following letter to our office in two sentences:\n", "\nThanks."),)
    )
    assert is_edited(old, new)
    assert not is_edited(old, Template(parts=(Part("user"),)))
