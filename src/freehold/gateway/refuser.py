"""How a call is refused: the caller is told, and the record has it, or a count stands for it.

Not covered: why a call is refused (`checks`, `admission`, `scope`, `budgets`), the words of it (`refusal`).
"""

from __future__ import annotations

from freehold.gateway.errors import RefusedError, reply
from freehold.gateway.refusal_counts import RefusedCounts, as_sample, is_refused
from freehold.gateway.request_context import RequestContext
from freehold.record import Decision, Exchange, GoneError, Recorder, ResponseSide


class Refuser:
    """Refuses calls; a response is held for `record_wait_s` seconds at most while its refusal is being written."""

    def __init__(self, recorder: Recorder, counts: RefusedCounts, record_wait_s: float) -> None:
        self._recorder = recorder
        self._counts = counts
        self._record_wait_s = record_wait_s

    async def refuse(self, context: RequestContext, decision: Decision, refusal: RefusedError) -> Exchange:
        """Tell the caller, and return what stands for the call in the record."""
        headers, body = reply(refusal, context.error_dialect)
        side = ResponseSide(status=refusal.status, body=body, error=refusal.code)
        kept = Exchange(context.side(), decision, side)
        try:
            kept = await self._keep(kept, refusal, context.key_id)
        except GoneError:
            self.turn_away(context)
            return kept
        head = [*headers, (b"freehold-call-id", context.id.encode())]
        context.http.start(refusal.status, head, is_last=refusal.is_lasting)
        context.http.finish(body)
        return kept

    async def _keep(self, kept: Exchange, refusal: RefusedError, key_id: str | None) -> Exchange:
        """Record a refused request, or count it where it is none of the few samples."""
        if is_refused(refusal):
            kept = as_sample(kept)
            if not self._counts.count(refusal.code, key_id):
                return kept
        await self._recorder.commit(kept, self._record_wait_s)
        return kept

    def turn_away(self, context: RequestContext) -> None:
        """Say that the record cannot be written; a response that has begun breaks off without its end."""
        if context.http.is_begun:
            context.http.abort()
            return
        refusal = RefusedError(
            503,
            "record_unavailable",
            f"The record cannot be written: {self._recorder.problem or 'too many calls wait for it'}.",
            hint="No new calls are taken until it can be. Look at the disk of the state folder.",
            retry_after_s=1,
        )
        headers, body = reply(refusal, context.error_dialect)
        context.http.start(503, headers)
        context.http.finish(body)
