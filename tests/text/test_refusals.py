"""Refusals by their openings, in many languages; apologies and business are none."""

from __future__ import annotations

import pytest

from freehold.text.refusals import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I cannot help with this request.",
        "**Sorry**, but I'm unable to help",
        "I cannot directly provide that information.",
        "As an AI language model, I do not have opinions.",
        "Unfortunately, I am not able to process this.",
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Leider kann ich diese Anfrage nicht bearbeiten.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Mi dispiace, ma non posso aiutarti.",
        "Desculpe, mas não posso ajudar",
        "Het spijt me, maar ik kan u daar niet mee helpen.",
        "Przykro mi, ale nie mogę pomóc",
        "Извините, но я не могу помочь",
        "Üzgünüm, ancak bu konuda yardımcı olamam.",
        "抱歉,我无法协助",
        "申し訳ありませんが、お手伝いできません。",
        "죄송하지만, 도와드릴 수 없습니다.",
        "عذرًا، لا أستطيع",
        '"I cannot assist with that."',
        '{"error": "I\'m sorry, but I cannot help with that."}',
        '```json\n["I cannot assist"]\n```',
    ],
)
def test_a_refusal_is_known_by_its_opening(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "refund",
        "cannot_cancel",
        "I'm sorry to hear that your parcel is late.",
        "Unfortunately, your order was lost.",
        "I cannot log in",
        "We can't wait to help you!",
        "Es tut mir leid, dass Ihr Paket verspätet ist.",
        "As an adviser, I suggest a refund.",
        '{"label": "refund", "note": "I cannot help"}',
        "[]",
        "null",
        "[" * 5_000,
        "I'm sorry, " * 50_000,
        "\ud800",
    ],
)
def test_an_apology_or_a_business_cannot_is_none(text: str) -> None:
    assert not is_refusal(text)
