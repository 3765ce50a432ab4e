"""ProviderError: everything that can go wrong between us and a provider, in one family, with the words a person sees.

Dialects decide the kind (`fail`); nobody else looks at a provider's status codes. The provider's own words ride along
in `message`, already scrubbed. What each kind says to a person is one table here (`SAYS`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from webapp.llm.blocks import Json


class Kind(StrEnum):
    INVALID_KEY = "invalid_key"  # wrong, revoked or expired
    KEY_FORBIDDEN = "key_forbidden"  # a real key that may not do this
    MODEL_FORBIDDEN = "model_forbidden"
    MODEL_NOT_FOUND = "model_not_found"
    NO_CREDIT = "no_credit"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    CONTEXT_OVERFLOW = "context_overflow"
    REQUEST_INVALID = "request_invalid"
    CONTENT_BLOCKED = "content_blocked"
    STALE_THINKING = "stale_thinking"
    REGION_BLOCKED = "region_blocked"
    TIMEOUT = "timeout"
    NETWORK = "network"
    TRUNCATED = "truncated"  # the stream ended without its end
    PROVIDER_ERROR = "provider_error"  # 5xx
    PROTOCOL = "protocol"  # not the provider, or not its language


NO_DIAGNOSIS = "no_diagnosis"  # a code of ours: refused was only that we asked why the cache was missed


@dataclass(frozen=True)
class Fault:
    """What happened, as a value: storable, comparable, without secrets."""

    kind: Kind
    message: str = ""  # the provider's own words, scrubbed, at most 600 characters
    status: int = 0  # HTTP status, 0 where none was seen
    code: str = ""  # the provider's own code or type
    request_id: str = ""
    retry_after: float | None = None  # seconds
    retryable: bool = False  # a retry may help, if nothing was heard yet
    in_stream: bool = False  # came after a 200

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(raw: Json) -> Fault:
        return Fault(**{**raw, "kind": Kind(raw["kind"])})


class ProviderError(Exception):
    """Raised by the client and by `listen`. `fault` says it all."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind}: {fault.status} {fault.code}")
        self.fault = fault


@dataclass(frozen=True)
class Words:
    """What a person is told: what happened, and what to do next. `{provider}` and `{wait}` are filled in."""

    title: str
    hint: str


SAYS: dict[Kind, Words] = {
    Kind.INVALID_KEY: Words(
        "{provider} refused the key",
        "It may have been revoked, deleted or mistyped. Connect a new key in Settings › AI providers.",
    ),
    Kind.KEY_FORBIDDEN: Words(
        "This key has no permission for that",
        "The key is genuine, but {provider} does not let it make this call. Check its permissions there.",
    ),
    Kind.MODEL_FORBIDDEN: Words(
        "This key may not use that model", "Pick another model, or widen the key's scope at {provider}."
    ),
    Kind.MODEL_NOT_FOUND: Words("{provider} does not know that model", "It may have been retired. Pick another model."),
    Kind.NO_CREDIT: Words(
        "No credit left at {provider}",
        "Add credit or raise the spending limit on the provider's billing page.",
    ),
    Kind.RATE_LIMITED: Words(
        "{provider} is limiting this key", "Too many requests or tokens for now. The key is fine. {wait}"
    ),
    Kind.OVERLOADED: Words("{provider} is overloaded", "The key is fine. {wait}"),
    Kind.CONTEXT_OVERFLOW: Words(
        "The conversation is too long for this model",
        "Start a new chat, or pick a model with a larger context.",
    ),
    Kind.REQUEST_INVALID: Words("{provider} did not accept the request", "Its own words are below."),
    Kind.CONTENT_BLOCKED: Words("{provider} declined this content", "Rephrase the message and send it again."),
    Kind.STALE_THINKING: Words(
        "{provider} did not accept the earlier reasoning",
        "Send the message again; it goes without the old reasoning.",
    ),
    Kind.REGION_BLOCKED: Words("{provider} does not serve this region", "Connect a provider that does."),
    Kind.TIMEOUT: Words("{provider} did not answer in time", "The key was not judged. Try again."),
    Kind.NETWORK: Words("{provider} could not be reached", "The connection failed before an answer came. Try again."),
    Kind.TRUNCATED: Words("The answer was cut off", "{provider} closed the connection early. What arrived is kept."),
    Kind.PROVIDER_ERROR: Words("{provider} had an internal error", "The key is fine. Try again in a moment."),
    Kind.PROTOCOL: Words(
        "That was not {provider} answering",
        "Something between us and the provider replied instead (a proxy, a login page or a wrong address).",
    ),
}

SAYS_OF_CODE: dict[str, Words] = {  # codes that say more than their kind
    "closed_address": Words(
        "This address is closed to us",
        "Its name leads to a private or reserved network. The operator can allow it by naming host and port in "
        "SELF_HOSTED_HOSTS.",
    ),
    "no_list": Words(
        "This is not an OpenAI-compatible server",
        "Something answered, but not with a list of models. Check the address: the base URL ends in /v1 for most.",
    ),
    "no_models": Words(
        "{provider} lists no model to chat with", "Load a model there (or pull one, in Ollama), and try again."
    ),
    "missing_scope": Words(
        "This key lacks a permission",
        "The key is genuine. Edit it at {provider}: Model capabilities must allow Request (write), and Models may "
        "allow Read, for the list of models.",
    ),
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": Words(
        "{provider} does not take this key for its account",
        "Nothing is wrong with how it was pasted: {provider} has not bound it to a project that may use the API. "
        "Create another key in Google AI Studio, in a new project.",
    ),
}


def explain(fault: Fault, provider: str) -> Words:
    """The words for a fault at the provider of that display name."""
    words = SAYS_OF_CODE.get(fault.code) or SAYS[fault.kind]
    wait = "Try again in a moment."
    if fault.retry_after is not None and fault.retry_after >= 1:
        wait = f"Try again in {round(fault.retry_after)} s."
    return Words(words.title.format(provider=provider), words.hint.format(provider=provider, wait=wait))
