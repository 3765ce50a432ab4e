"""The HTTP side: routes, headers, pace, and noticing that a client has left. What is said is decided elsewhere.

Beside the provider's own paths there are, for tests: `GET /__stats`, and `POST /__control/<verb>` with JSON:
`revoke` and `restore` {"key"}, `clock` {"advance": seconds}, `reset` {} (statistics, caches, revocations).
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import gevent
import gevent.event
import gevent.socket
from gevent.pywsgi import WSGIHandler, WSGIServer

from simulator import cache, faults, models, thinking
from simulator.accounts import SLOW, Account, Accounts
from simulator.conversation import Conversation, view
from simulator.directives import Directives
from simulator.limits import Limits
from simulator.reply import build
from simulator.request import Request, check_version, read
from simulator.wire import ApiError, Event, Json, Reply, as_events, as_message, compact, frame, new_id

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]

MAX_BODY = 32 * 1024 * 1024
_WATCHED = 0.25  # seconds; a shorter pause is not worth watching the connection for
_PADDING = 15
_GRACE = 0.2  # seconds that open streams get at the end
_LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>Sign in to the network</h1><form><input name=user></form>"


@dataclass(frozen=True)
class Pace:
    """Seconds before the first byte, and for each token."""

    first: float = 0.3
    token: float = 1 / 60


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers
    body: Iterable[bytes]


class Line:
    """The connection to one client: waits on it, and raises ConnectionResetError once the client has left.

    That error is also how a response is broken off: the server then closes without the end of the body.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def pause(self, seconds: float | None) -> None:
        """Waits so long, or for ever."""
        if seconds is not None and seconds < _WATCHED:
            gevent.sleep(seconds)
            return
        until = None if seconds is None else time.monotonic() + seconds
        if self._readable(seconds):
            if self._socket.recv(1, gevent.socket.MSG_PEEK) == b"":
                self.break_off()
            gevent.sleep(max(0.0, until - time.monotonic()) if until else 3600)

    def break_off(self) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "the client has left, or is to see it so")

    def _readable(self, seconds: float | None) -> bool:
        try:
            gevent.socket.wait_read(self._socket.fileno(), timeout=seconds, timeout_exc=TimeoutError())
        except TimeoutError:
            return False
        return True


@dataclass
class Stats:
    """What happened so far. `aborted`: the client left; `broken`: a scripted end of the connection."""

    requests: int = 0
    active: int = 0
    done: int = 0
    aborted: int = 0
    broken: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    last_request: Json | None = None
    last_usage: Json | None = None

    def as_json(self) -> Json:
        return {
            "requests": self.requests,
            "streams": {"active": self.active, "done": self.done, "aborted": self.aborted, "broken": self.broken},
            "keys": dict(self.by_key),
            "last_request": self.last_request,
            "last_usage": self.last_usage,
        }


