"""The secret that seals sessions of the console: one file of the state folder, made by whoever needs it first.

Not covered: sessions (`console.session`).
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from freehold.settings import Settings

_BYTES = 32


def session_secret(settings: Settings) -> bytes:
    """The secret of this state folder, the same for all its processes; 32 random bytes that only its account reads."""
    path = settings.state.absolute() / "run" / "session.key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()
