"""Recorded streams for the tests: our own in tests/recordings, and whatever lies in ../shared beside the repository.

A folder is a provider's slug; what it speaks is in its record. A provider without a record of ours, as others stand in
../shared, is heard as a plain speaker of its dialect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from webapp.llm import providers, sse
from webapp.llm.assembler import Assembler
from webapp.llm.dialects import DIALECTS
from webapp.llm.errors import Fault, ProviderError
from webapp.llm.events import Event
from webapp.llm.providers import ANTHROPIC, Provider
from webapp.llm.quirks import ChatQuirks

OWN = Path(__file__).parents[1] / "recordings"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "recordings"
RECORDS = {p.slug: p for p in vars(providers).values() if isinstance(p, Provider)}
PLAIN = Provider(
    "plain", "Plain", "openai_chat", "https://plain.invalid", "", "", "", "", "", chat=ChatQuirks(think_tags=True)
)


@dataclass(frozen=True)
class Stream:
    """A recorded body, and whose it is."""

    provider: Provider
    body: bytes


def own(name: str, provider: str = "anthropic") -> bytes:
    return (OWN / provider / f"{name}.sse").read_bytes()


def every_own(provider: str = "anthropic") -> list[str]:
    return sorted(path.stem for path in (OWN / provider).glob("*.sse"))


def shared(provider: str = "anthropic", *, stream: bool) -> dict[str, dict[str, Any]]:
    """The real exchanges by name, streamed or not; none where the folder is missing. `*` stands for every provider."""
    paths = sorted(SHARED.glob(f"{provider}/*.json"))
    found = {p.stem if provider != "*" else f"{p.parent.name}/{p.stem}": json.loads(p.read_text()) for p in paths}
    return {name: exchange for name, exchange in found.items() if exchange["stream"] is stream}


@cache
def streams(dialect: str) -> dict[str, Stream]:
    """Every stream in a dialect: ours, then the real ones."""
    found: dict[str, Stream] = {}
    for folder in sorted(path for path in OWN.iterdir() if path.is_dir()):
        provider = RECORDS.get(folder.name, PLAIN)
        if provider.dialect == dialect:
            found |= {f"{folder.name}/{n}": Stream(provider, own(n, folder.name)) for n in every_own(folder.name)}
    for name, exchange in shared("*", stream=True).items():
        if exchange["dialect"].replace("-", "_") == dialect and exchange["framing"] == "sse":
            provider = record(exchange["provider"], dialect)
            found[f"shared {name}"] = Stream(provider, exchange["response"]["body"].encode())
    return found


def record(slug: str, dialect: str) -> Provider:
    """The record of a provider, or a plain one where it has none for what it speaks here."""
    found = RECORDS.get(slug)
    return found if found and found.dialect == dialect else replace(PLAIN, dialect=dialect)


def listen(chunks: Iterable[bytes], provider: Provider = ANTHROPIC) -> tuple[list[Event], Fault | None]:
    """The events of a body, and the fault that ended them, if one did."""
    heard: list[Event] = []
    try:
        for event in DIALECTS[provider.dialect].listen(provider, sse.read(chunks)):
            heard.append(event)
    except ProviderError as error:
        return heard, error.fault
    return heard, None


def assembled(events: Iterable[Event]) -> Assembler:
    fold = Assembler()
    for event in events:
        fold.apply(event)
    return fold


def bytewise(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]
