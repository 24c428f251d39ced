"""The admin API does what its OpenAPI document says, to friend and foe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from made import a_workspace, triage_calls
from msgspec import structs
from schemathesis import Case, GenerationMode
from starlette.applications import Starlette
from starlette.testclient import TestClient

from freehold.console import build_console
from freehold.console.api.operations import OPERATIONS
from freehold.errors import AwayError, UsageError
from freehold.model.route import Route
from freehold.ops.keys import Grant, add_key
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter

HERE = "http://127.0.0.1:8700"
ELSEWHERE = "http://gateway.example.com"
LOCAL = {"host": "127.0.0.1:8700"}
GOOD = {"authorization": "Bearer good"}


def _let_in(header: Callable[[bytes], str]) -> str | None:
    given = header(b"authorization")
    if given in ("", "Bearer good"):
        return "goodkey1" if given else None
    raise UsageError("That is no key of this gateway.", hint="Ask for one.")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path_factory.mktemp("api"))
    opened.store.calls.add(triage_calls(40))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def app(workspace: Workspace) -> Starlette:
    return build_console(workspace, is_simulated=False, let_in=_let_in)


@pytest.fixture
def client(app: Starlette) -> TestClient:
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.console.api.operations._LATE_S", 0.0)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_whatever_is_asked_the_answer_is_as_the_document_says(
    app: Starlette, no_waiting: None, name: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=LOCAL)
    operation = schema.find_operation_by_id(name)
    asked = 0

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(headers=LOCAL)

    try:
        ask()
    except Unsatisfiable:  # there is nothing about it that could be wrong
        assert (name, mode) in {
            ("version", GenerationMode.NEGATIVE),
            ("tasks", GenerationMode.NEGATIVE),
            ("keys", GenerationMode.NEGATIVE),
        }
    else:
        assert asked


def test_the_document_names_every_operation(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    named = {described["operationId"] for path in document["paths"].values() for described in path.values()}
    assert named == {operation.name for operation in OPERATIONS}
    assert len(named) == 10


def test_keys_are_shown_with_their_limits_and_without_their_secrets(client: TestClient, workspace: Workspace) -> None:
    grant = Grant(usd_per_day=5.0, paths=["/v1/chat/*"], methods=["post"])
    key, text = add_key(workspace, "app", grant)
    answer = client.get("/api/keys")
    shown = next(one for one in answer.json()["keys"] if one["id"] == key.id)
    assert (shown["paths"], shown["methods"], shown["usd_per_day"]) == (["/v1/chat/*"], ["POST"], 5.0)
    assert (shown["reserved_usd"], shown["refused_today"]) == (0.0, {})
    assert text not in answer.text
    assert key.sha256 not in answer.text


def test_calls_are_read_page_by_page(client: TestClient, workspace: Workspace) -> None:
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        page = client.get("/api/calls", params={"limit": "15", **({"before": before} if before else {})}).json()
        seen += [call["id"] for call in page["calls"]]
        before = page["next"]
    assert len(seen) == len(set(seen)) == workspace.store.calls.count(CallFilter())
    assert len(seen) >= 40
    assert client.get("/api/calls", params={"since": "null"}).status_code == 400
    assert seen == sorted(seen, reverse=True)


def test_feedback_is_kept_with_its_call(client: TestClient, workspace: Workspace) -> None:
    name = workspace.store.registry.tasks()[0].name
    call = client.get("/api/calls", params={"limit": "1", "task": name}).json()["calls"][0]["id"]
    told = [
        {"kind": "correction", "value": " {} "},
        {"kind": "boolean", "value": False},
        {"kind": "number", "value": 0.25},
        {"kind": "comment", "value": "<b>no</b>"},
    ]
    for feedback in told:
        assert client.post(f"/api/calls/{call}/feedback", json=feedback).status_code == 201
    kept = client.get(f"/api/calls/{call}").json()["feedback"]
    assert [(f["kind"], f["value"]) for f in kept[-4:]] == [
        ("correction", "{}"),
        ("boolean", "false"),
        ("number", "0.25"),
        ("comment", "<b>no</b>"),
    ]
    task = workspace.store.registry.tasks()[0]
    assert workspace.store.calls.corrections(task.id)[call] == "{}"


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"{}", "application/json", 400, "kind"),
        (b'{"kind": "boolean", "value": "yes"}', "application/json", 400, "bool"),
        (b'{"kind": "number", "value": 1e400}', "application/json", 400, "range"),
        (b'{"kind": "correction", "value": "  "}', "application/json", 400, "regex"),
        (b'{"kind": "comment", "value": "x", "more": 1}', "application/json", 400, "more"),
        (b'{"kind": "comment", "value": "' + b"x" * 2**20 + b'"}', "application/json", 413, "1 MiB"),
        (b'{"kind": "comment", "value": "\xff"}', "application/json", 400, "body"),
        (b'{"kind": "comment", "value": "x"}', "text/plain", 415, "application/json"),
        (b"", "", 415, "application/json"),
    ],
)
def test_feedback_that_cannot_be_read(client: TestClient, body: bytes, kind: str, status: int, words: str) -> None:
    call = client.get("/api/calls", params={"limit": "1"}).json()["calls"][0]["id"]
    response = client.post(f"/api/calls/{call}/feedback", content=body, headers={"content-type": kind})
    assert response.status_code == status
    error = response.json()["error"]
    assert words in f"{error['message']} {error['hint']}"


def test_callers_elsewhere_tell_feedback_with_a_key_and_see_nothing(
    app: Starlette, workspace: Workspace, no_waiting: None
) -> None:
    elsewhere = TestClient(app, base_url=ELSEWHERE, client=("203.0.113.9", 4711), raise_server_exceptions=False)
    theirs, others = triage_calls(2)
    theirs_id, others_id = "0192" + theirs.id[4:], "0193" + others.id[4:]
    workspace.store.calls.add(
        [structs.replace(theirs, id=theirs_id, key_id="goodkey1"), structs.replace(others, id=others_id)]
    )
    body = {"kind": "boolean", "value": True}
    assert elsewhere.get("/api/tasks").status_code == 403
    assert elsewhere.get(f"/api/calls/{theirs_id}", headers=GOOD).status_code == 403
    assert elsewhere.post(f"/api/calls/{theirs_id}/feedback", json=body).status_code == 403
    bad = {"authorization": "Bearer bad"}
    assert elsewhere.post(f"/api/calls/{theirs_id}/feedback", json=body, headers=bad).status_code == 400
    assert elsewhere.post(f"/api/calls/{others_id}/feedback", json=body, headers=GOOD).status_code == 404
    assert elsewhere.post(f"/api/calls/{theirs_id}/feedback", json=body, headers=GOOD).status_code == 201


def test_a_page_elsewhere_that_resolves_to_this_machine_gets_nothing(app: Starlette) -> None:
    rebound = TestClient(app, base_url="http://evil.example", raise_server_exceptions=False)
    assert rebound.get("/api/calls").status_code == 403
    response = rebound.post("/api/calls/0192-none/feedback", json={"kind": "boolean", "value": True})
    assert response.status_code == 403


def test_a_task_goes_back_with_a_reason(client: TestClient, workspace: Workspace) -> None:
    task = workspace.store.registry.tasks()[0]
    name, before = task.name, client.post(f"/api/tasks/{task.name}/back", json={"reason": "none"}).json()
    assert (before["kind"], before["version"]) == ("rented", 0), "what is with the provider stays as it is"
    workspace.store.registry.put_route(Route(task_id=task.id, version=1, kind="cascade", model_id="m", created_at=1.0))
    route = client.post(f"/api/tasks/{name}/back", json={"reason": "pager 1812"}).json()
    assert (route["kind"], route["reason"], route["decided_by"]) == ("rented", "pager 1812", "api")
    history = client.get(f"/api/tasks/{name}/routes").json()["routes"]
    assert history[0] == route
    assert client.post("/api/tasks/nothing-like-it/back", json={}).status_code == 404


def test_a_database_that_is_away_is_said_so(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> object:
        raise AwayError("The database does not answer.", hint="Start it.")

    monkeypatch.setattr("freehold.store.task_registry.TaskRegistry.names", away)
    response = TestClient(app, base_url=HERE, raise_server_exceptions=False).get("/api/tasks")
    assert response.status_code == 503
    assert response.json()["error"] == {
        "code": "database_away",
        "message": "The database does not answer.",
        "hint": "Start it.",
    }


def test_errors_are_of_one_shape(client: TestClient) -> None:
    for method, path, status in (("PUT", "/api/tasks", 405), ("GET", "/api/none", 404), ("GET", "/api/calls/%00", 404)):
        response = client.request(method, path)
        assert response.status_code == status
        assert set(response.json()["error"]) == {"code", "message", "hint"}
    assert client.head("/api/tasks").status_code == 200
    assert "GET" in client.put("/api/tasks").headers["allow"]
    assert isinstance(json.loads(client.get("/api/version").text)["version"], str)
