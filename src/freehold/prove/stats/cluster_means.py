"""Values of calls as means of users, for many rows of values at once; and what calls of users are worth.

A mean of users' means counts each user alike, however many calls are theirs: that is what betting on users is exact
for. Where some make more calls than others, and busy users fare worse, the share among calls is larger. To look after
that, too, the exact bounds on calls take n calls of users for n* independent ones (Korn & Graubard 1998, Survey
Methodology 24:193):

    n* = n / max(1, deff),   deff = U / (U - 1) sum_u (k_u - p n_u)^2 / (n p (1 - p)),   p = k / n

with k_u wrong ones among the n_u calls of user u, of U users. It is approximate: it knows nothing of users as busy as
nobody was yet. Where all make equally many calls both shares are the same, and n* = n. Checkable: ten users of 5 calls
and one of 4, one of the ten wrong throughout, are worth 9.8 calls.

Not covered: one row of means (`prove.stats.betting.user_means`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freehold.prove.stats.betting import user_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def user_means_of(values: NDArray[np.float64], groups: Sequence[str], *, seed: int) -> NDArray[np.float64]:
    """Means per user: shape (rows, calls) in and (rows, users) out, users in the order that the seed draws."""
    import numpy as np

    place = {user: i for i, user in enumerate(user_order(groups, seed=seed))}
    member = np.array([place[group] for group in groups], dtype=int)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(place)))
    return np.add.reduceat(values[:, order], starts, axis=1) / np.bincount(member, minlength=len(place))


def is_uneven(groups: Sequence[str]) -> bool:
    """Whether some users made more calls than others."""
    return len(set(Counter(groups).values())) > 1


def worth(wrong: NDArray[np.float64], calls: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share n* / n for each row of users' wrong calls and calls at stake: shape (rows, users) in, (rows,) out.

    One row of `calls` may stand for all.
    """
    import numpy as np

    k, n, users = wrong.sum(axis=1), calls.sum(axis=1), np.count_nonzero(calls, axis=1)
    p = k / np.maximum(n, 1)
    spread = ((wrong - p[:, None] * calls) ** 2).sum(axis=1) * users / np.maximum(users - 1, 1)
    alone = n * p * (1 - p)
    share: NDArray[np.float64] = 1 / np.maximum(1.0, spread / np.where(alone > 1e-9, alone, math.inf))
    return share
