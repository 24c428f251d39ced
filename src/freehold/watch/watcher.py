"""Watches one version of a route: folds settled calls, one by one, into evidence, and says what follows from it.

    contract   audits against the proven risk (inverse-propensity weights)      patience in audits
    harm       pairs against the margin, where both sides are scored            patience in pairs
    validity, refusals, latency, feedback   local answers against tolerated shares   patience in calls
    slice:...  audits of one slice's local answers, against what it may bear    J times the patience, for J slices
    ramp       pairs to the share that a canary may answer
    inputs, staleness   whether the proof still speaks of this traffic

A pure value: no clock, no store. What follows is a property of the value (`standing`), not an event that could be lost:
a process that dies between keeping a watch and acting on it finds the same decision again. Calls go in in request order
(`created_at`, id) as far as they are settled; one call counts once (the last `REMEMBERED` ids are known; the caller's
cursor does the rest); one that comes late, after a clock jumped say, counts when it comes, as its lateness owes nothing
to its outcome; one whose figures are none is counted in `unusable` and changes nothing else.

Not covered: probes of the rented endpoint (`watch.drift`), deciding the plan, changing the route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from freehold.errors import StateError
from freehold.model.ids import sha256_hex
from freehold.model.live import Live
from freehold.watch import state
from freehold.watch.audits import audit_rate, weight_of
from freehold.watch.detector import Detector, new_detector, observe, observe_difference
from freehold.watch.feedback import Outcome, harm_of
from freehold.watch.inputs import InputDrift, new_input_drift, observe_input
from freehold.watch.observation import Decision, Finished, Observation, RampTo, Withhold
from freehold.watch.plan import Plan
from freehold.watch.ramp import Ramp, new_ramp, observe_pair
from freehold.watch.staleness import Staleness, new_staleness, observe_call, stale_reasons
from freehold.watch.words import SLICE, roll_back, slice_words

REMEMBERED = 1024
_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """All evidence on one version of a route. `cursor` names the newest call folded; `feedback_cursor` likewise."""

    task_id: str
    route_version: int
    plan: Plan
    detectors: tuple[Detector, ...]
    ramp: Ramp | None = None
    inputs: InputDrift | None = None
    staleness: Staleness
    cursor: str = ""
    feedback_cursor: str = ""
    calls: int = 0
    local: int = 0
    audited: int = 0
    missing: int = 0
    repeated: int = 0
    unusable: int = 0
    recent: tuple[str, ...] = ()
    recent_feedback: tuple[str, ...] = ()

    @property
    def evidence(self) -> float:
        """The most evidence of harm, on the scale of audits (out of `plan.patience`)."""
        return max((d.evidence * self.plan.patience / d.patience for d in self.detectors), default=0.0)

    def detector(self, name: str) -> Detector | None:
        """The detector of this name, if there is one."""
        return next((d for d in self.detectors if d.name == name), None)

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object; `from_json` gives the same value again."""
        return {
            "task_id": self.task_id,
            "route_version": self.route_version,
            "plan": self.plan.to_json(),
            "detectors": [d.to_json() for d in self.detectors],
            "ramp": self.ramp.to_json() if self.ramp else None,
            "inputs": self.inputs.to_json() if self.inputs else None,
            "staleness": self.staleness.to_json(),
            "cursor": self.cursor,
            "feedback_cursor": self.feedback_cursor,
            "calls": self.calls,
            "local": self.local,
            "audited": self.audited,
            "missing": self.missing,
            "repeated": self.repeated,
            "unusable": self.unusable,
            "recent": list(self.recent),
            "recent_feedback": list(self.recent_feedback),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Watch:
        """The state again, exactly; StateError where it is damaged."""
        try:
            return _from_json(document)
        except ValueError as error:
            hint = "`freehold back TASK` returns the traffic; moving again starts a fresh watch."
            raise StateError(f"A watch that was kept cannot be read: {error}.", hint=hint) from error


def new_watch(
    task_id: str,
    route_version: int,
    plan: Plan,
    *,
    sketch: Mapping[str, object] | None = None,
    cursor: str = "",
    feedback_cursor: str = "",
) -> Watch:
    """A watch that has seen nothing; `sketch` is that of `watch.inputs`. ValueError for a plan or sketch that is none.

    Not JSON's business: `sketch` empty or None means that inputs are not compared.
    """
    wanted = (
        ("contract", plan.risk, plan.patience),
        ("harm", plan.margin, plan.patience),
        ("validity", plan.invalid, plan.call_patience),
        ("refusals", plan.refused, plan.call_patience),
        ("latency", plan.slow, plan.call_patience),
        ("feedback", plan.bad, plan.call_patience),
    )
    return Watch(
        task_id=task_id,
        route_version=route_version,
        plan=plan,
        detectors=tuple(
            new_detector(name, tolerated=tolerated, patience=patience)
            for name, tolerated, patience in (*wanted, *_of_slices(plan))
            if tolerated is not None
        ),
        ramp=None if plan.harm is None else new_ramp(harm=plan.harm, alpha=plan.alpha),
        inputs=new_input_drift(sketch, patience=plan.call_patience) if sketch else None,
        staleness=new_staleness(plan),
        cursor=cursor,
        feedback_cursor=feedback_cursor,
    )


def _of_slices(plan: Plan) -> list[tuple[str, float, float]]:
    """A detector for each slice. Of J at J times the patience one alarms as seldom by mistake as a single one would."""
    return [(SLICE + name, share, len(plan.slices) * plan.patience) for name, share in plan.slices]


def fold(w: Watch, o: Observation) -> tuple[Watch, Decision | None]:
    """The watch with one more call, and what changed by it: a step of the ramp, or what stands (`standing`)."""
    if _short(o.call_id) in w.recent:
        return replace(w, repeated=w.repeated + 1), standing(w)
    seen = _remember(w, o)
    try:
        seen = _folded(seen, o)
    except ValueError:
        seen = replace(seen, unusable=seen.unusable + 1)
    stands = standing(seen)
    if stands is None and w.ramp and seen.ramp and seen.ramp.share > w.ramp.share:
        return seen, RampTo(share=seen.ramp.share)
    return seen, stands


def fold_feedback(w: Watch, outcome: Outcome) -> tuple[Watch, Decision | None]:
    """The watch with the feedback on one local call whose horizon has closed (see `watch.feedback`)."""
    short = _short(outcome.call_id)
    if short in w.recent_feedback:
        return replace(w, repeated=w.repeated + 1), standing(w)
    detectors = _observed(w.detectors, "feedback", harm_of(outcome.is_good))
    cursor = max(w.feedback_cursor, cursor_of(outcome.created_at, outcome.call_id))
    recent = (*w.recent_feedback, short)[-REMEMBERED:]
    seen = replace(w, detectors=detectors, feedback_cursor=cursor, recent_feedback=recent)
    return seen, standing(seen)


def standing(w: Watch) -> Decision | None:
    """What follows from the evidence as it stands; None: nothing. The same however often it is asked."""
    alarmed = [d for d in w.detectors if d.alarm]
    slices = [d for d in alarmed if d.name.startswith(SLICE)]
    for d in alarmed:
        if d not in slices:
            return roll_back(d, w.plan.contract)
    if slices:
        names = tuple(d.name.removeprefix(SLICE) for d in slices)
        return Withhold(slices=names, reason="; ".join(slice_words(d) for d in slices))
    if w.ramp is not None and w.ramp.is_finished:
        return Finished(pairs=w.ramp.pairs, low=w.ramp.low)
    return None


def live_of(w: Watch, *, now: float, also: tuple[str, ...] = ()) -> Live:
    """What running gateways follow now: share, audit rate, and why the evidence is stale, `also` for these reasons."""
    stale = stale_reasons(w.staleness, w.plan, w.inputs, now=now) + also
    factor = w.plan.stale_factor if stale else 1.0
    return Live(
        task_id=w.task_id,
        route_version=w.route_version,
        share=w.ramp.share if w.ramp else 1.0,
        audit_rate=audit_rate(w.plan.base_rate, w.evidence, stale_factor=factor),
        stale=stale,
    )


def cursor_of(created_at: float, call_id: str) -> str:
    """A place in request order, as a text that sorts like it. Example: `001760000000.250000 0199...`."""
    return f"{max(0.0, state.as_number(created_at, 'created_at')):019.6f} {call_id}"


def _remember(w: Watch, o: Observation) -> Watch:
    try:
        cursor = max(w.cursor, cursor_of(o.created_at, o.call_id))
    except ValueError:
        cursor = w.cursor
    recent = (*w.recent, _short(o.call_id))[-REMEMBERED:]
    return replace(w, cursor=cursor, recent=recent, calls=w.calls + 1, local=w.local + o.is_local)


def _folded(w: Watch, o: Observation) -> Watch:
    state.as_number(o.created_at, "created_at")
    detectors = _with_contract(w, o)
    if o.is_local and o.propensity is not None:
        detectors = _with_slices(w, detectors, o)
    for name, harm in (("validity", _not(o.is_valid)), ("refusals", o.is_refusal), ("latency", o.is_slow)):
        if harm is not None:
            detectors = _observed(detectors, name, float(harm))
    ramp = w.ramp
    if o.difference is not None or o.is_pair_due:
        detectors = tuple(observe_difference(d, o.difference) if d.name == "harm" else d for d in detectors)
        ramp = ramp and observe_pair(ramp, o.difference)
    inputs = w.inputs
    if inputs is not None and o.input_text is not None and o.fits_template:
        inputs = observe_input(inputs, o.input_text, o.call_id)
    is_due = o.is_local and o.propensity is not None
    return replace(
        w,
        detectors=detectors,
        ramp=ramp,
        inputs=inputs,
        staleness=observe_call(
            w.staleness, w.plan, model=o.model_answered, fingerprint=o.system_fingerprint, fits=o.fits_template
        ),
        audited=w.audited + (is_due and o.loss is not None),
        missing=w.missing + (is_due and o.loss is None),
    )


def _with_contract(w: Watch, o: Observation) -> tuple[Detector, ...]:
    """The contract's detector with this call: its weight is k / q with k the rate in force (`watch.detector`)."""
    least = w.plan.base_rate if o.audit_rate is None else state.within(o.audit_rate, 0, 1, "audit_rate")
    if o.is_local and o.propensity is not None:
        return _observed(w.detectors, "contract", o.loss, weight=weight_of(o.propensity, least))
    if w.plan.contract == "A" and not o.is_local and o.is_decided and least > 0:
        return _observed(w.detectors, "contract", 0.0, weight=least, is_told=False)
    return w.detectors


def _with_slices(w: Watch, detectors: tuple[Detector, ...], o: Observation) -> tuple[Detector, ...]:
    """The slices' detectors with an audited call; local calls alone are their units."""
    least = w.plan.base_rate if o.audit_rate is None else o.audit_rate
    weight = weight_of(o.propensity or 0.0, least)
    for name in o.slices:
        detectors = _observed(detectors, SLICE + name, o.loss, weight=weight)
    return detectors


def _observed(
    detectors: tuple[Detector, ...], name: str, loss: float | None, *, weight: float = 1.0, is_told: bool = True
) -> tuple[Detector, ...]:
    return tuple(observe(d, loss, weight=weight, is_told=is_told) if d.name == name else d for d in detectors)


def _short(call_id: str) -> str:
    return sha256_hex(call_id)[:_DIGEST_CHARS]


def _not(claim: bool | None) -> bool | None:
    return None if claim is None else not claim


def _from_json(document: Mapping[str, object]) -> Watch:
    ramp, inputs = document.get("ramp"), document.get("inputs")
    return Watch(
        task_id=state.text(document, "task_id"),
        route_version=state.count(document, "route_version"),
        plan=Plan.from_json(state.part(document.get("plan"), "plan")),
        detectors=tuple(Detector.from_json(state.part(d, "a detector")) for d in state.array(document, "detectors")),
        ramp=None if ramp is None else Ramp.from_json(state.part(ramp, "ramp")),
        inputs=None if inputs is None else InputDrift.from_json(state.part(inputs, "inputs")),
        staleness=Staleness.from_json(state.part(document.get("staleness"), "staleness")),
        cursor=state.text(document, "cursor"),
        feedback_cursor=state.text(document, "feedback_cursor"),
        calls=state.count(document, "calls"),
        local=state.count(document, "local"),
        audited=state.count(document, "audited"),
        missing=state.count(document, "missing"),
        repeated=state.count(document, "repeated"),
        unusable=state.count(document, "unusable"),
        recent=state.texts(document, "recent"),
        recent_feedback=state.texts(document, "recent_feedback"),
    )
