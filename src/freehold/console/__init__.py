"""The console: server-rendered pages about tasks, for people."""

from freehold.console.pages import build_console

__all__ = ["build_console"]
