"""What the providers say: each is asked for its list of models, once, with a short timeout.

No key is ever part of a finding: of an answer only the status, the number of models and the date are looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from http import HTTPStatus
from urllib.parse import urlsplit

from freehold.dialects.address import MODELS_PATH, key_header, provider_target, version_headers
from freehold.ops.doctor.finding import Finding, Level
from freehold.settings import ProviderSettings
from freehold.system.http_client import Response, UnreachableError, send

_TIMEOUT_S = 5.0
_ANSWER_BYTES = 4 * 2**20
_SKEW_S, _WRONG_SKEW_S = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a provider; `skew_s` is how far this machine's clock is ahead of the provider's."""

    findings: list[Finding]
    skew_s: float | None = None


def ask_provider(provider: ProviderSettings, environment: Mapping[str, str]) -> Asked:
    """Ask for the list of models and judge the answer."""
    name, key = f"provider {provider.name}", environment.get(provider.key_env, "") if provider.key_env else ""
    found = _key_findings(provider, has_key=bool(key))
    host = urlsplit(provider.base_url).hostname
    began_at = time.time()
    try:
        answer = _get(provider, key)
    except UnreachableError as error:
        hint = "Check base_url, the network, name resolution and the firewall from this machine."
        found.insert(0, Finding(name, "fail", f"{host} cannot be reached: {error}", hint))
        return Asked(found)
    middle = (began_at + time.time()) / 2
    return Asked([_judged(provider, answer.status, answer.body, has_key=bool(key)), *found], _skew(answer, middle))


def check_skew(skews: Sequence[float]) -> list[Finding]:
    """How far this machine's clock is off, by the provider whose date is nearest to it."""
    if not skews:
        return []
    skew_s = min(skews, key=abs)
    level: Level = "fail" if abs(skew_s) > _WRONG_SKEW_S else "warn" if abs(skew_s) > _SKEW_S else "ok"
    text = f"within {_SKEW_S:g} s of a provider's" if level == "ok" else f"{skew_s:+.0f} s off a provider's"
    return [Finding("clock", level, f"the wall clock is {text}", "Set it by NTP; keys and limits go by it.")]


def _key_findings(provider: ProviderSettings, *, has_key: bool) -> list[Finding]:
    if has_key or not provider.key_env:
        return []
    text = f"{provider.key_env} is not set here: callers have to bring a key of their own"
    hint = f"Set {provider.key_env} where the gateway runs, unless that is what you want."
    return [Finding(f"provider {provider.name}", "warn", text, hint)]


def _get(provider: ProviderSettings, key: str) -> Response:
    """Ask for the list of models, by the rules that the gateway forwards by."""
    headers = {"user-agent": "freehold-doctor", "accept": "application/json", **version_headers(provider.dialect)}
    if key:
        name, value = key_header(provider.base_url, key, MODELS_PATH, provider.dialect)
        headers[name] = value
    target = provider_target(provider.base_url, MODELS_PATH, provider.dialect)
    return send("GET", provider.base_url, target, headers=headers, timeout_s=_TIMEOUT_S, most_bytes=_ANSWER_BYTES)


def _judged(provider: ProviderSettings, status: int, body: bytes, *, has_key: bool) -> Finding:
    name = f"provider {provider.name}"
    if status == HTTPStatus.OK:
        models = _models(body)
        missing = [m for m in provider.models if not any(fnmatchcase(found, m) for found in models)]
        if models and missing:
            hint = "Its calls would be answered with the provider's 404: mend the list in [providers.NAME]."
            return Finding(name, "warn", f"reachable, but does not list {', '.join(missing)}", hint)
        return Finding(name, "ok", f"reachable, lists {len(models)} models")
    if status in (401, 403) and has_key:
        return Finding(name, "fail", f"refuses the key in {provider.key_env} ({status})", "Renew the key.")
    if status in (401, 403):
        return Finding(name, "ok", f"reachable, and wants a key ({status})")
    if status in (404, 405):
        return Finding(name, "ok", f"reachable, has no list of models ({status})")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Finding(name, "warn", "reachable, but rate-limits this key now (429)", "See the account's limits.")
    level: Level = "fail" if status >= 500 else "warn"
    return Finding(name, level, f"answers its list of models with {status}", "See the provider's status page.")


def _models(body: bytes) -> list[str]:
    try:
        data = json.loads(body).get("data", [])
        return [str(item["id"]) for item in data]
    except (ValueError, AttributeError, TypeError, KeyError):
        return []


def _skew(answer: Response, here: float) -> float | None:
    try:
        return here - (parsedate_to_datetime(answer.headers["date"]).timestamp() + 0.5)
    except (KeyError, ValueError):
        return None
