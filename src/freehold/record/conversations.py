"""Conversations that a provider keeps: all of their calls are of one session.

A request goes on where an earlier response ended: `previous_response_id` of the responses API, `thread` of Anthropic's.
Each names the response before it alone, so the first one is found by remembering whose response came when. A process
remembers the newest ones; a conversation that it does not remember begins anew with the response that is named.

Not covered: sessions that the caller names; those stay as they are.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from msgspec import structs

from freehold.dialects.values import as_object, parse_anyhow
from freehold.model.call import Call

MOST_RESPONSES = 50_000
_DIALECTS = ("openai-responses", "anthropic-messages")
_ID = re.compile(rb'^\s*\{.{0,400}?"id"\s*:\s*"([^"\\]{1,200})"', re.DOTALL)


class Conversations:
    """The first response of each conversation, by the ids of the later ones."""

    def __init__(self) -> None:
        self._first: OrderedDict[str, str] = OrderedDict()

    def placed(self, call: Call) -> Call:
        """The call with the session of its conversation, where it belongs to one that the provider keeps."""
        if call.dialect not in _DIALECTS:
            return call
        session = call.session_key
        response = _ID.match(call.response_body)
        response_id = response[1].decode("utf-8", "replace") if response else None
        if session is None:
            session = response_id if _begins_thread(call) else None
        else:
            session = self._first.get(session, session)
        if response_id is not None and session is not None and session != response_id:
            self._first[response_id] = session
            while len(self._first) > MOST_RESPONSES:
                self._first.popitem(last=False)
        return call if session == call.session_key else structs.replace(call, session_key=session)


def _begins_thread(call: Call) -> bool:
    if call.dialect != "anthropic-messages" or b'"thread"' not in call.request_body:
        return False
    return as_object(parse_anyhow(call.request_body).get("thread")).get("type") == "create"
