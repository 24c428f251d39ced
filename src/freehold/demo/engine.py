"""Waiting for the gateway to serve a model that a route was moved to."""

from __future__ import annotations

import time

from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.serve.run.engines import EngineList, engine_file

LONGEST_WAIT_S = 600.0
"""An engine that is not there by then cannot be served at all, however busy the machine is."""
_LOOK_S = 0.2
_SETTLE_S = 2.0
"""What the gateway's worker needs to read the list and the new route, too."""


def wait_for_engine(
    workspace: Workspace, model_id: str, report: Reporter, *, longest_s: float = LONGEST_WAIT_S
) -> bool:
    """Wait until the gateway lists the model as served; False when it does not within `longest_s`."""
    listed, began = EngineList(engine_file(workspace.settings)), time.monotonic()
    listed.refresh()
    while listed.url(model_id) is None:
        waited_s = time.monotonic() - began
        if waited_s > longest_s:
            return False
        report(Progress(stage="engine", note=f"loading the owned model, {waited_s:.0f} s"))
        time.sleep(_LOOK_S)
        listed.refresh()
    report(Progress(stage="engine", done=1, total=1, note="the owned model is served"))
    time.sleep(_SETTLE_S)
    return True
