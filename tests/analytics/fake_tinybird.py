"""A Tinybird on loopback, as far as asking a pipe goes: it checks the token as Tinybird does, and answers its envelope.

What a pipe answers is rendered from the same file and run on PostgreSQL, with the parameters of the URL and those that
the token fixes, which win (tinybird.co/docs/forward/core-concepts/jwt).
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.analytics.local import Local
from webapp.db import Database

TOKEN = "p.eyJ1IjogImFkbWluIn0.an-admin-token-0123456789"
WORKSPACE = "5f0f1a2b-0000-4000-8000-00000000beef"
CASTS = {"Date": date.fromisoformat, "Int32": int, "Float64": float, "String": str}


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status, self.error, self.headers = status, error, headers


@dataclass
class Tinybird:
    """`seen` are the requests as they arrived: path with query, and headers. `next` overrides the next answers."""

    url: str
    database: Database
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    next: list[Refused | bytes | float] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str]) -> bytes:
        self.seen.append((path, headers))
        match self.next.pop(0) if self.next else None:
            case Refused() as refused:
                raise refused
            case bytes(body):
                return body
            case float(seconds):
                time.sleep(seconds)
        parts = urlsplit(path)
        name = parts.path.removeprefix("/v0/pipes/").removesuffix(".json")
        fixed = self.fixed(name, headers.get("Authorization", ""))
        if name not in PIPE_ALLOWLIST:
            raise Refused(404, f"The pipe '{name}' does not exist")
        return envelope(self.rows(name, {**dict(parse_qsl(parts.query)), **fixed}))

    def fixed(self, pipe: str, authorization: str) -> dict[str, str]:
        """The token's parameters, once it has been checked."""
        head, claims, seal = authorization.removeprefix("Bearer ").split(".")
        signature = hmac.digest(TOKEN.encode(), f"{head}.{claims}".encode(), "sha256")
        said = json.loads(decoded(claims))
        if json.loads(decoded(head)) != {"alg": "HS256", "typ": "JWT"} or decoded(seal) != signature:
            raise Refused(403, "invalid authentication token")
        if said["workspace_id"] != WORKSPACE or said["exp"] < time.time():
            raise Refused(403, "token has expired")
        scope = next(
            (each for each in said["scopes"] if (each["type"], each["resource"]) == ("PIPES:READ", pipe)), None
        )
        if scope is None:
            raise Refused(403, f"no permission on {pipe}")
        return dict(scope["fixed_params"])

    def rows(self, name: str, params: dict[str, str]) -> list[dict[str, Any]]:
        pipe = PIPE_ALLOWLIST[name]
        declared = pipe.compiled.parameters
        if unknown := set(params) - set(declared):
            raise Refused(400, f"unknown parameters {unknown}")
        return Local(self.database).rows(pipe, {key: CASTS[declared[key].type](value) for key, value in params.items()})


def envelope(rows: list[dict[str, Any]]) -> bytes:
    data = [{key: float(v) if isinstance(v, Decimal) else v for key, v in row.items()} for row in rows]
    body = {"meta": [], "data": data, "rows": len(data), "statistics": {"elapsed": 0.001, "rows_read": len(data)}}
    return json.dumps(body, default=str).encode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextmanager
def tinybird(database: Database) -> Iterator[Tinybird]:
    fake = Tinybird("", database)

    class Listener(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                self.reply(200, fake.answer(self.path, dict(self.headers)), {})
            except Refused as refused:
                self.reply(refused.status, json.dumps({"error": refused.error}).encode(), refused.headers)

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()
