"""The report's pictures with two axes: evidence, coverage against risk, the ramp.

Each takes the evidence of a verdict and gives a picture, or None where the evidence has nothing to draw. Not covered:
charts with one row per side or slice (`prove.report.dots`).
"""

from __future__ import annotations

import math

from freehold.model.evidence.decision import ComparedFigures, CurveFigures, PairedFigures
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.svg import Axis, Frame, Picture, count_axis, share_axis
from freehold.prove.report.words import amount, in_hundred, number, percent, rounded, share

_MOST_TICKS = 6
_NEAR = 0.2


def evidence_path(paired: PairedFigures | ComparedFigures | None, who: str = "users or sessions") -> Picture | None:
    """Evidence K on a log scale against the units bet on (`who`), with the goal that certifies."""
    if paired is None or not paired.log_wealth or paired.log_goal is None:
        return None
    path, goal = paired.log_wealth, paired.log_goal
    lowest = max(min(0.0, *(y for _, y in path)), -2.5 * goal)
    highest = max(goal * 1.15, min(max(y for _, y in path), goal * 1.6))
    ticks = ((goal, number(math.exp(goal))), *_powers(lowest, highest))
    x_axis = count_axis(path[-1][0], f"{who}, in the order drawn")
    frame = Frame(x_axis, Axis(lowest - 0.15, highest + 0.1, (), "evidence (log scale)"))
    frame = Frame(x_axis, Axis(frame.y.low, frame.y.high, frame.parted(ticks, keep=goal), frame.y.name))
    decided = paired.decided_at
    at = next((y for x, y in path if x == decided), None)
    body = [frame.line(_while_inside([(0.0, 0.0), *path], frame.y), "line-a"), frame.level(goal, "enough")]
    if decided is not None and at is not None:
        body.append(frame.mark(decided, at, f"shown after {number(decided)}"))
        says = f"The evidence reached its goal of {number(math.exp(goal))} after {number(decided)} {who}."
    else:
        says = (
            f"After {number(path[-1][0])} {who} the evidence stands at {_evidence(path[-1][1])};"
            f" {number(math.exp(goal))} would be enough."
        )
    legend = (("a", "evidence"), ("l", "enough of it"))
    return frame.picture("The evidence as it came in", says, body, legend=legend)


def coverage_risk(evidence: Evidence) -> Picture | None:
    """Share answered locally against the share wrong: the upper bound, what was seen, the contract, the choice."""
    cascade, n, risk = evidence.cascade, evidence.calls, evidence.settings.risk
    rows = sorted(
        (row.local, row.wrong, row.upper)
        for row in cascade.curve
        if row.local is not None and row.wrong is not None and row.upper is not None
    )
    if not rows or not n or risk is None:
        return None
    is_b = cascade.contract == "B" or evidence.contract == "B"
    uppers = [(local / n, upper) for local, _, upper in rows]
    seen = [(local / n, wrong / (max(local, 1) if is_b else n)) for local, wrong, _ in rows]
    tallest = max(risk * 1.6, min(max(y for _, y in uppers), risk * 5))
    name = "wrong, of those answered locally" if is_b else "share of calls answered locally and wrong"
    frame = Frame(share_axis(1.0, "share of calls answered locally", pieces=5), share_axis(tallest, name))
    seen, uppers = _while_inside(seen, frame.y), _while_inside(uppers, frame.y)
    body = [frame.area(seen, "area-b"), frame.line(seen, "line-b"), frame.line(uppers, "line-a")]
    if len(rows) == 1:
        body += [frame.dot(seen[0], "dot-b"), frame.dot(uppers[0], "dot-a")]
    chosen = cascade.chosen or CurveFigures()
    local, upper = chosen.local, chosen.upper
    body.append(frame.level(risk, f"contract: {percent(risk)}", is_left=(local or 0) > n / 2))
    if local is not None and upper is not None:
        is_used = evidence.outcome.scope == "cascade"
        name = f"{'chosen' if is_used else 'proven, not used'}: {share(local / n)}"
        body.append(frame.mark(local / n, upper, name, is_above=frame.y.part(risk) - frame.y.part(upper) > _NEAR))
        says = (
            f"At the {'chosen' if is_used else 'loosest proven'} threshold {share(local / n)} of calls are local, and"
            f" the bound there is {share(upper)}."
        )
    else:
        says = f"No threshold keeps the bound under the contract of {in_hundred(risk)} calls."
    legend = (("a", "upper bound"), ("b", "seen"), ("l", "contract"))
    return frame.picture("How much, at what risk", says, body, legend=legend)


def ramp(evidence: Evidence) -> Picture | None:
    """The share of traffic that a ramp would give the cascade, were live calls as the held-out ones, by pairs."""
    found = evidence.ramp
    if found is None:
        return None
    steps = []
    for row in found.steps:
        x, y, low, high = row.pairs, row.share, row.low, row.high
        if x is not None and y is not None and low is not None and high is not None:
            steps.append((x, y, low, high))
    harm, tends_to, lost = found.harm, found.tends_to, found.worse
    if len(steps) < 2 or harm is None or tends_to is None or lost is None:
        return None
    last = steps[-1][0]
    frame = Frame(count_axis(last, "pairs compared on live traffic"), share_axis(1.0, "share of calls moved"))
    band = [(x, low) for x, _, low, _ in steps] + [(x, high) for x, _, _, high in reversed(steps)]
    body = [frame.shape(band, "area-a"), frame.line([(x, y) for x, y, _, _ in steps], "line-a")]
    half, whole = found.pairs_until_half, found.pairs_until_all
    middle = f", half of the calls after about {rounded(half)} pairs" if half else ""
    if whole:
        end = f" and all after about {rounded(whole)}"
    elif tends_to < 1:
        body.append(frame.level(tends_to, f"no further than {tends_to:.0%}"))
        end = f" and never much more than {tends_to:.0%}"
    else:
        end = f" and {share(steps[-1][1])} after {number(last)}"
    says = (
        f"It starts at {share(steps[0][1])}{middle}{end}, where live calls are as the held-out ones: {share(lost)} of"
        f" them got an answer from the model that was not the provider's, which a ramp takes for harm. Of that it"
        f" allows {in_hundred(harm)} calls, at any time."
    )
    legend = (("a", "median of 100 runs"), ("band", "four in five of them"))
    return frame.picture("How a ramp would open", says, body, legend=legend)


def _evidence(log: float) -> str:
    """Evidence in words; what is next to nothing is not written out."""
    return "next to nothing" if log < math.log(0.001) else amount(math.exp(min(log, 30.0)))


def _while_inside(points: list[tuple[float, float]], axis: Axis) -> list[tuple[float, float]]:
    """The points up to where the line leaves the picture for good: it is not drawn along the edge."""
    last = next((i for i in range(len(points) - 1, -1, -1) if axis.low <= points[i][1] <= axis.high), -1)
    return points[: last + 2]


def _powers(lowest: float, highest: float) -> list[tuple[float, str]]:
    """Powers of ten between two logarithms, at most six of them."""
    first, last = math.ceil(lowest / math.log(10)), math.floor(highest / math.log(10))
    step = max(1, math.ceil((last - first + 1) / _MOST_TICKS))
    return [(power * math.log(10), f"{10.0**power:,g}") for power in range(first, last + 1) if power % step == 0]
