"""A loopback server that answers as Anthropic does when a key is tested: well, badly, late, or as somebody else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STREAM = (
    ("message_start", {"message": {"id": "msg_1", "model": "claude-haiku-4-5", "usage": {"input_tokens": 8}}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 1}}),
    ("message_stop", {}),
)
MODELS = {"data": [{"type": "model", "id": "claude-haiku-4-5", "display_name": "Claude Haiku 4.5"}], "has_more": False}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silence: float = 0.0  # seconds before the first byte


def error(status: int, kind: str, message: str, **headers: str) -> Reply:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}
    return Reply(status, json.dumps(body).encode(), {"content-type": "application/json", **headers})


def stream(*events: tuple[str, dict[str, object]]) -> Reply:
    lines = (f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events)
    return Reply(200, "".join(lines).encode(), {"content-type": "text/event-stream"})


GOOD = stream(*STREAM)


class StandIn:
    """Set `reply` to what it says next. It remembers the keys it was shown, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.reply = GOOD
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.while_answering: Callable[[], None] = lambda: None


@contextmanager
def stand_in() -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(Reply(200, json.dumps(MODELS).encode(), {"content-type": "application/json"}))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            there.keys.append(self.headers.get("x-api-key") or self.headers.get("authorization", ""))
            there.while_answering()
            self.answer(there.reply)

        def answer(self, reply: Reply) -> None:
            there.paths.append(self.path)
            time.sleep(reply.silence)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """The client has hung up, as it does after its deadline."""

    server = Server(("127.0.0.1", 0), Handler)
    there = StandIn(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield there
    server.shutdown()
    server.server_close()
    thread.join(5)
