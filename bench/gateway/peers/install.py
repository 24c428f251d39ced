"""Set up the gateways that `bench/gateway.py` measures beside Freehold, each in its own folder.

    python bench/gateway/peers/install.py [NAME ...] [--folder .bench-peers]

The newest release of each is installed (a virtual environment for a Python package, a node_modules for one from npm)
and its version printed. One that cannot be installed is named with its reason; the others go on. A peer that is
there already is left as it is: delete its folder to get a newer one.

Not covered: starting them, which `bench/gateway/gateway_peers.py` does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FOLDER = Path(".bench-peers")
READY = ".ready"  # written last, so that a half-made folder is made again


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway by others: where its package is, and the program in it that must exist once it is installed."""

    name: str
    registry: Literal["pip", "npm"]
    package: str
    program: str
    extra: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def requirement(self) -> str:
        """What the registry's client is asked for."""
        return f"{self.package}[{self.extra}]" if self.extra else self.package


PEERS = (
    Peer("litellm", "pip", "litellm", "bin/litellm", extra="proxy"),
    Peer(
        "portkey",
        "npm",
        "@portkey-ai/gateway",
        "node_modules/@portkey-ai/gateway/build/start-server.js",
        # Its streams fail ("TypeError: immutable", its issue 1389) with the newer ones that npm would take; this is
        # the one that it is developed with.
        overrides={"@hono/node-server": "1.13.5"},
    ),
    Peer("tensorzero", "pip", "tensorzero", "bin/python"),
    Peer("firstpass", "pip", "firstpass", "bin/firstpass-proxy"),
)


class InstallError(Exception):
    """A peer that could not be set up; the message is the reason, in one line."""


def main() -> int:
    """Install each named peer (all, by default); fails if none could be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(peer.name for peer in PEERS))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - {peer.name for peer in PEERS}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    wanted = [peer for peer in PEERS if not chosen.names or peer.name in chosen.names]
    count = 0
    for peer in wanted:
        try:
            print(f"{peer.name:<11} {install(peer, chosen.folder)}", flush=True)
            count += 1
        except InstallError as reason:
            print(f"{peer.name:<11} not installed: {reason}", flush=True)
    print("Next: python bench/gateway.py")
    return 0 if count else 1


def install(peer: Peer, folder: Path) -> str:
    """Set up one peer and return its version."""
    home = folder.resolve() / peer.name
    if not (home / READY).exists():
        print(f"{peer.name}: installing {peer.requirement}", file=sys.stderr, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        if peer.registry == "npm":
            (home / "package.json").write_text(json.dumps({"private": True, "overrides": dict(peer.overrides)}))
        for command in _commands(peer, home):
            _run(command)
        if not (home / peer.program).exists():
            raise InstallError(f"the package has no {peer.program}")
        (home / READY).write_text(_version(peer, home) + "\n")
    return installed_version(peer.name, folder) or ""


def installed_version(name: str, folder: Path) -> str | None:
    """The version that lies in the peer's folder; None if it was never set up whole."""
    mark = folder.resolve() / name / READY
    return mark.read_text().strip() if mark.exists() else None


def _commands(peer: Peer, home: Path) -> Sequence[Sequence[str]]:
    if peer.registry == "npm":
        if shutil.which("npm") is None:
            raise InstallError("npm is missing (Debian: apt-get install npm)")
        return [
            ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(home), peer.requirement)
        ]
    return [
        (sys.executable, "-m", "venv", str(home)),
        (
            str(home / "bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            peer.requirement,
        ),
    ]


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        raise InstallError(lines[-1] if lines else f"{command[0]} ended with {result.returncode}")


def _version(peer: Peer, home: Path) -> str:
    if peer.registry == "npm":
        return str(json.loads((home / "node_modules" / peer.package / "package.json").read_text())["version"])
    asked = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    found = subprocess.run([home / "bin/python", "-c", asked, peer.package], capture_output=True, text=True, check=True)
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
