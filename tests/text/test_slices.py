"""Slices: languages told apart coarsely, and one cut for the proof and the gateway."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model.exchange import Message
from freehold.text.language import language_of
from freehold.text.slices import SliceShape, label_of, top_fields

SHAPE = SliceShape(field="intent", labels=("refund", "null"), lengths=(5, 10), languages=("de", "en"))


def said(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order? It was not delivered.", "en"),
        ("Wo ist meine Bestellung? Ich habe sie nicht bekommen.", "de"),
        ("Où est ma commande ? Je ne l'ai pas reçue.", "fr"),
        ("¿Dónde está mi pedido? No lo he recibido.", "es"),
        ("Dov'è il mio ordine? Non è ancora arrivato.", "it"),
        ("Onde está o meu pedido? Ainda não chegou.", "pt"),
        ("Waar is mijn bestelling? Ik heb het niet ontvangen.", "nl"),
        ("Var är min beställning? Jag har inte fått den.", "sv"),
        ("Gdzie jest moje zamówienie? Nie mam go jeszcze.", "pl"),
        ("Siparişim nerede? Daha gelmedi, lütfen bakın.", "tr"),
        ("Где мой заказ? Order 4711", "cyrillic"),
        ("我的订单在哪里", "cjk"),
        ("注文はどこですか", "cjk"),
        ("내 주문은 어디에 있나요", "cjk"),
        ("أين طلبي؟", "arabic"),
        ("Πού είναι η παραγγελία μου;", "greek"),
        ("मेरा ऑर्डर कहाँ है", "indic"),
        ("OK 4711", "latin"),
        ("4711 !?", "none"),
        ("", "none"),
        ("🙂" * 10_000, "none"),
    ],
)
def test_languages_by_example(text: str, language: str) -> None:
    assert language_of(text) == language


@given(st.text())
def test_any_text_has_a_language(text: str) -> None:
    assert language_of(text)


def test_names_by_hand() -> None:
    assert SHAPE.names(said("Where"), '{"intent": "refund"}') == ("label:refund", "length:short", "language:(other)")
    assert SHAPE.names(said("Wie ist"), '{"intent": "new"}') == ("label:(other)", "length:middle", "language:de")
    assert SHAPE.names(said("Where is my order"), "{}") == ("label:(none)", "length:long", "language:en")
    assert SHAPE.names(said("a"), '{"intent": null}')[0] == "label:null"
    assert SliceShape().names(said("a"), "b") == ()


def test_labels_are_compared_as_scores_are() -> None:
    assert label_of(' "Refund". ', None) == "refund"
    assert label_of("", None) is None
    assert top_fields('[{"name": "pay", "arguments": {"n": 1}}]') == {"name": "pay"}
    assert top_fields('{"a": true, "b": 1, "c": 1.5, "d": " x ", "e": null, "f": ""}') == {
        "a": "true",
        "b": "1",
        "d": "x",
        "e": "null",
        "f": '""',
    }
    assert top_fields("no json") == top_fields("[]") == top_fields("[1]") == {}


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_shape_cuts_alike_after_storage(text: str, answer: str) -> None:
    for shape in (SHAPE, SliceShape(labels=("a", "b"), lengths=(3, 9))):
        again = SliceShape.from_json(json.loads(json.dumps(shape.to_json())))
        assert again == shape
        names = again.names(said(text), answer)
        assert names == shape.names(said(text), answer)
        assert len(names) == len({name.split(":")[0] for name in names})
