"""Nothing acknowledged is lost: hang-ups, broken streams, a record that cannot be written, kill -9."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from gateway.scripted import Scripted, served
from gateway.scripted_town import Build, Town
from test_gateway_bytes import CHAT_PATH, asking, send

from freehold.gateway.config import GatewaySettings
from freehold.model import Call
from freehold.record import Delivery, read_exchange


def open_stream(port: int, body: bytes) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", CHAT_PATH, body, {"content-type": "application/json"})
    return connection, connection.getresponse()


def test_client_that_hangs_up_stops_the_provider(town: Town) -> None:
    connection, response = open_stream(
        town.port, asking("endless", stream=True, stream_options={"include_usage": True})
    )
    assert b"data:" in response.readline()
    response.close()
    connection.close()
    assert town.upstream.gone.wait(20)
    call = town.shelf.wait_for(lambda call: call.error == "client_gone")
    assert json.loads(call.response_body)["choices"][0]["message"]["role"] == "assistant"
    assert call.status == 200


def test_client_that_hangs_up_before_any_answer(town: Town) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", town.port, timeout=20)
    connection.request("POST", CHAT_PATH, asking("hang"), {"content-type": "application/json"})
    town.upstream.wait_for_request()
    connection.close()
    assert town.upstream.gone.wait(20)
    assert town.shelf.wait_for(lambda call: call.error == "client_gone").status == 499


def test_client_that_hangs_up_in_the_middle_of_its_request(town: Town) -> None:
    with socket.create_connection(("127.0.0.1", town.port)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
    assert town.shelf.wait_for(lambda call: call.error == "client_gone").status == 499
    assert town.upstream.seen == []


def test_stream_that_breaks_off(town: Town) -> None:
    connection, response = open_stream(town.port, asking("cut", stream=True))
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    call = town.shelf.wait_for(lambda call: call.error == "cut_off")
    assert json.loads(call.response_body)["choices"][0]["finish_reason"] is None


def test_plain_body_that_breaks_off(town: Town) -> None:
    connection, response = open_stream(town.port, asking("cut-plain"))
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    assert town.shelf.wait_for(lambda call: call.error == "cut_off").response_body.startswith(b'{"id"')


@pytest.mark.parametrize("stream", [False, True])
def test_last_bytes_wait_for_the_record(build: Build, stream: bool) -> None:
    """While the sink is at work, the client has the beginning of a stream and not the end of anything."""
    town = build(settings=GatewaySettings(record_wait_s=20))
    town.shelf.gate.clear()
    body = asking("chat", stream=stream)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", town.port)) as connection:
        connection.sendall(head + body)
        assert town.shelf.entered.wait(20)
        early = read_until_silence(connection)
        assert (b"refund" in early) == stream
        assert b"[DONE]" not in early
        town.shelf.gate.set()
        late = read_until_silence(connection)
        assert (b"[DONE]" if stream else b"refund") in late


def read_until_silence(connection: socket.socket) -> bytes:
    """What comes within 0.3 s of the last byte."""
    connection.settimeout(0.3)
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except TimeoutError:
        return received
    return received


@pytest.mark.parametrize("stream", [False, True])
def test_a_record_that_is_late_holds_a_response_for_a_while(town: Town, stream: bool) -> None:
    """The journal takes longer than `record_wait_s`: the client gets its answer all the same, as does the record."""
    town.shelf.gate.clear()
    _, headers, body = send(town.port, "POST", CHAT_PATH, asking("chat", stream=stream))
    assert body
    assert town.shelf.by_id(dict(headers)["freehold-call-id"]).status == 200
    town.shelf.gate.set()


def test_readiness_tells_what_is_wrong(town: Town) -> None:
    assert send(town.port, "GET", "/healthz")[0] == send(town.port, "GET", "/readyz")[0] == 200
    town.shelf.problem = "No space left on device (/state)"
    status, _, body = send(town.port, "GET", "/readyz")
    assert (status, json.loads(body)["journal"]) == (503, town.shelf.problem)
    assert send(town.port, "GET", "/healthz")[0] == 200


def test_a_full_queue_turns_new_requests_away(town: Town) -> None:
    town.shelf.is_full, town.shelf.problem = True, "disk full"
    status, headers, answer = send(town.port, "POST", CHAT_PATH, asking("chat"))
    assert (status, json.loads(answer)["error"]["code"]) == (503, "record_unavailable")
    assert "disk full" in json.loads(answer)["error"]["message"]
    assert dict(headers)["retry-after"] == "1"
    assert town.upstream.seen == []
    town.shelf.is_full = False
    assert send(town.port, "POST", CHAT_PATH, asking("chat"))[0] == 200


def test_a_call_that_is_not_kept_is_never_acknowledged(town: Town) -> None:
    """The journal went while the provider answered: a plain answer becomes an error, a stream breaks off."""
    town.shelf.is_gone, town.shelf.problem = True, "deleted"
    for ask in (asking("chat"), asking("chat", no=1), b"no JSON"):
        status, headers, answer = send(town.port, "POST", CHAT_PATH, ask)
        assert (status, json.loads(answer)["error"]["code"]) == (503, "record_unavailable")
        assert dict(headers)["content-length"] == str(len(answer))
        assert "transfer-encoding" not in dict(headers)
    with pytest.raises(http.client.IncompleteRead) as broken:
        send(town.port, "POST", CHAT_PATH, asking("chat", stream=True))
    assert b"[DONE]" not in broken.value.partial
    assert town.shelf.calls == []
    town.shelf.is_gone = False
    assert send(town.port, "POST", CHAT_PATH, asking("chat"))[0] == 200


GATEWAY = """
import sys
from pathlib import Path
from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.router import ProvidersOnly
from freehold.httpd.server import Limits
from freehold.gateway.server import listen, run
from freehold.record import Journal, Recorder

