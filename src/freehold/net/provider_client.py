"""One request to a provider, outside the gateway: sent with the provider's key, waited out, read.

Rate limits and failures of the provider are waited out a few times, as long as its `retry-after` says. Not covered:
what is asked and how much may be spent on it (`prove.run.budgeted_batch`), the gateway's own traffic.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from urllib.parse import quote, urlencode

from freehold.dialects import BadBodyError, StreamAssembler, read_answer, read_request
from freehold.dialects.address import key_header, provider_target, speaks_azure, version_headers
from freehold.dialects.endings import ending_of
from freehold.dialects.model_name import with_added_model
from freehold.dialects.paths import API_PARAMETER, AZURE, path_model
from freehold.dialects.sse import begins_as_stream
from freehold.errors import SettingError, UpstreamError
from freehold.model.call import Dialect
from freehold.model.exchange import Answer
from freehold.model.price import cost_usd
from freehold.settings import ProviderSettings
from freehold.system.http_client import Response, UnreachableError, send

_TRIES = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 120.0
_TIMEOUT_S = 300.0
_WAITED_OUT = frozenset((408, 409, 429))
_HOPELESS = frozenset((401, 402, 403, 404, 405))
_ANSWER_CHARS = 200
_PATH_SIGNS = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a provider; `key` names its reply, `expected_usd` is what it will cost as far as one knows.

    `api` chooses the version of the provider's API, as the call did that is repeated (`model.call`).
    """

    key: str
    provider: ProviderSettings
    dialect: Dialect
    target: str
    body: bytes
    expected_usd: float | None = None
    api: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, as it is kept; `text` is empty where the answer was none of text, was cut off or was refused.

    `cost_usd` is None where it is unknown. `problem` is what came instead of an answer.
    """

    key: str
    text: str = ""
    model: str | None = None
    cost_usd: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """How requests are sent: `environment` holds the providers' keys; `pause` waits so many seconds in place of us."""

    environment: Mapping[str, str]
    pause: Callable[[float], object] | None = None
    concurrency: int = 8


def choose_judge(providers: Sequence[ProviderSettings], name: str) -> tuple[ProviderSettings, str]:
    """The provider and the model that `MODEL` or `PROVIDER:MODEL` names; SettingError when there is none.

    A provider that lists the model comes first, then the first that takes any model, as in the gateway.
    """
    prefix, _, rest = name.partition(":")
    for provider in providers:
        if provider.name == prefix and rest:
            return provider, rest
    for provider in providers:
        if any(fnmatchcase(name, pattern) for pattern in provider.models):
            return provider, name
    for provider in sorted(providers, key=lambda provider: provider.dialect != "openai"):
        if not provider.models and name:
            return provider, name
    known = ", ".join(provider.name for provider in providers)
    raise SettingError(
        f"No configured provider has the model {name!r}.", hint=f"Write PROVIDER:MODEL; providers: {known}."
    )


def check_key(provider: ProviderSettings, environment: Mapping[str, str]) -> None:
    """SettingError where the provider needs a key that is not set here."""
    if provider.key_env and not environment.get(provider.key_env):
        raise SettingError(
            f"The provider {provider.name!r} needs a key, and {provider.key_env} is not set.",
            hint=f"Set {provider.key_env} in this shell, then give the same command again.",
        )


