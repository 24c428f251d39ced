"""Values of calls as means of users, for many rows of values at once.

Not covered: one row (`prove.betting.user_means`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from freehold.prove.betting import user_order

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
