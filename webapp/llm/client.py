"""The only code that opens a connection to a provider. It sends, reads and keeps time; dialects know what bytes mean.

One `requests` session per provider, so that a conversation's next round finds its connection open. A session holds no
key, follows no redirect and inherits nothing from the environment. The key joins a request's headers as it is sent.

Two limits hold for every call, since a socket's own timeout only sees silence: idle for one receive, total for all of
it. Under gevent they interrupt; in an ordinary thread the socket's timeout and a look at the clock do what they can.

Waking up costs more than reading. So once an answer's text flows, its socket is emptied on a tick that all streams of
the process share (they wake together); up to its first word, every byte goes through at once.

Where people type an address themselves, the name is resolved once for each request, every answer is judged
(addresses.py), and the connection is made to what was judged: nobody gets to answer the same question twice.
"""

from __future__ import annotations

import io
import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import gevent
import gevent.monkey
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from webapp.llm import addresses, sse
from webapp.llm.addresses import AddressRefused
from webapp.llm.blocks import Message, Text
from webapp.llm.dialects import DIALECTS, Dialect
from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.events import Event, Finish, Notice, TextDelta, ThinkingDelta
from webapp.llm.models import Model, RemoteModel, cheapest, join
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest
from webapp.secret import HIDDEN, Secret, scrub

PIECE = 16 * 1024  # bytes a read; a tick's worth of text is about one
POOL = 512  # open connections kept per provider
LONGEST_ERROR = 64 * 1024  # bytes of an error answer that are read
LONGEST_LIST = 8 * 1024 * 1024  # bytes of a page of models
MOST_PAGES = 20
SHORT = 20.0  # seconds for a test call or a list of models
TAIL = 0.25  # seconds to wait for the end of a body that has said everything
MOST_ADDRESSES = 4  # of one name that are tried

Resolve = Callable[[str, int], Sequence[str]]  # name and port -> addresses as text; raises socket.gaierror

