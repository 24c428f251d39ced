#!/usr/bin/env bash
# McNemar's test finds two systems that never differed different beyond all doubt.
#
# Version: statsmodels 0.15.0 (numpy and scipy as it brings them).
# Expected: where 300 calls have no discordant pair, the evidence of a difference is none: p = 1, or an error.
# Seen: `mcnemar(table, exact=False)`, whose continuity correction is on by default, gives statistic inf and p = 0, with
#     no more than a RuntimeWarning of numpy's. The correction of 1 is subtracted from a difference of 0 too: with 3 against
#     3 discordant pairs p is 0.68, and 1 without it. `exact=True` gives 1 in both.
# For us: an owned model that copies the provider perfectly is the best case of a proof. A report that checks ours with
#     this call would say "certainly different". Our test asks whether the model is worse by more than the margin, and
#     without a discordant pair it shows that it is not. Held by tests/prove/test_prove_betting.py.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check statsmodels==0.15.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import sys

from statsmodels.stats.contingency_tables import mcnemar

EXPECTED = {
    "no discordant pair, asymptotic": 0.0,
    "no discordant pair, exact": 1.0,
    "3 against 3, asymptotic": 0.683,
    "3 against 3, asymptotic, no correction": 1.0,
    "3 against 3, exact": 1.0,
}
EQUAL = [[280, 0], [0, 20]]
EVEN = [[277, 3], [3, 17]]


def p_of(table: list[list[int]], **how: bool) -> float:
    """The p-value of the test, to three digits."""
    return round(float(mcnemar(table, **how).pvalue), 3)


seen = {
    "no discordant pair, asymptotic": p_of(EQUAL, exact=False),
    "no discordant pair, exact": p_of(EQUAL, exact=True),
    "3 against 3, asymptotic": p_of(EVEN, exact=False),
    "3 against 3, asymptotic, no correction": p_of(EVEN, exact=False, correction=False),
    "3 against 3, exact": p_of(EVEN, exact=True),
}
for case, p in seen.items():
    print(f"{case}: p = {p}")

if seen != EXPECTED:
    sys.exit(f"changed; it was {EXPECTED}")
PYTHON
cd "$folder"
"$folder/venv/bin/python" -W ignore "$folder/try.py"
