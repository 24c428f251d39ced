"""Watches a route after the move: evidence that stays valid at every look, as pure values without a clock or a store.

A driver makes a `Plan` and a `new_watch` for each version of a route, folds each settled call as an `Observation`
(`fold`) and each closed piece of feedback as an `Outcome` (`fold_feedback`), keeps `to_json`, does what `standing`
says, and passes `live_of` to the gateways.
"""

from freehold.watch.audits import audit_rate, weight_of
from freehold.watch.detector import Detector, new_detector, observe, observe_difference
from freehold.watch.drift import Drift, new_conformal_drift, new_probe_drift, observe_p, observe_probe, sign_of_change
from freehold.watch.feedback import Outcome, Word, outcomes
from freehold.watch.inputs import InputDrift, make_sketch, new_input_drift, observe_input
from freehold.watch.observation import Decision, Finished, Observation, RampTo, RollBack, Withhold
from freehold.watch.plan import Plan, tolerated_share
from freehold.watch.ramp import Ramp, new_ramp, observe_pair
from freehold.watch.staleness import Staleness, stale_reasons
from freehold.watch.succession import with_evidence, with_staleness
from freehold.watch.watcher import Watch, cursor_of, fold, fold_feedback, live_of, new_watch, standing
from freehold.watch.words import SLICE, evidence_words

__all__ = [
    "SLICE",
    "Decision",
    "Detector",
    "Drift",
    "Finished",
    "InputDrift",
    "Observation",
    "Outcome",
    "Plan",
    "Ramp",
    "RampTo",
    "RollBack",
    "Staleness",
    "Watch",
    "Withhold",
    "Word",
    "audit_rate",
    "cursor_of",
    "evidence_words",
    "fold",
    "fold_feedback",
    "live_of",
    "make_sketch",
    "new_conformal_drift",
    "new_detector",
    "new_input_drift",
    "new_probe_drift",
    "new_ramp",
    "new_watch",
    "observe",
    "observe_difference",
    "observe_input",
    "observe_p",
    "observe_pair",
    "observe_probe",
    "outcomes",
    "sign_of_change",
    "stale_reasons",
    "standing",
    "tolerated_share",
    "weight_of",
    "with_evidence",
    "with_staleness",
]
