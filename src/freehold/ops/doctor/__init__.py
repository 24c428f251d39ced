"""The doctor: looks at everything that a gateway rests on, changes nothing, and says what to do.

    machine     state folder and who can read it, disk, clock, port, open files, extras
    doors       who reaches the gateway, keys, the names that it goes by
    providers   can they be reached, is there a key, what do they offer
    record      the database and the journal
    workspace   models, each file by its hash, and datasets that routes and tasks name; the chain of receipts

Not covered: mending anything; what a running gateway measures of itself (`/metrics`, `/readyz`).
"""

from freehold.ops.doctor.examine import examine
from freehold.ops.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
