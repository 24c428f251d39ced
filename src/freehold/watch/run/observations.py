"""Recorded calls as the watch sees them: what was local, what its audit said, what a pair differed by.

Chance decided before any answer was known who answers and what is compared, and left that in the coins
(`gateway.sampling`); here they are read back with the answers. A call is settled once all that was due has come, or
has had its time and is missing. Answers that cannot be read (deleted, too large, odd) are missing, and are counted.

They are about the traffic that the proof was about. Where it was of all answered calls (its kinds are counted),
a local answer is wrong, too, where the audit shows that the provider would have called a tool, refused, or given
nothing that could be wanted; and calls about which no owned model is asked are calls that were not answered locally.

Not covered: reading the record (`store.call_stream`), what observations show (`freehold.watch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from freehold.freeze.prompt_steps import Preparation
from freehold.model.call import Call
from freehold.model.exchange import input_text
from freehold.model.route import Route
from freehold.text.read_call import ReadCall, read_call
from freehold.text.refusals import is_refusal
from freehold.text.scoring import is_acceptable, score
from freehold.text.slices import SliceShape
from freehold.text.target import Habits, why_no_target
from freehold.watch import Observation

MOST_UNFIT = 200
_UNFIT = frozenset({"unfit", "new_prompt"})
"""What the gateway says of a call whose prompt is not the one that was proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCall:
    """A call with all that belongs to it; `whole` has the bodies and is None where they were not read."""

    call: Call
    whole: Call | None = None
    audit: Call | None = None
    shadow: Call | None = None
    correction: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationContext:
    """How calls of one version of a route are looked at; `slow_ms` is None where no latency is expected.

    `shape` says how calls are cut into slices; None where they are not. `unreadable` gathers answers that could not be
    compared, `unfit` calls whose prompt is not what was proven, the first MOST_UNFIT.
    """

    route: Route
    preparation: Preparation
    slow_ms: float | None = None
    shape: SliceShape | None = None
    unreadable: list[str] = field(default_factory=list)
    unfit: list[ReadCall] = field(default_factory=list)


def awaits(call: Call, beside: Mapping[str, Call]) -> bool:
    """Whether an answer beside this call is still to come."""
    if call.coins.owned in _UNFIT:
        return False
    is_audit_awaited = call.arm == "owned" and call.coins.is_audit_due and "audit" not in beside
    return is_audit_awaited or (call.coins.is_shadow_due and "shadow" not in beside)


def observation(seen: JoinedCall, eye: ObservationContext) -> Observation:
    """What one settled call says; one whose prompt was not proven says that alone, whatever was compared beside it."""
    call = seen.call
    if call.coins.owned in _UNFIT:
        if seen.whole is not None:
            _keep_unfit(seen.whole, eye)
        return replace(stray(call), is_decided=_is_decided(call, eye.route))
    is_local = call.arm == "owned"
    owned = _answer(seen.whole if is_local else seen.shadow, eye)
    rented = _answer(seen.audit if is_local else seen.whole, eye, is_provider=True)
    wrong = _wrong(eye, owned, rented, seen.correction)
    rented_call = seen.audit if is_local else call
    return Observation(
        call_id=call.id,
        created_at=call.created_at,
        is_local=is_local,
        propensity=call.coins.audit_rate if is_local and call.coins.is_audit_due else None,
        audit_rate=call.coins.audit_rate,
        loss=None if wrong is None or not is_local else float(wrong[0]),
        is_pair_due=_is_pair(seen.call, eye.route),
        difference=_difference(seen, wrong, eye.route),
        is_decided=_is_decided(call, eye.route),
        is_valid=_is_valid(seen, owned, eye.route),
        is_refusal=None if owned is None or not is_local else is_refusal(_text(owned)),
        is_slow=_is_slow(call, eye.slow_ms),
        input_text=_input(seen.whole, eye.preparation),
        model_answered=rented_call.model_answered if rented_call and _is_whole(rented_call) else None,
        system_fingerprint=rented_call.system_fingerprint if rented_call and _is_whole(rented_call) else None,
        slices=_slices(seen.whole, owned, eye) if is_local else (),
    )


def is_stray(call: Call, eye: ObservationContext) -> bool:
    """Whether a call that no version of the route placed does not fit what was proven."""
    read = read_call(call) if _is_whole(call) and call.redaction != "deleted" else None
    if read is None or read.asked is None or eye.preparation.messages(read.asked) is not None:
        return False
    _keep_unfit(call, eye)
    return True


def _keep_unfit(call: Call, eye: ObservationContext) -> None:
    if len(eye.unfit) < MOST_UNFIT and call.redaction != "deleted":
        eye.unfit.append(read_call(call))


def stray(call: Call) -> Observation:
    """What a call says that was answered by the provider because it looked like no call of the task."""
    return Observation(
        call_id=call.id,
        created_at=call.created_at,
        is_local=False,
        is_decided=False,
        model_answered=call.model_answered,
        system_fingerprint=call.system_fingerprint,
        fits_template=False,
    )


