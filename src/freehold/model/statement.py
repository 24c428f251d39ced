"""What receipts say: a verdict, a change of a route, or what live evidence set on one, with all that it rests on.

A receipt can never be deleted, so it holds figures and hashes and no text of a call: of evidence only numbers and names
are kept, and long lists and long texts become their count and their SHA-256. Nor does it hold paths, which change when
a backup is restored. Not covered: sealing (`model.receipt`), gathering what is stated (`store.receipts`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from freehold.model.dataset import Manifest
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.live import Live
from freehold.model.model_card import ModelCard
from freehold.model.route import Route
from freehold.model.verdict import Verdict

FORM = 1
PASSING = frozenset({"facts", "speed", "savings"})
"""Figures that may differ when the same proof is run again: clocks, prices and traffic of the day."""
_MOST_ITEMS = 32
_LONGEST_TEXT = 1000
_SHOWN_CHARS = 64
_WORDS = frozenset({"name", "decision", "scope", "reason", "task", "kind", "contract"})
"""The fields of evidence whose text is Freehold's own or a name; every other text in it may be of a call."""
_VERDICT_ELSEWHERE = frozenset({"task_id", "evidence", "report_path", "created_at", "answers"})
_ROUTE_ELSEWHERE = frozenset({"task_id", "template", "model_path"})

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What stands around a decision: the task's name, the model's card, the code that ran, and whose account it was."""

    task: str | None
    model: ModelCard | None
    code: Mapping[str, str]
    account: str
    more: Mapping[str, object] = field(default_factory=dict)


def state_verdict(verdict: Verdict, setting: Setting, manifest: Manifest | None, report: Mapping[str, str]) -> Document:
    """What the receipt of a verdict says; `report` gives the SHA-256 of the report's files by name."""
    settings = verdict.evidence.get("settings")
    return {
        "form": FORM,
        "task": setting.task,
        "verdict": stated(verdict),
        "made_at": _plain(verdict.created_at, has_words=True),
        "settings": _plain(settings, has_words=True) if isinstance(settings, dict) else {},
        "figures": figures(verdict.evidence),
        "evidence_sha256": sha256_hex(canonical_json(verdict.evidence)),
        "dataset": _dataset(verdict.dataset_hash, manifest),
        "model": _model(verdict.model_id, setting.model),
        "answers": _plain(verdict.answers, has_words=True),
        "report": dict(sorted(report.items())),
        "decided_by": "proof",
        "account": setting.account,
        "code": dict(setting.code),
    }


def state_route(route: Route, setting: Setting, before: Route, verdict_receipt: str | None) -> Document:
    """What the receipt of a route says; `before` is the route that it replaces, `verdict_receipt` is N:HASH."""
    return {
        "form": FORM,
        "task": setting.task,
        "route": stated(route),
        "before": {"version": before.version, "kind": before.kind, "model_id": before.model_id},
        "model": _model(route.model_id, setting.model) if route.model_id else None,
        "verdict_receipt": verdict_receipt,
        "decided_by": route.decided_by,
        "account": setting.account,
        "code": dict(setting.code),
    }


def state_watch(
    route: Route, setting: Setting, told: Live, now: Live, seen: Mapping[str, object], verdict_receipt: str | None
) -> Document:
    """What the receipt of a step of the watch says; `seen` are the figures that it was taken on."""
    return {
        "form": FORM,
        "task": setting.task,
        "watch": _live(now),
        "before": _live(told),
        "figures": figures(seen),
        "route": {"version": route.version, "kind": route.kind, "verdict_id": route.verdict_id},
        "model": _model(route.model_id, setting.model) if route.model_id else None,
        "verdict_receipt": verdict_receipt,
        "decided_by": "watch",
        "account": setting.account,
        "code": dict(setting.code),
    }


def stated(value: Verdict | Route) -> Document:
    """What a receipt keeps of a verdict or a route itself, and what both are compared by later.

    When figures of live traffic were expected is left out: it is another time when the same proof is run again.
    """
    elsewhere = _VERDICT_ELSEWHERE if isinstance(value, Verdict) else _ROUTE_ELSEWHERE
    kept = {name: item for name, item in asdict(value).items() if name not in elsewhere}
    kept["expected"] = {name: item for name, item in value.expected.items() if name != "created_at"}
    if isinstance(value, Route):
        kept["template_sha256"] = sha256_hex(canonical_json(value.template))
    plain: Document = _plain(kept, has_words=True)
    return plain


def figures(evidence: Mapping[str, object]) -> Document:
    """The figures of a verdict's evidence: numbers, intervals, names; no text of a call."""
    plain: Document = _plain(dict(evidence), has_words=False)
    return plain


def agrees(said: object, value: Verdict | Route) -> bool:
    """Whether what a receipt says of a verdict or a route is what is now known of it; newer fields do not count.

    Of a verdict, its figures belong to that, as they are what pages show.
    """
    if not isinstance(said, dict):
        return False
    kept, now = said.get("verdict" if isinstance(value, Verdict) else "route"), stated(value)
    is_same = isinstance(kept, dict) and all(now[name] == item for name, item in kept.items() if name in now)
    return is_same and (isinstance(value, Route) or has_same_figures(said.get("figures"), figures(value.evidence)))


