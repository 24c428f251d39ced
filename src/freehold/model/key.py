"""Gateway keys: what a caller shows to be let in, what it may do with it, and what it has used.

A key's text is `fhk_ID_SECRETCHECK`, letters and digits only, so that a double click takes it whole:

    ID       8 characters, public: it stands in lists, errors and the record
    SECRET   43 characters, 256 random bits
    CHECK    6 characters, the CRC-32 of all before it, so that a typo is told from a key that nobody knows

What is stored is the SHA-256 of the text. A slow, salted hash protects passwords because people choose few of them;
256 random bits cannot be guessed, however fast the hash is, and this one is computed for every request.

Not covered: keeping keys (`freehold.store`), letting requests in (`freehold.gateway.keys.admission`).
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from freehold.model.ids import sha256_hex

KeyState = Literal["valid", "expired", "revoked"]

PREFIX = "fhk_"
SESSION_COOKIE = b"freehold-session"
"""The cookie of a console that was opened with a key; like a key it never goes to a provider."""
MINUTE_S = 60
DAY_S = 86_400
_ID_CHARS, _SECRET_CHARS, _CHECK_CHARS = 8, 43, 6
_SECRET_BITS = 256
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_DIGITS = string.digits + string.ascii_lowercase
_FORM = re.compile(
    rf"{PREFIX}([0-9a-z]{{{_ID_CHARS}}})_[0-9A-Za-z]{{{_SECRET_CHARS}}}[0-9A-Za-z]{{{_CHECK_CHARS}}}(?![0-9A-Za-z])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A gateway key without its secret; times are Unix seconds, None means no limit.

    `tasks` are names, as they were given; `task_keys` are the keys of those tasks. `models` are names or globs, `paths`
    globs, `methods` names in capitals. Empty means any.
    """

    id: str
    name: str
    sha256: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    tasks: tuple[str, ...] = ()
    task_keys: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    usd_per_day: float | None = None
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def has_budget(self) -> bool:
        """Whether what its calls use is limited, so that it has to be reserved before."""
        return self.usd_per_day is not None or self.tokens_per_minute is not None

    def state(self, now: float) -> KeyState:
        """Whether the key lets anybody in at this time."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "valid"

    def allows_model(self, model: str | None) -> bool:
        """Whether requests for this model may use the key; a request that names none may only if any model may."""
        return not self.models or (model is not None and any(fnmatchcase(model, glob) for glob in self.models))

    def allows_request(self, method: str, path: str) -> bool:
        """Whether requests of this method to this path may use the key; `path` is without its query."""
        is_path = not self.paths or any(fnmatchcase(path, glob) for glob in self.paths)
        return is_path and (not self.methods or method in self.methods)

    def allows_task(self, task_key: str | None, task_name: str | None = None) -> bool:
        """Whether requests of this task may use the key; `task_name` is the name that the caller gave it, if any."""
        return not self.tasks or task_key in self.task_keys or task_name in self.tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """What one key was used for around a moment, as far as the record knows.

    `admitted`, `requests` and `tokens` are by Unix minute (the moment's and the one before). `admitted` counts the
    requests that gateways let in under a limit, at once; `requests` the calls that were recorded, once they have ended.
    The rest is of the UTC day `day` (days since 1970): `unpriced` counts the calls whose cost is unknown. Tokens and
    cost are what was recorded or what gateways settled of their reservations, whichever is more. `reserved_usd` and
    `reserved_tokens` are what gateways have set aside now for calls under way and those to come.
    """

    admitted: Mapping[int, int] = field(default_factory=dict)
    requests: Mapping[int, int] = field(default_factory=dict)
    tokens: Mapping[int, int] = field(default_factory=dict)
    day: int = 0
    requests_today: int = 0
    tokens_today: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    reserved_usd: float = 0.0
    reserved_tokens: int = 0


def new_key_text() -> str:
    """The text of a new key: shown once, stored nowhere."""
    public = "".join(secrets.choice(_ID_DIGITS) for _ in range(_ID_CHARS))
    return _with_check(f"{PREFIX}{public}_{_spelled(secrets.randbits(_SECRET_BITS), _SECRET_CHARS)}")


def key_hash(text: str) -> str:
    """What is stored of a key's text."""
    return sha256_hex(text)


def key_id(text: str) -> str | None:
    """The public part of a key's text; None when it is not whole or has a typo."""
    match = _FORM.fullmatch(text)
    return match[1] if match and _is_checked(match[0]) else None


def sent_key(header: str) -> str:
    """The gateway key in the value of a header, whole or not; empty where the header holds none."""
    text = header.strip()
    if text[:7].lower() == "bearer ":
        text = text[7:].strip()
    return text if text[: len(PREFIX)].lower() == PREFIX else ""


def holds_key(text: str) -> bool:
    """Whether a whole gateway key stands anywhere in a text, such as a header that is none of the usual ones."""
    return PREFIX in text and any(_is_checked(match[0]) for match in _FORM.finditer(text))


def _with_check(text: str) -> str:
    return text + _spelled(zlib.crc32(text.encode()), _CHECK_CHARS)


def _is_checked(text: str) -> bool:
    return text == _with_check(text[:-_CHECK_CHARS])


def _spelled(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
