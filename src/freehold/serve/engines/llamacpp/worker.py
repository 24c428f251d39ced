"""The engine's own process: llama.cpp through xllamacpp, serving one GGUF on loopback until told to stop.

It reads its key, a line, from stdin, where no list of processes shows it. It answers nobody without it and no web page.
Prints `ready URL` on stdout once it answers. Dies with its parent. Not covered: restarting it (`engine`).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from freehold.system.lifeline import die_with_parent

_MORE_CONNECTIONS = 64
"""Each open connection takes a thread: those that the gateway's workers keep must not hold up a sign of life."""


def main() -> None:
    """Serve until SIGTERM, or until the parent is gone."""
    chosen = _arguments()
    die_with_parent(chosen.parent)
    ending = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: ending.set())
    server = _serve(chosen, sys.stdin.readline().strip())
    sys.stdout.write(f"ready {server.listening_address}\n")
    sys.stdout.flush()
    while not ending.wait(1.0):
        if os.getppid() != chosen.parent:
            break
    os._exit(0)  # the server's threads are C++ and end with the process


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the GGUF to serve")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--threads", type=int, default=0, help="0 takes half of the cores")
    parser.add_argument("--slots", type=int, default=8, help="answers worked on at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens of prompt and answer in each slot")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process to die with")
    return parser.parse_args()


def _serve(chosen: argparse.Namespace, key: str) -> xllamacpp.Server:  # type: ignore[name-defined]  # noqa: F821  (imported below)
    import xllamacpp

    threads = chosen.threads or max(1, (os.cpu_count() or 1) // 2)
    params = xllamacpp.CommonParams()
    params.model.path = chosen.model
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [key] if key else []
    params.cors_origins, params.cors_credentials = "", False
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False  # they show what others ask
    params.port = chosen.port
    params.n_parallel = chosen.slots
    params.n_threads_http = 2 * chosen.slots + _MORE_CONNECTIONS
    params.n_ctx = chosen.slots * chosen.context
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.cache_ram_mib = 0
    params.use_jinja = True
    params.force_pure_content_parser = True  # the text as the model wrote it, tags and white space and all
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.ui = False
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
