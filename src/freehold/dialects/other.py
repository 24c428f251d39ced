"""Dialects that Freehold does not know by itself: of other packages, and of nobody.

Of another package's dialect, requests and answers are read, so that its calls are recorded, sorted and frozen. Streams
in it are kept as their bytes, and no local answer is given in it: what is put together or rendered for a client is
code of ours alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from msgspec import structs

from freehold.dialects.form import Form
from freehold.dialects.values import JsonObject, as_name
from freehold.errors import SettingError, in_a_line
from freehold.model.exchange import Answer, Asked, Dialect
from freehold.plugins import Seam
from freehold.system.time_limit import TimeLimit

OTHER: Dialect = "other"
LIMIT_S = 1.0
"""Seconds that a package may take to read a request or an answer, while the gateway's event loop waits for it."""
LOAD_S = 30.0
"""Seconds that it may take to be imported."""
_MOST_CHARS = 32
_LOG = logging.getLogger("freehold.dialects")
T = TypeVar("T")


def read_other_request(data: JsonObject) -> Asked:
    """What can be said of a request in whatever dialect."""
    is_stream = data.get("stream") is True
    return Asked(dialect=OTHER, model=as_name(data.get("model")), is_stream=is_stream, is_plain=False)


def read_other_answer(data: JsonObject) -> Answer:
    """What can be said of an answer in whatever dialect."""
    return Answer(model=as_name(data.get("model")))


FORM = Form(read_request=read_other_request, read_answer=read_other_answer)


def read_others(table: Seam) -> dict[Dialect, Form]:
    """The forms of other packages, made safe; one that cannot be loaded is left out, and the log says so."""
    found: dict[Dialect, Form] = {}
    for name in table.names():
        if name not in table.own:
            try:
                form = TimeLimit(f"freehold-dialect-{name}", LOAD_S).call(table.load, _checked(name))
                found[name] = _guarded(name, form)
            except (SettingError, TimeoutError) as error:
                _LOG.error("The dialect %s is not read: %s", name, error)
    return found


def _checked(name: Dialect) -> Dialect:
    """The name, which stands in the record with each call; SettingError where it is too long for that."""
    if len(name) > _MOST_CHARS:
        raise SettingError(f"its name has more than {_MOST_CHARS} characters.", hint="Tell its package.")
    return name


def _guarded(name: Dialect, form: Form) -> Form:
    limit = TimeLimit(f"freehold-dialect-{name}", LIMIT_S)
    told: list[Exception] = []

    def safe(read: Callable[[JsonObject], T], instead: Callable[[JsonObject], T]) -> Callable[[JsonObject], T]:
        def call(data: JsonObject) -> T:
            try:
                return limit.call(read, data)
            except Exception as error:
                if not told:
                    told.append(error)
                    _LOG.error(
                        "The dialect %s cannot read a call, and the log has the first one alone: %s",
                        name,
                        in_a_line(error),
                    )
                return instead(data)

        return call

    def asked_otherwise(data: JsonObject) -> Asked:
        return structs.replace(read_other_request(data), dialect=name)

    return Form(
        read_request=safe(form.read_request, asked_otherwise),
        read_answer=safe(form.read_answer, read_other_answer),
        static_keys=form.static_keys,
        message_key=form.message_key,
        paths=form.paths,
    )
