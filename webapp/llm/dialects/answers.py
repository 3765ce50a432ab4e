"""What the dialects share in reading answers: parts of JSON that may be anything, error bodies, waiting times."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from webapp.llm.errors import Fault, Kind, ProviderError
from webapp.llm.sse import Frame

LONGEST = 600  # characters of a provider's own words that are kept

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TRY_AGAIN = re.compile(r"try again in (\d+(?:\.\d+)?)\s?(ms|s)\b", re.IGNORECASE)


def obj(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A string that can be stored and sent: without NUL and half surrogate pairs. "" for anything else."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value.replace("\0", "\ufffd")
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def count(value: object) -> int:
    """A number of tokens: whole and not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def parse(raw: str | bytes) -> Any:
    """The JSON value. Raises ValueError, for nesting without end too."""
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def sayings(frame: Frame) -> list[dict[str, Any]]:
    """The JSON objects of a frame: one, those of a list, or one a line where a server left out the empty lines between
    them. Raises ProviderError for what is no JSON (PROTOCOL) or only its beginning (TRUNCATED)."""
    if frame.data == "[DONE]":
        return []
    try:
        return _objects(parse(frame.data))
    except ValueError:
        if not frame.whole:
            raise cut_off() from None
    try:
        lines = [line for line in frame.data.split("\n") if line.strip() not in ("", "[DONE]")]
        return [said for line in lines for said in _objects(parse(line))]
    except ValueError:
        raise not_the_provider("An event of the stream is not JSON.", in_stream=True) from None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict)]


def storable(value: Any, depth: int = 40) -> Any:
    """JSON as it came, but such that it can be stored and sent again: no NUL, half surrogate pair, NaN or infinity in
    it, and nothing below a depth that no provider needs."""
    match value:
        case str():
            return text(value)
        case float():
            return value if isfinite(value) else None
        case dict() if depth:
            return {text(k): storable(v, depth - 1) for k, v in value.items()}
        case list() if depth:
            return [storable(v, depth - 1) for v in value]
        case bool() | int():
            return value
    return None


def ordered(value: Any) -> Any:
    """The same JSON with its keys sorted: equal values give equal bytes, wherever they were stored meanwhile."""
    if isinstance(value, Mapping):
        return {k: ordered(value[k]) for k in sorted(value)}
    if isinstance(value, list | tuple):
        return [ordered(v) for v in value]
    return value


def error_body(body: bytes) -> dict[str, Any] | None:
    """The JSON object of an error answer, None if it is something else (a page, plain text, nothing)."""
    try:
        value = parse(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def plain_words(body: bytes) -> str:
    """A line that says what a body without JSON is: a page's title, or the beginning of its text."""
    said = body.decode("utf-8", "replace").strip()
    title = _TITLE.search(said)
    if title:
        said = html.unescape(title[1])
    elif said.startswith("<"):
        said = "an HTML page"
    return clip(" ".join(said.split())[:200])


def clip(words: str) -> str:
    words = text(words)
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def retry_after(headers: Mapping[str, str], message: str = "") -> float | None:
    """Seconds to wait as the answer asks for: retry-after-ms, retry-after (seconds or a date), or its own words."""
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after", "")
    seconds = _seconds(asked)
    if seconds is not None:
        return seconds
    until, now = _date(asked), _date(headers.get("date", ""))
    if until and now:
        return max((until - now).total_seconds(), 0.0)
    words = _TRY_AGAIN.search(message)
    return float(words[1]) / (1000 if words[2].lower() == "ms" else 1) if words else None


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) else None


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else None


def not_the_provider(message: str, *, status: int = 0, in_stream: bool = False) -> ProviderError:
    """What came is not the provider's language."""
    return ProviderError(Fault(Kind.PROTOCOL, clip(message), status, in_stream=in_stream))


def cut_off() -> ProviderError:
    """The stream ended without its end."""
    return ProviderError(Fault(Kind.TRUNCATED, in_stream=True, retryable=True))
