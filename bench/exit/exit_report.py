"""The table of `exit.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freehold.terminal import say


def print_table(results: Sequence[dict[str, Any]]) -> None:
    """One block a data set; shares with their 95% interval and n."""
    for result in results:
        say("")
        if "error" in result:
            say(f"{result['data']}: {result['error']}")
            continue
        for name, text in _lines(result):
            say(f"  {name:<26}{text}")


def _lines(result: dict[str, Any]) -> list[tuple[str, str]]:
    examples = ", ".join(f"{count:,} {split}" for split, count in result["examples"].items())
    seconds = ", ".join(f"{stage} {value:,.0f} s" for stage, value in result["seconds"].items())
    lines = [
        ("data", f"{result['data']} (held out: {result['held_out']}, n={result['n_held_out']:,})"),
        ("examples", examples),
        ("wall time", seconds),
        ("trivial baselines", _baselines(result["sides"])),
        ("owned alone, exact", _share(result["owned_exact"])),
        ("verdict", result["verdict"]),
        ("coverage of the cascade", _share(result["coverage"])),
        ("realised risk", f"{_share(result['realised_risk'])}  contract {result['risk']:.1%}, {_kept(result)}"),
        ("cascade, exact", _share(result["cascade_exact"])),
        ("owned, per answer", f"{result['owned_tokens']} tokens, {result['owned_p50_ms']} ms (median)"),
        ("rented, per answer", f"{result['rented_tokens']} tokens, {result['rented_p50_ms']} ms (stand-in's)"),
    ]
    known = ("owned_exact", "coverage", "realised_risk", "cascade_exact")
    for name, value in result.items():
        if name not in known and isinstance(value, dict) and set(value) == {"share", "low", "high", "n"}:
            lines.append((name.replace("_", " "), _share(value)))
    return lines


def _share(value: dict[str, Any]) -> str:
    if value["share"] is None:
        return "unknown (n=0)"
    return f"{value['share']:.1%} [{value['low']:.1%}, {value['high']:.1%}], n={value['n']:,}"


def _kept(result: dict[str, Any]) -> str:
    return {True: "kept", False: "BROKEN", None: "nothing was moved"}[result["kept_contract"]]


def _baselines(value: object) -> str:
    """The proof's sides after the provider and the owned model, as they fared on the proof split."""
    if not isinstance(value, list) or len(value) < 3:
        return "none"
    return "; ".join(f"{side['name']} {side['share']:.1%} ({side['decision']})" for side in value[2:])
