"""Prompt-cache accounting: what a request reads from the cache, writes to it and pays in full.

The prompt is a chain of blocks in the order tools, system, messages; each has a digest of everything up to it. A
breakpoint writes an entry at its block, if the prefix is long enough for the model. A request reads the longest entry
that still lives and ends at a breakpoint or at most 19 blocks before one. A hit renews its entry for free. The three
figures always add up to the whole prompt. Entries belong to one key and one model, and become readable when the
answer that wrote them starts. What only concerns how to answer (`tool_choice`, `thinking`) is part of the messages.

That is how Anthropic caches. The others cache by themselves: every block ends an entry, and what is read is a multiple
of a unit of tokens.

Tokens are estimated: four characters of compact JSON each, an image or a document 1,500.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from simulator.prompt import Prompt
from simulator.values import Json, compact

LOOKBACK = 20  # blocks, the breakpoint itself included
TTL = {"5m": 300.0, "1h": 3600.0}
_BY_ITSELF = "1h"  # what lives as long as the provider likes
_CHARS_PER_TOKEN = 4
_MEDIA_TOKENS = 1500
_REMEMBERED = 5000  # fingerprints of past requests
_UNCACHEABLE = ("thinking", "redacted_thinking")
_HOW_TO_ANSWER = ("tool_choice", "thinking")
_IN_RESPONSES = {  # Anthropic's reasons in OpenAI's words; instructions are input there
    "model_changed": "model_changed",
    "tools_changed": "tools_changed",
    "system_changed": "input_changed",
    "messages_changed": "input_changed",
}


@dataclass(frozen=True)
class Link:
    """A block of the prompt: the digest of all up to here, its tokens, and its breakpoint's ttl ("" for none)."""

    digest: str
    tokens: int
    ttl: str = ""


@dataclass(frozen=True)
class Usage:
    """Input tokens in figures that do not overlap."""

    fresh: int = 0
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def total(self) -> int:
        return self.fresh + self.read + self.written_5m + self.written_1h

    def as_json(self) -> Json:
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written_5m,
                "ephemeral_1h_input_tokens": self.written_1h,
            },
        }


@dataclass(frozen=True)
class Plan:
    """What one request does to the cache: its usage, the entries it renews and those it will write."""

    usage: Usage
    renewed: tuple[str, ...]
    written: tuple[tuple[str, str], ...]  # digest, ttl


@dataclass
class Cache:
    """The entries of every key, as long as they live. `clock` is in seconds."""

    clock: Callable[[], float]
    _expires: dict[str, tuple[float, str]] = field(default_factory=dict)

    def plan(self, request: Prompt, key: str, unit: int = 0) -> Plan:
        """What this request reads and writes. Nothing changes until `commit`. With a `unit`, nothing is marked."""
        links = chain(request, key)
        if unit:
            return self._automatic(links, request.model.cache_min, unit)
        marked = [i for i, link in enumerate(links) if link.ttl]
        reached = self._longest(links, marked)
        written = [i for i in marked if i > reached and _length(links, i) >= request.model.cache_min]
        return Plan(
            _usage(links, reached, written),
            tuple(link.digest for link in links[: reached + 1] if link.digest in self._expires),
            tuple((links[i].digest, links[i].ttl) for i in written),
        )

    def _automatic(self, links: list[Link], least: int, unit: int) -> Plan:
        reached = next((i for i in reversed(range(len(links))) if self._lives(links[i].digest)), -1)
        read, total = _length(links, reached) // unit * unit, _length(links, len(links) - 1)
        written = total // unit * unit - read if total >= least else 0
        return Plan(
            Usage(total - read - written, read, written),
            tuple(link.digest for link in links[: reached + 1] if link.digest in self._expires),
            tuple((link.digest, _BY_ITSELF) for i, link in enumerate(links) if _length(links, i) >= least),
        )

    def commit(self, plan: Plan) -> None:
        now = self.clock()
        self._expires = {d: (end, ttl) for d, (end, ttl) in self._expires.items() if end > now}
        for digest in plan.renewed:
            if digest in self._expires:
                ttl = self._expires[digest][1]
                self._expires[digest] = (now + TTL[ttl], ttl)
        for digest, ttl in plan.written:
            self._expires[digest] = (now + TTL[ttl], ttl)

    def _longest(self, links: list[Link], marked: list[int]) -> int:
        """The last link that can be read, -1 for none."""
        for i in reversed(marked):
            for back in range(i, max(i - LOOKBACK, -1), -1):
                if self._lives(links[back].digest):
                    return back
        return -1

    def _lives(self, digest: str) -> bool:
        return digest in self._expires and self._expires[digest][0] > self.clock()


def chain(request: Prompt, key: str = "") -> list[Link]:
    """The prompt as a chain of digests. The top-level `cache_control` marks the last block that can be cached."""
    links: list[Link] = []
    running = _digest("", [key, request.model.id])
    for content, tokens, ttl in _content(request):
        running = _digest(running, content)
        links.append(Link(running, tokens, ttl))
    return links


def count(request: Prompt) -> int:
    """The tokens of the whole prompt."""
    return sum(link.tokens for link in chain(request))


