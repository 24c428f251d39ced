"""The engine's life: started, restarted on the same port, stopped, and never left behind."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tiny_llama import write_tiny_llama

from freehold.errors import EngineError
from freehold.model import Message
from freehold.model.ids import sha256_hex
from freehold.model.prompt import Prompt
from freehold.serve import answer_all, serving
from freehold.serve.engines.llamacpp.engine import LlamaCpp

pytestmark = pytest.mark.engine
pytest.importorskip("xllamacpp")
PROMPT = Prompt(messages=(Message("user", "Hello"),))


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")


def _until(is_true: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_answers_are_greedy_and_carry_their_logprobs(gguf: Path, tmp_path: Path) -> None:
    with serving(LlamaCpp, gguf, log=tmp_path / "log", threads=1, slots=2) as url:
        assert urlsplit(url).hostname == "127.0.0.1"
        answers = answer_all([url], [PROMPT, PROMPT, PROMPT], max_tokens=6)
    assert len({answer.text for answer in answers}) == 1
    assert all(1 <= len(answer.logprobs) <= 6 and max(answer.logprobs) <= 0 for answer in answers)
    assert all(len(answer.logprobs) <= answer.output_tokens <= 6 for answer in answers)


def test_a_killed_engine_comes_back_on_the_same_port(gguf: Path, tmp_path: Path) -> None:
    engine = LlamaCpp(gguf, log=tmp_path / "log", threads=1, slots=1)
    engine.start()
    try:
        url, pid = engine.wait(), engine.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert len(answer_all([url], [PROMPT], max_tokens=4)) == 1
        _until(lambda: engine.url == url and engine.pid not in (None, pid))
        assert engine.deaths == 1
    finally:
        engine.stop()
    assert engine.url is None


def test_no_other_file_than_the_proven_one_is_served_at_a_start_or_a_restart(
    gguf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, proven = tmp_path / "model.gguf", gguf.read_bytes()
    file.write_bytes(proven + b"x")
    engine = LlamaCpp(file, log=tmp_path / "log", threads=1, slots=1, sha256=sha256_hex(proven))
    engine.start()
    try:
        _until(lambda: engine.deaths >= 2)
        assert (engine.url, engine.pid) == (None, None)
        assert caplog.text.count("is not the one that was proven") == 1
        _replace(file, proven)
        _until(lambda: engine.url is not None)
        _replace(file, proven + b"x")
        before = engine.deaths
        os.kill(engine.pid or 0, signal.SIGKILL)
        _until(lambda: engine.deaths >= before + 2)
        assert engine.url is None
        assert caplog.text.count("is not the one that was proven") == 2
    finally:
        engine.stop()


def _replace(file: Path, content: bytes) -> None:
    """Put another file in its place; the one that is served stays whole."""
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)


def test_a_stopped_engine_is_gone(gguf: Path, tmp_path: Path) -> None:
    engine = LlamaCpp(gguf, log=tmp_path / "log", threads=1, slots=1)
    engine.start()
    engine.wait()
    pid = engine.pid
    engine.stop()
    assert pid
    assert _is_gone(pid)


def test_an_engine_does_not_outlive_its_user(gguf: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from freehold.serve.engines.llamacpp.engine import LlamaCpp\n"
        "engine = LlamaCpp(Path(sys.argv[1]), log=Path(sys.argv[2]), threads=1, slots=1)\n"
        "engine.start(); engine.wait()\n"
        "print(engine.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(gguf), str(tmp_path / "log")], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    _until(lambda: _is_gone(int(done.stdout)))


def test_a_file_that_is_no_model_is_an_error_with_the_engines_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing else")
    with (
        pytest.raises(EngineError, match="The engine did not start"),
        serving(LlamaCpp, broken, log=tmp_path / "log", threads=1),
    ):
        pytest.fail("a broken model was served")
    with pytest.raises(EngineError, match="There is no model file"):
        LlamaCpp(tmp_path / "nothing.gguf", log=tmp_path / "log")


def _ask(url: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=30)
    try:
        body = b'{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}' if method == "POST" else None
        connection.request(method, path, body, {"content-type": "application/json", **headers})
        response = connection.getresponse()
        response.read()
        return response.status, {name.lower(): value for name, value in response.headers.items()}
    finally:
        connection.close()


def test_nobody_is_answered_without_the_key_and_no_web_page_at_all(gguf: Path, tmp_path: Path) -> None:
    with serving(LlamaCpp, gguf, log=tmp_path / "log", threads=1, slots=1) as url:
        key = str(urlsplit(url).password)
        assert len(key) >= 40
        for path in ("/v1/chat/completions", "/completion", "/tokenize", "/apply-template"):
            assert _ask(url, "POST", path)[0] == 401
            assert _ask(url, "POST", path, authorization="Bearer wrong")[0] == 401
        for path in ("/slots", "/props", "/metrics", "/lora-adapters"):
            assert _ask(url, "GET", path)[0] in (401, 404, 501)
        assert _ask(url, "POST", "/v1/chat/completions", authorization=f"Bearer {key}")[0] == 200
        for method, path in (("POST", "/v1/chat/completions"), ("OPTIONS", "/v1/chat/completions"), ("GET", "/health")):
            told = _ask(url, method, path, origin="https://evil.example", authorization=f"Bearer {key}")[1]
            assert told.get("access-control-allow-origin", "") == ""
            assert told.get("access-control-allow-credentials", "false") == "false"
    assert key not in (tmp_path / "log").read_text(errors="replace")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_key_is_in_no_list_of_processes_and_no_other_secret_reaches_the_engine(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("FREEHOLD_DATABASE_URL", "postgresql://u:canary@h/d")
    engine = LlamaCpp(gguf, log=tmp_path / "log", threads=1, slots=1)
    engine.start()
    try:
        key = str(urlsplit(engine.wait()).password)
        command, environment = (Path(f"/proc/{engine.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert key.encode() not in command + environment
        assert b"canary" not in command + environment
        assert b"PATH=" in environment
    finally:
        engine.stop()
