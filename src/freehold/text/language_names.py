"""Names of languages: a word that says what to do ("translate to French"), where another name says who is meant.

Not covered: what language a text is in (`text.language`), names in scripts without capitals, which nobody takes for the
name of a caller.
"""

from __future__ import annotations

import re

_NAMES = frozenset(
    """
    english french german spanish italian portuguese brazilian dutch polish russian ukrainian czech slovak slovene
    slovenian hungarian romanian bulgarian greek turkish swedish danish norwegian finnish icelandic estonian latvian
    lithuanian croatian serbian bosnian macedonian albanian arabic hebrew persian farsi hindi urdu bengali punjabi
    gujarati marathi tamil telugu kannada malayalam chinese mandarin cantonese japanese korean thai vietnamese
    indonesian malay tagalog filipino swahili afrikaans catalan basque galician latin irish welsh
    englisch französisch deutsch spanisch italienisch portugiesisch niederländisch polnisch russisch ukrainisch
    tschechisch ungarisch rumänisch griechisch türkisch schwedisch dänisch chinesisch japanisch koreanisch arabisch
    anglais français allemand espagnol italien portugais néerlandais polonais russe ukrainien tchèque grec turc suédois
    chinois japonais coréen arabe inglés francés alemán español italiano portugués neerlandés polaco ruso ucraniano
    chino japonés coreano árabe turco inglese francese tedesco spagnolo portoghese olandese polacco russo cinese
    giapponese arabo inglês francês alemão espanhol português holandês polonês chinês japonês engels frans duits spaans
    italiaans portugees pools nederlands polski angielski francuski niemiecki hiszpański włoski ukraiński rosyjski
    svenska dansk norsk suomi engelska tyska franska spanska
    английский французский немецкий испанский итальянский русский украинский китайский японский турецкий
    ingilizce fransızca almanca ispanyolca italyanca rusça türkçe çince arapça
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[^\W\d_]+")


def names_language(text: str) -> bool:
    """Whether one of the words of a text is the name of a language."""
    return any(word in _NAMES for word in _WORD.findall(text.lower()))