def ask(request: Request, asking: Asking, halt: threading.Event) -> Reply:
    """One reply; UpstreamError where the provider cannot be reached or refuses everything. `halt` ends a pause."""
    provider, pause = request.provider, asking.pause or halt.wait
    said = ""
    for attempt in range(_TRIES):
        try:
            answer = _post(request, asking.environment.get(provider.key_env, ""))
        except UnreachableError as error:
            said, asked_for = str(error), ""
        else:
            status, asked_for = answer.status, answer.headers.get("retry-after", "")
            if 200 <= status < 300:
                return _read(request, answer.headers.get("content-type", ""), answer.body)
            said = f"{status}: {_shown(answer.body)}"
            if status in _HOPELESS or status < 400:
                break
            if status < 500 and status not in _WAITED_OUT:
                return Reply(key=request.key, cost_usd=0.0, problem=said)
        pause_s = _pause_s(asked_for, attempt)
        if pause_s > _LONGEST_PAUSE_S or attempt == _TRIES - 1 or halt.is_set():
            break
        pause(pause_s)
    raise UpstreamError(
        f"The provider {provider.name!r} at {provider.base_url!r} did not answer: {said}.",
        hint="What was answered is kept. Check its base_url and its key, then give the same command again.",
    )


def _post(request: Request, key: str) -> Response:
    provider = request.provider
    headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "freehold"}
    headers |= version_headers(provider.dialect)
    headers |= {name: value for name, value in request.api.items() if name != API_PARAMETER}
    if key:
        name, value = key_header(provider.base_url, key, request.target, provider.dialect)
        headers[name] = value
    return send("POST", provider.base_url, _target(request), _body(request), headers=headers, timeout_s=_TIMEOUT_S)


def _target(request: Request) -> str:
    """Where a request goes at its provider, by the rule that the gateway forwards by."""
    version = request.api.get(API_PARAMETER)
    query = f"?{urlencode({API_PARAMETER: version})}" if version else ""
    path = quote(request.target, safe=_PATH_SIGNS)
    return provider_target(request.provider.base_url, path + query, request.provider.dialect)


def _body(request: Request) -> bytes:
    """The body as it was recorded, with the model where only Azure's path named it and the provider is another one."""
    model = path_model(request.target)
    if model is None or not request.target.startswith(AZURE) or speaks_azure(request.provider.base_url):
        return request.body
    if _model_asked(request) is not None:
        return request.body
    return with_added_model(request.body, model) or request.body


def _read(request: Request, content_type: str, body: bytes) -> Reply:
    is_stream = content_type.partition(";")[0].strip().lower() == "text/event-stream"
    if is_stream or begins_as_stream(body) is True:
        assembler = StreamAssembler(request.dialect)
        assembler.feed(body)
        assembler.finish()
        is_whole, body = assembler.is_complete and not assembler.error, assembler.body()
    else:
        is_whole = True
    answer = read_answer(request.dialect, body)
    prices = request.provider.prices
    cost = cost_usd(answer.model, answer.usage, prices)
    if cost is None:
        cost = cost_usd(_model_asked(request), answer.usage, prices)
    reply = Reply(key=request.key, model=answer.model, cost_usd=request.expected_usd if cost is None else cost)
    is_something = answer.text or answer.finish_reason or answer.is_refusal or answer.tool_calls
    if answer.error is not None or not is_whole or not is_something:
        return replace(reply, problem=f"no whole answer: {_shown(body)}")
    return replace(reply, text=answer.text) if _is_usable(answer) else reply


def _is_usable(answer: Answer) -> bool:
    is_whole = ending_of(answer.finish_reason) in ("complete", "none")
    return is_whole and not (answer.is_refusal or answer.tool_calls)


def _model_asked(request: Request) -> str | None:
    try:
        return read_request(request.dialect, request.body).model
    except BadBodyError:
        return None


def _pause_s(retry_after: str, attempt: int) -> float:
    """As long as the provider asks for, or twice as long each time."""
    usual_s = _FIRST_PAUSE_S * float(2**attempt)
    try:
        asked_s = float(retry_after) if retry_after.strip() else usual_s
    except ValueError:
        try:
            asked_s = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except ValueError:
            return usual_s
    return asked_s if asked_s >= 0 else 0.0


def _shown(body: bytes) -> str:
    """What an error body says, in few words."""
    try:
        error = json.loads(body)["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace")
    return repr(" ".join(str(text).split())[:_ANSWER_CHARS])
