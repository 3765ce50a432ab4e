"""What a provider is to the simulator: a Flavour, one frozen record each, and the Dialect its paths speak.

The records stand in `flavours.py`. A dialect is a module of pure functions; where two providers of one dialect differ,
the difference is a field of the record, never an `if` on its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from simulator.answers import Draft
from simulator.cache import Usage
from simulator.errors import ApiError, Failure
from simulator.models import Model
from simulator.prompt import Prompt
from simulator.reply import Block, Reply
from simulator.sse import Event
from simulator.values import Json


@dataclass(frozen=True)
class Arrival:
    """A request to a provider. `rest` is what stands for the `*` of its route."""

    flavour: Flavour
    path: str
    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """All that a dialect needs to put a Reply on the wire. `created` is in seconds since 1970."""

    flavour: Flavour
    prompt: Prompt
    reply: Reply
    usage: Usage
    id: str
    created: int
    group: int = 0  # tokens an event; 0 varies them
    diagnostics: Json | None = None  # why the cache was missed


class Dialect(Protocol):
    """A module of `dialects/`."""

    def read(self, arrival: Arrival) -> Prompt:
        """The request as the demo model reads it. Raises ApiError for what the real API refuses."""

    def spell(self, arrival: Arrival, prompt: Prompt, draft: Draft) -> Sequence[Block]:
        """A draft as blocks: ids, signatures, sealed reasoning."""

    def events(self, answer: Answer) -> Iterator[Event]:
        """The answer as a stream."""

    def whole(self, answer: Answer) -> Json:
        """The answer in one piece; it says what the stream adds up to."""

    def failing(self, error: ApiError, answer: Answer, sent: int) -> Iterator[Event]:
        """How a stream ends that fails after `sent` events."""

    def beat(self, flavour: Flavour) -> Event:
        """What is sent in a silence to keep the connection alive."""

    def frame(self, event: Event, padding: int) -> bytes:
        """An event as bytes. `padding` hides its length where the provider does that."""


_ALIASES = {"credit": "nocredit"}
UsagePlace = Literal["finish", "x_groq", "choice", "tail", "tail-if-asked"]


@dataclass(frozen=True)
class Chat:
    """How a provider deviates from OpenAI's chat completions."""

    id_prefix: str = ""  # of an answer's id
    fields: frozenset[str] | None = None  # all it accepts; None accepts everything
    max_fields: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    refused_max: str = ""  # a field that is refused by name
    choices: frozenset[str] = frozenset({"auto", "none", "required", "function"})
    choices_thinking: frozenset[str] = frozenset({"auto", "none", "required", "function"})
    tools_while_thinking: bool = True
    switch: Literal["thinking", "reasoning_effort", "reasoning"] = "reasoning_effort"  # what turns thinking off
    reasoning_replay: bool = False  # assistant turns with tool_calls must carry reasoning_content
    call_id: str = ""  # a pattern that ids of calls must have
    call_id_length: int = 24
    call_id_prefix: str = "call_"
    names_calls: bool = False  # ids are functions.<name>:<number>
    tool_name_required: bool = False  # in messages of the role `tool`
    # the stream
    opening: Mapping[str, object] = field(default_factory=dict)  # the delta of the first chunk; nothing: no such chunk
    opening_thinking: Mapping[str, object] = field(default_factory=dict)  # the same if it thinks
    every: Mapping[str, object] = field(default_factory=dict)  # in each delta
    nulls: bool = False  # content is null beside reasoning, and the other way round
    closing: Mapping[str, object] = field(default_factory=dict)  # the delta of the chunk with finish_reason
    chunk: Mapping[str, object] = field(default_factory=dict)  # further fields of a chunk
    choice: Mapping[str, object] = field(default_factory=lambda: {"logprobs": None})
    finish_null: bool = True  # `finish_reason: null` until the end
    native_finish: bool = False
    reasoning: Literal["", "reasoning_content", "reasoning", "details", "parts"] = "reasoning_content"
    channel: str = ""  # `channel` beside reasoning
    whole_calls: bool = False  # a call comes in one delta
    streams_on_request: bool = False  # …unless `tool_stream` is set
    repeats_call: bool = False  # each fragment of a call has its id and name again
    calls_close: bool = False  # calls, finish_reason and usage share one chunk
    usage: tuple[UsagePlace, ...] = ("tail-if-asked",)
    tail_repeats: bool = False  # the chunk with usage has a choice
    usage_null: bool = False  # `usage: null` before
    usage_style: Literal["openai", "deepseek", "openrouter", "groq", "mistral", "moonshot", "zai", "plain"] = "openai"
    comment: str = ""  # sent while one waits
    comments: int = 0  # before the first chunk
    padding: str = ""  # a field of noise that hides the length of a chunk
    stops: Mapping[str, str] = field(default_factory=dict)  # its words where they are not OpenAI's
    refusals: bool = False  # `delta.refusal`
    error_chunk: Literal["plain", "event", "choice"] = "plain"
    done_after_error: bool = False