def is_same_proof(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two statements are of one proof that was run again and came out the same."""
    fields = ("task", "verdict", "settings", "dataset", "model", "code")
    return all(one.get(name) == other.get(name) for name in fields) and has_same_figures(
        one.get("figures"), other.get("figures")
    )


def has_same_figures(one: object, other: object) -> bool:
    """Whether two sets of figures are equal but for what passes."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    names = (one.keys() | other.keys()) - PASSING
    return all(one.get(name) == other.get(name) for name in names)


def headline(document: Mapping[str, Any]) -> str:
    """What a receipt says, in a few words."""
    verdict, route, watch, before = (document.get(name) for name in ("verdict", "route", "watch", "before"))
    before = before if isinstance(before, dict) else {}
    if isinstance(verdict, dict):
        decision = verdict.get("decision")
        more = f"{verdict.get('need')} more {verdict.get('need_of', 'calls')}"
        words = f"need {more}" if decision == "need" else str(decision)
        local = f", {_share(verdict.get('coverage'))} local" if decision == "move" else ""
        return f"{words}{local}, model {verdict.get('model_id')}"
    if isinstance(watch, dict):
        return ", ".join(watch_words(before, watch)) or "unknown"
    if isinstance(route, dict):
        reason = f": {route['reason']}" if route.get("reason") else ""
        return f"{before.get('kind')} -> {route.get('kind')}, version {route.get('version')}{reason}"
    return "unknown"


def watch_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What the watch changed, in a few words each. Example: `ramp 2% -> 4%`, `audits 5% -> 15%`, `stale: ...`."""
    rates = (("ramp", "share"), ("audits", "audit_rate"))
    found = [
        f"{name} {_share(before.get(key))} -> {_share(now.get(key))}"
        for name, key in rates
        if before.get(key) != now.get(key)
    ]
    stale, was = (said if isinstance(said := values.get("stale"), list) else [] for values in (now, before))
    found += [f"stale: {reason}" for reason in stale if reason not in was]
    return found if stale or not was else [*found, "no longer stale"]


def _live(live: Live) -> Document:
    plain: Document = _plain({"share": live.share, "audit_rate": live.audit_rate, "stale": live.stale}, has_words=True)
    return plain


def _dataset(dataset_hash: str, manifest: Manifest | None) -> Document:
    if manifest is None:
        return {"hash": dataset_hash}
    kept = {
        "hash": dataset_hash,
        "files": manifest.files,
        "counts": manifest.counts,
        "cutoff_at": manifest.cutoff_at,
        "calls_seen": manifest.calls_seen,
        "corrected": manifest.corrected,
        **{name: counts for name, counts in _set_aside(manifest).items() if counts},
    }
    plain: Document = _plain(kept, has_words=True)
    return plain


def _set_aside(manifest: Manifest) -> Document:
    """What became of the calls that nothing could be learnt from: held out all the same, or not to be spoken of."""
    return {"aside": manifest.aside, "unspoken": manifest.unspoken, "kinds": manifest.kinds}


def _model(model_id: str, card: ModelCard | None) -> Document:
    if card is None:
        return {"id": model_id}
    kept = {
        "id": model_id,
        "files": card.files,
        "base": card.base,
        "base_sha256": card.base_sha256,
        "dataset_hash": card.dataset_hash,
        "recipe": card.recipe,
        "seed": card.seed,
    }
    plain: Document = _plain(kept, has_words=True)
    return plain


def _plain(value: Any, *, has_words: bool) -> Any:
    """A value as JSON that may be kept for ever; without words, texts are left out but for those of `_WORDS`."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return _text(value)
        case dict():
            return {
                _clean(str(name)): _plain(item, has_words=has_words)
                for name, item in value.items()
                if has_words or name in _WORDS or not isinstance(item, str)
            }
        case list() | tuple():
            return _list(list(value), has_words=has_words)
        case _:
            return _text(str(value))


def _list(items: list[Any], *, has_words: bool) -> Any:
    is_wordy = not has_words and any(isinstance(item, str) for item in items)
    if len(items) > _MOST_ITEMS or is_wordy:
        return {"items": len(items), "sha256": sha256_hex(canonical_json(items))}
    return [
        _numbers(item) if isinstance(item, dict) and not has_words else _plain(item, has_words=has_words)
        for item in items
    ]


def _numbers(row: Mapping[str, object]) -> Document:
    """The numbers of a row, and what it is called."""
    kept = {name: item for name, item in row.items() if isinstance(item, bool | int | float) or name == "name"}
    plain: Document = _plain(kept, has_words=False)
    return plain


def _text(text: str) -> object:
    if len(text) <= _LONGEST_TEXT:
        return _clean(text)
    return {"characters": len(text), "begins": _clean(text[:_SHOWN_CHARS]), "sha256": sha256_hex(text)}


def _clean(text: str) -> str:
    """Text without half surrogate pairs, which no database takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _share(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, float) else "unknown"
