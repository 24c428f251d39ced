"""What probes are told: `/healthz`, whether the process is up, and `/readyz`, whether it should be sent traffic.

Probes are told to everybody, so they say nothing of anybody: the words of a problem are for those who may look.

Not covered: finding out; the gateway hands in what it knows. A database that is away does not make a gateway unready,
because calls wait in the journal, and neither does an engine that is left alone, because providers answer its calls.
Both are said all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freehold.dialects.values import dump

HEALTHY = dump({"status": "ok"})
PROBES = (b"/healthz", b"/readyz")


def is_probe(target: bytes) -> bool:
    """Whether this is the path of a probe, which asks for no key and goes by whatever name a load balancer has."""
    return target.partition(b"?")[0] in PROBES


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What a gateway knows of itself; a problem is None where there is none.

    `knows_routes` is False until tasks and routes were read once: until then every call goes to its provider.
    `connections` are open, of `most_connections`; `is_crowded` holds while some are turned away for want of room.
    `delivery_lag_s` is how long the first call that waits for the database has waited; it makes no gateway unready.
    """

    journal_problem: str | None = None
    is_full: bool = False
    is_stopping: bool = False
    providers: int = 0
    knows_routes: bool = True
    database_problem: str | None = None
    delivery_lag_s: float = 0.0
    engine_problem: str | None = None
    connections: int = 0
    most_connections: int = 0
    is_crowded: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether calls should be sent here."""
        return not self.is_stopping and not self.is_full and self.journal_problem is None and self.providers > 0

    def reply(self, *, is_whole: bool = True) -> tuple[int, bytes]:
        """Status and JSON body of `/readyz`; without the words of any problem where it is not told whole."""
        if not is_whole:
            return self._coarse().reply()
        routes = "known" if self.knows_routes else "not known yet; providers answer every call"
        said = {
            "status": "ready" if self.is_ready else "stopping" if self.is_stopping else "not ready",
            "journal": self.journal_problem or ("full" if self.is_full else "ok"),
            "providers": self.providers,
            "routes": routes,
            "database": self.database_problem or "ok",
            "delivery_lag_s": round(self.delivery_lag_s, 1),
            "engines": self.engine_problem or "ok",
            "connections": f"{'full' if self.is_crowded else 'ok'}, {self.connections} of {self.most_connections}",
        }
        return (200 if self.is_ready else 503), dump(said)

    def _coarse(self) -> Readiness:
        """The same for whoever asks: a problem's own words may name a server, a path or an account."""
        return replace(
            self,
            journal_problem=self.journal_problem and "failing",
            database_problem=self.database_problem and "away",
            engine_problem=self.engine_problem and "not as they should be",
        )