@dataclass(frozen=True, kw_only=True)
class Flavour:
    """A provider. `prefix` begins all its paths; a route of `speaks` (chat), `lists` (models) and `checks` (what a key
    may do), such as `GET /v1/models/*`, stands behind it.

    `failures` are its ways to fail, by our names for them: what the flaw of a key and `[[sim error=…]]` choose from.
    """

    slug: str
    prefix: str
    keys: tuple[str, ...]
    models: tuple[Model, ...]
    speaks: Mapping[str, Dialect]
    lists: Mapping[str, Callable[[Arrival], Json | list[Json]]]
    checks: Mapping[str, Callable[[str], Json]] = field(default_factory=dict)
    failures: Mapping[str, Failure]
    body: Callable[[ApiError, str], Json]
    key_headers: tuple[str, ...] = ("authorization",)
    request_id_header: str = "x-request-id"
    request_id_prefix: str = "req_"
    answer_id: tuple[str, int] = ("", 32)  # what the ids of answers begin with, and the length of the rest
    should_retry: bool = False  # sends x-should-retry
    limits: Literal["anthropic", "openai", ""] = ""  # headers that tell what is left
    cache_unit: int = 64  # tokens; 0: only what is marked is cached
    cache_writes: bool = False  # are reported
    adds_cached: bool = False  # input tokens may leave out the cached ones
    events_type: str = "text/event-stream; charset=utf-8"
    error_type: str = "application/json"
    stream_error_type: str = ""  # of an error that answers a streaming request, if another
    spares_lists: frozenset[str] = frozenset({"nocredit"})  # flaws of keys that can still list models
    says_retry_after: bool = True  # in a header
    diagnoses: str = ""  # pattern: models whose responses say why their cache was missed, if asked
    breaks_in_stream: bool = False  # no credit is said inside a 200 stream
    seals: str = ""  # what its sealed reasoning begins with
    chat: Chat = field(default_factory=Chat)

    def find(self, name: str) -> Model | None:
        return next((model for model in self.models if name in (model.id, model.alias) and name), None)

    def failure(self, name: str, /, **facts: object) -> ApiError:
        """The error of that name."""
        return self.failures[name].raised(**facts)

    def invalid(self, message: str, **more: Any) -> ApiError:
        """The error of a request that cannot be understood."""
        error = self.failures["invalid"].raised(message=message)
        for name, value in more.items():
            setattr(error, name, value)
        return error

    def scripted(self, name: str, model: Model) -> ApiError | None:
        """The error a directive names: by our name, by its type on this wire, or by its status."""
        facts = {"model": model.id, "limit": model.max_input, "tokens": model.max_input + 4321}
        name = _ALIASES.get(name, name)
        if name in self.failures:
            return self.failure(name, message="simulated", **facts)
        for key, failure in self.failures.items():
            if name in (failure.type, str(failure.status)) and key != "quiet":
                return self.failure(key, message="simulated", **facts)
        unknown = name.isdigit() and 400 <= int(name) <= 599
        return ApiError(int(name), f"simulated error {name}") if unknown else None
