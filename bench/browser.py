"""What a browser does, and no more: signs in by cookie, posts a message, follows its stream, and checks what it saw."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from bench.upstream import WRAP, stamp

TOKEN = re.compile(rb"a(\d+)b(\d+)z")
STREAM = re.compile(r'hx-sse:connect="(/chat/turns/[0-9a-f-]+/stream)"')
WORKSPACE = re.compile(r'name="workspace" value="([0-9a-f-]+)"')
PATIENCE = 180.0  # seconds for one exchange

Take = Callable[[bytes], None]


class Wrong(Exception):
    """The product did not do what it should have: then its speed does not matter."""


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Reading:
    """One answer as it arrived: when the first token, how old each, how long between frames, and the last frame."""

    tokens: int  # how many it should have
    asked_at: float = field(default_factory=time.monotonic)
    first_at: float = 0.0
    seen: int = 0
    ages: list[float] = field(default_factory=list)  # seconds, of each token when it was first read
    gaps: list[float] = field(default_factory=list)  # seconds between frames that brought something
    last_frame: bytes = b""
    recording: bool = True
    _last_at: float = 0.0
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        """Any piece of the event stream."""
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            if not frame.startswith(b":"):
                self._frame(frame)

    def _frame(self, frame: bytes) -> None:
        self.last_frame = frame
        fresh = [(int(number), int(at)) for number, at in TOKEN.findall(frame) if int(number) >= self.seen]
        if not fresh:
            return
        now, present = time.monotonic(), stamp()
        if self.recording:
            self.ages.extend((present - at) % WRAP / 1e6 for _, at in fresh)
            if self._last_at:
                self.gaps.append(now - self._last_at)
        self.first_at = self.first_at or now
        self._last_at = now
        self.seen = max(number for number, _ in fresh) + 1

    @property
    def to_first(self) -> float:
        return self.first_at - self.asked_at

    def check(self) -> None:
        """Raises Wrong unless every token was read, and the final turn holds each once and in order."""
        final = self.last_frame.partition(b"</hx-partial>")[0]  # the turn; what follows may repeat its words
        check_tokens(final, self.tokens)
        if self.seen != self.tokens:
            raise Wrong(f"{self.seen} of {self.tokens} tokens were streamed")


def check_tokens(html: bytes, expected: int) -> None:
    numbers = [int(number) for number, _ in TOKEN.findall(html)]
    if numbers != list(range(expected)):
        words = re.sub(rb"\s+", b" ", re.sub(rb"<[^>]*>", b" ", html))[:300].decode()
        raise Wrong(f"the final answer holds {len(numbers)} tokens, not each of {expected} once and in order: {words}")


class Exchange(asyncio.Protocol):
    """One HTTP/1.1 request on a connection of its own; the body goes to `take` as it comes."""

    def __init__(self, request: bytes, take: Take) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._take = take
        self._buffer = b""
        self._chunked = False
        self._left = 0  # bytes of the body, or of the current chunk with its line end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.status:
            self._body(data)
            return
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if found:
            self._buffer = b""
            self._read_head(head.decode("latin-1"))
            self._body(rest)

    def connection_lost(self, reason: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(Wrong("the connection ended too early"))

    def _read_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "")
        self._left = int(self.headers.get("content-length", 0))
        self.status = int(first.split(" ")[1])

    def _body(self, data: bytes) -> None:
        if not self._chunked:
            self._take(data)
            self._left -= len(data)
            if self._left <= 0:
                self._finish()
            return
        data = self._buffer + data
        self._buffer = b""
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._take(part[: max(0, self._left - 2)])
                self._left -= len(part)
                continue
            line, found, rest = data.partition(b"\r\n")
            if not found:
                self._buffer = data
                return
            size = int(line, 16)
            if size == 0:
                self._finish()
                return
            self._left, data = size + 2, rest

    def _finish(self) -> None:
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)


async def exchange(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes, take: Take
) -> tuple[int, Mapping[str, str]]:
    lines = {"Host": f"127.0.0.1:{port}", "Connection": "close", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: Exchange(request, take), "127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            await protocol.done
    finally:
        transport.close()
    return protocol.status, protocol.headers


async def fetch(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Reply:
    parts: list[bytes] = []
    status, got = await exchange(port, method, path, headers or {}, body, parts.append)
    return Reply(status, got, b"".join(parts))


class Browser:
    """A signed-in person. Each `ask` is a new chat, as one chat has one live answer at most."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""
        self._workspace = ""

    async def sign_in(self, email: str, password: str) -> None:
        form = {"email": email, "password": password}
        reply = await self._post("/sign-in", form, {})
        if reply.status != 303 or "set-cookie" not in reply.headers:
            raise Wrong(f"sign-in answered {reply.status}")
        self._cookie = reply.headers["set-cookie"].partition(";")[0]

    async def wait_for_model(self, model: str) -> None:
        """The page asks the provider for its models behind our back; this waits until they are there."""
        async with asyncio.timeout(30):
            while True:
                page = (await fetch(self._port, "GET", "/chat", {"Cookie": self._cookie})).body.decode()
                if model in page:
                    break
                await asyncio.sleep(0.2)
        found = WORKSPACE.search(page)
        if found is None:
            raise Wrong("the chat page names no workspace")
        self._workspace = found[1]

    async def send(self, model: str) -> tuple[str, str]:
        """The path of the answer's stream, and of the chat."""
        form = {
            "workspace": self._workspace,
            "session_id": "",
            "request_id": str(uuid.uuid4()),
            "text": "Write something for the benchmark.",
            "model": f"anthropic:{model}",
        }
        reply = await self._post("/chat/send", form, {"HX-Request": "true"})
        found = STREAM.search(reply.body.decode())
        if found is None:
            raise Wrong(f"sending answered {reply.status} without a stream: {reply.body[:300].decode()}")
        return found[1], reply.headers["hx-push-url"]

    async def ask(self, model: str, reading: Reading) -> None:
        stream, _ = await self.send(model)
        headers = {"Cookie": self._cookie, "Accept": "text/event-stream", "HX-Request": "true"}
        status, _ = await exchange(self._port, "GET", stream, headers, b"", reading.take)
        if status != 200:
            raise Wrong(f"the stream answered {status}")
        reading.check()

    async def page(self, path: str) -> bytes:
        return (await fetch(self._port, "GET", path, {"Cookie": self._cookie})).body

    async def _post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._cookie, **headers}
        return await fetch(self._port, "POST", path, kind, urlencode(form).encode())
