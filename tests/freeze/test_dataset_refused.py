"""Answers that a client refused and asked again for, as the libraries do it."""

from __future__ import annotations

import pytest

from freehold.freeze import LabelledCall, build
from freehold.freeze.rejected_answers import SOON_S, WITHIN_S, refused_by_client
from freehold.model import Answer, Asked, Message
from freehold.model.task import Task

SYSTEM = Message("system", "Give the part as JSON.")
QUESTION = Message("user", "The saddle of order B-171 is loose.")
WRONG, GOOD = '{"part": "the saddle!"}', '{"part": "saddle"}'


def call(number: int, *messages: Message, answer: str = WRONG, at: float = 0.0, **more: object) -> LabelledCall:
    return LabelledCall(
        call_id=f"c{number}",
        created_at=1000.0 + at,
        asked=Asked(dialect="openai-chat", messages=messages, is_plain=bool(more.pop("is_plain", True))),
        answer=Answer(text=answer, finish_reason="stop"),
        **more,  # type: ignore[arg-type]
    )


def user(text: str) -> Message:
    return Message("user", text)


SAID = Message("assistant", WRONG)


def told(error: str) -> list[Message]:
    return [SYSTEM, QUESTION, SAID, user(error)]


QUOTING = f"""Prompt:
{QUESTION.content}
Completion:
{WRONG}

Above, the Completion did not satisfy the constraints given in the Prompt.
Details: Invalid json output
Please try again:"""

ASKED_AGAIN = {
    "pydantic-ai": [
        Message("system", "Another."),
        *told("Validation feedback:\n[...]\n\nFix the errors and try again.")[1:],
    ],
    "instructor": told("Correct your JSON ONLY RESPONSE, based on the following errors:\n1 validation error for Part"),
    "instructor, quoting": [
        SYSTEM,
        QUESTION,
        user(f"Recall the function correctly, fix the errors found in:\n{WRONG}"),
    ],
    "langchain": [user(QUOTING)],
    "guardrails": told(
        "The JSON response had problems due to incorrect values.\nHelp me correct the incorrect values."
    ),
    "a JSON parser": told("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    "a schema checker": told("'the saddle!' is not one of ['saddle', 'bell']"),
    "respaced": [SYSTEM, QUESTION, Message("assistant", f"  {WRONG}\n"), user("Validation error: part. Correct it.")],
    "a system message": [*told("")[:3], Message("system", "Your reply was not valid JSON. Answer with JSON only.")],
    "a second question": [SYSTEM, *told("")[1:3], user("{'loc': ('part',), 'msg': 'Field required'}")],
    "zod": told('[{"code":"invalid_type","expected":"string","received":"undefined","path":["part"]}]'),
    "ajv": told('data/part must match pattern "^[a-z]+$"'),
    "serde": told("missing field `part` at line 1 column 24"),
    "Go": told("json: cannot unmarshal string into Go struct field Part.part of type int"),
    "a short word": told("Try again."),
    "an error alone": told("Error: part contains '!', which is no letter"),
    "in the prompt": [Message("system", f"{SYSTEM.content} Your last answer failed validation."), QUESTION],
    "behind the question": [
        SYSTEM,
        user(f"{QUESTION.content}\n\nThe previous attempt failed: validation error: part must be a word."),
    ],
    "before the question": [SYSTEM, user("The previous attempt failed with ValidationError."), QUESTION],
    "after the question": [SYSTEM, QUESTION, user("Your output failed validation. Field required: part.")],
    "English": told("That is the wrong format, please try again."),
    "German": told("Fehler: part darf kein Ausrufezeichen haben. Bitte korrigiere das."),
    "French": told("Erreur : le champ est invalide. Corrige et réessaie."),
    "Spanish": told("El valor es incorrecto, inténtalo de nuevo."),
    "Italian": told("Errore: valore non valido. Correggi e riprova."),
    "Portuguese": told("Erro: valor inválido. Corrija e tente novamente."),
    "Dutch": told("Fout: ongeldige waarde. Corrigeer dit en antwoord opnieuw."),
    "Polish": told("Błąd: nieprawidłowa wartość. Popraw i odpowiedz ponownie."),
    "Russian": told("Ошибка: недопустимое значение. Исправь и ответь ещё раз."),
    "Turkish": told("Geçersiz değer. Düzelt ve tekrar yanıtla."),
    "Chinese": told("格式错误,请重新回答。"),
    "Japanese": told("形式が無効です。修正してもう一度答えてください。"),
    "Korean": told("잘못된 형식입니다. 수정해서 다시 답하세요."),
}


@pytest.mark.parametrize("name", ASKED_AGAIN)
def test_the_answer_before_the_error_was_refused(name: str) -> None:
    calls = [call(1, SYSTEM, QUESTION), call(2, *ASKED_AGAIN[name], answer=GOOD, at=2.0)]
    assert refused_by_client(calls, "json") == {"c1"}


def test_a_second_refusal_is_one_of_the_second_answer() -> None:
    errors = user("1 validation error for Part")
    history = [SYSTEM, QUESTION, SAID, errors]
    calls = [
        call(1, SYSTEM, QUESTION),
        call(2, *history, answer='{"part": "SADDLE"}', at=2.0),
        call(3, *history, Message("assistant", '{"part": "SADDLE"}'), errors, answer=GOOD, at=4.0),
    ]
    assert refused_by_client(calls, "json") == {"c1", "c2"}


def test_of_several_calls_with_the_same_question_the_latest_with_that_answer_is_meant() -> None:
    again = [SYSTEM, QUESTION, SAID, user("Validation error: part")]
    calls = [call(1, SYSTEM, QUESTION), call(2, SYSTEM, QUESTION, at=1.0), call(3, SYSTEM, QUESTION, answer=GOOD, at=2)]
    assert refused_by_client([*calls, call(4, *again, answer=GOOD, at=3.0)], "json") == {"c2"}


def test_in_a_session_that_the_provider_keeps_the_error_alone_refuses_the_answer_before() -> None:
    calls = [
        call(1, SYSTEM, QUESTION, session="s"),
        call(2, user("1 validation error for Part"), answer=GOOD, at=2.0, session="s", is_plain=False),
    ]
    assert refused_by_client(calls, "json") == {"c1"}
    assert refused_by_client([calls[0], call(3, user("And the bell?"), session="s", is_plain=False)], "json") == set()


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM, QUESTION, SAID, user("Thank you! And the bell?")],
        [SYSTEM, QUESTION, Message("assistant", GOOD), user("Validation error: part")],
        [SYSTEM, user("Another question"), SAID, user("Validation error: part")],
        [SYSTEM, user("Validation error in the shop's own system, what do I do?")],
        [SYSTEM, QUESTION, user("My order had an error, please correct it.")],
        [SYSTEM, QUESTION, Message("assistant", "Validation error")],
        [SYSTEM, user("The bell: validation failed on it.")],
        [],
    ],
)
def test_what_shows_no_error_about_that_answer_refuses_nothing(messages: list[Message]) -> None:
    assert refused_by_client([call(1, SYSTEM, QUESTION), call(2, *messages, at=2.0)], "json") == set()


