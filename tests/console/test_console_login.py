"""Where keys are required, the console and the admin API ask for one, on this machine too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made import a_call, a_workspace, triage_calls
from starlette.testclient import TestClient

from freehold.console import Sessions, build_console
from freehold.console.session import LONGEST_S
from freehold.errors import UsageError
from freehold.model.route import Route
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace

HERE = "http://127.0.0.1:8700"
OWN = {"origin": HERE}
KEYS = {"fhk_good": "good1", "fhk_limited": "limited1"}


class Known:
    """The keys of a gateway, as far as the console asks for them."""

    def __init__(self) -> None:
        self.valid = set(KEYS.values())

    def let_in(self, header: Callable[[bytes], str]) -> str | None:
        text = header(b"freehold-key") or header(b"authorization").removeprefix("Bearer ")
        if not text:
            return None
        if text not in KEYS or KEYS[text] not in self.valid:
            raise UsageError("That is no key of this gateway.", hint="Ask for one.")
        return KEYS[text]

    def may_look(self, key_id: str) -> bool:
        return key_id == "good1" and key_id in self.valid


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    opened.store.registry.put_tasks([Task(id="t1", name="triage", key="k")])
    opened.store.calls.add([a_call(task_id="t1"), *triage_calls(3)])
    opened.store.registry.put_route(Route(task_id="t1", version=1, kind="cascade", model_id="m", created_at=1.0))
    yield opened
    opened.store.close()


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def client(workspace: Workspace, known: Known) -> TestClient:
    app = build_console(
        workspace, is_simulated=False, let_in=known.let_in, sessions=Sessions(b"secret" * 6, known.may_look)
    )
    return TestClient(app, base_url=HERE, raise_server_exceptions=False, follow_redirects=False)


def _log_in(client: TestClient, key: str = "fhk_good", path: str = "/tasks/t1", **headers: str) -> object:
    return client.post("/login", data={"key": key, "next": path}, headers=OWN | headers)


def test_nothing_is_shown_without_a_key(client: TestClient) -> None:
    for path in ("/", "/tasks/t1", "/reports/v1", "/nothing"):
        page = client.get(path)
        assert page.status_code == 401
        assert 'type="password"' in page.text
        assert "triage" not in page.text
    for path in ("/api/tasks", "/api/calls", "/api/openapi.json", "/api/nothing"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "missing_gateway_key"
    assert client.post("/api/tasks/triage/back", json={}).status_code == 401


def test_a_program_sends_the_key(client: TestClient) -> None:
    good, bad = {"authorization": "Bearer fhk_good"}, {"authorization": "Bearer fhk_bad"}
    assert client.get("/api/tasks", headers=good).status_code == 200
    assert client.get("/", headers=good).status_code == 200
    assert client.get("/api/tasks", headers=bad).status_code == 400
    limited = client.get("/api/tasks", headers={"authorization": "Bearer fhk_limited"})
    assert (limited.status_code, limited.json()["error"]["code"]) == (403, "key_not_for_console")
    assert client.post("/api/tasks/triage/back", json={}, headers=good).json()["kind"] == "rented"


def test_a_person_logs_in_and_out(client: TestClient) -> None:
    answer = _log_in(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks/t1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "fhk_good" not in cookie
    assert "triage" in client.get("/tasks/t1").text
    assert client.get("/api/tasks").status_code == 200
    assert client.post("/logout").status_code == 403, "not by a page elsewhere"
    assert client.post("/logout", headers=OWN).headers["location"] == "/login"
    client.cookies.clear()
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(("key", "status"), [("", 401), ("fhk_bad", 400), ("fhk_limited", 403), ("x" * 9000, 401)])
def test_another_key_opens_nothing_and_is_not_repeated(client: TestClient, key: str, status: int) -> None:
    answer = _log_in(client, key)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert not key or key not in answer.text
    assert client.get("/").status_code == 401


def test_a_page_elsewhere_neither_logs_in_nor_changes_anything(client: TestClient, workspace: Workspace) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:3000", ""):
        headers = {"origin": origin} if origin else {}
        assert client.post("/login", data={"key": "fhk_good"}, headers=headers).status_code == 403
    _log_in(client)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:3000", ""):
        headers = {"origin": origin} if origin else {}
        assert client.post("/api/tasks/triage/back", json={}, headers=headers).status_code == 403
    assert workspace.store.registry.route("t1").kind == "cascade"
    assert client.post("/api/tasks/triage/back", json={}, headers=OWN).status_code == 200
    assert workspace.store.registry.route("t1").kind == "rented"


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nx: y", "javascript:1"]
)
def test_a_login_leads_to_no_other_site(client: TestClient, path: str) -> None:
    assert _log_in(client, path=path).headers["location"] == "/"


def test_a_revoked_key_ends_its_sessions_at_once(client: TestClient, known: Known) -> None:
    _log_in(client)
    assert client.get("/").status_code == 200
    known.valid.clear()
    assert client.get("/").status_code == 401


def test_a_session_is_sealed_and_ends() -> None:
    sessions = Sessions(b"secret", lambda key_id: True)
    cookie = sessions.open("good1", 1000.0)
    assert sessions.key_of(cookie, 1000.0) == "good1"
    assert sessions.key_of(cookie, 1000.0 + LONGEST_S) is None
    assert Sessions(b"other", lambda key_id: True).key_of(cookie, 1000.0) is None
    later = re.sub(r"\.\d+\.", f".{10**10}.", cookie)
    for forged in (later, cookie.replace("good1", "evil1"), cookie[:-1], "", "v1.good1.99999999999." + "0" * 64):
        assert sessions.key_of(forged, 1000.0) is None


def test_without_required_keys_this_machine_is_not_asked(workspace: Workspace) -> None:
    free = TestClient(build_console(workspace, is_simulated=False), base_url=HERE)
    assert free.get("/").status_code == free.get("/api/tasks").status_code == 200
