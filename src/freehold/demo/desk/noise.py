"""The way people really type: slips of the finger, no capitals, all capitals, no accents.

Words that carry a digit, and words of three letters or fewer, are left alone: an order number must stay readable, and
"not" must not turn into "now". What a message means never changes here.
"""

from __future__ import annotations

import random
import re
import unicodedata

TYPO_SHARE = 0.18
LOWER_SHARE = 0.10
UPPER_SHARE = 0.02
NO_ACCENT_SHARE = 0.20

_NEIGHBOURS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "kop", "m": "nj", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{4,}")
_FIXED = re.compile(r"\S*\d\S*")


def roughen(text: str, rng: random.Random) -> str:
    """Return `text` as a hurried person would have typed it; often that is unchanged."""
    if rng.random() < TYPO_SHARE:
        for _ in range(rng.choice((1, 1, 2))):
            text = _slip(text, rng)
    if rng.random() < NO_ACCENT_SHARE:
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    case = rng.random()
    if case < LOWER_SHARE:
        return _recase(text, upper=False)
    if case < LOWER_SHARE + UPPER_SHARE:
        return _recase(text, upper=True)
    return text


def _slip(text: str, rng: random.Random) -> str:
    """Misspell one word: swap, drop, double or replace a letter that is not its first."""
    fixed = [match.span() for match in _FIXED.finditer(text)]
    words = [match for match in _WORD.finditer(text) if not any(start <= match.start() < end for start, end in fixed)]
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    before, letter, after = text[:at], text[at], text[at + 1 :]
    kind = rng.randrange(4)
    if kind == 0:
        return before + after[0] + letter + after[1:]
    if kind == 1:
        return before + after
    if kind == 2:
        return before + letter + letter + after
    return before + rng.choice(_NEIGHBOURS.get(letter.lower(), "e")) + after


def _recase(text: str, *, upper: bool) -> str:
    """Change the case of every word that holds no digit."""
    return re.sub(r"\S+", lambda m: m[0] if re.search(r"\d", m[0]) else m[0].upper() if upper else m[0].lower(), text)
