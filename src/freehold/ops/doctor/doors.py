"""Who can reach the gateway, whether they are asked for a key, and by which names it may be asked for."""

from __future__ import annotations

import time

from freehold.ops.doctor.finding import Finding
from freehold.settings import Settings
from freehold.store import Store, read_diagnostics
from freehold.system.hosts import Hosts, read_hosts


def check_doors(settings: Settings) -> list[Finding]:
    """Whether others can reach the gateway without a key, and whether there is a key that lets anybody in."""
    host = settings.text("gateway.host")
    hosts = read_hosts(settings.text("gateway.allowed_hosts"), host)
    is_near = Hosts().allows(host)
    names = [] if is_near else ["any address" if hosts.is_everywhere else host]
    names += sorted(hosts.names - {host})
    goes_by = f"it may be asked for by {', '.join(['loopback', *names])}"
    if is_near and not settings.flag("gateway.require_key"):
        return [Finding("doors", "ok", f"only this machine reaches {host}, and is asked for no key; {goes_by}")]
    valid = _valid_keys(settings)
    if valid == 0:
        who = "this machine" if is_near else "others"
        text = f"{who} can reach {host}, a key is asked for, and there is no valid one"
        return [Finding("doors", "fail", text, "Run: freehold keys add NAME")]
    count = "" if valid is None else f", {valid:,} are valid"
    return [Finding("doors", "ok", f"a key is asked for on {host}{count}; {goes_by}")]


def _valid_keys(settings: Settings) -> int | None:
    """How many keys let somebody in now; None while the database is not of this version."""
    facts = read_diagnostics(settings.database_url, check_s=0)
    if facts is None:
        return 0
    if facts.version != facts.wanted:
        return None
    store = Store(settings.database_url)
    try:
        return sum(key.state(time.time()) == "valid" for key in store.keys.all_keys())
    finally:
        store.close()