def _answer(call: Call | None, eye: ObservationContext, *, is_provider: bool = False) -> ReadCall | None:
    """The call, read, if it was answered and its body is there; an empty answer of the provider's is one, too."""
    if call is None or not _is_whole(call):
        return None
    read = read_call(call) if call.redaction != "deleted" and call.response_body else None
    if read is not None and read.answer.error:
        return None
    may_be_empty = is_provider and _is_of_all(eye.route)
    if read is None or not (read.answer.text or read.answer.tool_calls or may_be_empty):
        eye.unreadable.append(call.id)
        return None
    return read


def _is_of_all(route: Route) -> bool:
    """Whether the proof behind a route was of all answered calls; verdicts of earlier versions were not."""
    return bool(route.baseline.kinds)


def _is_whole(call: Call) -> bool:
    return call.status < 400 and call.error is None


def _text(read: ReadCall) -> str:
    return read.answer_text


def _wrong(
    eye: ObservationContext, owned: ReadCall | None, rented: ReadCall | None, correction: str | None
) -> tuple[bool, bool] | None:
    """Whether the owned and the rented answer are wrong, against a correction or else the rented one; None: unknown.

    Where the rented one could not be wanted, it is right all the same, and a local one is wrong: as in the proof.
    """
    route = eye.route
    if owned is None or rented is None:
        return None
    reason = _why_no_target(rented, eye) if correction is None and _is_of_all(route) else None
    if reason is not None:
        return None if reason == "error" else (True, False)
    wanted = correction if correction is not None else _text(rented)
    is_owned_right = score(route.output_kind, wanted, _text(owned)).is_exact
    is_rented_right = correction is None or score(route.output_kind, wanted, _text(rented)).is_exact
    return not is_owned_right, not is_rented_right


def _why_no_target(rented: ReadCall, eye: ObservationContext) -> str | None:
    if rented.asked is None:
        return None
    return why_no_target(rented.asked, rented.answer, Habits.of_names(eye.route.baseline.habits))


def _is_pair(call: Call, route: Route) -> bool:
    """Whether chance drew this call as a pair, from all requests alike, before anything was answered.

    A pair is a request that the provider answers with a shadow due, or one of a canary's whose audit was due before the
    cascade decided, and then also where it left it to the provider.
    """
    is_audited = route.kind == "canary" and call.coins.is_audit_due and call.coins.coin == "owned"
    return call.coins.is_shadow_due or is_audited


def _difference(seen: JoinedCall, wrong: tuple[bool, bool] | None, route: Route) -> float | None:
    """Y_owned - Y_provider of a pair; None where this call is none, or where its other side is missing.

    The owned side is the cascade: where it would leave the request to the provider, the difference is 0.
    """
    call, shadow = seen.call, seen.shadow
    if not _is_pair(call, route):
        return None
    if call.coins.is_shadow_due:
        is_left = shadow is not None and (shadow.error is not None or not _would_be_used(shadow, route))
    else:
        is_left = call.arm != "owned"
    if is_left:
        return 0.0
    return None if wrong is None else float(wrong[1]) - float(wrong[0])


def _would_be_used(shadow: Call, route: Route) -> bool:
    """Whether the cascade would have given this answer; a shadow without a threshold compares every answer."""
    return shadow.coins.owned is None or (route.threshold is None and shadow.coins.owned == "unsure")


def _is_decided(call: Call, route: Route) -> bool:
    """Whether the cascade, which the contract is about, decided who answers; for most calls by not being asked.

    A canary's coin is not thrown for a call about which no model is asked, so that none of these counts there. A proof
    was never about calls with a prompt that is new since.
    """
    owned = call.coins.owned
    if route.kind == "shadow" or owned == "new_prompt" or (owned == "unfit" and not _is_of_all(route)):
        return False
    return route.kind != "canary" or call.coins.coin == "owned"


def _is_valid(seen: JoinedCall, owned: ReadCall | None, route: Route) -> bool | None:
    """Whether the owned answer could be read by a client, also where that was found out before it was used."""
    beside = seen.shadow if seen.call.arm != "owned" else None
    said = (beside.coins.owned if beside else None) or seen.call.coins.owned
    if said in ("unacceptable", "cut"):
        return False
    if owned is None or said == "prefill":
        return None
    return is_acceptable(route.output_kind, _text(owned), owned.asked.response_format if owned.asked else None)


def _is_slow(call: Call, slow_ms: float | None) -> bool | None:
    """Whether the engine took too long over a local answer.

    A call that the provider answered in the engine's place says nothing of the model: the engine was not waited for
    any longer than the provider's own pace allows.
    """
    if call.arm != "owned" or slow_ms is None:
        return None
    return call.latency_ms - (call.gateway_ms or 0.0) > slow_ms


def _input(whole: Call | None, preparation: Preparation) -> str | None:
    if whole is None or whole.redaction == "deleted":
        return None
    asked = read_call(whole).asked
    messages = preparation.messages(asked) if asked is not None and asked.is_plain else None
    return None if messages is None else input_text(messages)


def _slices(whole: Call | None, owned: ReadCall | None, eye: ObservationContext) -> tuple[str, ...]:
    """The slices that a local answer lies in, as the proof and the gateway cut them."""
    if eye.shape is None or whole is None or owned is None or owned.asked is None:
        return ()
    messages = eye.preparation.messages(owned.asked)
    return () if messages is None else eye.shape.names(messages, _text(owned))
