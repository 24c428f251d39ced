"""The simulated rented provider: OpenAI's chat dialect over real HTTP, with nobody behind it.

    python -m freehold.demo.provider --port 8799 --seed 7 --speed 10

It answers the shop's messages as a good rented model would, at a rented model's pace and price, with its share of
mistakes, rate limits and server errors. Every answer says what it is: the header `x-simulated-provider`, the system
fingerprint `fp_simulated`, the owner `simulated`. What it says is `answers`, the shapes are `chat`. It checks no key
unless one is given, and knows no other endpoint than chat completions and the list of models.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import math
import random
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from freehold.demo import chat
from freehold.demo.answers import Answers, DeskAnswers, FileAnswers, Habits, seeded
from freehold.demo.chat import RefusedError
from freehold.errors import BusyError, FreeholdError, UsageError

MAX_BODY_BYTES = 20 * 1024 * 1024
REQUESTS_PER_MINUTE = 30_000
RETRY_AFTER_S = 1
FAULT_SHARE = 0.002

TTFT_MEDIAN_S = 0.450
TTFT_SIGMA = 0.35
TOKEN_MEDIAN_S = 0.012
TOKEN_SIGMA = 0.20
SHORTEST_WAIT_S = 0.001
"""Waits below this are not worth a turn of the event loop; they add up until they are."""


@dataclass(frozen=True)
class Pace:
    """How fast the provider is: `speed` divides every time; infinity means no waiting at all."""

    speed: float = 1.0

    def times_s(self, rng: random.Random) -> tuple[float, float]:
        """Draw the time to the first token and the time per token, in seconds."""
        first = TTFT_MEDIAN_S * math.exp(rng.gauss(0, TTFT_SIGMA)) / self.speed
        return first, TOKEN_MEDIAN_S * math.exp(rng.gauss(0, TOKEN_SIGMA)) / self.speed


class Provider:
    """The endpoints. `fault_share` is the share of requests that get a 429 or a 500, decided by their number."""

    def __init__(self, answers: Answers, *, seed: int, pace: Pace, fault_share: float = 0.0, key: str = "") -> None:
        self.answers, self.seed, self.pace, self.fault_share, self.key = answers, seed, pace, fault_share, key
        self._numbers = itertools.count(1)

    async def complete(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        number = next(self._numbers)
        self._check_key(request)
        asked = chat.read_request(await _body(request))
        self._fail_sometimes(number)
        text = self.answers.answer(asked.text)
        if text is None:
            raise RefusedError(404, "The simulated provider has no answer to this.", "messages", "answer_not_found")
        first_s, token_s = self.pace.times_s(seeded("pace", self.seed, asked.text))
        name = f"chatcmpl-{self._mark('answer', number)}"
        headers = self._headers(number)
        if asked.is_stream:
            events = chat.chunks(name, text, asked.prompt_tokens, with_usage=asked.with_usage)
            paced = _paced(events, first_s, token_s)
            return StreamingResponse(
                paced, media_type="text/event-stream", headers={**headers, "cache-control": "no-cache"}
            )
        await _wait(first_s + token_s * len(chat.pieces(text)))
        headers["openai-processing-ms"] = str(round(1000 * (first_s + token_s * len(chat.pieces(text)))))
        return JSONResponse(chat.completion(name, text, asked.prompt_tokens), headers=headers)

    async def models(self, request: Request) -> Response:
        """GET /v1/models."""
        self._check_key(request)
        return JSONResponse(chat.models(), headers=self._headers(next(self._numbers)))

    async def refuse(self, _: Request, problem: Exception) -> Response:
        """Put any refusal into OpenAI's shape, an unknown path and a wrong method too."""
        if isinstance(problem, HTTPException):
            problem = RefusedError(problem.status_code, f"Unknown request: {problem.detail}.", code="unknown_url")
        if not isinstance(problem, RefusedError):
            raise problem
        headers = self._headers(next(self._numbers))
        if problem.status == 429:
            headers |= {"retry-after": str(RETRY_AFTER_S), "x-ratelimit-remaining-requests": "0"}
        return JSONResponse(problem.body(), status_code=problem.status, headers=headers)

    def _fail_sometimes(self, number: int) -> None:
        """Every request has the same chance to fail, and the same request sent again has a new one."""
        draw = seeded("fault", self.seed, str(number)).random()
        if draw < self.fault_share / 2:
            raise RefusedError(
                429, "Rate limit reached, please try again in 1s.", code="rate_limit_exceeded", kind="requests"
            )
        if draw < self.fault_share:
            raise RefusedError(500, "The server had an error while processing your request.", kind="server_error")

    def _check_key(self, request: Request) -> None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            raise RefusedError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _headers(self, number: int) -> dict[str, str]:
        return {
            "x-request-id": f"req_{self._mark('request', number)}",
            "x-simulated-provider": "freehold-demo",
            "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
            "x-ratelimit-remaining-requests": str(REQUESTS_PER_MINUTE - 1 - number % 500),
            "x-ratelimit-reset-requests": "2ms",
            "openai-version": "2020-10-01",
        }

    def _mark(self, kind: str, number: int) -> str:
        return hashlib.sha256(f"{kind}/{self.seed}/{number}/{time.time_ns()}".encode()).hexdigest()[:29]


