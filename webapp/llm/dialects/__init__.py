"""The dialects: each a module of pure functions that turns our values into a provider's wire format and back.

call         what we ask      -> an HTTP request, as a value
listen       server-sent      -> our events, exactly one Finish at the end, or ProviderError
fail         an error answer  -> ProviderError
models_call, read_models      the provider's own list of models, page by page
check_call, read_check        a free question about the key, where the provider answers one
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from webapp.llm.dialects import anthropic_messages, gemini, openai_chat, openai_responses
from webapp.llm.errors import ProviderError
from webapp.llm.events import Event
from webapp.llm.models import ModelPage
from webapp.llm.providers import Provider
from webapp.llm.request import HttpCall, ModelRequest
from webapp.llm.sse import Frame
from webapp.secret import Secret


class Dialect(Protocol):
    def call(self, provider: Provider, request: ModelRequest, key: Secret) -> HttpCall:
        """The streaming request. Equal requests give equal bytes."""

    def listen(self, provider: Provider, frames: Iterator[Frame]) -> Iterator[Event]:
        """The events of a stream. Raises ProviderError for an error inside it and for a stream without its end."""

    def fail(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """What an answer that is no stream means. Header names in lower case; `body` may be cut."""

    def models_call(self, provider: Provider, key: Secret, after: str = "") -> HttpCall:
        """The request for the page of the model list that follows the model `after`."""

    def read_models(self, provider: Provider, body: bytes) -> ModelPage:
        """A page of the model list. Raises ProviderError (PROTOCOL) for anything else."""

    def check_call(self, provider: Provider, key: Secret) -> HttpCall | None:
        """A free request whose answer says what the key may do, None where there is none."""

    def read_check(self, provider: Provider, body: bytes) -> None:
        """Raises ProviderError for a key that cannot chat, as the answer says; nothing for an answer it cannot read."""


DIALECTS: dict[str, Dialect] = {
    "anthropic_messages": anthropic_messages,
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "gemini": gemini,
}
