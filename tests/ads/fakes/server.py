"""A fake platform as a real HTTP server on loopback: it notes what it was asked, and can be told to stumble."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What arrived. `form` is a URL-encoded body, `body` a JSON one; `line` and `headers` are as they came."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    body: Any
    headers: dict[str, str]  # names in lower case
    line: str


@dataclass(frozen=True)
class Reply:
    """`body` goes as JSON, bytes as they are. `silent`: the connection is closed without a word."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False


SILENCE = Reply(silent=True)


@dataclass
class Stumble:
    """An answer other than the true one, for requests whose path ends so. `after`: the request takes effect first."""

    path: str
    reply: Reply
    times: int = 1
    method: str = ""
    after: bool = False


@dataclass
class Fake:
    """A platform. Its `answer` is the truth; `stumbles` come before it."""

    requests: list[Request] = field(default_factory=list)
    replies: list[tuple[Request, Reply]] = field(default_factory=list)
    stumbles: list[Stumble] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of every answer

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def stumble(self, path: str, reply: Reply, *, times: int = 1, method: str = "", after: bool = False) -> None:
        self.stumbles.append(Stumble(path, reply, times, method, after))

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self._reply(request)
        self.replies.append((request, reply))
        return reply

    def _reply(self, request: Request) -> Reply:
        for each in self.stumbles:
            if each.times and request.path.endswith(each.path) and each.method in ("", request.method):
                each.times -= 1
                if each.after:
                    self.answer(request)
                return each.reply
        return self.answer(request)

    def asked(self, path: str) -> list[Request]:
        return [each for each in self.requests if each.path.endswith(path)]


class _Listener(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def _do(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        url = urlsplit(self.path)
        is_json = self.headers.get("content-type", "").startswith("application/json")
        request = Request(
            self.command,
            url.path,
            dict(parse_qsl(url.query)),
            {} if is_json else dict(parse_qsl(raw.decode())),
            json.loads(raw) if is_json and raw else None,
            {name.lower(): value for name, value in self.headers.items()},
            self.requestline,
        )
        self._send(self.fake.reply(request))

    def _send(self, reply: Reply) -> None:
        if reply.silent:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        headers = {"content-type": "application/json", **self.fake.headers, **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Tests look at `requests`."""


@contextmanager
def serving(fake: Fake) -> Iterator[str]:
    """Its base URL."""
    listener = type("Listener", (_Listener,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), listener)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def json_list(text: str) -> list[Any]:
    """A parameter that is a JSON list; empty for none."""
    found = json.loads(text or "[]")
    return found if isinstance(found, list) else []
