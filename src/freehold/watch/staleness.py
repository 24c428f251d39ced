"""Why the evidence behind a route is no longer what it was, in words.

Four reasons: the task's calls no longer fit the template that was proven (a detector on the share that does not), the
provider's model answers under a name or a system fingerprint that the proof never saw, inputs drifted, and the newest
call that the evidence rests on is older than `valid_days`. A new name counts once it has answered `SURE_NAMES` calls, a
new fingerprint `SURE_FINGERPRINTS` (a provider that rolls them over shows several; none at the proof means none is
compared).

Stale evidence takes no traffic back: it is shown, and raises the audit rate, and audits see harm if there is any.
Checkable: 5 answers of `gpt-5` where the proof saw `gpt-4o` are a reason, 4 are none.

Not covered: the drift of inputs itself (`watch.inputs`); a rented model that changes under the same name
(`watch.drift`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from freehold.watch import state
from freehold.watch.detector import Detector, new_detector, observe, recent_harm
from freehold.watch.inputs import InputDrift
from freehold.watch.plan import Plan

SURE_NAMES = 5
SURE_FINGERPRINTS = 20
DAY_S = 86_400.0
_MOST_NEW = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """What was seen that the proof had not: names and fingerprints with their counts, calls that do not fit."""

    new_models: tuple[tuple[str, int], ...] = ()
    new_fingerprints: tuple[tuple[str, int], ...] = ()
    form: Detector | None = None

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object."""
        return {
            "new_models": [list(pair) for pair in self.new_models],
            "new_fingerprints": [list(pair) for pair in self.new_fingerprints],
            "form": self.form.to_json() if self.form else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Staleness:
        """The state again; ValueError where it is none."""
        form = document.get("form")
        return cls(
            new_models=tuple(_pair(value) for value in state.array(document, "new_models")),
            new_fingerprints=tuple(_pair(value) for value in state.array(document, "new_fingerprints")),
            form=None if form is None else Detector.from_json(state.part(form, "form")),
        )


def new_staleness(plan: Plan) -> Staleness:
    """Nothing seen yet."""
    if plan.misfit is None:
        return Staleness()
    return Staleness(form=new_detector("template", tolerated=plan.misfit, patience=plan.call_patience))


def observe_call(s: Staleness, plan: Plan, *, model: str | None, fingerprint: str | None, fits: bool) -> Staleness:
    """One more call; once the template has changed, its evidence stays as it was then.

    The provider's model and fingerprint (None: not asked, or not said), and whether it fits.
    """
    models, fingerprints = s.new_models, s.new_fingerprints
    if model and plan.models and model not in plan.models:
        models = _counted(models, model)
    if fingerprint and plan.fingerprints and fingerprint not in plan.fingerprints:
        fingerprints = _counted(fingerprints, fingerprint)
    form = s.form if s.form is None or s.form.alarm else observe(s.form, float(not fits))
    return replace(s, new_models=models, new_fingerprints=fingerprints, form=form)


def stale_reasons(s: Staleness, plan: Plan, inputs: InputDrift | None, *, now: float) -> tuple[str, ...]:
    """Each reason as one sentence with its figures; none while the evidence holds."""
    found = []
    if s.form is not None and s.form.alarm:
        harm, calls = recent_harm(s.form)
        found.append(f"template changed: {harm:.0f} of {calls} calls in a row did not fit the one that was proven")
    for name, calls in s.new_models:
        if calls >= SURE_NAMES:
            found.append(f"rented model changed: {name!r} answers now, the proof saw {_listed(plan.models)}")
    if fresh := [calls for _, calls in s.new_fingerprints if calls >= SURE_FINGERPRINTS]:
        found.append(f"rented model changed: {sum(fresh)} answers with a system fingerprint that the proof never saw")
    if inputs is not None and inputs.alarm:
        found.append(f"inputs drifted: noticed after {inputs.drift.observed:,} live calls")
    if plan.valid_days is not None and now - plan.evidence_at > plan.valid_days * DAY_S:
        age = (now - plan.evidence_at) / DAY_S
        found.append(f"evidence is old: its newest call came {age:.0f} days ago, valid for {plan.valid_days:g}")
    return tuple(found)


def _counted(pairs: tuple[tuple[str, int], ...], name: str) -> tuple[tuple[str, int], ...]:
    """One more of `name`; of more than a few new names the rarest, oldest one goes."""
    known = dict(pairs)
    if name not in known and len(known) >= _MOST_NEW:
        del known[min(known, key=lambda one: known[one])]
    known[name] = known.get(name, 0) + 1
    return tuple(known.items())


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(repr(name) for name in shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def _pair(value: object) -> tuple[str, int]:
    match value:
        case [str(name), int(calls)] if calls > 0 and not isinstance(calls, bool):
            return name, calls
        case _:
            raise ValueError(f"{value!r} is not a name with its count")