provider = Provider(name="up", base_url=f"http://127.0.0.1:{sys.argv[2]}")
recorder = Recorder(Journal(Path(sys.argv[1])))
gateway = Gateway(GatewaySettings(), [provider], recorder, ProvidersOnly())
taken = listen("127.0.0.1", 0)
run(gateway, taken, Limits(), on_ready=lambda: print(taken.getsockname()[1], flush=True))
print("closed with", len(recorder.close()), flush=True)
"""


def recorded(folder: Path) -> list[str]:
    """The ids of the calls in a journal that nobody writes any more."""
    calls: list[Call] = []
    delivery = Delivery(
        folder, calls.extend, lambda exchange: read_exchange(exchange, prices={}, limit_bytes=2**20).call
    )
    assert delivery.drain(5.0)
    delivery.close()
    return [call.id for call in calls]


def test_kill_9_loses_no_answered_call(tmp_path: Path) -> None:
    """Sixteen clients call without a pause; the gateway is killed; every whole response is in the record."""
    record = tmp_path / "journal"
    with served(Scripted()) as upstream_port:
        command = [sys.executable, "-c", GATEWAY, str(record), str(upstream_port)]
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert gateway.stdout is not None
        port = int(gateway.stdout.readline())
        answered: list[str] = []
        enough = threading.Event()
        clients = [threading.Thread(target=call_until_dead, args=(port, answered, enough, n)) for n in range(16)]
        for client in clients:
            client.start()
        assert enough.wait(60)
        gateway.send_signal(signal.SIGKILL)
        gateway.wait()
        gateway.stdout.close()
        for client in clients:
            client.join(30)
    ids = recorded(record)
    assert len(answered) >= 200
    assert set(answered) <= set(ids)
    assert len(ids) == len(set(ids))


def call_until_dead(port: int, answered: list[str], enough: threading.Event, number: int) -> None:
    body = asking("chat", stream=number % 2 == 0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        while True:
            connection.request("POST", CHAT_PATH, body, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            answered.append(str(response.headers["freehold-call-id"]))
            if len(answered) >= 200:
                enough.set()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()


def test_sigterm_finishes_what_is_under_way(tmp_path: Path) -> None:
    upstream = Scripted()
    record = tmp_path / "journal"
    with served(upstream) as upstream_port:
        command = [sys.executable, "-c", GATEWAY, str(record), str(upstream_port)]
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert gateway.stdout is not None
        port = int(gateway.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", CHAT_PATH, asking("slow"), {"content-type": "application/json"})
        upstream.wait_for_request()
        gateway.send_signal(signal.SIGTERM)
        upstream.release.set()
        response = connection.getresponse()
        assert response.read()
        connection.close()
        assert gateway.stdout.read() == "closed with 0\n"
        assert gateway.wait(20) == 0
        gateway.stdout.close()
    assert str(response.headers["freehold-call-id"]) in recorded(record)
