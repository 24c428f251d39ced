"""The console: server-rendered pages about tasks, for people."""

from freehold.console.loopback import is_loopback as is_loopback_host
from freehold.console.pages import build_console
from freehold.console.session import Sessions

__all__ = ["Sessions", "build_console", "is_loopback_host"]