def _content(request: Prompt) -> Iterator[tuple[object, int, str]]:
    last = _last_cacheable(request)
    for tool in request.tools:
        yield _bare(tool), _tokens(tool), _ttl(tool)
    for block in request.system:
        yield _bare(block), _tokens(block), _ttl(block)
    how = {name: request.raw[name] for name in _HOW_TO_ANSWER if name in request.raw}
    for turn in request.turns:
        for i, block in enumerate(turn.blocks):
            ttl = _ttl(block)
            if (turn.index, i) == last and not ttl:
                ttl = (request.automatic_cache or {}).get("ttl") or "5m"
            yield [how, turn.role, _bare(block)], _tokens(block), ttl


def _last_cacheable(request: Prompt) -> tuple[int, int] | None:
    if request.automatic_cache is None:
        return None
    places = [(t.index, i) for t in request.turns for i, b in enumerate(t.blocks) if b["type"] not in _UNCACHEABLE]
    return places[-1] if places else None


def _usage(links: list[Link], reached: int, written: list[int]) -> Usage:
    read = _length(links, reached)
    by_ttl = {"5m": 0, "1h": 0}
    done = read
    for i in written:
        by_ttl[links[i].ttl] += _length(links, i) - done
        done = _length(links, i)
    return Usage(_length(links, len(links) - 1) - done, read, by_ttl["5m"], by_ttl["1h"])


def _length(links: list[Link], last: int) -> int:
    return sum(link.tokens for link in links[: last + 1])


def _ttl(block: Json) -> str:
    marker = block.get("cache_control")
    return (marker.get("ttl") or "5m") if marker else ""


def _bare(block: Json) -> Json:
    return {k: v for k, v in block.items() if k != "cache_control"}


def _tokens(block: Json) -> int:
    if block.get("type") in ("image", "document"):
        return _MEDIA_TOKENS
    return -(-len(compact(_bare(block))) // _CHARS_PER_TOKEN)


def _digest(before: str, content: object) -> str:
    return hashlib.sha256((before + compact(content)).encode()).hexdigest()


@dataclass(frozen=True)
class _Fingerprint:
    model: str
    tools: str
    system: str
    how: str
    messages: tuple[Link, ...]
    tokens: int


@dataclass
class Diagnostics:
    """Says why a prompt could not reuse the one before it: as Anthropic says it (compare; only requests that carry
    `diagnostics` are remembered) and as OpenAI does (compare_response; every answer can be named)."""

    _known: OrderedDict[str, _Fingerprint] = field(default_factory=OrderedDict)

    def compare(self, request: Prompt, message_id: str) -> Json | None:
        """`diagnostics` of the answer: None when nothing diverged or nobody asked. Remembers this request."""
        asked = request.raw.get("diagnostics")
        if asked is None:
            return None
        now = self._remember(request, message_id)
        previous = asked.get("previous_message_id")
        if previous is None:
            return None
        then = self._known.get(previous)
        reason = _reason(then, now) if then else {"type": "previous_message_not_found"}
        return {"cache_miss_reason": reason} if reason else None

    def compare_response(self, request: Prompt, id: str) -> Json | None:
        """`prompt_cache_diagnostics` of the response, whose own id has a prefix; None if nobody asked."""
        now = self._remember(request, id)
        named = (request.raw.get("prompt_cache_options") or {}).get("comparison_response_id")
        if named is None:
            return None
        then = self._known.get(str(named).removeprefix("resp_"))
        if then is None:
            return {"type": "comparison_response_not_found"}
        reason = _reason(then, now)
        if reason is None:
            return {"type": "cache_hit"}
        tokens = reason.get("cache_missed_input_tokens", 0)
        why = _IN_RESPONSES.get(reason["type"], "reasoning_effort_changed")
        reusable = then.tokens - tokens
        return {
            "type": "cache_miss",
            "reason": why,
            "cache_missed_tokens": tokens,
            "comparison_reusable_tokens": reusable,
        }

    def _remember(self, request: Prompt, id: str) -> _Fingerprint:
        now = self._known[id] = _fingerprint(request)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return now


def _fingerprint(request: Prompt) -> _Fingerprint:
    return _Fingerprint(
        model=request.model.id,
        tools=_all(request.tools),
        system=_all(request.system),
        how=_digest("", [request.raw.get(name) for name in _HOW_TO_ANSWER]),
        messages=tuple(_message_links(request)),
        tokens=count(request),
    )


def _message_links(request: Prompt) -> Iterator[Link]:
    for turn in request.turns:
        blocks = [_bare(b) for b in turn.blocks]
        yield Link(_digest("", [turn.role, blocks]), sum(_tokens(b) for b in turn.blocks))


def _all(blocks: Iterable[Json]) -> str:
    return _digest("", [_bare(b) for b in blocks])


def _reason(then: _Fingerprint, now: _Fingerprint) -> Json | None:
    if then.model != now.model:
        return _missed("model_changed", then.tokens)
    if then.tools != now.tools:
        return _missed("tools_changed", then.tokens)
    if then.system != now.system:
        return _missed("system_changed", then.tokens)
    if then.how != now.how:
        return {"type": "unavailable"}
    for old, new in zip(then.messages, now.messages, strict=False):
        if old.digest != new.digest:
            at = then.messages.index(old)
            return _missed("messages_changed", sum(link.tokens for link in then.messages[at:]))
    if len(now.messages) < len(then.messages):
        return _missed("messages_changed", sum(link.tokens for link in then.messages[len(now.messages) :]))
    return None


def _missed(type: str, tokens: int) -> Json:
    return {"type": type, "cache_missed_input_tokens": tokens}