def test_an_answer_is_refused_soon_or_not_at_all() -> None:
    def found(text: str, at: float, kind: str = "json") -> bool:
        again = call(2, SYSTEM, QUESTION, SAID, user(text), at=at)
        return bool(refused_by_client([call(1, SYSTEM, QUESTION), again], kind))  # type: ignore[arg-type]

    assert found("Validation error: part", WITHIN_S)
    assert not found("Validation error: part", WITHIN_S + 1)
    assert found("Wrong, try again", SOON_S)
    assert not found("Wrong, try again", SOON_S + 1)
    assert not found("Wrong amount charged on my card", 5.0, kind="label")
    assert not found("card missing", 5.0, kind="label")
    assert not found("There is an error on my bill, please correct it", 5.0, kind="text")
    assert found("Validation error: part", 5.0, kind="text")


def test_a_refused_answer_is_no_target_and_stays_in_the_proof() -> None:
    calls = []
    for i in range(150):
        question = user(f"Part {i * 7919 % 997} of order {i} is loose.")
        good = f'{{"part": "p{i % 7}"}}'
        if i % 3:
            calls.append(call(2 * i, SYSTEM, question, answer=good, at=60.0 * i))
            continue
        wrong = f'{{"part": "P{i % 7}!"}}'
        again = user("Validation error: part must be lower case. Correct it.")
        calls.append(call(2 * i, SYSTEM, question, answer=wrong, at=60.0 * i))
        said = Message("assistant", wrong)
        calls.append(call(2 * i + 1, SYSTEM, question, said, again, answer=good, at=60.0 * i + 3))
    frozen = build(calls, task=Task(id="t", name="parts", key="k", kind="json"))
    everything = [example for split in frozen.examples.values() for example in split]
    assert not any("!" in example.target for example in everything)
    aside = [example for example in everything if example.aside == "refused_by_client"]
    held_out = sum(frozen.manifest.aside[split]["refused_by_client"] for split in ("dev", "proof"))
    assert len(aside) == held_out > 5
    assert frozen.manifest.dropped["refused_by_client"] + held_out >= 45
    assert all(example.is_askable and "!" in example.incumbent for example in aside)
    followed = [e for e in everything if e.messages[-1].content.startswith("Validation error")]
    assert len(followed) > 30
    assert all("!" not in example.target and not example.is_aside for example in followed)
