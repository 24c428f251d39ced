"""What language a text seems to be in: its script, and for Latin script a guess by function words.

Coarse on purpose: it cuts traffic into slices, in the proof and in the gateway alike, within a millisecond and without
a model. A text of names and numbers alone is `latin`; one without letters is `none`.

Not covered: languages within a script other than Latin, and closely related ones (Danish and Norwegian, say).
"""

from __future__ import annotations

import re

MOST_CHARS = 4_000
NO_LETTERS = "none"
LATIN = "latin"
_SCRIPTS = {
    LATIN: re.compile("[A-Za-zÀ-ɏḀ-ỿ]"),
    "cyrillic": re.compile("[\u0400-\u052f]"),
    "greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "arabic": re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff]"),
    "hebrew": re.compile("[\u0590-\u05ff]"),
    "indic": re.compile("[\u0900-\u0dff]"),
    "thai": re.compile("[\u0e00-\u0e7f]"),
    "cjk": re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0002fa1f]"),
}
_LETTERS_PER_CJK = 3
"""A character of Chinese, Japanese or Korean says about as much as three Latin letters."""
_WORD = re.compile(r"[^\W\d_]+")
_FUNCTION_WORDS = {
    "en": " the and of to is that for with you it not are this be have my i your can what please was but how do ",
    "de": " der die das und ist nicht ich sie mit ein eine zu den von für auf es wir bitte mein wie auch habe kann ",
    "fr": " le la les et est pas je vous un une des de que pour dans mon ma bonjour avec sur ce nous ai être à ",
    "es": " el la los las y es no que un una por para con mi se del lo está hola como pero cuando muy quiero ",
    "it": " il lo gli e è non che un una per con mi di della sono questo anche come ho ma più nel grazie vorrei ",
    "pt": " o os e é não que um uma por para com meu minha do da em está você mais como mas foi obrigado eu ",
    "nl": " de het een en is niet ik je van voor met op zijn dat mijn hoe ook heb wat graag maar aan naar kan ",
    "sv": " och är inte jag det att en ett på för med som har min kan vill till av om men från hur så den ",
    "pl": " i nie jest się na że to w z do jak mi moje proszę mam czy ale dla jestem od chcę po za ma ",
    "tr": " ve bir bu için ile çok ne değil ben var mı da daha gibi ama nasıl kadar benim merhaba olarak lütfen ",
}


def language_of(text: str) -> str:
    """The language (`en`, `de`, ...) or the script (`cyrillic`, `cjk`, ...) of the text's first MOST_CHARS.

    Example: "Where is my order?" is en, "Wo ist die Bestellung?" is de, "OK 4711" is latin, "4711" is none.
    """
    start = text[:MOST_CHARS]
    counts = {script: len(pattern.findall(start)) for script, pattern in _SCRIPTS.items()}
    counts["cjk"] *= _LETTERS_PER_CJK
    script = max(counts, key=lambda name: counts[name])
    if not counts[script]:
        return NO_LETTERS
    return _latin_language(start) if script == LATIN else script


def _latin_language(text: str) -> str:
    """The language with the most function words; LATIN where there are none, or two languages have as many."""
    votes: dict[str, float] = {}
    for word in _WORD.findall(text.casefold()):
        languages = [name for name, words in _FUNCTION_WORDS.items() if f" {word} " in words]
        for name in languages:
            votes[name] = votes.get(name, 0.0) + 1 / len(languages)
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return LATIN
    return ranked[0][0]
