"""Fuzz the parsers for some minutes: `make fuzz MINUTES=5`, or `python -m fuzz.run --minutes 5 --seed 7`.

Each finding is written to a file beside, with the line that repeats it. Not covered: coverage guidance; the mutations
know the formats instead.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from fuzz.corpus import mutated
from fuzz.targets import TARGETS

_BATCH = 50


@dataclass
class Tally:
    """How often a target was run, and what it fell over."""

    executions: int = 0
    findings: int = 0


def fuzz(name: str, rng: Random, executions: int, tally: Tally) -> list[bytes]:
    """Run one target so often; returns the inputs that it fell over."""
    target, corpus_of = TARGETS[name]
    corpus = corpus_of(rng)
    found = []
    for _ in range(executions):
        data = mutated(rng, corpus)
        tally.executions += 1
        try:
            target(data, rng)
        except Exception:
            tally.findings += 1
            found.append(data)
            traceback.print_exc()
    return found


def main() -> int:
    """Fuzz until the time is over; exits 1 when anything was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    options.add_argument("--again", type=Path, help="run every target on this file, once")
    chosen = options.parse_args()
    if chosen.again:
        for target, _ in TARGETS.values():
            target(chosen.again.read_bytes(), Random(0))
        return 0
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes", file=sys.stderr)
    tallies = {name: Tally() for name in TARGETS}
    until = time.monotonic() + 60 * chosen.minutes
    rng = Random(chosen.seed)
    while time.monotonic() < until:
        for name, tally in tallies.items():
            for data in fuzz(name, rng, _BATCH, tally):
                path = Path(f"fuzz-{name}-{sha256(data).hexdigest()[:12]}.bin")
                path.write_bytes(data)
                print(f"found: python -m fuzz.run --again {path}", file=sys.stderr)
    for name, tally in tallies.items():
        print(f"{name:<10} {tally.executions:>12,} executions   {tally.findings} findings")
    return min(1, sum(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
