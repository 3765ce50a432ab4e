"""What differs between providers that speak the same dialect, as named data. The dialect reads it; nothing asks for a
provider's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.llm.blocks import Json
from webapp.llm.errors import Kind


@dataclass(frozen=True)
class Verdict:
    """What a field of a provider's word on a key means: where it is `value` (a number: that or less), the key cannot
    chat, for the reason `kind`."""

    field: str  # its path, with dots
    value: bool | int
    kind: Kind
    says: str


@dataclass(frozen=True)
class ChatQuirks:
    """How a provider's chat completions differ from the plain ones. The defaults are the plain ones."""

    # asking
    max_tokens: str = "max_tokens"  # the field that limits the answer
    stream_options: bool = True  # usage comes only if it is asked for
    user: str = ""  # the field for the asking person's id, "" if there is none
    cache_key: str = ""  # the field for what those who share a prefix have in common
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)  # sent always
    with_tools: Json = field(default_factory=dict)  # sent beside tools
    thinking: Json = field(default_factory=dict)  # sent to ask for visible reasoning
    no_thinking: Json = field(default_factory=dict)  # sent to ask for none
    marks_cache: tuple[str, ...] = ()  # beginnings of the models whose requests carry cache_control

    # history
    tool_ids: str = r"[A-Za-z0-9_-]{1,64}"  # ids of calls that it takes as they are; others are replaced
    names_results: bool = False  # a tool's message says the tool's name
    between: str = ""  # what the assistant says between tools' messages and a person's, where they may not touch
    echo: tuple[
        str, ...
    ] = ()  # where it wants its reasoning back: reasoning_details, reasoning_content, reasoning, content
    on_calls: str = ""  # the one of these that every turn with calls must have, if only empty
    echoes_extras: bool = False  # it wants back what else a call had

    # listening
    think_tags: bool = False  # an answer that begins with <think> begins with reasoning

    # models
    models_path: str = "/models"
    check_path: str = ""  # a free request that says what the key may do
    verdicts: tuple[Verdict, ...] = ()  # and how its answer says no


@dataclass(frozen=True)
class ResponsesQuirks:
    """How a provider's Responses API differs from the plain one. The defaults are the plain one."""

    user: str = "user"  # the field for the asking person's id
    body: Json = field(default_factory=dict)  # sent always
    reasons: str = r"(?!)"  # pattern: models that reason, and can be asked for a summary of it
    diagnoses: str = r"(?!)"  # pattern: models that can be asked why their cache was missed

    models_path: str = "/models"
    check_path: str = ""  # a free request that says what the key may do
    verdicts: tuple[Verdict, ...] = ()  # and how its answer says no