_poll = gevent.monkey.get_original("select", "poll")  # the one that never waits for the hub
_ORGANISATION = re.compile(
    r"\borg-[A-Za-z0-9]{8,}|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Probe:
    """A test call that went well: the model that answered, and how long it took."""

    model: str
    seconds: float


def resolve(host: str, port: int) -> list[str]:
    """What the system's resolver answers, in its order."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Client:
    """Asks providers. Safe to share between greenlets and threads; makes no second try of its own."""

    def __init__(
        self,
        *,
        proxy: str = "",
        idle_timeout: float = 120.0,
        total_timeout: float = 900.0,
        connect_timeout: float = 10.0,
        tick: float = 0.05,
        named_hosts: frozenset[addresses.Host] = frozenset(),
        resolve: Resolve = resolve,
    ) -> None:
        """Seconds all. `proxy` is a URL; without one, connections are direct. `named_hosts` are those that the operator
        opens to the addresses that people type; they are reached directly."""
        self._proxy = proxy
        self._idle = idle_timeout
        self._total = total_timeout
        self._connect = connect_timeout
        self._tick = tick
        self._named_hosts = named_hosts
        self._resolve = resolve
        self._sessions: dict[str, requests.Session] = {}

    def stream(self, provider: Provider, request: ModelRequest, key: Secret) -> Iterator[Event]:
        """The events of one answer, ended by its Finish. Raises ProviderError. Closing the generator, or killing the
        greenlet that reads it, closes the connection at once."""
        return self._stream(provider, request, key, _Clock(self._idle, self._total))

    def probe(self, provider: Provider, key: Secret) -> Probe:
        """A smallest real answer from the cheapest model the key may use. Raises ProviderError with the reason why not,
        after SHORT seconds at the latest, or more where the provider's record asks for patience."""
        clock = _Clock(SHORT * provider.patience, SHORT * provider.patience)
        began = time.monotonic()
        refusal: ProviderError | None = None
        self._check(provider, key, clock)
        for model in self._candidates(provider, key, clock):
            try:
                self._hear(provider, _ping(provider, model), key, clock)
                return Probe(model, time.monotonic() - began)
            except ProviderError as error:
                if not _another_may_do(provider, error.fault):
                    raise
                refusal = refusal or error
        raise refusal or ProviderError(Fault(Kind.MODEL_NOT_FOUND))

    def models(self, provider: Provider, key: Secret) -> list[RemoteModel]:
        """Every model the key may use, in the provider's order. Raises ProviderError."""
        return self._models(provider, key, _Clock(SHORT, SHORT))

    def close(self) -> None:
        """Close the connections that wait for their next use."""
        for session in self._sessions.values():
            session.close()

    def _check(self, provider: Provider, key: Secret, clock: _Clock) -> None:
        """Ask for free what the key may do, where the provider tells. Only a clear no counts: the test call decides."""
        dialect = DIALECTS[provider.dialect]
        call = dialect.check_call(provider, key)
        if call is None:
            return
        try:
            with self._answer(provider, call, key, clock) as answer:
                if answer.status != 200:
                    raise answer.refusal(dialect)
                dialect.read_check(provider, answer.body(LONGEST_ERROR))
        except ProviderError as error:
            if error.fault.kind in (Kind.INVALID_KEY, Kind.KEY_FORBIDDEN, Kind.NO_CREDIT):
                raise

    def _hear(self, provider: Provider, request: ModelRequest, key: Secret, clock: _Clock) -> None:
        """Hear a whole answer. One that fails after its first word has shown that the key may chat."""
        spoke = False
        try:
            for event in self._stream(provider, request, key, clock):
                spoke = spoke or isinstance(event, TextDelta | ThinkingDelta)
        except ProviderError:
            if not spoke:
                raise

    def _candidates(self, provider: Provider, key: Secret, clock: _Clock) -> list[str]:
        """Models to test with. A key may chat though it must not list: then it is the one of the provider's record."""
        listed: list[Model] = []
        try:
            listed = join(provider.slug, self._models(provider, key, clock))
        except ProviderError as error:
            if error.fault.kind in (Kind.INVALID_KEY, Kind.NETWORK, Kind.TIMEOUT):
                raise
            if provider.self_hosted:
                raise ProviderError(_without_list(error.fault)) from None
        if provider.self_hosted and not listed:
            raise ProviderError(Fault(Kind.MODEL_NOT_FOUND, code="no_models"))
        return [m.id for m in cheapest(listed, provider.probe_model if provider.probe_listed else "")] or [
            provider.probe_model
        ]

    def _models(self, provider: Provider, key: Secret, clock: _Clock) -> list[RemoteModel]:
        dialect = DIALECTS[provider.dialect]
        found: list[RemoteModel] = []
        after = ""
        for _ in range(MOST_PAGES):
            with self._answer(provider, dialect.models_call(provider, key, after), key, clock) as answer:
                if answer.status != 200:
                    raise answer.refusal(dialect)
                page = dialect.read_models(provider, answer.body(LONGEST_LIST))
            found += page.models
            after = page.after
            if not after:
                break
        return found

    def _stream(self, provider: Provider, request: ModelRequest, key: Secret, clock: _Clock) -> Iterator[Event]:
        dialect = DIALECTS[provider.dialect]
        with self._answer(provider, dialect.call(provider, request, key), key, clock) as answer:
            if answer.status != 200 or not answer.is_event_stream:
                raise answer.refusal(dialect)
            for event in dialect.listen(provider, sse.read(answer.chunks())):
                if isinstance(event, TextDelta):
                    answer.pace(self._tick)
                yield _scrubbed(event, key)
            answer.read_tail()

    @contextmanager
    def _answer(self, provider: Provider, call: HttpCall, key: Secret, clock: _Clock) -> Iterator[_Answer]:
        """The answer to `call`, of which only the head was read. However the block ends, the connection is closed or
        back in the pool, and what is raised is a ProviderError without secrets."""
        answer: _Answer | None = None
        try:
            answer = _Answer(self._send(provider, call, clock), clock)
            yield answer
        except ProviderError as error:
            raise ProviderError(_clean(error.fault, key)) from None
        except AddressRefused:
            raise ProviderError(Fault(Kind.NETWORK, code="closed_address")) from None
        except (requests.RequestException, HTTPError, UnicodeError, socket.gaierror) as error:
            raise ProviderError(_network_fault(error, in_stream=answer is not None)) from None
        finally:
            if answer is not None:
                answer.close()

    def _send(self, provider: Provider, call: HttpCall, clock: _Clock) -> requests.Response:
        headers = {"accept-encoding": "identity", **call.headers}
        if call.key:  # a server of one's own may want none
            headers[call.key_header] = call.key_prefix + call.key.expose()
        with clock.running():
            return self._session(provider).request(
                call.method,
                call.url,
                headers=headers,
                data=call.body or None,
                timeout=(min(self._connect, clock.left()), clock.left()),
                allow_redirects=False,
                stream=True,
            )

    def _session(self, provider: Provider) -> requests.Session:
        found = self._sessions.get(provider.slug)
        if found is None:
            found = requests.Session()
            found.trust_env = False
            found.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # nothing passes from one key to another
            found.proxies = {"http": self._proxy, "https": self._proxy} if self._proxy else {}
            for scheme in ("http://", "https://"):
                found.mount(scheme, self._adapter(provider))
            found = self._sessions.setdefault(provider.slug, found)
        return found

    def _adapter(self, provider: Provider) -> HTTPAdapter:
        if provider.self_hosted:
            return _Pinned(self._named_hosts, self._resolve)
        return HTTPAdapter(pool_connections=2, pool_maxsize=POOL)


def _another_may_do(provider: Provider, fault: Fault) -> bool:
    """Whether another model may answer where one did not. The lists of people's own servers do not say what each model
    is for: one that cannot chat makes the request invalid."""
    about_it = fault.kind in (Kind.MODEL_FORBIDDEN, Kind.MODEL_NOT_FOUND)
    return about_it or (provider.self_hosted and fault.kind is Kind.REQUEST_INVALID)


def _without_list(fault: Fault) -> Fault:
    """Why there is no list of models: the server is none that has one, if it answered without such trouble."""
    unknown_there = fault.kind in (Kind.PROTOCOL, Kind.REQUEST_INVALID, Kind.MODEL_NOT_FOUND, Kind.MODEL_FORBIDDEN)
    return replace(fault, kind=Kind.PROTOCOL, code="no_list") if unknown_there else fault


def _ping(provider: Provider, model: str) -> ModelRequest:
    question = Message("user", (Text("ping"),))
    return ModelRequest(model, (question,), max_output=provider.probe_tokens, thinking="off")


# --- addresses that people typed --------------------------------------------------------------------------------


class _Pinned(HTTPAdapter):
    """Connects to addresses that were judged, by number. The name stays in the Host header, in the TLS handshake and in
    the check of the certificate. Where a redirect leads is not even read."""

    def __init__(self, named_hosts: frozenset[addresses.Host], resolve: Resolve) -> None:
        super().__init__(pool_connections=POOL, pool_maxsize=POOL)
        self._named_hosts = named_hosts
        self._resolve = resolve

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises AddressRefused, socket.gaierror, and what requests raises."""
        typed = urlsplit(str(request.url))
        endpoint = addresses.judge(f"{typed.scheme}://{typed.netloc}", self._named_hosts)
        answers = self._resolve(endpoint.host, endpoint.port)
        *others, last = addresses.permit(endpoint, answers)[:MOST_ADDRESSES]
        path = request.path_url
        request.headers["host"] = endpoint.authority
        if endpoint.named:
            kwargs["proxies"] = {}
        for address in others:
            request.url = endpoint.origin_at(address) + path
            try:
                return super().send(request, *args, **kwargs)
            except requests.ConnectionError as error:
                if not _found_nobody(error):
                    raise
        request.url = endpoint.origin_at(last) + path
        return super().send(request, *args, **kwargs)

    def build_connection_pool_key_attributes(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """What a connection is chosen by, or made with."""
        where, how = super().build_connection_pool_key_attributes(request, *args, **kwargs)
        if where["scheme"] == "https":
            return where, dict(how, server_hostname=urlsplit(f"//{request.headers['host']}").hostname)
        return where, how

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.headers.pop("location", None)  # requests would read a redirect's whole body
        return response


def _found_nobody(error: requests.ConnectionError) -> bool:
    return isinstance(error, requests.ConnectTimeout) or isinstance(_innermost(error), NewConnectionError)


# --- reading ----------------------------------------------------------------------------------------------------


class _Clock:
    """The two limits of one call. `running` interrupts what it wraps when either is reached."""

    def __init__(self, idle: float, total: float) -> None:
        self._idle = idle
        self._end = time.monotonic() + total

    def left(self) -> float:
        """Seconds the next step may take. Raises ProviderError (TIMEOUT) if there are none."""
        total = self._end - time.monotonic()
        if total <= 0:
            raise _late("total")
        return min(self._idle, total)

    @contextmanager
    def running(self) -> Iterator[None]:
        left = self.left()
        with gevent.Timeout(left, _late("idle" if left == self._idle else "total")):
            yield


def _late(which: str) -> ProviderError:
    return ProviderError(Fault(Kind.TIMEOUT, code=which))


class _Tap(io.RawIOBase):
    """Stands between a response's reader and its socket, so that what it does is done once per receive, not per chunk
    or event. It keeps the time; and with a `tick` set it lets an empty socket fill until the next multiple of it on the
    process's clock, so that all streams wake in the same moment. What is there already is read at once: a fast answer
    is never slowed down, and TLS hands out one record at a time."""

    def __init__(self, socket: Any, clock: _Clock) -> None:
        """`socket` is what `makefile` made of it."""
        self._socket = socket
        self._leftover = getattr(socket.raw._sock, "pending", int)  # bytes of a TLS record that are still to be read
        self._poll = _poll()
        self._poll.register(socket.fileno(), select.POLLIN)
        self.clock = clock
        self.tick = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.tick and not self._leftover() and not self._poll.poll(0):
            gevent.sleep(self.tick - time.monotonic() % self.tick)
        with self.clock.running():
            data = self._socket.read1(len(buffer))  # not readinto1, which waits for more though it holds some
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._socket.close()
        super().close()


class _Answer:
    """A response whose body is still to be read, through a tap."""

    def __init__(self, response: requests.Response, clock: _Clock) -> None:
        self._response = response
        reader: Any = response.raw._original_response  # http.client's, the one place where the bytes come from
        self._tap: _Tap | None = None
        if reader.fp is not None:  # None once the body was read, as requests does with a redirect's
            self._tap = _Tap(reader.fp, clock)
            reader.fp = io.BufferedReader(self._tap, PIECE)

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def is_event_stream(self) -> bool:
        kind = self._response.headers.get("content-type", "").partition(";")[0]
        return kind.strip().lower() == "text/event-stream"

    def pace(self, tick: float) -> None:
        """From now on, wake on the tick (seconds)."""
        if self._tap:
            self._tap.tick = tick

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes. `read1` alone is immediate for chunked, close-delimited and compressed bodies alike."""
        while data := self._response.raw.read1(PIECE, decode_content=True):
            yield data

    def body(self, longest: int) -> bytes:
        """At most `longest` bytes of a body that is no stream."""
        body = bytearray()
        self._read_into(body, longest)
        return bytes(body[:longest])

    def refusal(self, dialect: Dialect) -> ProviderError:
        """What an answer means that is not the one hoped for, even if its body breaks off: the status says most."""
        headers = {name.lower(): value for name, value in self._response.headers.items()}
        body = bytearray()
        with suppress(HTTPError, ProviderError):
            self._read_into(body, LONGEST_ERROR)
        return dialect.fail(self.status, headers, bytes(body[:LONGEST_ERROR]))

    def read_tail(self) -> None:
        """Read what follows the last event: only then may another call use the connection. If that takes long, the
        connection is closed instead."""
        if self._tap:
            self._tap.tick, self._tap.clock = 0.0, _Clock(TAIL, TAIL)
        with suppress(HTTPError, ProviderError):
            self._read_into(bytearray(), LONGEST_ERROR)

    def _read_into(self, body: bytearray, longest: int) -> None:
        for data in self.chunks():
            body += data
            if len(body) >= longest:
                return

    def close(self) -> None:
        self._response.close()


# --- faults -----------------------------------------------------------------------------------------------------


def _clean(fault: Fault, key: Secret) -> Fault:
    """`fault` without the key and without the ids of the customer's organisation, which providers like to repeat."""

    def hide(words: str) -> str:
        return _ORGANISATION.sub(HIDDEN, scrub(words, key))

    return replace(fault, message=hide(fault.message), code=hide(fault.code), request_id=hide(fault.request_id))


def _scrubbed(event: Event, key: Secret) -> Event:
    if isinstance(event, Finish | Notice) and event.detail:
        return replace(event, detail=scrub(event.detail, key))
    return event


def _network_fault(error: Exception, *, in_stream: bool) -> Fault:
    """What failed below HTTP, in one word (`code`); the library's own text may hold addresses and headers."""
    cause = _innermost(error)
    match cause:
        case requests.ConnectTimeout():
            return Fault(Kind.TIMEOUT, code="connect", retryable=True)
        case requests.ReadTimeout() | ReadTimeoutError():
            return Fault(Kind.TIMEOUT, code="idle", in_stream=in_stream)
        case requests.exceptions.SSLError() | SSLError():
            return Fault(Kind.NETWORK, code="tls", in_stream=in_stream)
        case requests.exceptions.ProxyError():
            return Fault(Kind.NETWORK, code="proxy")
        case NameResolutionError() | socket.gaierror():
            return Fault(Kind.NETWORK, code="dns", retryable=True)
        case NewConnectionError():
            return Fault(Kind.NETWORK, code="refused", retryable=True)
        case DecodeError():
            return Fault(Kind.PROTOCOL, code="encoding", in_stream=in_stream)
        case ProtocolError() if in_stream:
            return Fault(Kind.TRUNCATED, in_stream=True, retryable=True)
        case requests.exceptions.InvalidHeader() | UnicodeError():
            return Fault(Kind.INVALID_KEY, code="characters")  # a key with characters that no header can carry
        case (
            requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema() | requests.exceptions.MissingSchema()
        ):
            return Fault(Kind.PROTOCOL, code="address")
    return Fault(Kind.NETWORK, code="reset", retryable=True, in_stream=in_stream)


def _innermost(error: Exception) -> Exception:
    """requests wraps urllib3's MaxRetryError, which wraps what happened."""
    if isinstance(error, requests.ConnectionError) and type(error) is requests.ConnectionError and error.args:
        wrapped = error.args[0]
        reason = getattr(wrapped, "reason", None)
        return reason if isinstance(reason, Exception) else wrapped if isinstance(wrapped, Exception) else error
    return error
