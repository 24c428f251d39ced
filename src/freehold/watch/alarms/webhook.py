"""The alarm that posts to a webhook in the format of Slack's incoming webhooks.

The URL is a secret: whoever has it can post. So it is not a setting but in an environment variable, which a setting
names, and it is in no message. Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from freehold.errors import SettingError, UpstreamError
from freehold.system.http_client import UnreachableError, send
from freehold.watch.alarms import Event

_TIMEOUT_S = 10.0
_MOST_CHARS = 3000


class WebhookAlarm:
    """Posts `{"text": ...}` to a URL; SettingError where there is none, or one that is no http(s) URL."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        variable = str(settings["watch.webhook_env"])
        hint = f"Set the environment variable {variable}, or take webhook out of watch.alarms."
        url = environment.get(variable, "").strip()
        if not url:
            raise SettingError(f"The alarm webhook has no URL: {variable} is not set.", hint=hint)
        try:
            self._parts = urlsplit(url)
            _ = self._parts.port
        except ValueError as error:
            raise SettingError(f"What {variable} holds is no URL.", hint=hint) from error
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise SettingError(f"What {variable} holds is no http or https URL.", hint=hint)

    def send(self, event: Event) -> None:
        """Post the event; UpstreamError where the webhook does not take it."""
        body = json.dumps({"text": escaped(event.text)[:_MOST_CHARS]}).encode()
        target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        headers = {"content-type": "application/json"}
        try:
            status = send("POST", self._parts.geturl(), target, body, headers=headers, timeout_s=_TIMEOUT_S).status
        except UnreachableError as error:
            raise UpstreamError(f"The webhook cannot be reached: {error}.") from error
        if not 200 <= status < 300:
            raise UpstreamError(f"The webhook answered with status {status}.")


def escaped(text: str) -> str:
    """A text in which nothing is a mention or a link: Slack reads `<`, `>` and `&` as signs."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
