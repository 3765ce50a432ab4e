"""A provider that stamps every token with its number and the moment of its writing. Speaks Anthropic's Messages API.

The model's name says how it answers: `bench-t300-r50` writes 300 tokens, 50 a second, each with a write of its own.
A token is the word a<number>b<microseconds>z: whoever reads it on this machine knows how old it is, in any markup.
The text has the shape of an answer: paragraphs, some bold, a list, a block of code, and again.
`GET /__stats` says how many tokens were written, and how many answers are being written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CYCLE = 120  # tokens from one heading of the pattern to the next
WRAP = 10**9  # microseconds after which the stamps start again
SHAPE = re.compile(r"^bench-t(\d+)-r(\d+)$")

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"request-id: req_bench\r\n\r\n"
)


@dataclass
class Stats:
    tokens: int = 0
    active: int = 0
    answers: int = 0


def stamp() -> int:
    return int(time.monotonic() * 1e6) % WRAP


def piece(number: int) -> str:
    """The text of one token, with the markdown around it."""
    before, after = markup(number)
    return f"{before}a{number}b{stamp()}z{after}"


def markup(number: int) -> tuple[str, str]:
    place = number % CYCLE
    if place < 70:
        if place == 0:
            return ("\n\n" if number else ""), " "
        if place == 20:
            return "**", "** "
        return "", ". " if place % 14 == 13 else " "
    if place < 100:
        return ("\n\n- " if place == 70 else "\n- " if place % 10 == 0 else ""), " "
    opening = "\n\n```python\n" if place == 100 else "\n" if place % 5 == 0 else ""
    return opening, "\n```\n" if place == CYCLE - 1 else " "


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(kind: str, **fields: Any) -> bytes:
    body = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return chunk(f"event: {kind}\ndata: {body}\n\n".encode())


def delta(number: int) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece(number)})


def message(model: str, content: list[dict[str, str]], stop: str | None, output: int) -> dict[str, Any]:
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    }
    return {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def opening(model: str) -> Iterator[bytes]:
    yield HEAD
    yield event("message_start", message=message(model, [], None, 1))
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield event("ping")


def closing(tokens: int) -> Iterator[bytes]:
    yield event("content_block_stop", index=0)
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=end, usage={"output_tokens": tokens})
    yield event("message_stop")
    yield b"0\r\n\r\n"


class Upstream:
    def __init__(self, models: list[str]) -> None:
        self.stats = Stats()
        self._models = models

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, any number of requests."""
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1].partition("?")[0]
        length = re.search(r"(?im)^content-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if path == "/v1/messages":
            await self._message(writer, json.loads(body))
        elif path == "/v1/models":
            self._reply(writer, self._model_list())
        elif path == "/__stats":
            self._reply(writer, vars(self.stats))
        else:
            self._reply(
                writer, {"type": "error", "error": {"type": "not_found_error", "message": path}}, "404 Not Found"
            )

    async def _message(self, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
        model = str(asked["model"])
        shape = SHAPE.match(model)
        if not asked.get("stream") or shape is None:
            self._reply(writer, message(model, [{"type": "text", "text": "ok"}], "end_turn", 1))
            return
        self.stats.active += 1
        try:
            await self._stream(writer, model, int(shape[1]), 1 / int(shape[2]))
        finally:
            self.stats.active -= 1
            self.stats.answers += 1

    async def _stream(self, writer: asyncio.StreamWriter, model: str, tokens: int, pause: float) -> None:
        writer.write(b"".join(opening(model)))
        due = time.monotonic()
        for number in range(tokens):
            writer.write(delta(number))
            self.stats.tokens += 1
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if writer.is_closing():
                raise ConnectionResetError
        writer.write(b"".join(closing(tokens)))

    def _model_list(self) -> dict[str, Any]:
        data = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
            for name in self._models
        ]
        return {"data": data, "has_more": False, "first_id": self._models[0], "last_id": self._models[-1]}

    def _reply(self, writer: asyncio.StreamWriter, value: object, status: str = "200 OK") -> None:
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)


async def run(port: int, models: list[str]) -> None:
    server = await asyncio.start_server(Upstream(models).serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.upstream", description="A provider that stamps its tokens.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("models", nargs="+", help="the names it lists")
    given = parser.parse_args()
    asyncio.run(run(given.port, given.models))


if __name__ == "__main__":
    main()
