"""What chance decides about a request of a moved task, before anybody is asked.

One coin says whether the cascade may answer (a canary's share), one whether an answer of the provider gets a shadow,
one whether a local answer is audited. All are thrown before any answer is known and kept with the call, so that a
shadow or an audit that never came is known to be missing, and with the probability that it was to come.

Not covered: who acts on it (`gateway.app`), what is made of it (`freehold.watch`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from freehold.model.assignment import Assignment
from freehold.model.coins import DUE, NEW_PROMPT, Coins


def throw_coins(assignment: Assignment, draw: Callable[[], float]) -> Assignment:
    """The assignment with what chance decided; `draw` gives random numbers in [0, 1)."""
    route, new = assignment.route, assignment.new_prompt
    coin: Literal["owned", "rented"] | None = None
    is_local, propensity = route.kind != "shadow", 1.0
    rate = route.audit_rate if is_local and route.audit_rate > 0 else None
    if route.kind == "canary":
        is_local = draw() < assignment.share
        propensity = assignment.share if is_local else 1.0 - assignment.share
        coin = "owned" if is_local else "rented"
    if is_local:
        audit = DUE if draw() < route.audit_rate else None
        return replace(assignment, propensity=propensity, coins=Coins(audit_rate=rate, coin=coin, audit=audit))
    coins = Coins(
        audit_rate=rate,
        coin=coin,
        shadow=DUE if draw() < route.shadow_rate else None,
        owned=NEW_PROMPT if new is not None else None,
        new_prompt=new.number if new is not None else None,
    )
    return replace(assignment, is_local=False, propensity=propensity, coins=coins)
