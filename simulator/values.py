"""What everybody here speaks of: JSON objects, the tokens of a text, ids. Pure."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_PIECE = re.compile(r"\s*\S{1,5}|\s+$")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_GROUPS = (1, 3, 6, 2, 8, 4)  # tokens an event, in turn: the real ones are as uneven


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def new_id(prefix: str = "", length: int = 22) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def pieces(text: str) -> list[str]:
    """The tokens of a text, at most five characters each with the space before them; joined they are the text."""
    return _PIECE.findall(text)


def grouped(text: str, group: int = 0) -> Iterator[tuple[str, int]]:
    """A text as it streams: parts, each with its number of tokens. `group` fixes that number; 0 varies it."""
    parts, at, turn = pieces(text), 0, 0
    while at < len(parts):
        size = group or _GROUPS[turn % len(_GROUPS)]
        chosen = parts[at : at + size]
        yield "".join(chosen), len(chosen)
        at, turn = at + size, turn + 1


def parsed(text: str) -> Json:
    """A JSON object, or an empty one where `max_tokens` cut it."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
