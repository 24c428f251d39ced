"""Sessions of the console: a cookie that says which gateway key opened it, and until when.

    v1.KEY_ID.UNTIL.SEAL     SEAL is an HMAC-SHA256 over what stands before it, under a secret of the state folder

Nothing is kept of a session, so every process of a gateway knows it. It ends when its time is over, and at once when
the key is revoked. Not covered: how a key is shown (`console.login`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 12 * 3600
_FORM = re.compile(r"(v1\.([0-9a-zA-Z]{1,64})\.([0-9]{1,12}))\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens and knows sessions. `may_look` says whether the key of this id is valid now and opens the console."""

    secret: bytes
    may_look: Callable[[str], bool]

    def open(self, key_id: str, now: float) -> str:
        """The cookie of a session that a key opens now (Unix seconds)."""
        text = f"v1.{key_id}.{int(now) + LONGEST_S}"
        return f"{text}.{self._seal(text)}"

    def key_of(self, cookie: str, now: float) -> str | None:
        """The id of the key that opened a session; None where the session is over, or never was one."""
        found = _FORM.fullmatch(cookie)
        if found is None or not hmac.compare_digest(self._seal(found[1]), found[4]):
            return None
        is_open = now < int(found[3]) and self.may_look(found[2])
        return found[2] if is_open else None

    def _seal(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()
