"""Server-sent events: bytes in, frames out. No JSON, no sockets, no dialect.

Two little machines, each linear in the bytes and indifferent to how they are cut:

    bytes -> lines    LF, CR and CRLF end a line, nothing else does (U+2028, U+0085 and the like are text)
    lines -> frames   fields add up to a frame, an empty line dispatches it

as https://html.spec.whatwg.org/multipage/server-sent-events.html says, with two deliberate differences: a comment is
told (it proves that the line is alive), and what is pending when the bytes end is dispatched with `whole=False`
(some servers leave out the last empty line). `id` and `retry` mean nothing to us, who never reconnect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webapp.llm.errors import Fault, Kind, ProviderError

MAX_LINE = 4 * 1024 * 1024  # bytes
MAX_TOTAL = 64 * 1024 * 1024  # bytes

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of the stream. `whole` is False if the bytes ended before the empty line that closes it."""

    event: str
    data: str
    whole: bool = True


COMMENT = Frame("", "")  # a real frame's event is never empty: without a name it is "message"


def read(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of a whole body, each as soon as its last byte is there. Raises ProviderError (PROTOCOL)."""
    lines, frames = Lines(), Frames()
    for chunk in chunks:
        for line in lines.feed(chunk):
            frame = frames.feed(line)
            if frame:
                yield frame
    last = frames.close(lines.close())
    if last:
        yield last


class Lines:
    """Bytes to lines, without their ends. A CR ends a line at once; an LF that follows it later is swallowed."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._after_cr = False
        self._total = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises ProviderError beyond MAX_LINE or MAX_TOTAL."""
        if not data:
            return []
        self._total += len(data)
        if self._after_cr and data[0] == 0x0A:
            data = data[1:]
            self._after_cr = False
            if not data:
                return []
        self._after_cr = data[-1] == 0x0D
        first, *others = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest += first
        if len(self._rest) > MAX_LINE or self._total > MAX_TOTAL:
            raise _too_long()
        if not others:
            return []
        lines = [bytes(self._rest), *others[:-1]]
        self._rest = bytearray(others[-1])
        return lines

    def close(self) -> bytes:
        """What was left without a line end."""
        return bytes(self._rest)


class Frames:
    """Lines to frames."""

    def __init__(self) -> None:
        self._event = ""
        self._data: list[str] = []
        self._first = True

    def feed(self, line: bytes) -> Frame | None:
        """The frame that `line` completes, if it does."""
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch(whole=True)
        if line.startswith(b":"):
            return COMMENT
        name, _, value = line.decode("utf-8", "replace").partition(":")
        match name:
            case "data":
                self._data.append(value.removeprefix(" "))
            case "event":
                self._event = value.removeprefix(" ")
        return None

    def close(self, rest: bytes) -> Frame | None:
        """The pending frame at the end of the bytes, with the unfinished line `rest` counted in."""
        if rest:
            self.feed(rest)
        return self._dispatch(whole=False)

    def _dispatch(self, *, whole: bool) -> Frame | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return Frame(event, "\n".join(data), whole) if data else None


def _too_long() -> ProviderError:
    return ProviderError(
        Fault(Kind.PROTOCOL, "The answer is longer than any real one.", code="too_long", in_stream=True)
    )
