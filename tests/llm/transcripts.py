"""Recorded streams for the tests: our own in tests/recordings, and whatever lies in ../shared beside the repository."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from webapp.llm import sse
from webapp.llm.dialects import anthropic_messages
from webapp.llm.errors import Fault, ProviderError
from webapp.llm.events import Event
from webapp.llm.providers import ANTHROPIC

OWN = Path(__file__).parents[1] / "recordings" / "anthropic"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "anthropic"


def own(name: str) -> bytes:
    return (OWN / f"{name}.sse").read_bytes()


def every_own() -> list[str]:
    return sorted(path.stem for path in OWN.glob("*.sse"))


def shared(*, stream: bool) -> dict[str, dict[str, Any]]:
    """The real exchanges by name, streamed or not; none where the folder is missing."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(SHARED.glob("*.json"))}
    return {name: exchange for name, exchange in found.items() if exchange["stream"] is stream}


def listen(chunks: Iterable[bytes]) -> tuple[list[Event], Fault | None]:
    """The events of a body, and the fault that ended them, if one did."""
    heard: list[Event] = []
    try:
        for event in anthropic_messages.listen(ANTHROPIC, sse.read(chunks)):
            heard.append(event)
    except ProviderError as error:
        return heard, error.fault
    return heard, None


def bytewise(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]
