"""The HTTP side: routes, headers, pace, and noticing that a client has left. What is said is decided elsewhere.

Each provider has its own paths under a prefix (`flavours/`). Beside them there are, for tests: `GET /__stats`, and
`POST /__control/<verb>` with JSON: `revoke` and `restore` {"key"}, `clock` {"advance": seconds}, `reset` {}
(statistics, caches, revocations).
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
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import gevent
import gevent.event
import gevent.socket
from gevent.pywsgi import WSGIHandler, WSGIServer

from simulator import cache, faults
from simulator.accounts import SLOW, Account, Accounts
from simulator.conversation import Conversation, view
from simulator.directives import Directives
from simulator.errors import ApiError
from simulator.flavour import Answer, Arrival, Dialect, Flavour
from simulator.flavours import FLAVOURS
from simulator.limits import Limits
from simulator.prompt import Prompt
from simulator.reply import Reply, build
from simulator.sse import Event
from simulator.values import Json, compact, new_id

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
        path = environ["PATH_INFO"]
        flavour = _flavour(path)
        request_id = new_id(flavour.request_id_prefix)
        line = Line(environ["simulator.socket"])
        try:
            response = self._route(environ, flavour, line)
        except ApiError as error:
            response = _refusal(error, flavour, request_id, environ["QUERY_STRING"])
        headers = [*response.headers, (flavour.request_id_header, request_id), ("server", "simulator")]
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

    def _route(self, environ: dict[str, Any], flavour: Flavour, line: Line) -> Response:
        path = environ["PATH_INFO"]
        if path == "/__stats":
            return _json(200, self.stats.as_json())
        if path.startswith("/__control/"):
            return self._control(path.removeprefix("/__control/"), json.loads(_body(environ) or b"{}"))
        route, rest = _matched(flavour, environ["REQUEST_METHOD"], path.removeprefix(flavour.prefix))
        account = self._enter(flavour, environ, line)
        if account.flaw == "html":
            return _html(_LOGIN_PAGE)
        arrival = _arrival(environ, flavour, rest)
        if route in flavour.speaks:
            return self._chat(arrival, flavour.speaks[route], account, line)
        if route in flavour.checks:
            return _json(200, flavour.checks[route](account.flaw))
        account.refuse(listing=True)
        return _json(200, flavour.lists[route](arrival))

    def _enter(self, flavour: Flavour, environ: dict[str, Any], line: Line) -> Account:
        """The account of a request, after the time that its key makes it wait."""
        self.stats.requests += 1
        account = self.accounts.enter(flavour, _request_headers(environ))
        self.stats.by_key[account.key] += 1
        if account.flaw == "slow":
            line.pause(SLOW)
        return account

    def _chat(self, arrival: Arrival, dialect: Dialect, account: Account, line: Line) -> Response:
        flavour = arrival.flavour
        late = flavour.breaks_in_stream and account.flaw == "nocredit"
        if not late:
            account.refuse()
        prompt = _read(dialect, arrival)
        self.stats.last_request = prompt.raw
        if late and not prompt.stream:
            account.refuse()
        account.refuse_model(prompt.model.id)
        _check_length(flavour, prompt)
        talk = view(prompt)
        self._check_scripted(flavour, prompt, account, talk)
        asked = replace(talk.directives, fail_after=0, error=account.flaw) if late else talk.directives
        plan = self.cache.plan(prompt, account.key, flavour.cache_unit)
        reply = build(prompt, talk, lambda draft: dialect.spell(arrival, prompt, draft))
        answer = self._prepared(flavour, prompt, reply, plan, asked)
        headers = self.limits.headers(flavour.limits, account.key, plan.usage.total, reply.tokens)
        self.stats.last_usage = {**plan.usage.as_json(), "output_tokens": reply.tokens}
        exchange = _Exchange(self, account, dialect, line, answer, asked, plan)
        if prompt.stream:
            headers += [("content-type", flavour.events_type), ("cache-control", "no-cache")]
            return Response(200, headers, exchange.stream())
        return exchange.whole(headers)

    def _prepared(self, flavour: Flavour, prompt: Prompt, reply: Reply, plan: cache.Plan, asked: Directives) -> Answer:
        id = new_id(*flavour.answer_id)
        compare = self.diagnostics.compare_response if flavour.diagnoses else self.diagnostics.compare
        missed = compare(prompt, id)
        return Answer(flavour, prompt, reply, plan.usage, id, int(self.clock()), asked.each, missed)

    def _check_scripted(self, flavour: Flavour, prompt: Prompt, account: Account, talk: Conversation) -> None:
        """Raises the error that the message's directives ask for, if any."""
        asked = talk.directives
        if asked.fail_after is not None:
            faults.check(asked, flavour, prompt)
        error = faults.before(asked, flavour, prompt)
        if error:
            raise error
        error = faults.once(asked, flavour, prompt)
        if error is None:
            return
        attempt = hashlib.sha256(compact([account.key, prompt.raw]).encode()).hexdigest()
        if attempt not in self._failed_once:
            self._failed_once.add(attempt)
            raise error
        self._failed_once.remove(attempt)

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
    dialect: Dialect
    line: Line
    answer: Answer
    asked: Directives
    plan: cache.Plan

    def stream(self) -> Iterator[bytes]:
        """The event stream, in real time. The headers go out with its first bytes."""
        stats = self.simulator.stats
        stats.active += 1
        ended = "aborted"
        try:
            self.line.pause(self._first)
            self.simulator.cache.commit(self.plan)
            for step in faults.within(self.dialect, self.answer, self.asked):
                if isinstance(step, faults.Broken):
                    ended = "broken"
                yield from self._play(step)
            ended = "done"
        finally:
            stats.active -= 1
            setattr(stats, ended, getattr(stats, ended) + 1)

    def whole(self, headers: Headers) -> Response:
        """The answer in one piece, after the time it takes to make it. Faults inside a stream become its end."""
        self.line.pause(self._first + self.answer.reply.tokens * self._per_token)
        self.simulator.cache.commit(self.plan)
        asked = self.asked
        if asked.silence_after is not None:
            self.line.pause(asked.seconds)
        if asked.drop_after is not None or asked.truncate_after is not None:
            self.line.break_off()
        if asked.revoke_after is not None:
            self.simulator.accounts.revoke(self.account.key)
        if asked.revoke_after is not None or asked.fail_after is not None:
            raise faults.failure(asked, self.answer)
        return _json(200, self.dialect.whole(self.answer), headers)

    def _play(self, step: faults.Step) -> Iterator[bytes]:
        match step:
            case Event():
                if step.spent:
                    self.line.pause(step.spent * self._per_token)
                yield from self._written(self.dialect.frame(step, self.simulator.padding()))
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
                yield self.dialect.frame(self.dialect.beat(self.answer.flavour), 0)

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


