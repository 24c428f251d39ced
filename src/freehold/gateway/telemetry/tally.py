"""The tally: what the delivery knows of calls and the gateway does not: their tokens and their cost.

It is shown on the metrics page as the figures of one more process (`gateway.telemetry.metrics`). A batch that is
delivered again after a crash counts again here, though it is in the record once. Not covered: the delivery itself
(`freehold.record`).
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.gateway.telemetry.meter import NOBODY, Meter
from freehold.model.call import Call


def count_delivered(meter: Meter, calls: Sequence[Call]) -> None:
    """Count a batch that was delivered; unknown tokens and costs count nothing."""
    for call in calls:
        labels = (meter.task_label(call.task_id or call.task_key), call.provider or NOBODY, call.arm)
        meter.add("freehold_recorded_calls", labels)
        for direction, tokens in (("input", call.input_tokens), ("output", call.output_tokens)):
            if tokens is not None:
                meter.add("freehold_tokens", (*labels, direction), tokens)
        if call.cost_usd is not None:
            meter.add("freehold_cost_usd", labels, call.cost_usd)
