"""The budgets that gateways share: what each has set aside of a key's limits, and what was spent of it.

A gateway (each worker is one) keeps one row for each key: what it holds, and until when. It adds what its calls did
cost and gets a new lease in one transaction, which no other gateway's can come between, so that all of them together
never hold more than a limit leaves. A row says the whole of what is held, and a transaction that is repeated gives the
same. A gateway that dies leaves rows that expire: nothing is lost for longer than `LEASE_S`, and nothing is given back
twice. What it had spent by then and not told arrives with its recorded calls.

Not covered: how much a gateway gets (`model.budget`), what it does with it (`gateway.keys.budgets`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, and_, delete, func, select

from freehold.model.budget import NOTHING, Amount, Demand, Lease, leased
from freehold.model.key import DAY_S, MINUTE_S, KeyUsage
from freehold.store import schema
from freehold.store.database import Database
from freehold.store.keys import add_usage, read_keys, read_usage

LEASE_S = 30.0
"""How long a lease holds that its gateway does not renew; clocks of gateways must agree within half of it."""
Settled = Mapping[tuple[str, int], Amount]
"""What calls did cost, by key id and the Unix minute in which they ended."""


class BudgetTable:
    """The leases of all gateways."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(
        self, holder: str, demands: Mapping[str, Demand], settled: Settled, now: float | None = None
    ) -> dict[str, Lease]:
        """Add what was spent, and lease what is demanded, by key id; `holder` names the gateway.

        A key that is not there any more, or has no limits, gets nothing but what is held of it.
        """
        moment = time.time() if now is None else now
        table = schema.budget_leases
        with self._database.writing() as connection:
            is_expired = table.c.expires_at < moment
            connection.execute(delete(table).where(table.c.holder == holder, is_expired))  # a write locks all of SQLite
            ids = sorted(set(demands) | {key_id for key_id, _ in settled})
            found = {key.id: key for key in read_keys(connection, ids, is_for_update=True)}  # and this, of PostgreSQL
            connection.execute(delete(table).where(table.c.key_id.in_(ids), is_expired))
            if settled:
                add_usage(self._database, connection, _sums(settled))
            usage, others = read_usage(connection, moment, ids), _others(connection, holder, ids)
            leases = {
                key_id: leased(
                    found[key_id], demand, usage.get(key_id, KeyUsage()), others.get(key_id, NOTHING), moment
                )
                if key_id in found
                else Lease(amount=demand.held)
                for key_id, demand in demands.items()
            }
            self._write(connection, holder, leases, moment + LEASE_S)
        return leases

    def _write(self, connection: Connection, holder: str, leases: Mapping[str, Lease], expires_at: float) -> None:
        table = schema.budget_leases
        gone = [key_id for key_id, lease in leases.items() if lease.amount.is_nothing()]
        if gone:
            connection.execute(delete(table).where(table.c.holder == holder, table.c.key_id.in_(gone)))
        rows = [
            {
                "key_id": key_id,
                "holder": holder,
                "usd": lease.amount.usd,
                "tokens": lease.amount.tokens,
                "expires_at": expires_at,
            }
            for key_id, lease in sorted(leases.items())
            if not lease.amount.is_nothing()
        ]
        if rows:
            statement = self._database.insert(table)
            new = {name: statement.excluded[name] for name in ("usd", "tokens", "expires_at")}
            keys = [table.c.key_id, table.c.holder]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)


def _sums(settled: Settled) -> dict[tuple[int, int, str], dict[str, float]]:
    """What was spent, by the spans of time that usage is kept in."""
    sums: dict[tuple[int, int, str], dict[str, float]] = {}
    for (key_id, minute), amount in settled.items():
        for span_s in (MINUTE_S, DAY_S):
            began_at = int(minute * MINUTE_S // span_s) * span_s
            found = sums.setdefault((span_s, began_at, key_id), {"settled_usd": 0.0, "settled_tokens": 0})
            found["settled_usd"] += amount.usd
            found["settled_tokens"] += amount.tokens
    return sums


def _others(connection: Connection, holder: str, key_ids: Iterable[str]) -> dict[str, Amount]:
    c = schema.budget_leases.c
    is_others = and_(c.holder != holder, c.key_id.in_(list(key_ids)))
    query = select(c.key_id, func.sum(c.usd), func.sum(c.tokens)).where(is_others).group_by(c.key_id)
    return {key_id: Amount(float(usd), int(tokens)) for key_id, usd, tokens in connection.execute(query)}