def _flavour(path: str) -> Flavour:
    """The provider of a path: the one with the longest prefix that fits."""
    fitting = [flavour for flavour in FLAVOURS if path.startswith(f"{flavour.prefix}/")]
    return max(fitting, key=lambda flavour: len(flavour.prefix))


def _matched(flavour: Flavour, method: str, place: str) -> tuple[str, str]:
    """The route of a path, and what stands for its `*`. Raises ApiError 404 or 405."""
    other = False
    for route in (*flavour.speaks, *flavour.lists, *flavour.checks):
        verb, pattern = route.split(" ")
        head, star, tail = pattern.partition("*")
        fits = place.startswith(head) and place.endswith(tail) and len(place) > len(head + tail) if star else False
        if place == pattern or fits:
            if verb == method:
                return route, place[len(head) : len(place) - len(tail)]
            other = True
    raise ApiError(405, "Method Not Allowed") if other else ApiError(404, "Not found")


def _arrival(environ: dict[str, Any], flavour: Flavour, rest: str) -> Arrival:
    query = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    return Arrival(flavour, environ["PATH_INFO"], rest, query, _request_headers(environ), _body(environ))


def _read(dialect: Dialect, arrival: Arrival) -> Prompt:
    """The request; one that is malformed in a way the dialect did not foresee is refused, and says so."""
    try:
        return dialect.read(arrival)
    except (AttributeError, LookupError, TypeError) as error:
        raise arrival.flavour.invalid(f"simulator: cannot make sense of this request: {error!r}") from error


def _check_length(flavour: Flavour, prompt: Prompt) -> None:
    tokens, most = cache.count(prompt), prompt.model.max_input
    if tokens > most:
        raise flavour.failure("context", tokens=tokens, limit=most)


def _body(environ: dict[str, Any]) -> bytes:
    if int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        raise ApiError(413, "Request exceeds the maximum size")
    body: bytes = environ["wsgi.input"].read()
    return body


def _request_headers(environ: dict[str, Any]) -> dict[str, str]:
    return {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}


def _json(status: int, body: Json | list[Json], headers: Headers | None = None) -> Response:
    return _whole(status, "application/json", compact(body), headers or [])


def _html(page: str) -> Response:
    return _whole(200, "text/html; charset=utf-8", page, [])


def _whole(status: int, content_type: str, text: str, headers: Headers) -> Response:
    """`content_type` "" sends none, as some providers do."""
    data = text.encode()
    kind = [("content-type", content_type)] if content_type else []
    return Response(status, [*headers, *kind, ("content-length", str(len(data)))], [data])


def _refusal(error: ApiError, flavour: Flavour, request_id: str, query: str) -> Response:
    headers = list(error.headers)
    if flavour.should_retry:
        headers.append(("x-should-retry", "true" if error.retryable else "false"))
    if error.retry_after is not None and flavour.says_retry_after:
        headers.append(("retry-after", str(error.retry_after)))
    kind = flavour.stream_error_type if flavour.stream_error_type and "alt=sse" in query else flavour.error_type
    return _whole(error.status, kind, compact(flavour.body(error, request_id)), headers)


def _status_line(status: int) -> str:
    names = {s.value: s.phrase for s in HTTPStatus}
    return f"{status} {names.get(status, 'Overloaded' if status == 529 else 'Error')}"