class Simulator:
    """The WSGI application, with all its state: revoked keys, caches, statistics."""

    def __init__(self, pace: Pace = Pace(), clock: Callable[[], float] = time.time) -> None:
        self.pace = pace
        self._real_clock = clock
        self._random = random.Random(0)
        self._reset()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request_id = new_id("req_")
        line = Line(environ["simulator.socket"])
        try:
            response = self._route(environ, line, request_id)
        except ApiError as error:
            response = _refusal(error, request_id)
        headers = [*response.headers, ("request-id", request_id), ("server", "simulator")]
        start_response(_status_line(response.status), headers)
        return response.body

    def clock(self) -> float:
        """Seconds since 1970, plus what tests have advanced."""
        return self._real_clock() + self._ahead

    def _reset(self) -> None:
        self._ahead = 0.0
        self.accounts = Accounts()
        self.cache = cache.Cache(self.clock)
        self.diagnostics = cache.Diagnostics()
        self.limits = Limits(self.clock)
        self.stats = Stats()
        self._failed_once: set[str] = set()

    def _route(self, environ: dict[str, Any], line: Line, request_id: str) -> Response:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/__stats":
            return _json(200, self.stats.as_json())
        if path.startswith("/__control/"):
            return self._control(path.removeprefix("/__control/"), json.loads(_body(environ) or b"{}"))
        if path not in ("/v1/messages", "/v1/messages/count_tokens") and not path.startswith("/v1/models"):
            raise ApiError(404, "Not found")
        if method != ("POST" if path.startswith("/v1/messages") else "GET"):
            raise ApiError(405, "Method Not Allowed")
        return self._api(environ, path, line, request_id)

    def _api(self, environ: dict[str, Any], path: str, line: Line, request_id: str) -> Response:
        headers = _request_headers(environ)
        self.stats.requests += 1
        account = self.accounts.enter(headers)
        self.stats.by_key[account.key] += 1
        if account.flaw == "html":
            return _html(_LOGIN_PAGE)
        if account.flaw == "slow":
            line.pause(SLOW)
        account.refuse()
        if path.startswith("/v1/models"):
            check_version(headers)
            return _json(200, _model_list(path, environ["QUERY_STRING"]))
        counting = path == "/v1/messages/count_tokens"
        request = read(_body(environ), headers, counting=counting)
        account.refuse_model(request.model.id, request.model.line)
        if counting:
            return _json(200, {"input_tokens": cache.count(request)})
        return self._messages(request, account, line, request_id)

    def _messages(self, request: Request, account: Account, line: Line, request_id: str) -> Response:
        self.stats.last_request = request.raw
        thinking.verify(request)
        _check_length(request)
        talk = view(request)
        self._check_scripted(request, account, talk)
        plan = self.cache.plan(request, account.key)
        reply = build(request, talk)
        message = self._message(request, plan)
        headers = self.limits.headers(account.key, plan.usage.total, reply.tokens)
        self.stats.last_usage = {**message["usage"], "output_tokens": reply.tokens}
        exchange = _Exchange(self, account, line, request_id, talk.directives, plan)
        if request.stream:
            headers += [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
            return Response(200, headers, exchange.stream(reply, message))
        return exchange.whole(reply, message, headers)

    def _check_scripted(self, request: Request, account: Account, talk: Conversation) -> None:
        """Raises the error that the message's directives ask for, if any."""
        error = faults.before(talk.directives, request.model)
        if error:
            raise error
        error = faults.once(talk.directives)
        if error is None:
            return
        attempt = hashlib.sha256(compact([account.key, request.raw["messages"]]).encode()).hexdigest()
        if attempt not in self._failed_once:
            self._failed_once.add(attempt)
            raise error
        self._failed_once.remove(attempt)

    def _message(self, request: Request, plan: cache.Plan) -> Json:
        """The message as `message_start` carries it: no content yet."""
        id = new_id("msg_")
        return {
            "model": request.model.id,
            "id": id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": {
                **plan.usage.as_json(),
                "output_tokens": 1 if request.max_tokens else 0,
                "service_tier": "standard",
                "inference_geo": "not_available",
            },
            "diagnostics": self.diagnostics.compare(request, id),
        }

    def _control(self, verb: str, given: Json) -> Response:
        match verb:
            case "revoke":
                self.accounts.revoke(given["key"])
            case "restore":
                self.accounts.restore(given["key"])
            case "clock":
                self._ahead += float(given["advance"])
            case "reset":
                self._reset()
            case _:
                raise ApiError(404, "Not found")
        return _json(200, {"ok": True})

    def padding(self) -> int:
        return self._random.randint(0, _PADDING)


