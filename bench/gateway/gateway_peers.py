"""The gateways by others, as `make bench-peers` set them up: one worker each, no log of every request, no retries.

Firstpass keeps digests of each call in SQLite; the others record nothing here, since that needs a server beside them.
Not covered: installing them (`peers/install.py`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from gateway_chat import KEY, MODEL
from gateway_host import BenchError, free_port
from gateway_systems import HERE, Endpoint, Running, Site, System, count_rows
from peers.install import installed_version


def peer_systems(folder: Path) -> list[System]:
    """All peers; starting one that is not installed is refused with the line that installs it."""
    home = folder.resolve()
    return [
        _peer("litellm", "nothing", home, _litellm),
        _peer("portkey", "nothing", home, _portkey),
        _peer("tensorzero", "nothing", home, _tensorzero),
        _peer("firstpass", "digests", home, _firstpass),
    ]


def _peer(name: str, keeps: str, folder: Path, start: Callable[[Path, Site], Running]) -> System:
    def version() -> str:
        found = installed_version(name, folder)
        if found is None:
            raise BenchError("not installed; run: make bench-peers")
        return found

    return System(name=name, version=version, keeps=keeps, start=lambda site: start(folder / name, site), kind="peer")


def _litellm(home: Path, site: Site) -> Running:
    port, config = free_port(), site.folder / "litellm.yaml"
    target = {"model": f"openai/{MODEL}", "api_base": site.upstream_url, "api_key": KEY}
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": target}],
        "general_settings": {"master_key": KEY},  # it does not start without one
        "litellm_settings": {"num_retries": 0, "telemetry": False, "request_timeout": 60},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML too
    command = [str(home / "bin/litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    # The price list is otherwise fetched from the network while it starts.
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    process = site.processes.start(
        "litellm", [*command, "--num_workers", "1"], cores=site.cores.gateway, env=env, cwd=site.folder
    )
    site.processes.wait_until_listening(process, port, timeout_s=site.timeout_s)
    return Running(endpoint=Endpoint(port=port), process=process)


def _portkey(home: Path, site: Site) -> Running:
    node, port = shutil.which("node"), free_port()
    if node is None:
        raise BenchError("node is missing (Debian: apt-get install nodejs)")
    program = home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = [node, str(program), f"--port={port}", "--headless"]
    process = site.processes.start(
        "portkey", command, cores=site.cores.gateway, env={"NODE_ENV": "production"}, cwd=site.folder
    )
    site.processes.wait_until_listening(process, port, timeout_s=site.timeout_s)
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": site.upstream_url}
    return Running(endpoint=Endpoint(port=port, headers=headers), process=process)


def _tensorzero(home: Path, site: Site) -> Running:
    config, port_file = site.folder / "tensorzero.toml", site.folder / "tensorzero.port"
    config.write_text(
        "[gateway.observability]\nenabled = false\n\n"
        f'[models."{MODEL}"]\nrouting = ["upstream"]\n\n'
        f'[models."{MODEL}".providers.upstream]\ntype = "openai"\nmodel_name = "{MODEL}"\n'
        f"api_base = {json.dumps(site.upstream_url)}\n"
        'api_key_location = "none"\n',
        encoding="utf-8",
    )
    command = [str(home / "bin/python"), str(HERE / "peers/tensorzero_embedded.py"), str(config), str(port_file)]
    process = site.processes.start("tensorzero", command, cores=site.cores.gateway, env={"RUST_LOG": "error"})
    deadline = time.monotonic() + site.timeout_s
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"did not start: {site.processes.last_line(process)}")
        time.sleep(0.05)
    endpoint = Endpoint(
        port=int(port_file.read_text()), path="/openai/v1/chat/completions", model=f"tensorzero::model_name::{MODEL}"
    )
    return Running(endpoint=endpoint, process=process)


def _firstpass(home: Path, site: Site) -> Running:
    port, database = free_port(), site.folder / "firstpass.db"
    env = {
        "FIRSTPASS_MODE": "observe",
        "FIRSTPASS_BIND": f"127.0.0.1:{port}",
        "FIRSTPASS_DB": str(database),
        "FIRSTPASS_UPSTREAM_OPENAI": f"http://127.0.0.1:{site.upstream_port}",
        "RUST_LOG": "error",
    }
    process = site.processes.start(
        "firstpass", [str(home / "bin/firstpass-proxy")], cores=site.cores.gateway, env=env, cwd=site.folder
    )
    site.processes.wait_until_listening(process, port, timeout_s=site.timeout_s)
    return Running(endpoint=Endpoint(port=port), process=process, recorded=lambda: count_rows(database, "traces"))