def create_app(provider: Provider) -> Starlette:
    """Return the ASGI application of a provider."""
    return Starlette(
        routes=[
            Route("/v1/chat/completions", provider.complete, methods=["POST"]),
            Route("/v1/models", provider.models, methods=["GET"]),
        ],
        exception_handlers={RefusedError: provider.refuse, HTTPException: provider.refuse},
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.", code="request_too_large")
    return bytes(body)


async def _paced(events: Iterable[bytes], first_s: float, token_s: float) -> AsyncIterator[bytes]:
    """Let each event out when it is due: the first after `first_s`, every other one `token_s` later."""
    due = time.monotonic() + first_s
    for event in events:
        await _wait(due - time.monotonic())
        yield event
        due += token_s


async def _wait(seconds: float) -> None:
    if seconds >= SHORTEST_WAIT_S:
        await asyncio.sleep(seconds)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as problem:
        listener.close()
        raise BusyError(
            f"Port {port} cannot be used: {problem.strerror}.", hint="Choose another with --port."
        ) from problem
    return listener


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m freehold.demo.provider", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=8799, help="port on 127.0.0.1; 0 takes any that is free")
    parser.add_argument("--seed", type=int, default=7, help="seed of the shop's traffic and of every chance taken here")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every wait; inf does not wait at all")
    parser.add_argument("--messages", type=int, default=20_000, help="how many messages of the traffic are known")
    parser.add_argument("--wrong-share", type=float, help="share of wrong answers (default 0.025; 0 with --answers)")
    parser.add_argument("--reworded-share", type=float, help="share of differently worded answers (default 0.10)")
    parser.add_argument("--fault-share", type=float, help="share of 429 and 500 (default 0.002; 0 with --answers)")
    parser.add_argument("--answers", type=Path, help='answer from this file of {"input", "gold"} rows, exactly')
    parser.add_argument("--teacher", default="", help='with --answers: give row["teacher"][NAME] and not the gold')
    parser.add_argument("--key", default="", help="refuse callers with another key than this one")
    return parser.parse_args(argv)


def provider_from(args: argparse.Namespace) -> Provider:
    """Make the provider that the command line asks for; UsageError names an argument that makes no sense."""
    shares = {
        "--wrong-share": args.wrong_share,
        "--reworded-share": args.reworded_share,
        "--fault-share": args.fault_share,
    }
    for flag, share in shares.items():
        if share is not None and not 0 <= share <= 1:
            raise UsageError(f"{flag} is {share!r}.", hint="A share lies between 0 and 1.")
    if not args.speed > 0:
        raise UsageError(f"--speed is {args.speed!r}.", hint="Give a number above 0; inf does not wait at all.")
    if args.answers is None and args.teacher:
        raise UsageError(f"--teacher {args.teacher!r} needs a file of answers.", hint="Add --answers FILE.")
    if args.answers is not None and (args.wrong_share or args.reworded_share):
        raise UsageError("Answers from a file are given exactly.", hint="Leave --wrong-share and --reworded-share out.")
    answers: Answers
    if args.answers is not None:
        answers = FileAnswers.read(args.answers, teacher=args.teacher)
    else:
        usual = Habits()
        wrong = usual.wrong_share if args.wrong_share is None else args.wrong_share
        reworded = usual.reworded_share if args.reworded_share is None else args.reworded_share
        answers = DeskAnswers(args.seed, known=args.messages, habits=Habits(wrong, reworded))
    usual_fault = FAULT_SHARE if args.answers is None else 0.0
    fault = usual_fault if args.fault_share is None else args.fault_share
    return Provider(answers, seed=args.seed, pace=Pace(args.speed), fault_share=fault, key=args.key)


def serve(argv: list[str] | None = None) -> None:
    """Serve until a signal comes; prints the base URL as one JSON line when the port is open."""
    import uvicorn

    args = _arguments(argv)
    provider = provider_from(args)
    listener = _listen(args.port)
    print(json.dumps({"base_url": f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "simulated": True}), flush=True)  # noqa: T201
    config = uvicorn.Config(create_app(provider), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    try:
        serve(argv)
    except FreeholdError as error:
        print(f"freehold.demo.provider: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