@dataclass(frozen=True)
class _Exchange:
    """One answer on its way to one client."""

    simulator: Simulator
    account: Account
    line: Line
    request_id: str
    asked: Directives
    plan: cache.Plan

    def stream(self, reply: Reply, message: Json) -> Iterator[bytes]:
        """The event stream, in real time. The headers go out with its first bytes."""
        stats = self.simulator.stats
        stats.active += 1
        ended = "aborted"
        try:
            self.line.pause(self._first)
            self.simulator.cache.commit(self.plan)
            for step in faults.within(as_events(reply, message, self.asked.each), self.asked, self.request_id):
                if isinstance(step, faults.Broken):
                    ended = "broken"
                yield from self._play(step)
            ended = "done"
        finally:
            stats.active -= 1
            setattr(stats, ended, getattr(stats, ended) + 1)

    def whole(self, reply: Reply, message: Json, headers: Headers) -> Response:
        """The answer in one piece, after the time it takes to make it. Faults inside a stream become its end."""
        self.line.pause(self._first + reply.tokens * self._per_token)
        self.simulator.cache.commit(self.plan)
        asked = self.asked
        if asked.silence_after is not None:
            self.line.pause(asked.seconds)
        if asked.drop_after is not None or asked.truncate_after is not None:
            self.line.break_off()
        if asked.fail_after is not None:
            raise faults.failure(asked)
        if asked.revoke_after is not None:
            self.simulator.accounts.revoke(self.account.key)
            raise ApiError(401, "invalid x-api-key")
        return _json(200, as_message(reply, message), headers)

    def _play(self, step: faults.Step) -> Iterator[bytes]:
        match step:
            case Event():
                if step.spent:
                    self.line.pause(step.spent * self._per_token)
                yield from self._written(frame(step.name, step.data, self.simulator.padding()))
            case faults.Silence(seconds, pings):
                yield from self._silence(seconds, pings)
            case faults.Revoked():
                self.simulator.accounts.revoke(self.account.key)
            case faults.Broken():
                self.line.break_off()

    def _silence(self, seconds: float | None, pings: float | None) -> Iterator[bytes]:
        until = math.inf if seconds is None else time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait = min(left, math.inf if pings is None else pings)
            self.line.pause(None if wait == math.inf else wait)
            if pings is not None:
                yield frame("ping", {})

    def _written(self, data: bytes) -> Iterator[bytes]:
        """The bytes of an event in the writes that `drip` asks for."""
        size = self.asked.drip or len(data)
        for at in range(0, len(data), size):
            yield data[at : at + size]
            if self.asked.drip:
                gevent.sleep(0)

    @property
    def _first(self) -> float:
        return self.simulator.pace.first if self.asked.first is None else self.asked.first / 1000

    @property
    def _per_token(self) -> float:
        return self.simulator.pace.token if self.asked.delay is None else self.asked.delay / 1000


class _Handler(WSGIHandler):  # type: ignore[misc]
    """Lets the application see the connection, to notice that a client has left."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["simulator.socket"] = self.socket
        return environ


def serve(host: str, port: int, pace: Pace) -> None:
    """Listens until SIGTERM or SIGINT, and says on stdout where. Port 0 lets the system choose."""
    listener = gevent.socket.socket()
    listener.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_REUSEADDR, 1)
    listener.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    listener.bind((host, port))
    listener.listen(1024)
    server = WSGIServer(listener, Simulator(pace), handler_class=_Handler, log=None)
    asked_to_end = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, asked_to_end.set)
    server.start()
    print(f"simulator listening on http://{host}:{listener.getsockname()[1]}", flush=True)
    asked_to_end.wait()
    server.stop(_GRACE)


def _check_length(request: Request) -> None:
    tokens, most = cache.count(request), request.model.max_input
    if tokens > most:
        raise ApiError(400, f"prompt is too long: {tokens} tokens > {most} maximum")


def _model_list(path: str, query: str) -> Json:
    name = path.removeprefix("/v1/models").strip("/")
    if name:
        model = models.find(name)
        if model is None:
            raise ApiError(404, f"model: {name}")
        return models.describe(model)
    given = {key: values[-1] for key, values in parse_qs(query).items()}
    limit = given.get("limit", str(models.DEFAULT_LIMIT))
    if not limit.isdigit() or not 1 <= int(limit) <= models.MOST:
        raise ApiError(400, f"limit: Input should be between 1 and {models.MOST}")
    return models.page(int(limit), given.get("after_id", ""), given.get("before_id", ""))


def _body(environ: dict[str, Any]) -> bytes:
    if int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        raise ApiError(413, "Request exceeds the maximum size")
    body: bytes = environ["wsgi.input"].read()
    return body


def _request_headers(environ: dict[str, Any]) -> dict[str, str]:
    return {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}


def _json(status: int, body: Json, headers: Headers | None = None) -> Response:
    return _whole(status, "application/json", compact(body), headers or [])


def _html(page: str) -> Response:
    return _whole(200, "text/html; charset=utf-8", page, [])


def _whole(status: int, content_type: str, text: str, headers: Headers) -> Response:
    data = text.encode()
    return Response(status, [*headers, ("content-type", content_type), ("content-length", str(len(data)))], [data])


def _refusal(error: ApiError, request_id: str) -> Response:
    headers = [("x-should-retry", "true" if error.retryable else "false")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(error.retry_after)))
    return _json(error.status, error.body(request_id), headers)


def _status_line(status: int) -> str:
    names = {s.value: s.phrase for s in HTTPStatus}
    return f"{status} {names.get(status, 'Overloaded' if status == 529 else 'Error')}"
