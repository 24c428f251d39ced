"""TensorZero as its Python package embeds it: the gateway in this process, on a port of its own choice.

    .bench-peers/tensorzero/bin/python bench/gateway/peers/tensorzero_embedded.py CONFIG PORT_FILE

Runs in the peer's own virtual environment. Not covered: its recording, which needs a ClickHouse server.
"""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import tensorzero


def main() -> None:
    """Start the gateway, write its port to the file, and wait to be ended."""
    config, port_file = sys.argv[1:]
    warnings.simplefilter("ignore", DeprecationWarning)
    client = SimpleNamespace(base_url="", api_key="")  # the package sets the URL of its gateway on whatever it is given
    tensorzero.patch_openai_client(client, config_file=config, async_setup=False)
    unfinished = Path(f"{port_file}.new")
    unfinished.write_text(str(urlsplit(str(client.base_url)).port))
    unfinished.rename(port_file)
    signal.pause()


if __name__ == "__main__":
    main()
