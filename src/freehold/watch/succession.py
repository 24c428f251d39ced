"""What of a watch goes on when its route gets another version; `fresh` is that version's watch, which has seen nothing.

Not covered: telling which case it is (a driver's work).
"""

from __future__ import annotations

from dataclasses import replace

from freehold.watch.watcher import Watch


def with_evidence(w: Watch, fresh: Watch) -> Watch:
    """All evidence, as far as it is still watched: the version differs by what evidence itself decided.

    Valid, as what a detector holds against is the same before and after. Its patience stays what it was, too: of J
    slices each has J times the route's, also when one of them is withheld.
    """
    known = {d.name: d for d in w.detectors}
    return replace(
        w,
        route_version=fresh.route_version,
        plan=fresh.plan,
        detectors=tuple(known.get(d.name, d) for d in fresh.detectors),
        ramp=w.ramp if fresh.ramp is not None else None,
    )


def with_staleness(w: Watch, fresh: Watch) -> Watch:
    """What made the verdict stale: the version rests on the same one, and a verdict does not become fresh by moving."""
    return replace(fresh, staleness=w.staleness, inputs=w.inputs or fresh.inputs)
