"""`freehold renew`: after a prompt was edited, prove the model that is there on the calls with the new one."""

from __future__ import annotations

import click

from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.cli.prove import show_verdict
from freehold.settings import Value
from freehold.terminal import reporting, tell


@click.command()
@click.argument("task")
@click.option("--move", "and_move", is_flag=True, help="Put the route in place if the verdict is `move`.")
@setting_option("prove.undertrained", "--undertrained")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def renew(task: str, *, and_move: bool, as_json: bool, **flags: Value | None) -> None:
    """Prove TASK's model on the calls with its newest prompt, without training.

    After an edited prompt the owned model answers no call with it until that is proven. It is the task's next attempt.
    Exit code 0: move. 3: hold, or more calls are needed.
    """
    from freehold.pipeline.renewal import renew as renew_task
    from freehold.route.run.move import move_plan, put_route

    route = None
    with open_workspace(flags, task=task) as workspace:
        with reporting() as report:
            renewed = renew_task(workspace, task, report)
        name = workspace.task(task).name
        tell(f"Prompt version {renewed.version}.")
        if and_move and renewed.verdict.decision == "move":
            plan = move_plan(workspace, name)
            tell(plan.text)
            route = put_route(workspace, plan.route)
    show_verdict(renewed.verdict, name, as_json=as_json, route=route)
