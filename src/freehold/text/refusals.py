"""Whether an answer is a refusal: a model saying, at its very start, that it will not or cannot do what was asked.

A short list of openings in the languages most often asked in. An apology alone is none ("I'm sorry to hear that your
parcel is late"), nor is a business "cannot" further on: an apology must be followed at once by not being able to.
In JSON, a refusal is a lone text: the value itself, or the only value of an object. What is compared later is the share
of refusals now with that at the proof, by the same list, so an odd find or miss shifts both.

Not covered: refusals in other words or languages, an answer that complies in part, a provider's own `refusal` field.
"""

from __future__ import annotations

import re

from freehold.text.json_text import parse_json

LONGEST_START = 240
_LONGEST_JSON = 20_000

_SORRY = (
    r"(?:(?:i['’]?m|i am|we['’]re|we are)(?: (?:really|very|so|truly))? (?:sorry|afraid)|(?:my )?apologies|sorry"
    r"|i apologi[sz]e|unfortunately)"
)
_CANNOT = (
    r"(?:i|we) (?:cannot|can ?not|can['’]?t|will not|won['’]?t|must decline|am unable|['’]m unable|am not able"
    r"|['’]m not able|do not feel comfortable|don['’]t feel comfortable)|(?:i['’]m|we['’]re) (?:unable|not able)"
)
_DO = (
    r"(?:to )?(?:help|assist|do that|do this|comply|fulfil|fulfill|provide|answer|respond|generate|create|complete"
    r"|engage|discuss|continue|process|support|participate|write|share|offer|give)"
)
_OPENINGS = "|".join(
    (
        rf"(?:{_SORRY}[,.;:]? (?:but |that )?)?(?:{_CANNOT})(?: (?:\w+ly|just))? {_DO}\b",
        rf"{_SORRY}[,.;:]? (?:but )?(?:that|this)(?: request)? (?:is(?: not|n['’]t)|goes against|violates)\b",
        r"as an? (?:ai|artificial intelligence|language model|large language model)\b",
        r"i(?: must|['’]ll have to| have to) decline\b",
        # German, Dutch
        r"(?:es tut mir (?:sehr )?leid|tut mir leid|entschuldigung|leider),? (?:aber |dass )?(?:ich |dabei |da |das )?"
        r"(?:kann|darf|werde|möchte)\b.{0,60}?\bnicht\b",
        r"ich (?:kann|darf) (?:\w+ ){0,5}nicht (?:helfen|weiterhelfen|beantworten|unterstützen|nachkommen|erfüllen)",
        r"als (?:ki|ki-modell|ki-sprachmodell|sprachmodell|taalmodel|ai-taalmodel)\b",
        r"(?:het spijt me|sorry|helaas),? (?:maar )?(?:ik )?kan(?: ik)? .{0,60}?\bniet\b",
        # French, Spanish, Italian, Portuguese, Romanian
        r"(?:je suis (?:vraiment )?(?:désolée?|desole)|désolée?|je regrette),? (?:mais )?je ne (?:peux|suis|saurais)\b",
        r"je ne (?:peux|suis) pas (?:en mesure |vous |t['’])?(?:d['’]|de )?(?:aider|répondre|fournir|accéder)",
        r"en tant (?:qu['’]ia|que modèle|qu['’]intelligence)\b",
        r"(?:lo siento|lo lamento|disculpa|disculpe),? (?:pero )?no (?:puedo|me es posible)\b",
        r"no puedo (?:ayudar|asistir|cumplir|proporcionar|responder)",
        r"como (?:modelo de (?:lenguaje|linguagem)|(?:una )?ia|inteligencia artificial|inteligência artificial)\b",
        r"(?:mi dispiace|spiacente|scusa),? (?:ma )?non posso\b",
        r"non posso (?:aiutar|assister|fornir|rispond)",
        r"come (?:modello linguistico|intelligenza artificiale|ia)\b",
        r"(?:desculpe|sinto muito|lamento),? (?:mas )?(?:eu )?não posso\b",
        r"não posso (?:ajudar|fornecer|responder|atender)",
        r"îmi pare rău,? (?:dar )?nu pot\b",
        # Polish, Czech, Russian, Ukrainian, Turkish, Swedish, Danish, Norwegian
        r"(?:przykro mi|przepraszam|niestety),? (?:ale )?nie mogę\b",
        r"(?:omlouvám se|je mi líto|bohužel),? (?:ale )?nemohu\b",
        r"(?:извините|простите|к сожалению|мне жаль),? (?:но )?я не (?:могу|буду)\b",
        r"(?:вибачте|на жаль),? (?:але )?я не можу\b",
        r"(?:üzgünüm|maalesef|özür dilerim),? (?:ancak |ama )?(?:\w+ ){0,6}\w*(?:amam|emem|amıyorum|emiyorum)\b",
        r"(?:tyvärr|beklagar|jag är ledsen),? (?:men )?(?:jag )?kan (?:jag )?inte\b",
        r"(?:desværre|beklager|dessverre),? (?:men )?(?:jeg )?kan (?:jeg )?ikke\b",
        # Chinese, Japanese, Korean, Arabic, Hindi, Vietnamese, Indonesian
        r"(?:很?抱歉|对不起|對不起|非常抱歉)[,,。]? ?(?:但|但是)?我?(?:无法|無法|不能|不可以)",
        r"(?:作为|作為)(?:一个|一個)?(?:人工智能|ai|语言模型|語言模型)",
        r"(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)(?:が)?[、,。].{0,40}?(?:できません|できかねます|お答えできません)",
        r"(?:죄송하지만|죄송합니다만?|미안하지만)[,.]? .{0,40}?(?:할 수 없|수 없습니다|도와드릴 수 없)",
        r"(?:عذرًا|عذراً|آسف|أعتذر|للأسف)[،,.]? ?(?:لكن |ولكن )?(?:لا|لن) (?:أستطيع|يمكنني)",
        r"(?:क्षमा करें|माफ़ करें|मुझे खेद है)[,,।]? .{0,60}?नहीं (?:कर|दे) सकता",
        r"(?:xin lỗi|rất tiếc),? (?:nhưng )?tôi không thể\b",
        r"maaf,? (?:tetapi |tapi )?saya tidak (?:bisa|dapat)\b",
    )
)
_REFUSAL = re.compile(rf"(?:{_OPENINGS})", re.IGNORECASE)
_LEAD = re.compile(r"^[\s\"'`“”‘’«»*_#>\-]+")


def is_refusal(text: str) -> bool:
    """Whether `text` opens as a refusal, bare or as a lone text in JSON. Example: "I'm sorry, but I can't help."."""
    return _opens_so(text) or _opens_so(_lone_text(text))


def _opens_so(text: str) -> bool:
    start = " ".join(_LEAD.sub("", text[:LONGEST_START]).replace("*", "").split())
    return _REFUSAL.match(start) is not None


def _lone_text(text: str) -> str:
    """The one text that a JSON answer consists of; empty where it consists of more, or is no JSON."""
    if len(text) > _LONGEST_JSON or not any(sign in text for sign in '{["'):
        return ""
    value, _ = parse_json(text)
    if isinstance(value, dict | list) and len(value) == 1:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value if isinstance(value, str) else ""
